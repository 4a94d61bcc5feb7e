//! Native is killed, and this crate opens what it leaves; and the other way round.

use std::cell::RefCell;
use std::fs::{self, File};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use nidus::{Nidus, Record, Value};
use nidus_wasm::sink::{ByteSink, MemorySink};
use nidus_wasm::{Batch, Code, OpenOptions, Opening, Recovery, Store, code_of};

use crate::crc32::crc32;
use crate::pair::*;

const DIMENSION: usize = 3;

fn options() -> OpenOptions {
    OpenOptions { dimension: Some(DIMENSION), ..Default::default() }
}

fn record(id: &str, vector: [f32; DIMENSION]) -> Record {
    Record { id: id.into(), vector: vector.to_vec(), attrs: [("id".into(), Value::Str(id.into()))].into() }
}

fn native_store() -> (Vec<u8>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let mut native = open_native(dir.path(), DIMENSION, false).unwrap();
    native.upsert("docs", &[record("a", [1.0, 2.0, 3.0]), record("ü", [0.0, 1.0, 0.5])]).unwrap();
    native.set_meta("docs", [("model".into(), "m".into())].into()).unwrap();
    native.upsert("docs", &[record("a", [3.0, 2.0, 1.0])]).unwrap();
    native.delete("docs", &["ü"]).unwrap();
    native.create_collection("gone").unwrap();
    native.drop_collection("gone").unwrap();
    drop(native);
    files(dir.path())
}

/// Opens the same bytes with both. They find the same and leave the same, now and after one more write.
fn assert_recover_alike(data: &[u8], log: &[u8]) -> Recovery {
    let (native_dir, our_dir) = (dir_with(data, log), dir_with(data, log));
    let mut native = open_native(native_dir.path(), DIMENSION, false).unwrap();
    let mut store = open_ours(our_dir.path(), options()).unwrap();
    let recovery = store.recovery();
    assert_same_documents(&native, &store);
    assert!(files(native_dir.path()) == files(our_dir.path()), "different bytes after recovery of {log:02x?}");
    let footprint = store.footprint();
    assert_eq!(footprint.dead_rows, footprint.rows - footprint.doc_count as u64);
    // Native forgets the rows of a batch whose frames are lost.
    assert!(native.footprint().dead_rows <= footprint.dead_rows);

    let next = [record("next", [0.5, 0.5, -1.0])];
    native.upsert("docs", &next).unwrap();
    let (batch, vectors) = batch(&next);
    store.stage_upsert("docs", 1, batch.bytes(), &vectors).unwrap();
    store.commit().unwrap();
    assert!(files(native_dir.path()) == files(our_dir.path()), "different bytes after a write behind {log:02x?}");
    native.compact().unwrap();
    compact_ours(&mut store, our_dir.path());
    assert!(files(native_dir.path()) == files(our_dir.path()), "different bytes after compaction behind {log:02x?}");
    recovery
}

/// A native writer is killed anywhere in a write of the log. Native has no commit marks, so the first part of a batch
/// is there.
#[test]
fn a_log_that_ends_anywhere() {
    let (data, log) = native_store();
    let mut ends = vec![0];
    while let Some(len) = log[*ends.last().unwrap()..].first_chunk() {
        ends.push(ends.last().unwrap() + u32::from_le_bytes(*len) as usize + 8);
    }
    assert_eq!(ends.len(), 9, "eight frames");
    for end in 0..=log.len() {
        let recovery = assert_recover_alike(&data, &log[..end]);
        let cut = end - ends.iter().rev().find(|at| **at <= end).unwrap();
        assert_eq!((recovery.log_bytes, recovery.log_frames), (cut as u64, u64::from(cut > 0)), "at {end}");
    }
}

/// The writer is killed between data and log, or within data. It leaves rows that nothing names, and a part of a row.
#[test]
fn rows_without_frames() {
    let (data, log) = native_store();
    for extra in 0..30 {
        let mut longer = data.clone();
        longer.extend((0..extra).map(|byte| byte as u8));
        let recovery = assert_recover_alike(&longer, &log);
        assert_eq!(recovery, Recovery { data_bytes: extra % 12, ..Default::default() });
    }
}

/// The file system grew the log and did not write it. Native refuses nine zeros or more. Eight zeros are an empty frame
/// for it.
#[test]
fn a_tail_of_zeros() {
    let (data, log) = native_store();
    for zeros in 1..600 {
        let mut longer = log.clone();
        longer.resize(log.len() + zeros, 0);
        if zeros <= 8 {
            assert_eq!(assert_recover_alike(&data, &longer).log_bytes, zeros as u64);
            continue;
        }
        let dir = dir_with(&data, &longer);
        if zeros % 64 == 9 {
            assert!(open_native(dir.path(), DIMENSION, false).is_err());
            assert!(files(dir.path()) == (data.clone(), longer.clone()));
        }
        assert_eq!(open_ours(dir.path(), options()).unwrap().recovery().log_bytes, zeros as u64);
        assert!(files(dir.path()) == (data.clone(), log.clone()));
    }
}

