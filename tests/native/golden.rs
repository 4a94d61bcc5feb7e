//! Golden files: the bytes that native writes for every operation and every value, with an explanation of each byte.
//!
//! `GOLDEN=write cargo test --test native golden` writes them again, except for those that a later version of native
//! wrote.

use std::fs;
use std::path::PathBuf;

use nidus::{Record, Value};
use nidus_wasm::{Batch, OpenOptions};

use crate::golden_files::parse;
use crate::pair::*;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", &format!("{name}.txt")].iter().collect()
}

/// Takes bytes from the front and explains them. It has its own decoder, so that it shares no mistake with the one in
/// `src`.
struct Explain<'a> {
    rest: &'a [u8],
    text: String,
}

impl<'a> Explain<'a> {
    fn say(&mut self, n: usize, what: &str) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(n);
        self.rest = rest;
        for (i, line) in taken.chunks(16).enumerate() {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            self.text += format!("{:<48}| {}", hex.join(" "), if i == 0 { what } else { "" }).trim_end();
            self.text.push('\n');
        }
        taken
    }

    fn peek<const N: usize>(&self, at: usize) -> [u8; N] {
        self.rest[at..at + N].try_into().unwrap()
    }

    fn count(&mut self, what: &str) -> u64 {
        let count = u64::from_le_bytes(self.peek(0));
        self.say(8, &format!("{count} {what}"));
        count
    }

    fn str(&mut self, what: &str) {
        let len = u64::from_le_bytes(self.peek(0)) as usize;
        let text = String::from_utf8(self.rest[8..8 + len].to_vec()).unwrap();
        self.say(8 + len, &format!("{what} {text:?}"));
    }

    fn value(&mut self) {
        match u32::from_le_bytes(self.peek(0)) {
            0 => drop(self.say(4, "  Null")),
            1 => {
                self.say(4, "  Str");
                self.str("   ");
            }
            2 => drop(self.say(12, &format!("  Int {}", i64::from_le_bytes(self.peek(4))))),
            3 => drop(self.say(5, &format!("  Bool {}", self.rest[4] == 1))),
            4 => {
                self.say(4, "  List");
                for _ in 0..self.count("  items") {
                    self.str("   ");
                }
            }
            5 => drop(self.say(12, &format!("  Float {:?}", f64::from_le_bytes(self.peek(4))))),
            6 => drop(self.say(12, &format!("  DateTime {}", i64::from_le_bytes(self.peek(4))))),
            other => panic!("value {other}"),
        }
    }

    fn frame(&mut self) {
        let len = u32::from_le_bytes(self.peek(0)) as usize;
        let payload = &self.rest[4..4 + len];
        let op = u32::from_le_bytes(self.peek(4)) as usize;
        const LATER: [&str; 7] = [
            "UpsertText",
            "SetFtsSchema",
            "SetFtsFields",
            "SetFilterIndex",
            "Reinforce",
            "UpsertVectors",
            "SetVectorNames",
        ];
        let name = ["CreateCollection", "DropCollection", "SetMeta", "Upsert", "Delete"]
            .into_iter()
            .chain(LATER)
            .nth(op)
            .unwrap();
        self.text.push_str("#\n");
        self.say(4, &format!("frame of {len} bytes"));
        self.say(4, name);
        self.str("collection");
        match name {
            "SetMeta" => {
                for _ in 0..self.count("entries") {
                    self.str(" key");
                    self.str(" value");
                }
            }
            "Upsert" => {
                self.str("id");
                self.say(8, &format!("row {}", u64::from_le_bytes(self.peek(0))));
                for _ in 0..self.count("attributes") {
                    self.str(" key");
                    self.value();
                }
            }
            "Delete" => self.str("id"),
            "UpsertVectors" => {
                self.str("id");
                for _ in 0..self.count("vectors") {
                    self.str(" name");
                    self.say(8, &format!("  row {}", u64::from_le_bytes(self.peek(0))));
                }
                for _ in 0..self.count("attributes") {
                    self.str(" key");
                    self.value();
                }
            }
            "UpsertText" => {
                self.str("id");
                for _ in 0..self.count("attributes") {
                    self.str(" key");
                    self.value();
                }
            }
            "SetVectorNames" => {
                for _ in 0..self.count("names") {
                    self.str(" name");
                }
            }
            _ => {}
        }
        assert_eq!(u32::from_le_bytes(self.peek(0)), crate::crc32::crc32(payload));
        self.say(4, "crc32");
    }
}

