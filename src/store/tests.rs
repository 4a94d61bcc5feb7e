//! Compares the store with a model of maps: groups of generated operations, and each call failing once.

use proptest::prelude::*;

use super::oracle::{Act, Model, stage, state};
use super::{oracle, *};
use crate::error::Code;
use crate::search::Filter;
use crate::sink::fault::{Fault, FaultSink, Faults};
use crate::sink::{ByteSource, MemorySink};
use crate::{Batch, Value, code_of};

const DIMENSION: usize = 3;

fn act() -> impl Strategy<Value = Act> {
    let collection = 0usize..3;
    prop_oneof![
        1 => collection.clone().prop_map(Act::Create),
        1 => collection.clone().prop_map(Act::Drop),
        1 => (collection.clone(), any::<u8>()).prop_map(|(c, n)| Act::SetMeta(c, n)),
        8 => (collection.clone(), prop::collection::vec((0u8..12, any::<u8>()), 0..9))
            .prop_map(|(c, records)| Act::Upsert(c, records)),
        3 => (collection.clone(), prop::collection::vec((0u8..12, any::<u8>()), 0..3))
            .prop_map(|(c, records)| Act::Update(c, records)),
        2 => (collection.clone(), prop::collection::vec(0u8..14, 0..5)).prop_map(|(c, ids)| Act::Delete(c, ids)),
        1 => (collection, 0i64..4).prop_map(|(c, n)| Act::DeleteWhere(c, n)),
    ]
}

fn groups() -> impl Strategy<Value = Vec<Vec<Act>>> {
    prop::collection::vec(prop::collection::vec(act(), 1..6), 1..8)
}