/// Native renames data, then log. Between the two, the log names rows that are gone: native forgets those documents and
/// silently gives others the wrong vectors. This crate refuses and leaves the bytes as they are. If no row was dead,
/// the two files do not show what happened.
#[test]
fn native_killed_between_its_two_renames() {
    let dir = tempfile::tempdir().unwrap();
    let mut native = open_native(dir.path(), DIMENSION, false).unwrap();
    native
        .upsert("docs", &[record("x", [1.0, 0.0, 0.0]), record("y", [0.0, 1.0, 0.0]), record("z", [0.0, 0.0, 1.0])])
        .unwrap();
    native.delete("docs", &["x"]).unwrap();
    let log = files(dir.path()).1;
    native.compact().unwrap();
    drop(native);
    let data = files(dir.path()).0;
    let half = dir_with(&data, &log);
    for read_only in [false, true] {
        let error = open_ours(half.path(), OpenOptions { read_only, ..options() }).err().unwrap();
        assert_eq!(code_of(&error), Code::Corrupt);
        assert!(files(half.path()) == (data.clone(), log.clone()));
    }
    let left = open_native(half.path(), DIMENSION, false).unwrap().get_all("docs");
    assert_eq!(
        (left.len(), left[0].id.as_str(), left[0].vector.as_slice()),
        (1, "y", &[0.0, 0.0, 1.0][..]),
        "z is gone and y has its vector"
    );
}

/// A creation was interrupted. If a part of the header is there, native refuses the store, and this crate creates it
/// again.
#[test]
fn a_creation_cut_short() {
    let (data, _) = native_store();
    for len in [0, 1, 63] {
        let dir = dir_with(&data[..len], &[]);
        assert_eq!(open_native(dir.path(), DIMENSION, false).is_err(), len > 0);
        let dir = dir_with(&data[..len], &[]);
        assert!(open_ours(dir.path(), options()).unwrap().recovery().created);
        assert!(files(dir.path()) == (data[..64].to_vec(), vec![]));
        open_native(dir.path(), DIMENSION, false).unwrap();
    }
}

/// A log that remembers its bytes before its last `publish`: a crash just before the commit point leaves these.
#[derive(Clone, Default)]
struct BeforePublish {
    log: MemorySink,
    before: Rc<RefCell<Vec<u8>>>,
}

impl ByteSink for BeforePublish {
    fn len(&self) -> nidus_wasm::Result<u64> {
        ByteSink::len(&self.log)
    }
    fn append(&mut self, bytes: &[u8]) -> nidus_wasm::Result<()> {
        self.log.append(bytes)
    }
    fn publish(&mut self, at: u64, length: [u8; 4]) -> nidus_wasm::Result<()> {
        *self.before.borrow_mut() = self.log.to_vec();
        self.log.publish(at, length)
    }
    fn truncate_to(&mut self, len: u64) -> nidus_wasm::Result<()> {
        self.log.truncate_to(len)
    }
    fn flush(&mut self) -> nidus_wasm::Result<()> {
        Ok(())
    }
}

/// Our writer is killed before the commit point. Its rows are there, and a run whose commit mark is still closed.
#[test]
fn native_cuts_our_unpublished_run() {
    let (data, log) = native_store();
    let (data_sink, log_sink) = (
        MemorySink::with_bytes(data.clone()),
        BeforePublish { log: MemorySink::with_bytes(log.clone()), ..Default::default() },
    );
    let mut opening = Opening::new(options(), data.len() as u64, log.len() as u64).unwrap();
    opening.feed_data(&data).unwrap();
    opening.feed_log(&log).unwrap();
    let mut store = opening.finish(Box::new(data_sink.clone()), Box::new(log_sink.clone())).unwrap();
    let new = [record("new", [1.0, 0.0, 0.0]), record("a", [0.0, 0.0, 1.0])];
    let (batch, vectors) = batch(&new);
    store.stage_upsert("docs", 2, batch.bytes(), &vectors).unwrap();
    store.stage_delete("docs", [Ok("a")].into_iter()).unwrap();
    store.commit().unwrap();
    let (data_after, unpublished) = (data_sink.to_vec(), log_sink.before.borrow().clone());
    assert_eq!(unpublished[log.len()..log.len() + 4], [0xFF; 4]);

    let before = open_native(dir_with(&data, &log).path(), DIMENSION, false).unwrap().get_all("docs");
    type Open = fn(&std::path::Path, usize) -> nidus::Result<Nidus>;
    for open in [open_native_read_only as Open, |dir, dimension| open_native(dir, dimension, true)] {
        // Any part of the run may have reached the disk before the crash.
        for end in (log.len() + 4..=unpublished.len()).rev().step_by(7) {
            let dir = dir_with(&data_after, &unpublished[..end]);
            let native = open(dir.path(), DIMENSION).unwrap();
            assert_eq!(native.get_all("docs"), before);
            assert_eq!(files(dir.path()).1, log, "cut, and nothing else");
        }
    }
    let recovery = assert_recover_alike(&data_after, &unpublished);
    assert_eq!((recovery.log_bytes, recovery.log_frames), ((unpublished.len() - log.len()) as u64, 3));
}

