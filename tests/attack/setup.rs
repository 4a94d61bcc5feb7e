//! Helpers of all these tests: they make a store, read its contents, and write, sometimes with a failure.

use std::collections::BTreeMap;

use nidus_wasm::search::Filter;
use nidus_wasm::sink::MemorySink;
use nidus_wasm::{Batch, Code, Meta, OpenOptions, Query, Record, Store, Value, code_of};

pub const DIMENSION: usize = 2;

pub fn options() -> OpenOptions {
    OpenOptions { dimension: Some(DIMENSION), ..OpenOptions::default() }
}

pub type State = BTreeMap<String, (Meta, Vec<Record>)>;

pub fn state(store: &Store) -> State {
    let live: usize = store.collections().iter().map(|name| store.count(Some(name), &Filter::default()).unwrap()).sum();
    let hits = store.search(&[1.0, 0.5], &Query { top_k: usize::MAX, ..Query::default() }).unwrap();
    assert_eq!(hits.len(), live);
    assert_eq!(store.footprint().doc_count, live);
    store
        .collections()
        .into_iter()
        .map(|name| (name.clone(), (store.get_meta(&name), store.get_all(&name).unwrap())))
        .collect()
}

pub fn reopen(data: &MemorySink, log: &MemorySink) -> nidus_wasm::Result<Store> {
    Store::open(MemorySink::with_bytes(data.to_vec()), MemorySink::with_bytes(log.to_vec()), options())
}

pub fn upsert(store: &mut Store, collection: &str, ids: &[&str]) -> nidus_wasm::Result<usize> {
    let (mut batch, mut vectors) = (Batch::new(), Vec::new());
    for id in ids {
        batch.push(id, &[("name", Value::from(*id))]);
        vectors.extend([id.len() as f32, 1.0]);
    }
    store.stage_upsert(collection, ids.len(), batch.bytes(), &vectors)
}

/// Stages an upsert that fails in its last record, after all records before it were staged.
pub fn bad_upsert(store: &mut Store, collection: &str, ids: &[&str]) {
    let (mut batch, mut vectors) = (Batch::new(), Vec::new());
    for id in ids.iter().chain(&["bad"]) {
        batch.push(id, &[("name", Value::from(*id))]);
        vectors.extend([id.len() as f32, if *id == "bad" { f32::NAN } else { 2.0 }]);
    }
    let error = store.stage_upsert(collection, ids.len() + 1, batch.bytes(), &vectors).unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
}

pub fn delete(store: &mut Store, collection: &str, ids: &[&str]) -> usize {
    store.stage_delete(collection, ids.iter().map(|id| Ok(*id))).unwrap()
}

/// Stages a deletion that fails after the last id.
pub fn bad_delete(store: &mut Store, collection: &str, ids: &[&str]) {
    let ids = ids.iter().map(|id| Ok(*id)).chain([Err(nidus_wasm::error(Code::InvalidArgument, "no id"))]);
    assert!(store.stage_delete(collection, ids).is_err());
}
