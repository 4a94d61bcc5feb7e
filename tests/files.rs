//! A store in a directory: the files that opening leaves, reading without permission to write, and what a relaxed store
//! keeps when it is dropped.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nidus_wasm::sink::{ByteSink, FileSink};
use nidus_wasm::{Batch, Code, OpenOptions, Store, code_of};

const NEW: OpenOptions = OpenOptions {
    dimension: Some(2),
    read_only: false,
    relaxed: false,
    transactional: false,
    max_vector_bytes: None,
    only_0_3: false,
    compact: false,
};
const READ_ONLY: OpenOptions = OpenOptions { dimension: None, read_only: true, ..NEW };

fn upsert(store: &mut Store, id: &str) {
    let mut batch = Batch::new();
    batch.push(id, &[]);
    store.stage_upsert("c", 1, batch.bytes(), &[1.0, 0.0]).unwrap();
    store.commit().unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn read_only_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open_dir(dir.path(), READ_ONLY).err().unwrap();
    assert_eq!(code_of(&error), Code::NotFound);
    assert_eq!(code_of(&FileSink::open_read_only(dir.path().join("data")).err().unwrap()), Code::NotFound);
    assert!(names(dir.path()).is_empty());
    // Only one of the two files is there.
    fs::write(dir.path().join("data"), b"").unwrap();
    assert_eq!(code_of(&Store::open_dir(dir.path(), READ_ONLY).err().unwrap()), Code::NotFound);
    assert_eq!(names(dir.path()), ["data"]);
}

#[test]
fn an_opening_that_fails_leaves_no_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open_dir(dir.path(), OpenOptions { dimension: None, ..NEW }).err().unwrap();
    assert_eq!(code_of(&error), Code::InvalidArgument);
    assert!(names(dir.path()).is_empty());
    assert_eq!(
        code_of(&Store::open_dir(dir.path(), OpenOptions { dimension: Some(0), ..NEW }).err().unwrap()),
        Code::InvalidArgument
    );
    assert!(names(dir.path()).is_empty());
    fs::write(dir.path().join("data"), "somebody else's file, which is long enough to be a header and more than that")
        .unwrap();
    assert_eq!(code_of(&Store::open_dir(dir.path(), NEW).err().unwrap()), Code::Corrupt);
    assert_eq!(names(dir.path()), ["data"]);
}

#[test]
fn a_read_only_file_takes_no_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    fs::write(&path, b"abcdef").unwrap();
    let mut sink = FileSink::open_read_only(&path).unwrap();
    assert_eq!(ByteSink::len(&sink).unwrap(), 6);
    for refused in [sink.append(b"x"), sink.publish(0, [0; 4]), sink.truncate_to(1), sink.truncate_to(6), sink.flush()]
    {
        assert_eq!(code_of(&refused.unwrap_err()), Code::ReadOnly);
    }
    assert_eq!(fs::read(&path).unwrap(), b"abcdef");
}

/// The test below sets this variable when it runs itself again as a user who is not root.
const DIR: &str = "NIDUS_TEST_READ_ONLY_DIR";

#[test]
fn files_without_permission_to_write_are_read() {
    if let Some(dir) = std::env::var_os(DIR) {
        assert!(FileSink::open(Path::new(&dir).join("data")).is_err(), "this user may write");
        let store = Store::open_dir(&dir, READ_ONLY).unwrap();
        assert_eq!(store.get_all("c").unwrap().len(), 1);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    upsert(&mut Store::open_dir(dir.path(), NEW).unwrap(), "a");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["data", "log"] {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o444)).unwrap();
    }
    // The other user may not be allowed into the directory of this program.
    let program = dir.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut again = Command::new(program);
    again.args(["--exact", "files_without_permission_to_write_are_read"]).env(DIR, dir.path()).current_dir(dir.path());
    if fs::metadata(dir.path()).map(|found| std::os::unix::fs::MetadataExt::uid(&found)).unwrap() == 0 {
        again.uid(65_534).gid(65_534);
    }
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_relaxed_store_that_is_dropped_keeps_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_dir(dir.path(), OpenOptions { relaxed: true, ..NEW }).unwrap();
    upsert(&mut store, "a");
    upsert(&mut store, "b");
    assert!(store.held_bytes() > 0);
    // An operation that is only staged is not acknowledged.
    store.stage_create("never committed").unwrap();
    drop(store);
    let store = Store::open_dir(dir.path(), READ_ONLY).unwrap();
    assert_eq!(
        (store.get_all("c").unwrap().len(), store.recovery(), store.collections()),
        (2, Default::default(), vec!["c".to_string()])
    );
}