/// Our fs host holds this lock: native's file with a nonce added, and a time that is 10 minutes ahead.
#[test]
fn native_keeps_out_while_we_hold_its_lock() {
    let (data, log) = native_store();
    let dir = dir_with(&data, &log);
    let lock = dir.path().join("lock");
    let content = "4242 1700000000000 1f0c9a";
    fs::write(&lock, content).unwrap();
    let file = File::options().write(true).open(&lock).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(600)).unwrap();
    let error = open_native(dir.path(), DIMENSION, true).err().unwrap();
    assert!(error.to_string().contains("locked"), "{error:#}");
    assert_eq!(fs::read_to_string(&lock).unwrap(), content);
    assert!(files(dir.path()) == (data.clone(), log.clone()));
    // Native's readers take no lock and look at none.
    open_native_read_only(dir.path(), DIMENSION).unwrap();
    // If the time were not ahead, native would take over the lock after a minute.
    file.set_modified(SystemTime::now() - Duration::from_secs(61)).unwrap();
    open_native(dir.path(), DIMENSION, true).unwrap();
    assert!(!lock.exists());
}

/// Our fs host puts this barrier in the place of `log` while it exchanges the two files. Native refuses it and changes
/// nothing.
#[test]
fn native_refuses_the_file_that_stands_in_for_the_log() {
    let (data, _) = native_store();
    let payload = [0xFF; 4];
    let mut barrier = 4u32.to_le_bytes().to_vec();
    barrier.extend(payload);
    barrier.extend(crc32(&payload).to_le_bytes());
    barrier.push(0);
    let dir = dir_with(&data, &barrier);
    assert!(open_native(dir.path(), DIMENSION, true).is_err());
    assert!(open_native_read_only(dir.path(), DIMENSION).is_err());
    assert_eq!(code_of(&open_ours(dir.path(), options()).err().unwrap()), Code::UnsupportedVersion);
    assert!(files(dir.path()) == (data, barrier));
}

/// Only later versions of native write these operations.
#[test]
fn an_operation_of_a_later_native() {
    let (data, log) = native_store();
    let mut payload = 5u32.to_le_bytes().to_vec();
    payload.extend(4u64.to_le_bytes());
    payload.extend(b"docs");
    let mut later = log.clone();
    later.extend((payload.len() as u32).to_le_bytes());
    later.extend(&payload);
    later.extend(crc32(&payload).to_le_bytes());
    let dir = dir_with(&data, &later);
    assert_eq!(code_of(&open_ours(dir.path(), options()).err().unwrap()), Code::UnsupportedVersion);
    assert!(files(dir.path()) == (data.clone(), later.clone()));
    open_native(dir.path(), DIMENSION, false).unwrap();
    assert!(files(dir.path()) == (data, log), "native 0.3.0 has cut it");
}

#[test]
fn another_dimension_is_refused_by_both() {
    let (data, log) = native_store();
    let dir = dir_with(&data, &log);
    assert!(open_native(dir.path(), 4, true).is_err());
    let error = open_ours(dir.path(), OpenOptions { dimension: Some(4), ..Default::default() }).err().unwrap();
    assert_eq!(code_of(&error), Code::DimensionMismatch);
    assert!(files(dir.path()) == (data, log));
    let mut store: Store = open_ours(dir.path(), OpenOptions::default()).unwrap();
    assert_eq!(store.dimension(), DIMENSION);
    assert!(
        store
            .stage_upsert(
                "docs",
                1,
                {
                    let mut one = Batch::new();
                    one.push("x", &[]);
                    one
                }
                .bytes(),
                &[0.0; 4]
            )
            .is_err()
    );
}
