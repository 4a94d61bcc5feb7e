//! Sequences of calls and failures that once lost or mixed up something.

use nidus_wasm::internals::fault::{Fault, FaultSink, Faults};
use nidus_wasm::search::Filter;
use nidus_wasm::sink::MemorySink;
use nidus_wasm::{OpenOptions, Store};

use super::setup::*;

/// An operation fails alone, a compaction follows, and then a group is rolled back. This once removed ids and
/// attributes of living documents, because the compaction had packed them again after a mark that was set before it.
#[test]
fn a_roll_back_after_a_compaction_keeps_the_living_documents() {
    for unstage in [false, true] {
        let faults = Faults::new();
        let sink = || FaultSink::new(MemorySink::new(), &faults, ["append", "publish", "truncate", "flush"]);
        let mut store = Store::create(sink(), sink(), options()).unwrap();
        // Ids and attributes are packed into pieces of 256 KiB. One piece is full, and the last one holds little.
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

/// With relaxed durability on a transactional host, operations that were rolled back once stayed in the part of the log
/// that waits for a flush.
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

/// A new pair that was not flushed does not become the current one.
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

/// Calls between `write` and `apply`, and calls without the call that must come before them, are refused or have no
/// effect. The documents on the medium stay those in memory.
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