fn explain(title: &str, (data, log): &(Vec<u8>, Vec<u8>)) -> String {
    let mut e = Explain { rest: data, text: title.lines().map(|line| format!("# {line}\n")).collect() };
    e.text += "data\n";
    e.say(6, "magic");
    e.say(2, "version");
    let dimension = u32::from_le_bytes(e.peek(0));
    e.say(4, &format!("dimension {dimension}"));
    e.say(52, "zeros");
    let mut row = 0;
    while !e.rest.is_empty() {
        let numbers: Vec<f32> =
            e.rest.chunks(4).take(dimension as usize).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect();
        e.say(4 * dimension as usize, &format!("row {row}: {numbers:?}"));
        row += 1;
    }
    e.text += "log\n";
    e.rest = log;
    while !e.rest.is_empty() {
        e.frame();
    }
    e.text
}

fn check(name: &str, title: &str, found: &(Vec<u8>, Vec<u8>)) {
    let text = explain(title, found);
    assert!(parse(&text) == *found, "the explanation loses bytes");
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        fs::write(path(name), &text).unwrap();
    }
    let golden = fs::read_to_string(path(name)).unwrap();
    assert!(golden == text, "{name} differs; found\n{text}");
}

fn options(dimension: usize) -> OpenOptions {
    OpenOptions { dimension: Some(dimension), ..Default::default() }
}

/// Checks that native's files are the golden ones, that ours are the same, and that both crates read the same from
/// them.
fn check_pair(mut pair: Pair, name: &str, title: &str) {
    let dimension = pair.dimension();
    pair.commit();
    pair.assert_same_files();
    check(name, title, &files(pair.native_dir.path()));
    let (data, log) = parse(&fs::read_to_string(path(name)).unwrap());
    let (native_dir, our_dir) = (dir_with(&data, &log), dir_with(&data, &log));
    let native = open_native(native_dir.path(), dimension, false).unwrap();
    let store = open_ours(our_dir.path(), options(dimension)).unwrap();
    assert_eq!(store.recovery(), Default::default());
    assert_same_documents(&native, &store);
}

fn record(id: &str, vector: &[f32], attrs: &[(&str, Value)]) -> Record {
    Record {
        id: id.into(),
        vector: vector.into(),
        attrs: attrs.iter().map(|(key, value)| (key.to_string(), value.clone())).collect(),
    }
}

/// Makes a pair with every operation, and with operations that log nothing.
fn operations() -> Pair {
    let mut pair = Pair::new(options(2));
    let (native, ours) = pair.both();
    for _ in 0..2 {
        native.create_collection("docs").unwrap();
        ours.stage_create("docs").unwrap();
    }
    for meta in [&[("model", "minilm"), ("größe", "2")][..], &[]] {
        let meta = meta.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        ours.stage_set_meta_map("meta alone", &meta).unwrap();
        native.set_meta("meta alone", meta).unwrap();
    }
    pair.upsert(
        "docs",
        &[record("a", &[3.0, 4.0], &[]), record("b", &[0.0, -2.0], &[]), record("a", &[1.0, 0.0], &[])],
    );
    pair.upsert("created by an upsert", &[record("", &[0.0, 0.0], &[])]);
    pair.upsert("created by an empty one", &[]);
    let (native, ours) = pair.both();
    let ids = ["b", "absent", "b"];
    assert_eq!(native.delete("docs", &ids).unwrap(), 1);
    ours.stage_delete("docs", ids.into_iter().map(Ok)).unwrap();
    for name in ["created by an upsert", "absent"] {
        native.drop_collection(name).unwrap();
        ours.stage_drop(name).unwrap();
    }
    pair
}

#[test]
fn every_operation() {
    let title = "Written by native 0.3.0: every operation.\nCreating what is there and deleting or dropping \
                 what is not logs nothing.";
    check_pair(operations(), "operations", title);
}

