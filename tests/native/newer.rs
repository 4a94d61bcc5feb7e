//! Float and DateTime, which native knows from 0.52.0 on. 0.3.0 refuses a log with such a value, in every mode, and
//! changes nothing.

use std::path::Path;

use nidus_wasm::{Batch, Code, OpenOptions, Store, Value, code_of};

use crate::pair::*;

const OPTIONS: OpenOptions = OpenOptions {
    dimension: Some(2),
    read_only: false,
    relaxed: false,
    transactional: false,
    max_vector_bytes: None,
    only_0_3: false,
    compact: false,
};

fn upsert(store: &mut Store, collection: &str, records: &[(&str, &[(&str, Value)])]) -> nidus_wasm::Result<usize> {
    let mut batch = Batch::new();
    records.iter().for_each(|(id, attrs)| batch.push(id, attrs));
    store.stage_upsert(collection, batch.len(), batch.bytes(), &vec![1.0; batch.len() * 2])
}

fn assert_native_refuses(dir: &Path) {
    let before = files(dir);
    for auto_compact in [false, true] {
        let error = open_native(dir, 2, auto_compact).err().expect("native opened it");
        assert!(error.to_string().contains("corruption"), "{error:#}");
    }
    open_native_read_only(dir, 2).err().expect("native opened it to read");
    assert!(files(dir) == before, "native changed something");
    let store = open_ours(dir, OPTIONS).unwrap();
    assert_eq!((store.footprint().readable_by, store.recovery()), ("0.52.0", Default::default()));
}

const OLD: &[(&str, Value)] = &[("a", Value::Bool(true))];
const FLOAT: &[(&str, Value)] = &[("a", Value::Float(0.5)), ("b", Value::Null)];
const DATE: &[(&str, Value)] = &[("when", Value::DateTime(1_700_000_000_123))];

#[test]
fn native_refuses_and_changes_nothing() {
    type Write = fn(&mut Store);
    let writes: [Write; 8] = [
        |db| drop(upsert(db, "c", &[("f", FLOAT)])),
        |db| drop(upsert(db, "c", &[("d", DATE)])),
        |db| drop(upsert(db, "c", &[("f", FLOAT), ("o", OLD)])),
        |db| drop(upsert(db, "c", &[("o", OLD), ("f", FLOAT), ("f", DATE)])),
        |db| {
            upsert(db, "c", &[("f", FLOAT)]).unwrap();
            upsert(db, "other", &[("f", FLOAT)]).unwrap();
        },
        // The document is dropped again in the same group. Its frame is in the log nevertheless.
        |db| {
            upsert(db, "c", &[("f", FLOAT)]).unwrap();
            db.stage_drop("c").unwrap();
        },
        |db| {
            upsert(db, "c", &[("f", FLOAT)]).unwrap();
            db.stage_delete("c", [Ok("f")].into_iter()).unwrap();
        },
        |db| {
            upsert(db, "c", &[("f", FLOAT)]).unwrap();
            db.commit().unwrap();
            upsert(db, "c", &[("o", OLD)]).unwrap();
            db.commit().unwrap();
            upsert(db, "c", &[("d", DATE)]).unwrap();
        },
    ];
    for write in writes {
        for (relaxed, transactional) in [(false, false), (true, false), (false, true), (true, true)] {
            let dir = tempfile::tempdir().unwrap();
            let mut store = open_ours(dir.path(), OpenOptions { relaxed, transactional, ..OPTIONS }).unwrap();
            upsert(&mut store, "old", &[("o", OLD)]).unwrap();
            store.commit().unwrap();
            store.flush().unwrap();
            let (_, log) = files(dir.path());
            write(&mut store);
            store.commit().unwrap();
            store.flush().unwrap();
            assert_eq!(store.footprint().readable_by, "0.52.0");
            let there = store.collections();
            assert_native_refuses(dir.path());
            // After a compaction the log is refused as long as a document with such a value lives.
            compact_ours(&mut store, dir.path());
            let newer = there.iter().any(|name| {
                store.get_all(name).unwrap().iter().any(|record| {
                    record.attrs.values().any(|value| matches!(value, Value::Float(_) | Value::DateTime(_)))
                })
            });
            if newer {
                assert_native_refuses(dir.path());
                assert_eq!(store.footprint().readable_by, "0.52.0");
            } else {
                assert_eq!(store.footprint().readable_by, "0.3.0");
                assert_same_documents(&open_native(dir.path(), 2, true).unwrap(), &store);
            }
            assert_eq!(there, store.collections(), "the redundant creation changes nothing");
            assert!(files(dir.path()).1.len() >= log.len());
        }
    }
}

