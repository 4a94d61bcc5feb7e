//! The store against a model of maps: groups of generated operations, every call failing once, and the power lost before every call.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::error::Code;
use crate::search::{Filter, kernel};
use crate::sink::crash::CrashMedium;
use crate::sink::fault::{Fault, FaultSink, Faults};
use crate::sink::{ByteSource, MemorySink};
use crate::{Batch, Meta, Value, code_of};

const DIMENSION: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    Create(usize),
    Drop(usize),
    SetMeta(usize, u8),
    Upsert(usize, Vec<(u8, u8)>),
    Delete(usize, Vec<u8>),
    DeleteWhere(usize, i64),
}

type Docs = BTreeMap<String, (Vec<f32>, BTreeMap<String, Value>)>;
type Model = BTreeMap<String, (Meta, Docs)>;

fn act() -> impl Strategy<Value = Act> {
    let collection = 0usize..3;
    prop_oneof![
        1 => collection.clone().prop_map(Act::Create),
        1 => collection.clone().prop_map(Act::Drop),
        1 => (collection.clone(), any::<u8>()).prop_map(|(c, n)| Act::SetMeta(c, n)),
        8 => (collection.clone(), prop::collection::vec((0u8..12, any::<u8>()), 0..9)).prop_map(|(c, records)| Act::Upsert(c, records)),
        2 => (collection.clone(), prop::collection::vec(0u8..14, 0..5)).prop_map(|(c, ids)| Act::Delete(c, ids)),
        1 => (collection, 0i64..4).prop_map(|(c, n)| Act::DeleteWhere(c, n)),
    ]
}

fn groups() -> impl Strategy<Value = Vec<Vec<Act>>> {
    prop::collection::vec(prop::collection::vec(act(), 1..6), 1..8)
}

fn name(collection: usize) -> &'static str {
    ["a", "b", "größe"][collection]
}

fn id(n: u8) -> String {
    format!("id-{n}-{}", "x".repeat(n as usize * 17))
}

