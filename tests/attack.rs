//! Sequences of calls, failures and bytes that once lost, mixed up or wasted something. They were found by attacking
//! the core.
#![cfg(not(target_arch = "wasm32"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use nidus_wasm::internals::fault::{Fault, FaultSink, Faults};
use nidus_wasm::search::Filter;
use nidus_wasm::sink::{ByteSink, MemorySink};
use nidus_wasm::{Batch, Code, Meta, OpenOptions, Opening, Query, Record, Store, Value, code_of};
use proptest::prelude::*;

/// Counts the memory that this thread takes.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
    /// So many more large allocations succeed, and the next one is refused.
    static GIVEN: Cell<u64> = const { Cell::new(u64::MAX) };
}

const LARGE: usize = 2048;

fn refused(size: usize) -> bool {
    size >= LARGE
        && GIVEN
            .try_with(|given| {
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

/// Returns the bytes that `work` still holds at its end, and the most that it held at a time.
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

/// Fails in its last record, after all records before it were staged.
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

/// Fails after the last id.
fn bad_delete(store: &mut Store, collection: &str, ids: &[&str]) {
    let ids = ids.iter().map(|id| Ok(*id)).chain([Err(nidus_wasm::error(Code::InvalidArgument, "no id"))]);
    assert!(store.stage_delete(collection, ids).is_err());
}

/// An operation fails alone, a compaction follows, and then a group is rolled back. This once removed ids and
/// attributes of living documents, because they were packed anew behind a mark from before.
#[test]
fn a_roll_back_after_a_compaction_keeps_the_living_documents() {
    for unstage in [false, true] {
        let faults = Faults::new();
        let sink = || FaultSink::new(MemorySink::new(), &faults, ["append", "publish", "truncate", "flush"]);
        let mut store = Store::create(sink(), sink(), options()).unwrap();
        // Ids and attributes are packed into chunks of 256 KiB. One chunk is full, and the last one holds little.
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

/// In a relaxed store on a host that commits, operations that were rolled back once stayed in the log that is held
/// back.
#[test]
fn a_rolled_back_group_is_not_held() {
    for transactional in [true, false] {
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let mut store =
            Store::create(data.clone(), log.clone(), OpenOptions { relaxed: true, transactional, ..options() })
                .unwrap();
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

/// A collection that was dropped in the same group once came back when a later operation on it failed.
#[test]
fn a_failure_after_a_drop_brings_nothing_back() {
    let mut store = Store::in_memory(DIMENSION).unwrap();
    upsert(&mut store, "a", &["x"]).unwrap();
    assert!(store.stage_drop("a").unwrap());
    bad_delete(&mut store, "a", &["x"]);
    assert_eq!(delete(&mut store, "a", &["x"]), 0);
    store.stage_create("a").unwrap();
    assert_eq!(store.stage_delete_where("a", &Filter::default()).unwrap(), 0);
}

/// A slice fails, and one more is asked for. The new pair would lack rows, so it must never become the current one.
#[test]
fn a_compaction_that_failed_cannot_go_on() {
    for failing in [3, 4, 5, 6] {
        let faults = Faults::new();
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let sink = |inner: &MemorySink| {
            Box::new(FaultSink::new(inner.clone(), &faults, ["append", "publish", "truncate", "flush"]))
        };
        let mut store = Store::in_memory(DIMENSION).unwrap();
        upsert(&mut store, "a", &["x", "y", "z"]).unwrap();
        store.commit().unwrap();
        faults.fail_at(failing, Fault::Refused);
        store.begin_compaction(sink(&data), sink(&log)).unwrap();
        for _ in 0..6 {
            let _ = store.compact_step();
        }
        for _ in 0..2 {
            let _ = store.finish_compaction();
        }
        assert!(faults.calls() > failing);
        assert!(store.adopt_compaction().is_err(), "a part of the new pair had failed");
        store.abandon_compaction();
        upsert(&mut store, "a", &["w"]).unwrap();
        store.commit().unwrap();
        assert_eq!(store.count(Some("a"), &Filter::default()).unwrap(), 4);
    }
}

/// Nothing becomes current that was not flushed.
#[test]
fn a_compaction_that_was_not_flushed_is_not_adopted() {
    let mut store = Store::in_memory(DIMENSION).unwrap();
    upsert(&mut store, "a", &["x"]).unwrap();
    store.commit().unwrap();
    store.begin_compaction(Box::new(MemorySink::new()), Box::new(MemorySink::new())).unwrap();
    while !store.compact_step().unwrap() {}
    assert!(store.adopt_compaction().is_err());
    store.finish_compaction().unwrap();
    store.adopt_compaction().unwrap();
    while !store.adopt_step().unwrap() {}
}

/// Calls between `write` and `apply`, or without the call before, are refused or have no effect. The bytes stay those
/// of the memory.
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

    /// Operations that fail at any place of a group drop out alone. Applying takes no memory. The log agrees.
    #[test]
    fn failures_within_groups_change_nothing(
        groups in prop::collection::vec((prop::collection::vec(act(), 1..12), 0u8..6), 1..6),
        relaxed: bool,
        transactional: bool,
    ) {
        let (mut data, mut log) = (MemorySink::new(), MemorySink::new());
        let mut store = Store::create(data.clone(), log.clone(), OpenOptions { relaxed, transactional, ..options() }).unwrap();
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

/// The frames of one bulk write once stayed in memory for good.
#[test]
fn a_large_group_gives_its_memory_back() {
    for relaxed in [false, true] {
        let sink = || nidus_wasm::sink::CountingSink::default();
        let mut store = Store::create(sink(), sink(), OpenOptions { relaxed, ..options() }).unwrap();
        upsert(&mut store, "a", &["x"]).unwrap();
        store.commit().unwrap();
        let text = "t".repeat(1 << 20);
        let mut batch = Batch::new();
        (0..32).for_each(|n| batch.push(&n.to_string(), &[("text", text.as_str().into())]));
        let (_, left, _) = taken(|| {
            store.stage_upsert("a", 32, batch.bytes(), &[1.0; 64]).unwrap();
            store.commit().unwrap();
            store.flush().unwrap();
        });
        assert!(left < 36 * MIB, "{} MiB stay for 32 MiB of attributes", left / MIB);
    }
}

/// Overwriting and compacting can go on without end: memory and files do not grow.
#[test]
fn overwriting_and_compacting_takes_no_more_memory() {
    let mut store = Store::in_memory(DIMENSION).unwrap();
    let round = |store: &mut Store| {
        for n in 0..200 {
            upsert(store, "a", &["x", "y"]).unwrap();
            bad_upsert(store, &format!("never {n}"), &["z"]);
            delete(store, "a", &["y"]);
            store.commit().unwrap();
            store.stage_drop("b").unwrap();
            upsert(store, "b", &["x"]).unwrap();
            store.commit().unwrap();
            bad_upsert(store, &format!("nor {n}"), &["z"]);
        }
        store
            .compact_into(
                Box::new(nidus_wasm::sink::CountingSink::default()),
                Box::new(nidus_wasm::sink::CountingSink::default()),
            )
            .unwrap();
    };
    round(&mut store);
    let (_, grown, _) = taken(|| (0..20).for_each(|_| round(&mut store)));
    assert!(grown < 4096, "{grown} bytes more");
}

/// If all operations fail and no group is ever written, the names that they mention must not stay in memory.
#[test]
fn failures_alone_take_no_memory_for_good() {
    let mut store = Store::in_memory(DIMENSION).unwrap();
    bad_upsert(&mut store, "first", &["x"]);
    let (_, grown, _) = taken(|| (0..2000).for_each(|n| bad_upsert(&mut store, &format!("collection {n}"), &["x"])));
    assert!(grown < 4096, "{grown} bytes more");
}

/// A crash within a large import leaves a large run that was never published. Opening once took more memory than the
/// whole run.
#[test]
fn an_unpublished_run_is_cut_without_reading_it_in() {
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let mut store = Store::create(data.clone(), log.clone(), options()).unwrap();
    upsert(&mut store, "a", &["x", "y"]).unwrap();
    store.commit().unwrap();
    let (data, good) = (data.to_vec(), log.to_vec());
    let frame = {
        let (_, other) = (MemorySink::new(), MemorySink::new());
        let mut store = Store::create(MemorySink::new(), other.clone(), options()).unwrap();
        upsert(&mut store, &"b".repeat(5000), &[]).unwrap();
        store.commit().unwrap();
        other.to_vec()
    };
    let frames = 8000usize;
    for zeros in [false, true] {
        let total = good.len() + frames * frame.len();
        let mut opening = Opening::new(options(), data.len() as u64, total as u64).unwrap();
        opening.feed_data(&data).unwrap();
        let (_, _, most) = taken(|| {
            opening.feed_log(&good).unwrap();
            for n in 0..frames {
                let mut frame = frame.clone();
                if n == 0 {
                    if zeros { frame[..600].fill(0) } else { frame[..4].fill(0xFF) }
                }
                opening.feed_log(&frame).unwrap();
            }
        });
        assert!(most < 8 * MIB, "{} MiB for a tail of {} MiB", most / MIB, (frames * frame.len()) as i64 / MIB);
        let mut whole = MemorySink::with_bytes(good.clone());
        whole.append(&vec![0xFF; frames * frame.len()]).unwrap();
        let store = opening.finish(Box::new(MemorySink::with_bytes(data.clone())), Box::new(whole.clone())).unwrap();
        assert_eq!(store.recovery().log_bytes, (frames * frame.len()) as u64);
        assert_eq!(whole.to_vec(), good);
        assert_eq!(store.count(Some("a"), &Filter::default()).unwrap(), 2);
    }
}

/// A log that names a row far beyond the data is `CORRUPT`, and takes no memory, whether the dimension was given or
/// not.
#[test]
fn a_row_beyond_data_takes_no_memory() {
    const DIM: usize = 1024;
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let mut store =
        Store::create(data.clone(), log.clone(), OpenOptions { dimension: Some(DIM), ..options() }).unwrap();
    let mut batch = Batch::new();
    batch.push("x", &[]);
    store.stage_upsert("a", 1, batch.bytes(), &[1.0; DIM]).unwrap();
    store.commit().unwrap();
    let mut frames = Vec::new();
    let row = 8 * MIB as u64 / 4 - 1;
    nidus_wasm::internals::put_upsert(&mut frames, "a", "x", row).unwrap();
    let mut rows = data.to_vec();
    rows.resize(64 + 8 * MIB as usize, 0);
    for dimension in [None, Some(DIM)] {
        let mut opening =
            Opening::new(OpenOptions { dimension, ..OpenOptions::default() }, rows.len() as u64, frames.len() as u64)
                .unwrap();
        opening.feed_data(&rows).unwrap();
        let (error, _, most) = taken(|| opening.feed_log(&frames).unwrap_err());
        assert_eq!(code_of(&error), Code::Corrupt, "{error:#}");
        assert!(most < MIB, "{most} bytes");
    }
}

/// Each large allocation is refused once, at every place of a group. That must give an error that says so, and never an
/// abort (which would end this whole program). The store is as it was.
#[test]
fn out_of_memory_is_an_error_everywhere() {
    let ids: Vec<String> = (0..900).map(|n| format!("id {n}")).collect();
    let (mut batch, vectors) = (Batch::new(), vec![0.5f32; 900 * DIMENSION]);
    ids.iter().for_each(|id| batch.push(id, &[("v", 1.into()), ("a", id.as_str().into())]));
    let mut meta = Vec::new();
    nidus_wasm::internals::put_meta(&mut meta, &(0..600).map(|n| (format!("{n}"), "m".to_string())).collect());
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let mut first = Store::create(data.clone(), log.clone(), options()).unwrap();
    first.stage_upsert("a", 900, batch.bytes(), &vectors).unwrap();
    first.stage_set_meta("a", &meta).unwrap();
    first.commit().unwrap();
    let expected = state(&first);
    let (data, log) = (data.to_vec(), log.to_vec());

    let everything = |store: &mut Store| -> nidus_wasm::Result<()> {
        store.stage_upsert("a", 900, batch.bytes(), &vectors)?;
        store.stage_delete("a", ids.iter().take(450).map(|id| Ok(id.as_str())))?;
        store.stage_delete_where("a", &Filter::Eq("v".into(), 1.into()))?;
        store.stage_upsert("new", 900, batch.bytes(), &vectors)?;
        store.stage_drop("new")?;
        store.stage_upsert("a", 900, batch.bytes(), &vectors)?;
        store.stage_set_meta("new", &meta)
    };
    let mut refusals = 0;
    for n in 0.. {
        let sinks = (MemorySink::with_bytes(data.clone()), MemorySink::with_bytes(log.clone()));
        let mut opening = Opening::new(options(), data.len() as u64, log.len() as u64).unwrap();
        GIVEN.set(n);
        let fed = opening.feed_data(&data).and_then(|()| opening.feed_log(&log));
        let opened = fed.and_then(|()| opening.finish(Box::new(sinks.0.clone()), Box::new(sinks.1.clone())));
        let done = opened.and_then(|mut store| {
            let done = everything(&mut store).and_then(|()| store.write());
            if done.is_ok() {
                let calls = CALLS.get();
                store.apply();
                assert_eq!(CALLS.get(), calls);
            }
            let compacted =
                done.and_then(|()| store.compact_into(Box::new(MemorySink::new()), Box::new(MemorySink::new())));
            let refused = GIVEN.replace(u64::MAX) > n;
            if compacted.is_err() {
                assert!(store.failure().is_none());
                let left = state(&store);
                assert!(left == expected || left.len() == 2);
                store.unstage_all();
                everything(&mut store)?;
                store.commit()?;
                assert_eq!(state(&store).len(), 2);
            }
            compacted.map(|()| refused)
        });
        GIVEN.set(u64::MAX);
        match done {
            // The refusal did no harm: the arena was being packed anew.
            Ok(true) => refusals += 1,
            Ok(false) => break,
            Err(error) => {
                assert_eq!(code_of(&error), Code::OutOfMemory, "{n}: {error:#}");
                refusals += 1;
            }
        }
        if sinks.1.to_vec() == log {
            assert_eq!(state(&reopen(&sinks.0, &sinks.1).unwrap()), expected);
        }
    }
    assert!(refusals > 40, "{refusals}");
}

/// Attributes of every kind under thousands of keys. Each group adds hundreds of new words.
fn varied(n: usize) -> Vec<(String, Value)> {
    let text = |of: usize, len: usize| Value::Str(format!("{of:x>len$}"));
    let mut attrs = vec![
        (format!("key {}", n % 3000), text(n % 700, 20)),
        ("k".repeat(n % 5 * 80), text(n % 40, [0, 2, 3, 254, 255, 256, 257, 5000][n % 8])),
        ("year".into(), Value::Int(1990 + n as i64 % 30)),
        (
            "tags".into(),
            Value::List((0..n % 4).map(|i| ["", "a", "long ", "tag"][(n + i) % 4].repeat(i * 30)).collect()),
        ),
        ("when".into(), Value::DateTime(-(n as i64) << (n % 50))),
        ("w".into(), Value::Float(n as f64 / 7.0)),
        ("ok".into(), if n.is_multiple_of(3) { Value::Null } else { Value::Bool(n.is_multiple_of(2)) }),
    ];
    attrs.truncate(1 + n % 7);
    attrs
}

/// Documents are overwritten, deleted and dropped in turn, some groups are rolled back, and each large allocation is
/// refused once. Each document is always what was acknowledged last, also after a compaction and an opening, whichever
/// words the store had room for.
#[test]
fn each_document_keeps_its_attributes_whatever_memory_is_refused() {
    const DOCS: usize = 400;
    type Expected = BTreeMap<String, BTreeMap<String, Value>>;
    let told = |store: &Store| -> Expected {
        store.get_all("a").unwrap().into_iter().map(|record| (record.id, record.attrs)).collect()
    };
    let check = |store: &Store, expected: &Expected| {
        assert_eq!(told(store), *expected);
        let asked = Filter::Eq("year".into(), 1995.0.into());
        let matching = expected.values().filter(|attrs| attrs.get("year") == Some(&Value::Int(1995))).count();
        assert_eq!(store.count(Some("a"), &asked).unwrap(), matching);
        assert_eq!(
            store.search(&[1.0, 0.5], &Query { top_k: usize::MAX, filter: asked, ..Query::default() }).unwrap().len(),
            matching
        );
    };
    let mut refusals = 0;
    for refused_at in (0..).step_by(3) {
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let mut store = Store::create(data.clone(), log.clone(), options()).unwrap();
        let mut expected = Expected::new();
        GIVEN.set(refused_at);
        for round in 0..7 {
            // The memory of the test itself is not refused.
            let given = GIVEN.replace(u64::MAX);
            let (mut batch, mut next) = (Batch::new(), expected.clone());
            for n in 0..DOCS {
                let attrs = varied(n * (round + 1) + round * 1000);
                let id = format!("{}", n % (DOCS - round * 40));
                batch.push(&id, &attrs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect::<Vec<_>>());
                next.insert(id, attrs.into_iter().collect());
            }
            let gone: Vec<String> = (0..DOCS).step_by(round + 2).map(|n| n.to_string()).collect();
            gone.iter().for_each(|id| drop(next.remove(id)));
            let vectors = vec![0.5f32; DOCS * DIMENSION];
            GIVEN.set(given);
            let staged = store
                .stage_upsert("a", DOCS, batch.bytes(), &vectors)
                .and_then(|_| store.stage_delete("a", gone.iter().map(|id| Ok(id.as_str()))));
            let written = staged.and_then(|_| {
                if round == 3 { Err(nidus_wasm::error(Code::Aborted, "forgotten")) } else { store.write() }
            });
            let given = GIVEN.replace(u64::MAX);
            match written {
                Ok(()) => {
                    store.apply();
                    expected = next;
                }
                Err(error) => {
                    assert!(matches!(code_of(&error), Code::OutOfMemory | Code::Aborted), "{refused_at}: {error:#}");
                    store.unstage_all();
                }
            }
            check(&store, &expected);
            GIVEN.set(given);
        }
        let given = GIVEN.replace(u64::MAX);
        check(&reopen(&data, &log).unwrap(), &expected);
        let (fresh, fresh_log) = (MemorySink::new(), MemorySink::new());
        GIVEN.set(given);
        let compacted = store.compact_into(Box::new(fresh.clone()), Box::new(fresh_log.clone()));
        let refused = GIVEN.replace(u64::MAX) > refused_at;
        check(&store, &expected);
        if compacted.is_ok() {
            check(&reopen(&fresh, &fresh_log).unwrap(), &expected);
        }
        if !refused {
            break;
        }
        refusals += 1;
    }
    assert!(refusals > 20, "{refusals}");
}

/// A text of many MiB is taken once, and its memory is free again when it is gone.
#[test]
fn a_long_text_leaves_no_memory_behind() {
    const LONG: usize = 16 << 20;
    let mut store = Store::create(MemorySink::new(), MemorySink::new(), options()).unwrap();
    upsert(&mut store, "a", &["x"]).unwrap();
    store.commit().unwrap();
    let mut batch = Batch::new();
    batch.push("long", &[("text", Value::Str("x".repeat(LONG)))]);
    let (_, left, most) = taken(|| {
        store.stage_upsert("a", 1, batch.bytes(), &[1.0, 1.0]).unwrap();
        store.unstage_all();
    });
    // The frame, for which the run keeps room, and the document.
    assert!(
        most < (2 * LONG) as i64 + MIB && left < LONG as i64 + MIB,
        "{} MiB at most, {} MiB left",
        most / MIB,
        left / MIB
    );
}