#[test]
fn compaction() {
    let mut pair = operations();
    pair.commit();
    pair.upsert("docs", &[record("ü", &[5.0, 12.0], &[("k", Value::Null)]), record("Z", &[-1.0, 1.0], &[])]);
    pair.commit();
    pair.compact();
    let title = "Written by native 0.3.0: operations.txt and two documents more, compacted.\nCollections by \
                 name, documents by id, in UTF-8 byte order; metadata only where there is some.";
    check_pair(pair, "compacted", title);
}

#[test]
fn every_value() {
    let mut pair = Pair::new(options(1));
    let list = |items: &[&str]| Value::List(items.iter().map(|item| item.to_string()).collect());
    let attrs = [
        ("", Value::Str(String::new())),
        ("bool false", Value::Bool(false)),
        ("bool true", Value::Bool(true)),
        ("int 0", Value::Int(0)),
        ("int largest", Value::Int(i64::MAX)),
        ("int smallest", Value::Int(i64::MIN)),
        ("list", list(&["b", "", "ä"])),
        ("list, empty", list(&[])),
        ("null", Value::Null),
        ("ключ", Value::Str("значение 😀\0".into())),
    ];
    pair.upsert("c", &[record("id", &[-7.5], &attrs)]);
    check_pair(pair, "values", "Written by native 0.3.0: every value that it knows.");
}

fn newer_batches() -> [Vec<(&'static str, Vec<(&'static str, nidus_wasm::Value)>, [f32; 2])>; 2] {
    use nidus_wasm::Value;
    let new = vec![
        ("early", Value::DateTime(-1)),
        ("float", Value::Float(-0.5)),
        ("int", Value::Int(7)),
        ("nan", Value::Float(f64::NAN)),
        ("when", Value::DateTime(1_700_000_000_123)),
    ];
    let old = vec![("text", Value::Str("ü".into()))];
    let last = vec![("float", Value::Float(1e300))];
    [vec![("new values", new, [3.0, 4.0]), ("old values", old, [0.0, 2.0])], vec![("last", last, [1.0, 0.0])]]
}

/// Native 0.105.0 wrote this into a store of ours. Its upserts name the vector.
#[test]
fn named_upserts() {
    if let Some(dir) = std::env::var_os("NATIVE_0_105") {
        for (from, name, title) in [
            (
                "m-more",
                "named-native-0.105.0",
                "Written by us, then by native 0.105.0: its upserts name their vector, \"default\".\nNot written \
                 anew by the tests.",
            ),
            (
                "m-vectors",
                "vectors-native-0.105.0",
                "named-native-0.105.0.txt, and then a second vector of its own name.\nNot written anew by the tests.",
            ),
            (
                "m-text",
                "text-native-0.105.0",
                "named-native-0.105.0.txt, and then a document without a vector.\nNot written anew by the tests.",
            ),
        ] {
            let found = files(&PathBuf::from(&dir).join(from));
            fs::write(path(name), explain(title, &found)).unwrap();
        }
    }
    let (data, log) = parse(&fs::read_to_string(path("named-native-0.105.0")).unwrap());
    let dir = dir_with(&data, &log);
    let read_only = open_ours(dir.path(), OpenOptions { read_only: true, ..options(2) }).unwrap();
    let mut store = open_ours(dir.path(), options(2)).unwrap();
    for store in [&read_only, &store] {
        assert_eq!((store.recovery(), store.footprint().readable_by), (Default::default(), "0.105.0"));
        assert_eq!(store.collections(), ["docs", "new"]);
        let ids: Vec<_> = store
            .get_all("docs")
            .unwrap()
            .into_iter()
            .map(|record| (record.id, record.vector, record.attrs.len()))
            .collect();
        assert_eq!(ids, [("over".to_string(), vec![0.6, 0.8], 2), ("theirs".to_string(), vec![0.0, -1.0], 2)]);
        assert_eq!(store.footprint().dead_rows, 2);
    }
    assert!(files(dir.path()) == (data.clone(), log.clone()), "opening changed something");

    // Our store writes its upserts in its own form. When it is opened again, everything is there.
    let mut batch = Batch::new();
    batch.push("more", &[]);
    store.stage_upsert("docs", 1, batch.bytes(), &[1.0, 0.0]).unwrap();
    store.stage_delete("docs", [Ok("theirs")].into_iter()).unwrap();
    store.commit().unwrap();
    drop(store);
    let mut store = open_ours(dir.path(), options(2)).unwrap();
    assert_eq!((store.count(None, &Default::default()).unwrap(), store.footprint().readable_by), (3, "0.105.0"));

    // After a compaction the files are those that native 0.3.0 would have written.
    compact_ours(&mut store, dir.path());
    assert_eq!(store.footprint().readable_by, "0.3.0");
    assert_same_documents(&open_native(dir.path(), 2, true).unwrap(), &store);

    // Salvage takes all of it, too.
    let mut salvage = nidus_wasm::Salvage::new(None, data.len() as u64, log.len() as u64).unwrap();
    salvage.feed_data(&data).unwrap();
    salvage.feed_log(&log).unwrap();
    let (salvaged, found) = salvage.finish(false).unwrap();
    assert_eq!((found.log.skipped, found.damaged_rows, salvaged.count(None, &Default::default()).unwrap()), (0, 0, 3));
}