/// A vector and attributes that differ from record to record. Some have a value that native 0.3.0 does not know.
fn record(seed: u8) -> (Vec<f32>, Vec<(&'static str, Value)>) {
    let vector = (0..DIMENSION).map(|i| ((seed as usize * 7 + i * 13) % 31) as f32 - 15.0).collect();
    let mut attrs = vec![("z", Value::Int(i64::from(seed % 4))), ("a", Value::Str("y".repeat(seed as usize)))];
    if seed % 5 == 0 {
        attrs.push(("m", Value::Float(f64::from(seed) / 3.0)));
    }
    (vector, attrs)
}

fn stage(store: &mut Store, act: &Act) -> crate::Result<usize> {
    match act {
        Act::Create(c) => store.stage_create(name(*c)).map(usize::from),
        Act::Drop(c) => store.stage_drop(name(*c)).map(usize::from),
        Act::SetMeta(c, n) => store.stage_set_meta_map(name(*c), &Meta::from([("n".into(), n.to_string())])).map(|()| 0),
        Act::Upsert(c, records) => {
            let (mut batch, mut vectors) = (Batch::new(), Vec::new());
            for (n, seed) in records {
                let (vector, attrs) = record(*seed);
                batch.push(&id(*n), &attrs);
                vectors.extend(vector);
            }
            store.stage_upsert(name(*c), records.len(), batch.bytes(), &vectors)
        }
        Act::Delete(c, ids) => {
            let ids: Vec<String> = ids.iter().map(|n| id(*n)).collect();
            store.stage_delete(name(*c), ids.iter().map(|id| Ok(id.as_str())))
        }
        Act::DeleteWhere(c, n) => store.stage_delete_where(name(*c), &Filter::Eq("z".into(), Value::Int(*n))),
    }
}

fn apply(model: &mut Model, act: &Act) -> usize {
    match act {
        Act::Create(c) => {
            let new = !model.contains_key(name(*c));
            model.entry(name(*c).into()).or_default();
            usize::from(new)
        }
        Act::Drop(c) => usize::from(model.remove(name(*c)).is_some()),
        Act::SetMeta(c, n) => {
            model.entry(name(*c).into()).or_default().0 = Meta::from([("n".into(), n.to_string())]);
            0
        }
        Act::Upsert(c, records) => {
            let docs = &mut model.entry(name(*c).into()).or_default().1;
            for (n, seed) in records {
                let (mut vector, attrs) = record(*seed);
                kernel::normalize(&mut vector);
                docs.insert(id(*n), (vector, attrs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()));
            }
            records.len()
        }
        Act::Delete(c, ids) => {
            let Some((_, docs)) = model.get_mut(name(*c)) else { return 0 };
            ids.iter().filter(|n| docs.remove(&id(**n)).is_some()).count()
        }
        Act::DeleteWhere(c, n) => {
            let Some((_, docs)) = model.get_mut(name(*c)) else { return 0 };
            let before = docs.len();
            docs.retain(|_, (_, attrs)| attrs.get("z") != Some(&Value::Int(*n)));
            before - docs.len()
        }
    }
}

fn state(store: &Store) -> Model {
    let docs = |name: &str| {
        let records = store.get_all(name).unwrap();
        assert_eq!(records.len(), store.count(Some(name), &Filter::default()));
        records.into_iter().map(|record| (record.id, (record.vector, record.attrs))).collect()
    };
    let state: Model = store.collections().into_iter().map(|name| (name.clone(), (store.get_meta(&name), docs(&name)))).collect();
    let live: usize = state.values().map(|(_, docs)| docs.len()).sum();
    let footprint = store.footprint();
    assert_eq!((footprint.doc_count, footprint.dead_rows), (live, footprint.rows - live as u64));
    // Whatever is found by its row is found under its id: the two indices agree.
    let hits = store.search(&[1.0, 2.0, 3.0], &Query { top_k: usize::MAX, ..Query::default() }).unwrap();
    assert_eq!(hits.len(), live);
    for hit in hits {
        let (vector, attrs) = &state[&hit.collection].1[&hit.id];
        let unit = read::unit_query(&[1.0, 2.0, 3.0], DIMENSION).unwrap();
        assert_eq!((hit.score, &hit.attrs), (kernel::dot(&unit, vector), attrs));
    }
    state
}

fn options() -> OpenOptions {
    OpenOptions { dimension: Some(DIMENSION), ..OpenOptions::default() }
}

fn reopen(data: &[u8], log: &[u8]) -> crate::Result<Store> {
    Store::open(MemorySink::with_bytes(data.to_vec()), MemorySink::with_bytes(log.to_vec()), options())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn groups_equal_the_model(groups in groups(), relaxed: bool, transactional: bool, compact_after in prop::option::of(0usize..8)) {
        let (mut data, mut log) = (MemorySink::new(), MemorySink::new());
        let mut store = Store::create(data.clone(), log.clone(), OpenOptions { relaxed, transactional, ..options() }).unwrap();
        let mut model = Model::new();
        for (n, group) in groups.iter().enumerate() {
            let before = model.clone();
            for act in group {
                prop_assert_eq!(stage(&mut store, act).unwrap(), apply(&mut model, act), "{:?}", act);
            }
            prop_assert_eq!(state(&store), before);
            store.write().unwrap();
            store.apply();
            prop_assert_eq!(state(&store), model.clone());
            if compact_after == Some(n) {
                (data, log) = (MemorySink::new(), MemorySink::new());
                store.compact_into(Box::new(data.clone()), Box::new(log.clone())).unwrap();
                prop_assert_eq!(state(&store), model.clone());
                prop_assert_eq!(store.footprint().dead_rows, 0);
            }
        }
        store.flush().unwrap();
        prop_assert_eq!(store.footprint().disk_bytes, (data.to_vec().len() + log.to_vec().len()) as u64);
        let again = reopen(&data.to_vec(), &log.to_vec()).unwrap();
        prop_assert_eq!(again.recovery(), crate::Recovery::default());
        prop_assert_eq!(state(&again), model);
        prop_assert_eq!(again.footprint().readable_by, store.footprint().readable_by);
    }

    /// Each call of a write fails once, in each way. Either all is as it was, or the store says that it failed and what is left on the
    /// medium is the state before or the state after.
    #[test]
    fn a_failed_write_loses_nothing(groups in groups(), second_fails: bool) {
        let mut history: Vec<Vec<Act>> = Vec::new();
        for group in &groups {
            for n in 0.. {
                let faults = Faults::new();
                let (data, log) = (MemorySink::new(), MemorySink::new());
                let sink = |inner: &MemorySink| FaultSink::new(inner.clone(), &faults, ["append", "publish", "truncate", "flush"]);
                let mut store = Store::create(sink(&data), sink(&log), options()).unwrap();
                let mut model = Model::new();
                for acts in &history {
                    run(&mut store, &mut model, acts);
                }
                let before = (model.clone(), data.to_vec(), log.to_vec());
                for act in group {
                    stage(&mut store, act).unwrap();
                    apply(&mut model, act);
                }
                let fault = if n % 2 == 0 { Fault::Refused } else { Fault::Short(n as usize) };
                faults.fail_between(n, n + 1 + u64::from(second_fails), fault);
                let result = store.write();
                faults.clear();
                let left = reopen(&data.to_vec(), &log.to_vec());
                match result {
                    Ok(()) => {
                        store.apply();
                        prop_assert_eq!(state(&store), model);
                        break;
                    }
                    Err(_) if store.failure().is_some() => {
                        prop_assert_eq!(code_of(&store.stage_create("x").unwrap_err()), Code::Failed);
                        prop_assert_eq!(state(&store), before.0.clone());
                        let left = state(&left.unwrap());
                        prop_assert!(left == before.0 || left == model, "neither before nor after: {:?}", left);
                    }
                    Err(_) => {
                        prop_assert_eq!((data.to_vec(), log.to_vec()), (before.1, before.2));
                        prop_assert_eq!(state(&store), before.0);
                        for act in group {
                            stage(&mut store, act).unwrap();
                        }
                        store.commit().unwrap();
                        prop_assert_eq!(state(&store), model);
                    }
                }
            }
            history.push(group.clone());
        }
    }

    /// The power goes out before every call, in many ways: what is left has all that was acknowledged, and the group that was under
    /// way whole or not at all. The next write works.
    #[test]
    fn a_crash_keeps_what_was_acknowledged(groups in groups(), seed: u64, relaxed in prop::bool::weighted(0.25)) {
        let medium = CrashMedium::new(seed, 24);
        let mut store = Store::open(medium.data(), medium.log(), OpenOptions { relaxed, ..options() }).unwrap();
        medium.take_images();
        let mut states = vec![Model::new()];
        let mut durable = 0;
        for (n, group) in groups.iter().enumerate() {
            let mut model = states[n].clone();
            run(&mut store, &mut model, group);
            states.push(model);
            if relaxed && n % 3 == 2 {
                store.flush().unwrap();
            }
            let images = medium.take_images();
            check_images(images, &states, durable, group)?;
            if !relaxed || n % 3 == 2 {
                durable = n + 1;
                medium.snapshot();
                check_images(medium.take_images(), &states, durable, group)?;
            }
        }
    }
}

fn run(store: &mut Store, model: &mut Model, acts: &[Act]) {
    for act in acts {
        stage(store, act).unwrap();
        apply(model, act);
    }
    store.commit().unwrap();
}

/// Every image opens to one of the states from `durable` on.
fn check_images(images: Vec<[Vec<u8>; 2]>, states: &[Model], durable: usize, next: &[Act]) -> Result<(), TestCaseError> {
    for [data, log] in images {
        let mut store = match reopen(&data, &log) {
            Ok(store) => store,
            Err(error) => return Err(TestCaseError::fail(format!("an image does not open: {error:#}"))),
        };
        let found = state(&store);
        prop_assert!(states[durable..].contains(&found), "an image has {found:?}, none of {:?}", &states[durable..]);
        let mut model = found;
        run(&mut store, &mut model, next);
        prop_assert_eq!(state(&store), model);
    }
    Ok(())
}

#[test]
fn one_bad_operation_drops_out_alone() {
    let mut store = Store::in_memory(2).unwrap();
    let batch = |ids: &[&str]| {
        let mut batch = Batch::new();
        ids.iter().for_each(|id| batch.push(id, &[]));
        batch
    };
    store.stage_upsert("a", 1, batch(&["x"]).bytes(), &[1.0, 0.0]).unwrap();
    let nan = store.stage_upsert("b", 2, batch(&["x", "y"]).bytes(), &[1.0, 0.0, f32::NAN, 0.0]).unwrap_err();
    assert_eq!(code_of(&nan), Code::InvalidArgument);
    assert!(nan.to_string().contains("record 1 (id \"y\")"), "{nan}");
    let cut = store.stage_upsert("a", 2, &batch(&["x", "z"]).bytes()[..20], &[0.0; 4]).unwrap_err();
    assert_eq!(code_of(&cut), Code::InvalidArgument);
    let short = store.stage_upsert("a", 1, batch(&["x"]).bytes(), &[1.0]).unwrap_err();
    assert_eq!(code_of(&short), Code::DimensionMismatch);
    assert_eq!(store.stage_delete("a", ["x", "x", "z"].into_iter().map(Ok)).unwrap(), 1);
    store.stage_upsert("c", 1, batch(&["w"]).bytes(), &[0.0, 1.0]).unwrap();
    store.commit().unwrap();
    assert_eq!(store.collections(), ["a", "c"]);
    assert_eq!((store.count(None, &Filter::default()), store.footprint().rows), (1, 2));
}

#[test]
fn limits_and_modes_are_kept() {
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let limited = OpenOptions { max_vector_bytes: Some(16), only_0_3: true, dimension: Some(2), ..OpenOptions::default() };
    let mut store = Store::create(data.clone(), log.clone(), limited).unwrap();
    let mut batch = Batch::new();
    batch.push("x", &[("when", Value::DateTime(5))]);
    assert_eq!(code_of(&store.stage_upsert("a", 1, batch.bytes(), &[1.0, 0.0]).unwrap_err()), Code::InvalidArgument);
    let mut batch = Batch::new();
    (0..3).for_each(|n| batch.push(&n.to_string(), &[]));
    assert_eq!(code_of(&store.stage_upsert("a", 3, batch.bytes(), &[1.0; 6]).unwrap_err()), Code::Capacity);
    assert!(!store.has_collection("a"));
    let mut batch = Batch::new();
    (0..2).for_each(|n| batch.push(&n.to_string(), &[]));
    store.stage_upsert("a", 2, batch.bytes(), &[1.0; 4]).unwrap();
    store.commit().unwrap();

    let before = (data.to_vec(), log.to_vec());
    let read_only = OpenOptions { read_only: true, ..OpenOptions::default() };
    let mut reader = Store::open(data.clone(), log.clone(), read_only).unwrap();
    assert_eq!((reader.dimension(), reader.count(None, &Filter::default())), (2, 2));
    assert_eq!(code_of(&reader.stage_drop("a").unwrap_err()), Code::ReadOnly);
    assert_eq!(code_of(&reader.flush().unwrap_err()), Code::ReadOnly);
    let open = |options| Store::open(data.clone(), log.clone(), options).map(|_| ()).unwrap_err();
    assert_eq!(code_of(&open(OpenOptions { max_vector_bytes: Some(15), ..read_only })), Code::Capacity);
    assert_eq!(code_of(&open(OpenOptions { dimension: Some(3), ..read_only })), Code::DimensionMismatch);
    assert_eq!(code_of(&open(OpenOptions { dimension: Some(0), ..read_only })), Code::InvalidArgument);
    assert_eq!((data.to_vec(), log.to_vec()), before);
    let nothing = Store::open(MemorySink::new(), MemorySink::new(), read_only).map(|_| ()).unwrap_err();
    assert_eq!(code_of(&nothing), Code::NotFound);
    let query = |store: &Store, vector: &[f32]| code_of(&store.search(vector, &Query { top_k: 1, ..Query::default() }).unwrap_err());
    assert_eq!(query(&reader, &[1.0]), Code::DimensionMismatch);
    assert_eq!(query(&reader, &[1.0, f32::INFINITY]), Code::InvalidArgument);
    assert_eq!(query(&reader, &[f32::MAX, f32::MAX]), Code::InvalidArgument);
}

#[test]
fn a_rollback_of_a_transaction_leaves_nothing() {
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let mut store = Store::create(data.clone(), log.clone(), OpenOptions { transactional: true, ..options() }).unwrap();
    let mut model = Model::new();
    run(&mut store, &mut model, &[Act::Upsert(0, vec![(1, 2), (2, 3)])]);
    let before = (data.to_vec(), log.to_vec());
    stage(&mut store, &Act::Upsert(1, vec![(1, 9)])).unwrap();
    store.write().unwrap();
    assert!(log.to_vec().len() > before.1.len());
    store.rollback().unwrap();
    assert_eq!((data.to_vec(), log.to_vec()), before);
    run(&mut store, &mut model, &[Act::Delete(0, vec![1])]);
    assert_eq!(state(&store), model);
    assert_eq!(state(&reopen(&data.to_vec(), &log.to_vec()).unwrap()), model);
}

#[test]
fn an_abandoned_compaction_changes_nothing() {
    let mut store = Store::in_memory(DIMENSION).unwrap();
    let mut model = Model::new();
    run(&mut store, &mut model, &[Act::Upsert(0, vec![(1, 2), (2, 3), (1, 4)])]);
    store.begin_compaction(Box::new(MemorySink::new()), Box::new(MemorySink::new())).unwrap();
    assert!(store.stage_create("x").is_err());
    while !store.compact_step().unwrap() {}
    store.abandon_compaction();
    assert_eq!(state(&store), model);
    run(&mut store, &mut model, &[Act::Upsert(2, vec![(3, 1)])]);
    assert_eq!(state(&store), model);
}

#[test]
fn feeding_in_any_pieces_opens_the_same_store() {
    let (mut data, mut log) = (MemorySink::new(), MemorySink::new());
    let mut store = Store::create(data.clone(), log.clone(), options()).unwrap();
    let mut model = Model::new();
    run(&mut store, &mut model, &[Act::Upsert(0, (0..9).map(|n| (n, n * 11)).collect()), Act::SetMeta(2, 5), Act::Delete(0, vec![3])]);
    let (data_len, log_len) = (ByteSource::len(&data).unwrap() as usize, ByteSource::len(&log).unwrap() as usize);
    for piece in [1, 2, 3, 7, 64, 65, 1000, 1 << 20] {
        let mut opening = Opening::new(OpenOptions::default(), data_len as u64, log_len as u64).unwrap();
        let feed = |source: &mut MemorySink, len: usize, to: &mut dyn FnMut(&[u8])| {
            for at in (0..len).step_by(piece) {
                let mut bytes = vec![0; piece.min(len - at)];
                source.read_exact_at(at as u64, &mut bytes).unwrap();
                to(&bytes);
            }
        };
        feed(&mut log, log_len, &mut |bytes| opening.feed_log(bytes).unwrap());
        feed(&mut data, data_len, &mut |bytes| opening.feed_data(bytes).unwrap());
        let store = opening.finish(Box::new(data.clone()), Box::new(log.clone())).unwrap();
        assert_eq!(state(&store), model, "pieces of {piece}");
    }
    let mut opening = Opening::new(OpenOptions { dimension: Some(50), ..OpenOptions::default() }, data_len as u64, log_len as u64).unwrap();
    opening.feed_log(&log.to_vec()).unwrap();
    assert_eq!(code_of(&opening.feed_data(&data.to_vec()).unwrap_err()), Code::DimensionMismatch);
}

/// More documents than a sorted run and than a slice have, and a newer value in the very last frame.
#[test]
fn a_compaction_of_many_slices_is_in_order() {
    let mut store = Store::create(MemorySink::new(), MemorySink::new(), OpenOptions { dimension: Some(16), ..OpenOptions::default() }).unwrap();
    for count in [20_000usize, 16_384] {
        let mut batch = Batch::new();
        let mut vectors = Vec::new();
        for n in 0..count {
            let attrs = [("n", Value::Float(0.5))];
            batch.push(&format!("{:x}", n.wrapping_mul(0x9E37_79B1) as u32), if n % 2 == 0 { &attrs } else { &[] });
            vectors.extend((0..16).map(|i| ((n * 7 + i * 13) % 101) as f32));
        }
        store.stage_upsert(if count == 20_000 { "many" } else { "more" }, count, batch.bytes(), &vectors).unwrap();
        store.commit().unwrap();
    }
    store.stage_delete_where("many", &Filter::Not(Box::new(Filter::Exists("n".into())))).unwrap();
    store.commit().unwrap();
    let before = (store.get_all("many").unwrap(), store.get_all("more").unwrap());
    let (data, log) = (MemorySink::new(), MemorySink::new());
    store.compact_into(Box::new(data.clone()), Box::new(log.clone())).unwrap();
    assert_eq!((store.get_all("many").unwrap(), store.get_all("more").unwrap()), before);
    let again = Store::open(data.clone(), log.clone(), OpenOptions::default()).unwrap();
    assert_eq!((again.get_all("many").unwrap(), again.get_all("more").unwrap()), before);
    assert_eq!(again.footprint(), crate::Footprint { memory_bytes: again.footprint().memory_bytes, ..store.footprint() });
    let ids: Vec<&str> = before.0.iter().chain(&before.1).map(|record| record.id.as_str()).collect();
    for (row, id) in ids.iter().enumerate() {
        let collection = if row < 10_000 { "many" } else { "more" };
        assert_eq!(again.index.doc(again.find(collection, id).unwrap()).row as usize, row);
    }
}
