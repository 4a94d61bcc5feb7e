//! Receipts after operations. Native 0.3.0 skips them, and its own compaction drops them.

use nidus_wasm::segment::Receipt;
use nidus_wasm::store::Known;
use nidus_wasm::{Batch, OpenOptions, Store, Value};

use crate::pair::*;

const OPTIONS: OpenOptions = OpenOptions {
    dimension: Some(2),
    read_only: false,
    relaxed: false,
    transactional: false,
    max_vector_bytes: None,
    only_0_3: true,
    compact: false,
};

fn marked<T>(
    store: &mut Store,
    sender: u128,
    number: u64,
    stage: impl FnOnce(&mut Store) -> nidus_wasm::Result<T>,
) -> T {
    store.expect_receipt(Receipt { sender, number, back: 1000, result: 0 }).unwrap();
    let result = stage(store).unwrap();
    store.stage_receipt(number as u32 * 10);
    result
}

/// Makes every operation, alone and in groups, with or without receipts.
fn fill(store: &mut Store, receipts: bool) {
    let mut number = 0;
    let mut write = |store: &mut Store, stage: &dyn Fn(&mut Store) -> nidus_wasm::Result<usize>| {
        number += 1;
        if receipts {
            marked(store, 7, number, stage)
        } else {
            stage(store).unwrap()
        };
        if number % 3 != 1 {
            store.commit().unwrap();
        }
    };
    let upsert = |store: &mut Store, collection: &str, ids: &[&str]| {
        let mut batch = Batch::new();
        ids.iter().for_each(|id| batch.push(id, &[("a", Value::Int(1))]));
        store.stage_upsert(collection, ids.len(), batch.bytes(), &[1.0, 2.0].repeat(ids.len()))
    };
    write(store, &|db| db.stage_create("empty").map(usize::from));
    write(store, &|db| upsert(db, "c", &["x", "y", "z"]));
    write(store, &|db| db.stage_delete("c", [Ok("nobody")].into_iter()));
    write(store, &|db| db.stage_set_meta_map("c", &[("k".into(), "v".into())].into()).map(|()| 0));
    write(store, &|db| db.stage_delete("c", [Ok("y")].into_iter()));
    write(store, &|db| upsert(db, "gone", &["x"]));
    write(store, &|db| db.stage_drop("gone").map(usize::from));
    write(store, &|db| upsert(db, "c", &["x"]));
    store.commit().unwrap();
}

#[test]
fn native_reads_a_store_with_receipts_and_compacts_it_to_the_same_bytes() {
    let (with, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&mut open_ours(with.path(), OPTIONS).unwrap(), true);
    fill(&mut open_ours(without.path(), OPTIONS).unwrap(), false);
    assert!(files(with.path()).1.len() > files(without.path()).1.len());
    let ours = open_ours(with.path(), OPTIONS).unwrap();
    for number in [1, 2, 4, 5, 6, 7, 8] {
        assert_eq!(ours.known(7, number), Known::Made(number as u32 * 10));
    }
    // The write with this receipt changed nothing. Its receipt was written with the next operation that changed
    // something.
    assert_eq!(ours.known(7, 3), Known::Made(30));
    assert_eq!((ours.known(7, 9), ours.known(8, 1), ours.newest(7)), (Known::Unmade, Known::Unmade, 8));
    assert_same_documents(&open_native(with.path(), 2, false).unwrap(), &ours);
    drop(ours);
    for dir in [&with, &without] {
        open_native(dir.path(), 2, false).unwrap().compact().unwrap();
    }
    assert!(files(with.path()) == files(without.path()), "native's compaction differs");
}

#[test]
fn a_compaction_keeps_receipts_in_a_frame_that_changes_nothing() {
    for all_dropped in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open_ours(dir.path(), OPTIONS).unwrap();
        fill(&mut store, true);
        if all_dropped {
            for (number, name) in [(9, "c"), (10, "empty")] {
                marked(&mut store, 7, number, |db| db.stage_drop(name));
            }
            store.commit().unwrap();
        }
        compact_ours(&mut store, dir.path());
        drop(store);
        let mut store = open_ours(dir.path(), OPTIONS).unwrap();
        assert_eq!(
            (store.known(7, 2), store.known(7, 3), store.known(7, 8)),
            (Known::Made(20), Known::Made(30), Known::Made(80))
        );
        assert_same_documents(&open_native(dir.path(), 2, false).unwrap(), &store);
        // Every write below the floor was answered. Nobody asks for these writes again, so their receipts are not kept.
        store.expect_receipt(Receipt { sender: 7, number: 2000, back: 0, result: 0 }).unwrap();
        store.stage_create("more").unwrap();
        store.stage_receipt(1);
        store.commit().unwrap();
        compact_ours(&mut store, dir.path());
        assert_eq!((store.known(7, 2), store.known(7, 2000)), (Known::Refused, Known::Made(1)));
    }
}

#[test]
fn a_missing_write_before_a_later_one_was_refused_and_nothing_is_known_of_a_forgotten_sender() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_ours(dir.path(), OPTIONS).unwrap();
    let one = |store: &mut Store, sender: u128, number: u64| {
        marked(store, sender, number, |db| db.stage_create(&format!("{sender}-{number}")));
        store.commit().unwrap();
    };
    one(&mut store, 5, 1);
    one(&mut store, 5, 3);
    assert_eq!((store.known(5, 2), store.known(5, 4)), (Known::Refused, Known::Unmade));
    for sender in 1000..1300 {
        one(&mut store, sender, 1);
    }
    for _ in 0..2 {
        compact_ours(&mut store, dir.path());
        drop(store);
        store = open_ours(dir.path(), OPTIONS).unwrap();
        assert_eq!(
            (store.known(5, 3), store.known(1010, 1), store.known(1299, 1)),
            (Known::Forgotten, Known::Forgotten, Known::Made(10))
        );
        assert_eq!(store.known(2000, 1), Known::Unmade);
    }
    // After a roll-back the receipt is not there.
    marked(&mut store, 2000, 1, |db| db.stage_create("x"));
    assert_eq!(store.known(2000, 1), Known::Made(10));
    store.unstage_all();
    assert_eq!(store.known(2000, 1), Known::Unmade);
}