#[test]
fn other_operations_of_a_later_native_are_refused_by_name() {
    for (name, says) in [
        ("vectors-native-0.105.0", "an operation 11 SetVectorNames"),
        ("text-native-0.105.0", "an operation 5 UpsertText"),
    ] {
        let (data, log) = parse(&fs::read_to_string(path(name)).unwrap());
        let refused = |log: &[u8], says: &str| {
            let dir = dir_with(&data, log);
            for read_only in [false, true] {
                let error = open_ours(dir.path(), OpenOptions { read_only, ..options(2) }).err().unwrap();
                assert_eq!(nidus_wasm::code_of(&error), nidus_wasm::Code::UnsupportedVersion);
                assert!(error.to_string().contains(says), "{error:#}");
            }
            assert!(files(dir.path()) == (data.clone(), log.to_vec()));
        };
        refused(&log, says);
        if name.starts_with("vectors") {
            // Without the declaration before it, the error names the upsert itself.
            let declared = log.windows(4).position(|bytes| bytes == [11, 0, 0, 0]).unwrap() - 4;
            let len = u32::from_le_bytes(log[declared..declared + 4].try_into().unwrap()) as usize + 8;
            refused(
                &[&log[..declared], &log[declared + len..]].concat(),
                "an operation 10 UpsertVectors: it has 2 vectors, \"default\" \"title\"",
            );
        }
    }
}

/// Our log is the same as that of a later version of native, except for one frame. That frame keeps native 0.3.0 from
/// cutting off the frame before it.
#[test]
fn float_and_datetime() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_ours(dir.path(), options(2)).unwrap();
    store.stage_create("c").unwrap();
    for records in newer_batches() {
        let mut batch = Batch::new();
        records.iter().for_each(|(id, attrs, _)| batch.push(id, attrs));
        let vectors: Vec<f32> = records.iter().flat_map(|record| record.2).collect();
        store.stage_upsert("c", batch.len(), batch.bytes(), &vectors).unwrap();
        store.commit().unwrap();
    }
    let found = files(dir.path());
    check(
        "newer",
        "Written by us: the values that native knows from 0.52.0 on. The last frame changes \
         nothing; it keeps native 0.3.0\nfrom taking the one before it for torn.",
        &found,
    );

    let native = parse(&fs::read_to_string(path("newer-native-0.52.0")).unwrap());
    assert!(found.0 == native.0);
    let creation = 8 + 12 + "c".len();
    assert!(found.1[..found.1.len() - creation] == native.1);

    for (data, log) in [found, native] {
        let dir = dir_with(&data, &log);
        let store = open_ours(dir.path(), options(2)).unwrap();
        assert_eq!((store.recovery(), store.footprint().readable_by), (Default::default(), "0.52.0"));
        let records = store.get_all("c").unwrap();
        assert_eq!(records.len(), 3);
        for (id, attrs, _) in newer_batches().into_iter().flatten() {
            let found = &records.iter().find(|record| record.id == id).unwrap().attrs;
            assert_eq!(found.len(), attrs.len());
            for (key, value) in attrs {
                // They are compared as text, so that NaN equals itself.
                assert_eq!(format!("{:?}", found[key]), format!("{value:?}"));
            }
        }
    }
}
