//! Both stores side by side, each in a directory of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nidus::{Config, Fsync, Nidus, OpenMode, Predicate};
use nidus_wasm::search::Filter;
use nidus_wasm::sink::FileSink;
use nidus_wasm::{Batch, OpenOptions, Store};
use tempfile::TempDir;

pub type Attrs = BTreeMap<String, nidus::Value>;

pub fn ours(value: &nidus::Value) -> nidus_wasm::Value {
    use nidus_wasm::Value;
    match value {
        nidus::Value::Null => Value::Null,
        nidus::Value::Str(text) => Value::Str(text.clone()),
        nidus::Value::Int(int) => Value::Int(*int),
        nidus::Value::Bool(bool) => Value::Bool(*bool),
        nidus::Value::List(items) => Value::List(items.clone()),
    }
}

fn our_filter(filter: &nidus::Filter) -> Filter {
    let predicate = |predicate: &Predicate| match predicate {
        Predicate::Eq(key, value) => Filter::Eq(key.clone(), ours(value)),
        Predicate::Glob(key, pattern) => Filter::Glob(key.clone(), pattern.clone()),
        Predicate::In(key, values) => Filter::In(key.clone(), values.iter().map(ours).collect()),
    };
    Filter::And(filter.0.iter().map(predicate).collect())
}

/// Returns the same filter with an `Or` of equalities in place of each `In`.
fn without_in(filter: Filter) -> Filter {
    match filter {
        Filter::And(parts) => Filter::And(parts.into_iter().map(without_in).collect()),
        Filter::In(key, values) => Filter::Or(values.into_iter().map(|value| Filter::Eq(key.clone(), value)).collect()),
        other => other,
    }
}

/// Does `work` with a filter. If a record has a list, `In` with texts is an error here, but only no match in native.
/// Then the work is done with equalities instead.
pub fn with_filter<T>(filter: &nidus::Filter, work: &mut dyn FnMut(Filter) -> nidus_wasm::Result<T>) -> T {
    match work(our_filter(filter)) {
        Err(error) if error.to_string().contains("use $containsAny") => work(without_in(our_filter(filter))).unwrap(),
        done => done.unwrap(),
    }
}

/// Returns a batch of the records, and their vectors. Every second record has its keys in descending order, so that the
/// store has to sort them.
pub fn batch(records: &[nidus::Record]) -> (Batch, Vec<f32>) {
    let mut batch = Batch::new();
    let mut vectors = Vec::new();
    for (n, record) in records.iter().enumerate() {
        let mut attrs: Vec<_> = record.attrs.iter().map(|(key, value)| (key.as_str(), ours(value))).collect();
        if n % 2 == 1 {
            attrs.reverse();
        }
        batch.push(&record.id, &attrs);
        vectors.extend_from_slice(&record.vector);
    }
    (batch, vectors)
}

/// Returns `data` and `log` of a directory.
pub fn files(dir: &Path) -> (Vec<u8>, Vec<u8>) {
    (fs::read(dir.join("data")).unwrap(), fs::read(dir.join("log")).unwrap())
}

pub fn dir_with(data: &[u8], log: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("data"), data).unwrap();
    fs::write(dir.path().join("log"), log).unwrap();
    dir
}

pub fn open_native(dir: &Path, dimension: usize, auto_compact: bool) -> nidus::Result<Nidus> {
    let config = Config::new(dir, dimension).fsync(Fsync::OnFlush);
    Nidus::open(config.auto_compact(auto_compact.then_some(0.5)))
}

pub fn open_native_read_only(dir: &Path, dimension: usize) -> nidus::Result<Nidus> {
    Nidus::open(Config::new(dir, dimension).open_mode(OpenMode::ReadOnly).auto_compact(None))
}

pub fn open_ours(dir: &Path, options: OpenOptions) -> nidus_wasm::Result<Store> {
    Store::open(FileSink::open(dir.join("data"))?, FileSink::open(dir.join("log"))?, options)
}

/// Compacts into new files and puts them in the place of the old ones.
pub fn compact_ours(store: &mut Store, dir: &Path) {
    let fresh = |name: &str| Box::new(FileSink::open(dir.join(name)).unwrap());
    store.compact_into(fresh("data.new"), fresh("log.new")).unwrap();
    for name in ["data", "log"] {
        fs::rename(dir.join(format!("{name}.new")), dir.join(name)).unwrap();
    }
}