/// A run never ends with such a value, because native 0.3.0 would take its frame for a half-written one.
#[test]
fn native_would_cut_a_newer_frame_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_ours(dir.path(), OPTIONS).unwrap();
    upsert(&mut store, "c", &[("o", OLD)]).unwrap();
    store.commit().unwrap();
    let (_, old) = files(dir.path());
    upsert(&mut store, "c", &[("f", FLOAT)]).unwrap();
    store.commit().unwrap();
    drop(store);
    let (data, log) = files(dir.path());
    let creation = 8 + 12 + "c".len();
    let unsealed = dir_with(&data, &log[..log.len() - creation]);
    let native = open_native(unsealed.path(), 2, false).unwrap();
    assert_eq!(native.get_all("c").len(), 1);
    assert!(files(unsealed.path()) == (data, old), "cut, silently");
}

/// The same operations, group by group, give the same log, except for the one redundant frame.
#[test]
fn a_redundant_creation_is_the_only_difference() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_ours(dir.path(), OPTIONS).unwrap();
    store.stage_create("a").unwrap();
    upsert(&mut store, "b", &[("f", FLOAT)]).unwrap();
    store.commit().unwrap();
    let sealed = files(dir.path()).1;
    let mut creation = 13u32.to_le_bytes().to_vec();
    let payload = [&0u32.to_le_bytes()[..], &1u64.to_le_bytes(), b"b"].concat();
    creation.extend(&payload);
    creation.extend(crate::crc32::crc32(&payload).to_le_bytes());
    assert!(sealed.ends_with(&creation) && !sealed[..sealed.len() - creation.len()].ends_with(&creation));
    upsert(&mut store, "b", &[("f", FLOAT), ("o", OLD)]).unwrap();
    store.commit().unwrap();
    assert!(!files(dir.path()).1.ends_with(&creation), "not where another frame follows anyway");
}

#[test]
fn compat_rejects_floats_and_dates() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { only_0_3: true, ..OPTIONS };
    let mut store = open_ours(dir.path(), options).unwrap();
    for newer in [FLOAT, DATE] {
        upsert(&mut store, "c", &[("o", OLD)]).unwrap();
        let error = upsert(&mut store, "c", &[("o2", OLD), ("n", newer)]).unwrap_err();
        assert_eq!(code_of(&error), Code::InvalidArgument);
        upsert(&mut store, "c", &[("p", OLD)]).unwrap();
        store.commit().unwrap();
    }
    let ids: Vec<_> = store.get_all("c").unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(ids, ["o", "p"], "the failed batches left nothing");
    assert_eq!(store.footprint().readable_by, "0.3.0");
    assert_same_documents(&open_native(dir.path(), 2, false).unwrap(), &store);
}

/// Later versions of native write a metric into the header. 1 is Euclidean, and then the rows are not scaled. Native
/// 0.3.0 does not look at it.
#[test]
fn another_metric_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open_ours(dir.path(), OPTIONS).unwrap());
    let (mut data, log) = files(dir.path());
    data[12] = 1;
    let dir = dir_with(&data, &log);
    for read_only in [false, true] {
        let error = open_ours(dir.path(), OpenOptions { read_only, ..OPTIONS }).err().unwrap();
        assert_eq!(code_of(&error), Code::UnsupportedVersion);
    }
    let segment = nidus_wasm::DataSegment::open(nidus_wasm::sink::FileSink::open(dir.path().join("data")).unwrap(), 2);
    assert_eq!(code_of(&segment.err().unwrap()), Code::UnsupportedVersion);
    assert!(files(dir.path()) == (data, log));
}
