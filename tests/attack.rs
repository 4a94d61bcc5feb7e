//! What an attack on the core found: sequences of calls, failures and bytes that once lost, mixed up or wasted something.
#![cfg(not(target_arch = "wasm32"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use nidus_wasm::search::Filter;
use nidus_wasm::sink::fault::{Fault, FaultSink, Faults};
use nidus_wasm::sink::{ByteSink, MemorySink};
use nidus_wasm::{Batch, Code, Meta, OpenOptions, Opening, Query, Record, Store, Value, code_of};
use proptest::prelude::*;

/// Counts what this thread takes.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
    /// So many more large pieces are given, then one is refused.
    static GIVEN: Cell<u64> = const { Cell::new(u64::MAX) };
}

const LARGE: usize = 2048;

fn refused(size: usize) -> bool {
    size >= LARGE
        && GIVEN.try_with(|given| {
            let left = given.get();
            given.set(left.checked_sub(1).unwrap_or(u64::MAX));
            left == 0
        })
        .unwrap_or(false)
}

fn took(bytes: i64) {
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + u64::from(bytes > 0)));
    let _ = BYTES.try_with(|all| {
        all.set(all.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(all.get())));
    });
}

// SAFETY: everything is handed to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refused(layout.size()) {
            return std::ptr::null_mut();
        }
        took(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        took(-(layout.size() as i64));
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: i64 = 1 << 20;

/// Bytes that `work` leaves taken, and the most that it had at a time.
fn taken<T>(work: impl FnOnce() -> T) -> (T, i64, i64) {
    let before = BYTES.get();
    PEAK.set(before);
    let result = work();
    (result, BYTES.get() - before, PEAK.get() - before)
}

const DIMENSION: usize = 2;

fn options() -> OpenOptions {
    OpenOptions { dimension: Some(DIMENSION), ..OpenOptions::default() }
}

type State = BTreeMap<String, (Meta, Vec<Record>)>;

fn state(store: &Store) -> State {
    let live: usize = store.collections().iter().map(|name| store.count(Some(name), &Filter::default())).sum();
    let hits = store.search(&[1.0, 0.5], &Query { top_k: usize::MAX, ..Query::default() }).unwrap();
    assert_eq!(hits.len(), live);
    assert_eq!(store.footprint().doc_count, live);
    store.collections().into_iter().map(|name| (name.clone(), (store.get_meta(&name), store.get_all(&name).unwrap()))).collect()
}

fn reopen(data: &MemorySink, log: &MemorySink) -> nidus_wasm::Result<Store> {
    Store::open(MemorySink::with_bytes(data.to_vec()), MemorySink::with_bytes(log.to_vec()), options())
}

fn upsert(store: &mut Store, collection: &str, ids: &[&str]) -> nidus_wasm::Result<usize> {
    let (mut batch, mut vectors) = (Batch::new(), Vec::new());
    for id in ids {
        batch.push(id, &[("name", Value::from(*id))]);
        vectors.extend([id.len() as f32, 1.0]);
    }
    store.stage_upsert(collection, ids.len(), batch.bytes(), &vectors)
}

/// Fails in its last record, after everything before it was staged.
fn bad_upsert(store: &mut Store, collection: &str, ids: &[&str]) {
    let (mut batch, mut vectors) = (Batch::new(), Vec::new());
    for id in ids.iter().chain(&["bad"]) {
        batch.push(id, &[("name", Value::from(*id))]);
        vectors.extend([id.len() as f32, if *id == "bad" { f32::NAN } else { 2.0 }]);
    }
    let error = store.stage_upsert(collection, ids.len() + 1, batch.bytes(), &vectors).unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
}

fn delete(store: &mut Store, collection: &str, ids: &[&str]) -> usize {
    store.stage_delete(collection, ids.iter().map(|id| Ok(*id))).unwrap()
}

/// Fails behind the last id.
fn bad_delete(store: &mut Store, collection: &str, ids: &[&str]) {
    let ids = ids.iter().map(|id| Ok(*id)).chain([Err(nidus_wasm::error(Code::InvalidArgument, "no id"))]);
    assert!(store.stage_delete(collection, ids).is_err());
}

/// An operation that failed alone, then a compaction, then a group that is taken back: the ids and attributes of the living once
/// went with it, as they were packed anew behind a mark from before.
#[test]
fn taking_back_after_a_compaction_leaves_the_living() {
    for unstage in [false, true] {
        let faults = Faults::new();
        let sink = || FaultSink::new(MemorySink::new(), &faults, ["append", "publish", "truncate", "flush"]);
        let mut store = Store::create(sink(), sink(), options()).unwrap();
        // Ids and attributes are packed into chunks of 256 KiB: one is full, the last holds little.
        upsert(&mut store, "a", &["some", "more"]).unwrap();
        let big = "x".repeat(131_000);
        upsert(&mut store, "a", &[&big]).unwrap();
        upsert(&mut store, "a", &["y"]).unwrap();
        store.commit().unwrap();
        delete(&mut store, "a", &[&big]);
        store.commit().unwrap();
        bad_upsert(&mut store, "a", &["c"]);
        let before = state(&store);
        store.compact_into(Box::new(sink()), Box::new(sink())).unwrap();
        assert_eq!(state(&store), before);
        if unstage {
            store.unstage_all();
        } else {
            upsert(&mut store, "a", &["d"]).unwrap();
            faults.fail_at(0, Fault::Refused);
            store.write().unwrap_err();
        }
        upsert(&mut store, "a", &["e"]).unwrap();
        store.unstage_all();
        assert_eq!(state(&store), before);
    }
}

/// Relaxed, on a host that commits: what was rolled back once stayed in the log that is held back.
#[test]
fn a_rolled_back_group_is_not_held() {
    for transactional in [true, false] {
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let mut store = Store::create(data.clone(), log.clone(), OpenOptions { relaxed: true, transactional, ..options() }).unwrap();
        upsert(&mut store, "a", &["kept"]).unwrap();
        store.commit().unwrap();
        upsert(&mut store, "a", &["gone", "gone too"]).unwrap();
        store.write().unwrap();
        store.rollback().unwrap();
        upsert(&mut store, "b", &["next"]).unwrap();
        store.commit().unwrap();
        let expected = state(&store);
        store.flush().unwrap();
        assert_eq!(state(&reopen(&data, &log).unwrap()), expected);
    }
}

/// Calls between `write` and `apply`, or without the one before: refused or without effect, and the bytes stay those of the memory.
#[test]
fn calls_out_of_order_lose_nothing() {
    for relaxed in [false, true] {
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let mut store = Store::create(data.clone(), log.clone(), OpenOptions { relaxed, ..options() }).unwrap();
        upsert(&mut store, "a", &["x"]).unwrap();
        store.rollback().unwrap();
        upsert(&mut store, "a", &["y"]).unwrap();
        store.apply();
        store.write().unwrap();
        assert!(upsert(&mut store, "a", &["z"]).is_err());
        assert!(store.write().is_err());
        store.unstage_all();
        store.apply();
        store.apply();
        upsert(&mut store, "a", &["z"]).unwrap();
        store.commit().unwrap();
        store.flush().unwrap();
        assert_eq!(store.get_all("a").unwrap().len(), 2);
        assert_eq!(state(&reopen(&data, &log).unwrap()), state(&store));
    }
}

/// Failures alone, never a group that is written: the names that they mentioned once stayed.
#[test]
fn failures_alone_do_not_grow() {
    let mut store = Store::in_memory(DIMENSION).unwrap();
    bad_upsert(&mut store, "first", &["x"]);
    let (_, grown, _) = taken(|| (0..2000).for_each(|n| bad_upsert(&mut store, &format!("collection {n}"), &["x"])));
    assert!(grown < 4096, "{grown} bytes more");
}
