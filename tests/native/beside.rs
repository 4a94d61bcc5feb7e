//! Native opens, writes and compacts a store beside the file of the indexes of words, which it does not know.

use std::fs;

use nidus_wasm::OpenOptions;

use crate::pair::{batch, open_native, open_native_read_only, open_ours};

fn record(id: &str) -> nidus::Record {
    nidus::Record { id: id.to_string(), vector: vec![1.0, 0.5], attrs: Default::default() }
}

#[test]
fn native_leaves_the_file_of_the_indexes_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { dimension: Some(2), ..Default::default() };
    let mut store = open_ours(dir.path(), options).unwrap();
    let (records, vectors) = batch(&["a", "b", "c"].map(record));
    store.stage_upsert("docs", 3, records.bytes(), &vectors).unwrap();
    store.commit().unwrap();
    drop(store);
    for name in ["words", "words.draft"] {
        fs::write(dir.path().join(name), b"niduswd\x01 and more").unwrap();
    }
    drop(open_native_read_only(dir.path(), 2).unwrap());
    let mut native = open_native(dir.path(), 2, true).unwrap();
    native.upsert("docs", &[record("a"), record("d")]).unwrap();
    native.delete("docs", &["b"]).unwrap();
    native.compact().unwrap();
    drop(native);
    for name in ["words", "words.draft"] {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"niduswd\x01 and more");
    }
    let names: Vec<String> =
        open_ours(dir.path(), options).unwrap().get_all("docs").unwrap().into_iter().map(|r| r.id).collect();
    assert_eq!(names, ["a", "c", "d"]);
}