fn apply(model: &mut Model, act: &Act) -> usize {
    oracle::apply(model, act, DIMENSION)
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
    fn groups_equal_the_model(
        groups in groups(),
        relaxed: bool,
        transactional: bool,
        compact_after in prop::option::of(0usize..8),
    ) {
        let (mut data, mut log) = (MemorySink::new(), MemorySink::new());
        let mut store =
            Store::create(data.clone(), log.clone(), OpenOptions { relaxed, transactional, ..options() }).unwrap();
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

    /// Each call of a write fails once, in each way. Then everything is as it was, or the store says that it has failed
    /// and the disk holds the state before or the state after.
    #[test]
    fn a_failed_write_loses_nothing(groups in groups(), second_fails: bool) {
        let mut history: Vec<Vec<Act>> = Vec::new();
        for group in &groups {
            for n in 0.. {
                let faults = Faults::new();
                let (data, log) = (MemorySink::new(), MemorySink::new());
                let sink = |inner: &MemorySink| {
                    FaultSink::new(inner.clone(), &faults, ["append", "publish", "truncate", "flush"])
                };
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
}

fn run(store: &mut Store, model: &mut Model, acts: &[Act]) {
    for act in acts {
        stage(store, act).unwrap();
        apply(model, act);
    }
    store.commit().unwrap();
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
    assert_eq!((store.count(None, &Filter::default()).unwrap(), store.footprint().rows), (1, 2));
}

#[test]
fn limits_and_modes_are_kept() {
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let limited =
        OpenOptions { max_vector_bytes: Some(16), only_0_3: true, dimension: Some(2), ..OpenOptions::default() };
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
    assert_eq!((reader.dimension(), reader.count(None, &Filter::default()).unwrap()), (2, 2));
    assert_eq!(code_of(&reader.stage_drop("a").unwrap_err()), Code::ReadOnly);
    assert_eq!(code_of(&reader.flush().unwrap_err()), Code::ReadOnly);
    let open = |options| Store::open(data.clone(), log.clone(), options).map(|_| ()).unwrap_err();
    assert_eq!(code_of(&open(OpenOptions { max_vector_bytes: Some(15), ..read_only })), Code::Capacity);
    assert_eq!(code_of(&open(OpenOptions { dimension: Some(3), ..read_only })), Code::DimensionMismatch);
    assert_eq!(code_of(&open(OpenOptions { dimension: Some(0), ..read_only })), Code::InvalidArgument);
    assert_eq!((data.to_vec(), log.to_vec()), before);
    let nothing = Store::open(MemorySink::new(), MemorySink::new(), read_only).map(|_| ()).unwrap_err();
    assert_eq!(code_of(&nothing), Code::NotFound);
    let query = |store: &Store, vector: &[f32]| {
        code_of(&store.search(vector, &Query { top_k: 1, ..Query::default() }).unwrap_err())
    };
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
    run(
        &mut store,
        &mut model,
        &[Act::Upsert(0, (0..9).map(|n| (n, n * 11)).collect()), Act::SetMeta(2, 5), Act::Delete(0, vec![3])],
    );
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
    let mut opening =
        Opening::new(OpenOptions { dimension: Some(50), ..OpenOptions::default() }, data_len as u64, log_len as u64)
            .unwrap();
    opening.feed_log(&log.to_vec()).unwrap();
    assert_eq!(code_of(&opening.feed_data(&data.to_vec()).unwrap_err()), Code::DimensionMismatch);
}

/// There are more documents than in a sorted part and in a slice, and a newer value in the very last frame.
#[test]
fn a_compaction_of_many_slices_is_in_order() {
    let mut store = Store::create(
        MemorySink::new(),
        MemorySink::new(),
        OpenOptions { dimension: Some(16), ..OpenOptions::default() },
    )
    .unwrap();
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
    assert_eq!(
        again.footprint(),
        crate::Footprint { memory_bytes: again.footprint().memory_bytes, ..store.footprint() }
    );
    let ids: Vec<&str> = before.0.iter().chain(&before.1).map(|record| record.id.as_str()).collect();
    for (row, id) in ids.iter().enumerate() {
        let collection = if row < 10_000 { "many" } else { "more" };
        assert_eq!(again.index.doc(again.find(collection, id).unwrap()).row as usize, row);
    }
}

/// Between any two slices of packing anew, every document has its own attributes and nothing can be written. At the end
/// the dead documents are gone.
#[test]
fn packing_anew_goes_in_slices() {
    const COUNT: usize = 40_000;
    let mut store = Store::create(MemorySink::new(), MemorySink::new(), options()).unwrap();
    for round in 0..3 {
        let mut batch = Batch::new();
        for n in 0..COUNT {
            batch.push(
                &format!("{n}"),
                &[
                    ("n", Value::Int((n * 7 + round) as i64)),
                    ("path", Value::Str(format!("/{}/{n}", n % 50))),
                    ("round", Value::Str(format!("round {round}"))),
                ],
            );
        }
        store.stage_upsert("a", COUNT, batch.bytes(), &vec![0.5; COUNT * DIMENSION]).unwrap();
        store.commit().unwrap();
    }
    let before = (store.get_all("a").unwrap(), store.index.arena.memory_bytes());
    store.begin_compaction(Box::new(MemorySink::new()), Box::new(MemorySink::new())).unwrap();
    while !store.compact_step().unwrap() {}
    store.finish_compaction().unwrap();
    store.adopt_compaction().unwrap();
    let (last, mut slices) = (Filter::Eq("round".into(), "round 2".into()), 0);
    while !store.adopt_step().unwrap() {
        slices += 1;
        assert_eq!(store.count(Some("a"), &last).unwrap(), COUNT);
        assert_eq!(
            store.search(&[1.0; 3], &Query { top_k: 5, filter: last.clone(), ..Query::default() }).unwrap().len(),
            5
        );
        assert_eq!(store.get("a", "777").unwrap().unwrap().attrs["n"], Value::Int(777 * 7 + 2));
        assert_eq!(code_of(&store.stage_create("b").unwrap_err()), Code::InvalidArgument);
    }
    assert!(slices > 2, "{slices}");
    assert!(store.index.arena.memory_bytes() < before.1 / 2, "{} of {}", store.index.arena.memory_bytes(), before.1);
    assert_eq!(store.get_all("a").unwrap(), before.0);
    store.stage_delete("a", ["777"].into_iter().map(Ok)).unwrap();
    store.commit().unwrap();
    assert!(store.get("a", "777").unwrap().is_none());
}

/// A call out of turn is a mistake of the caller, and the store goes on.
#[test]
fn calls_out_of_turn_are_refused_and_harm_nothing() {
    let mut store = Store::create(MemorySink::new(), MemorySink::new(), options()).unwrap();
    let sink = || Box::new(MemorySink::new());
    let refused = |result: Result<()>| assert_eq!(code_of(&result.unwrap_err()), Code::InvalidArgument);
    refused(store.compact_step().map(drop));
    refused(store.finish_compaction());
    refused(store.adopt_compaction());
    refused(store.adopt_step().map(drop));
    store.stage_create("a").unwrap();
    refused(store.begin_compaction(sink(), sink()));
    refused(store.compact_into(sink(), sink()));
    store.write().unwrap();
    refused(store.stage_create("b").map(drop));
    refused(store.compact_into(sink(), sink()));
    store.apply();
    store.begin_compaction(sink(), sink()).unwrap();
    refused(store.stage_create("b").map(drop));
    refused(store.adopt_compaction());
    refused(store.begin_compaction(sink(), sink()));
    store.abandon_compaction();
    assert!(store.failure().is_none());
    store.stage_create("b").unwrap();
    store.commit().unwrap();
    assert_eq!(store.collections(), ["a", "b"]);
}

/// A write after the files were closed says so, and not that something could not be taken back.
#[test]
fn a_write_to_closed_files_says_that_they_are_closed() {
    struct Closing(MemorySink, std::rc::Rc<std::cell::Cell<bool>>);
    impl crate::sink::ByteSink for Closing {
        fn len(&self) -> Result<u64> {
            crate::sink::ByteSink::len(&self.0)
        }
        fn append(&mut self, bytes: &[u8]) -> Result<()> {
            if self.1.get() { Err(crate::error(Code::Closed, "they are closed")) } else { self.0.append(bytes) }
        }
        fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
            self.0.publish(at, length)
        }
        fn truncate_to(&mut self, len: u64) -> Result<()> {
            if self.1.get() { Err(crate::error(Code::Closed, "they are closed")) } else { self.0.truncate_to(len) }
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }
    let closed = std::rc::Rc::new(std::cell::Cell::new(false));
    let sink = || Closing(MemorySink::new(), closed.clone());
    let mut store = Store::create(sink(), sink(), options()).unwrap();
    store.stage_create("a").unwrap();
    closed.set(true);
    let error = store.commit().unwrap_err();
    assert_eq!((code_of(&error), format!("{error:#}").contains("taken back")), (Code::Closed, false), "{error:#}");
    assert_eq!(code_of(&store.stage_create("b").unwrap_err()), Code::Failed);
}
