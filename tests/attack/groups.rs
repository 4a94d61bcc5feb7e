//! Generated groups of operations, some of which fail, compared with a model.

use std::collections::BTreeMap;

use nidus_wasm::search::Filter;
use nidus_wasm::sink::MemorySink;
use nidus_wasm::{Batch, Meta, OpenOptions, Record, Store, Value};
use proptest::prelude::*;

use super::counting::CALLS;
use super::setup::*;

#[derive(Clone, Debug)]
enum Act {
    Create(u8),
    Drop(u8),
    SetMeta(u8, u8),
    Upsert(u8, Vec<u8>),
    Delete(u8, Vec<u8>),
    DeleteWhere(u8, u8),
    BadUpsert(u8, Vec<u8>),
    BadDelete(u8, Vec<u8>),
    BadMeta(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let ids = || prop::collection::vec(0u8..6, 0..6);
    let c = 0u8..3;
    prop_oneof![
        1 => c.clone().prop_map(Act::Create),
        2 => c.clone().prop_map(Act::Drop),
        1 => (c.clone(), any::<u8>()).prop_map(|(c, n)| Act::SetMeta(c, n)),
        5 => (c.clone(), ids()).prop_map(|(c, ids)| Act::Upsert(c, ids)),
        3 => (c.clone(), ids()).prop_map(|(c, ids)| Act::Delete(c, ids)),
        1 => (c.clone(), 0u8..6).prop_map(|(c, n)| Act::DeleteWhere(c, n)),
        3 => (c.clone(), ids()).prop_map(|(c, ids)| Act::BadUpsert(c, ids)),
        3 => (c.clone(), ids()).prop_map(|(c, ids)| Act::BadDelete(c, ids)),
        1 => c.prop_map(Act::BadMeta),
    ]
}

type Model = BTreeMap<String, (String, BTreeMap<String, usize>)>;

/// Stages an operation and checks its result.
fn stage(store: &mut Store, model: &mut Model, act: &Act, version: usize) {
    let name = |c: &u8| ["a", "b", "c"][usize::from(*c)];
    let names = |ids: &[u8]| ids.iter().map(|id| format!("id{id}")).collect::<Vec<_>>();
    match act {
        Act::Create(c) => {
            let new = !model.contains_key(name(c));
            model.entry(name(c).into()).or_default();
            assert_eq!(store.stage_create(name(c)).unwrap(), new);
        }
        Act::Drop(c) => assert_eq!(store.stage_drop(name(c)).unwrap(), model.remove(name(c)).is_some()),
        Act::SetMeta(c, n) => {
            store.stage_set_meta_map(name(c), &Meta::from([("n".into(), n.to_string())])).unwrap();
            model.entry(name(c).into()).or_default().0 = n.to_string();
        }
        Act::Upsert(c, ids) => {
            let (mut batch, mut vectors) = (Batch::new(), Vec::new());
            let docs = &mut model.entry(name(c).into()).or_default().1;
            for (n, id) in names(ids).iter().enumerate() {
                batch.push(id, &[("v", Value::Int((version * 10 + n) as i64)), ("id", id.as_str().into())]);
                vectors.extend([1.0, 0.0]);
                docs.insert(id.clone(), version * 10 + n);
            }
            assert_eq!(store.stage_upsert(name(c), ids.len(), batch.bytes(), &vectors).unwrap(), ids.len());
        }
        Act::Delete(c, ids) => {
            let ids = names(ids);
            let count = model
                .get_mut(name(c))
                .map_or(0, |(_, docs)| ids.iter().filter(|id| docs.remove(*id).is_some()).count());
            assert_eq!(store.stage_delete(name(c), ids.iter().map(|id| Ok(id.as_str()))).unwrap(), count);
        }
        Act::DeleteWhere(c, n) => {
            let id = format!("id{n}");
            let count = model.get_mut(name(c)).map_or(0, |(_, docs)| usize::from(docs.remove(&id).is_some()));
            assert_eq!(store.stage_delete_where(name(c), &Filter::Eq("id".into(), id.as_str().into())).unwrap(), count);
        }
        Act::BadUpsert(c, ids) => {
            bad_upsert(store, name(c), &names(ids).iter().map(String::as_str).collect::<Vec<_>>())
        }
        Act::BadDelete(c, ids) => {
            bad_delete(store, name(c), &names(ids).iter().map(String::as_str).collect::<Vec<_>>())
        }
        Act::BadMeta(c) => assert!(store.stage_set_meta(name(c), &[1, 0, 0]).is_err()),
    }
}

fn modelled(store: &Store) -> Model {
    let docs = |records: Vec<Record>| {
        let version = |record: &Record| match record.attrs.get("v") {
            Some(Value::Int(v)) => *v as usize,
            _ => usize::MAX,
        };
        records.iter().map(|record| (record.id.clone(), version(record))).collect()
    };
    state(store)
        .into_iter()
        .map(|(name, (meta, records))| (name, (meta.get("n").cloned().unwrap_or_default(), docs(records))))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// If an operation of a group fails, only that operation is left out. Applying a group takes no memory. A store
    /// that is opened from the log has the same documents.
    #[test]
    fn failures_within_groups_change_nothing(
        groups in prop::collection::vec((prop::collection::vec(act(), 1..12), 0u8..6), 1..6),
        relaxed: bool,
        transactional: bool,
    ) {
        let (mut data, mut log) = (MemorySink::new(), MemorySink::new());
        let mut store =
            Store::create(data.clone(), log.clone(), OpenOptions { relaxed, transactional, ..options() }).unwrap();
        let mut model = Model::new();
        for (n, (group, then)) in groups.iter().enumerate() {
            let before = model.clone();
            for (i, act) in group.iter().enumerate() {
                stage(&mut store, &mut model, act, n * 100 + i);
            }
            match then {
                0 => {
                    store.unstage_all();
                    model = before;
                }
                1 => {
                    store.write().unwrap();
                    store.rollback().unwrap();
                    model = before;
                }
                _ => {
                    store.write().unwrap();
                    let calls = CALLS.get();
                    store.apply();
                    prop_assert_eq!(CALLS.get(), calls, "applying took memory");
                    if *then == 2 {
                        (data, log) = (MemorySink::new(), MemorySink::new());
                        store.compact_into(Box::new(data.clone()), Box::new(log.clone())).unwrap();
                    }
                }
            }
            prop_assert_eq!(modelled(&store), model.clone());
        }
        store.flush().unwrap();
        prop_assert_eq!(modelled(&reopen(&data, &log).unwrap()), model);
    }
}