pub struct Pair {
    pub native_dir: TempDir,
    pub our_dir: TempDir,
    pub options: OpenOptions,
    native: Option<Nidus>,
    ours: Option<Store>,
}

impl Pair {
    pub fn new(options: OpenOptions) -> Self {
        let dir = || tempfile::tempdir().unwrap();
        let mut pair = Self { native_dir: dir(), our_dir: dir(), options, native: None, ours: None };
        pair.open(true);
        pair
    }

    pub fn dimension(&self) -> usize {
        self.options.dimension.unwrap()
    }

    pub fn open(&mut self, auto_compact: bool) {
        let dimension = self.dimension();
        (self.native, self.ours) = (None, None);
        self.native = Some(open_native(self.native_dir.path(), dimension, auto_compact).unwrap());
        let mut ours = open_ours(self.our_dir.path(), self.options).unwrap();
        if auto_compact && ours.dead_ratio() > 0.5 {
            compact_ours(&mut ours, self.our_dir.path());
        }
        self.ours = Some(ours);
    }

    /// Exchanges the directories, so that each crate opens the files of the other.
    pub fn swap(&mut self) {
        (self.native, self.ours) = (None, None);
        std::mem::swap(&mut self.native_dir, &mut self.our_dir);
        self.open(false);
    }

    pub fn both(&mut self) -> (&mut Nidus, &mut Store) {
        (self.native.as_mut().unwrap(), self.ours.as_mut().unwrap())
    }

    pub fn compact(&mut self) {
        let dir: PathBuf = self.our_dir.path().into();
        let (native, ours) = self.both();
        native.compact().unwrap();
        compact_ours(ours, &dir);
    }

    pub fn upsert(&mut self, collection: &str, records: &[nidus::Record]) {
        let (native, ours) = self.both();
        let (batch, vectors) = batch(records);
        let staged = ours.stage_upsert(collection, batch.len(), batch.bytes(), &vectors).unwrap();
        assert_eq!(native.upsert(collection, records).unwrap(), staged);
    }

    pub fn commit(&mut self) {
        self.both().1.commit().unwrap();
    }

    pub fn assert_same_files(&self) {
        let (native, ours) = (files(self.native_dir.path()), files(self.our_dir.path()));
        assert!(native.1 == ours.1, "log differs\nnative {:02x?}\n  ours {:02x?}", native.1, ours.1);
        assert!(native.0 == ours.0, "data differs\nnative {:02x?}\n  ours {:02x?}", native.0, ours.0);
    }

    /// Compares the documents and the footprints. `readable_by` is 0.3.0, because both know everything that was
    /// written.
    pub fn assert_same_contents(&mut self) {
        let (native, ours) = self.both();
        assert_same_documents(native, ours);
        let (n, o) = (native.footprint(), ours.footprint());
        assert_eq!(
            (n.rows, n.dead_rows, n.dimension, n.vector_bytes, n.doc_count, "0.3.0"),
            (o.rows, o.dead_rows, o.dimension, o.vector_bytes, o.doc_count, o.readable_by)
        );
    }
}

/// Compares the collections, their metadata, and every record with the bits of its vector.
pub fn assert_same_documents(native: &Nidus, store: &Store) {
    assert_eq!(native.collections(), store.collections());
    for name in store.collections() {
        assert!(native.has_collection(&name) && store.has_collection(&name));
        assert_eq!(native.get_meta(&name), store.get_meta(&name));
        let mut expected = native.get_all(&name);
        expected.sort_by(|a, b| a.id.cmp(&b.id));
        let found = store.get_all(&name).unwrap();
        assert_eq!(expected.len(), found.len(), "documents in {name:?}");
        for (expected, found) in expected.iter().zip(&found) {
            let attrs: BTreeMap<_, _> = expected.attrs.iter().map(|(key, value)| (key.clone(), ours(value))).collect();
            assert_eq!(
                (&expected.id, bits(&expected.vector), attrs),
                (&found.id, bits(&found.vector), found.attrs.clone())
            );
        }
    }
    assert!(!native.has_collection("no such") && !store.has_collection("no such"));
    assert_eq!(native.get_meta("no such"), store.get_meta("no such"));
    assert!(native.get_all("no such").is_empty() && store.get_all("no such").unwrap().is_empty());
}

pub fn bits(vector: &[f32]) -> Vec<u32> {
    vector.iter().map(|x| x.to_bits()).collect()
}
