//! Work that once took more memory than it needs, or kept it.

use nidus_wasm::search::Filter;
use nidus_wasm::sink::{ByteSink, MemorySink};
use nidus_wasm::{Batch, Code, OpenOptions, Opening, Store, Value, code_of};

use super::counting::{MIB, taken};
use super::setup::*;

/// The frames of a large write once stayed in memory until the store was closed.
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

/// A text of many MiB is in memory at most twice. When its document is not staged any more, the memory of the document
/// is free again.
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
    // The text is in the frame, for which the run keeps room, and in the document.
    assert!(
        most < (2 * LONG) as i64 + MIB && left < LONG as i64 + MIB,
        "{} MiB at most, {} MiB left",
        most / MIB,
        left / MIB
    );
}
