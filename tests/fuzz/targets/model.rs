//! Reads everything that a store says it holds, with floats as bits, and checks that all of it agrees.

use std::collections::{BTreeMap, BTreeSet};

use nidus_wasm::search::Filter;
use nidus_wasm::sink::{ByteSink, ByteSource, MemorySink};
use nidus_wasm::{Meta, OpenOptions, Opening, Query, Result, Store, Value};

use super::codec;

/// The bits of the vector and the encoded attributes of each id.
pub type Docs = BTreeMap<String, (Vec<u32>, Vec<u8>)>;
pub type State = BTreeMap<String, (Meta, Docs)>;

pub fn bits(vector: &[f32]) -> Vec<u32> {
    vector.iter().map(|x| x.to_bits()).collect()
}

pub fn state(store: &Store) -> State {
    let docs = |name: &str| -> Docs {
        let records = store.get_all(name).unwrap();
        assert!(records.is_sorted_by(|a, b| a.id < b.id));
        records.into_iter().map(|record| (record.id, (bits(&record.vector), codec::canonical(&record.attrs)))).collect()
    };
    let names = store.collections();
    assert!(names.is_sorted_by(|a, b| a < b));
    let state: State = names.into_iter().map(|name| (name.clone(), (store.get_meta(&name), docs(&name)))).collect();
    let live: usize = state.values().map(|(_, docs)| docs.len()).sum();
    for (name, (_, docs)) in &state {
        assert_eq!(store.count(Some(name), &Filter::default()).unwrap(), docs.len());
        for (id, doc) in docs {
            let record = store.get(name, id).unwrap().unwrap();
            assert_eq!((bits(&record.vector), codec::canonical(&record.attrs)), *doc);
        }
    }
    let footprint = store.footprint();
    assert_eq!((footprint.doc_count, footprint.dead_rows), (live, footprint.rows - live as u64));
    if state.values().flat_map(|(_, docs)| docs.values()).any(|(_, attrs)| newer(attrs)) {
        assert_eq!(footprint.readable_by, "0.52.0");
    }
    // A document that is found by its row is also found by its id: the two indices agree.
    let mut query = vec![0.0; store.dimension()];
    query[0] = 1.0;
    let hits = store.search(&query, &Query { top_k: usize::MAX, ..Query::default() }).unwrap();
    let found: BTreeSet<(&str, &str)> = hits.iter().map(|hit| (hit.collection.as_str(), hit.id.as_str())).collect();
    assert_eq!((found.len(), hits.len()), (live, live));
    for hit in &hits {
        assert_eq!(codec::canonical(&hit.attrs), state[&hit.collection].1[&hit.id].1);
    }
    state
}

fn newer(attrs: &[u8]) -> bool {
    codec::decode_attrs(attrs).unwrap().values().any(|value| matches!(value, Value::Float(_) | Value::DateTime(_)))
}

/// A file that panics at each call that may change it, unless such calls are allowed.
pub struct Watched {
    inner: MemorySink,
    pub allowed: bool,
}

impl Watched {
    pub fn new(bytes: &[u8], allowed: bool) -> (Self, MemorySink) {
        let inner = MemorySink::with_bytes(bytes.to_vec());
        (Self { inner: inner.clone(), allowed }, inner)
    }

    fn writable(&mut self) -> &mut MemorySink {
        assert!(self.allowed, "a call that may write, on a medium that must only be read");
        &mut self.inner
    }
}

impl ByteSink for Watched {
    fn len(&self) -> Result<u64> {
        ByteSink::len(&self.inner)
    }
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.writable().append(bytes)
    }
    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        self.writable().publish(at, length)
    }
    fn truncate_to(&mut self, len: u64) -> Result<()> {
        self.writable().truncate_to(len)
    }
    fn flush(&mut self) -> Result<()> {
        self.writable().flush()
    }
}

impl ByteSource for Watched {
    fn len(&self) -> Result<u64> {
        ByteSource::len(&self.inner)
    }
    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        self.inner.read_exact_at(at, out)
    }
}

/// Opens copies of the bytes. Returns the store and the files that it writes to.
pub fn open(data: &[u8], log: &[u8], options: OpenOptions) -> (Result<Store>, [MemorySink; 2]) {
    let ((data, data_bytes), (log, log_bytes)) =
        (Watched::new(data, !options.read_only), Watched::new(log, !options.read_only));
    (Store::open(data, log, options), [data_bytes, log_bytes])
}

/// Opens a store by feeding it pieces of `size` bytes, the log first or the data first.
pub fn open_fed(data: &[u8], log: &[u8], options: OpenOptions, size: usize, log_first: bool) -> Result<Store> {
    let mut opening = Opening::new(options, data.len() as u64, log.len() as u64)?;
    let mut feed = |log_now: bool| -> Result<()> {
        for piece in if log_now { log } else { data }.chunks(size) {
            if log_now { opening.feed_log(piece)? } else { opening.feed_data(piece)? }
        }
        Ok(())
    };
    feed(log_first)?;
    feed(!log_first)?;
    let sink = |bytes: &[u8]| Box::new(MemorySink::with_bytes(bytes.to_vec()));
    opening.finish(sink(data), sink(log))
}

/// Checks that a store opens again with the same contents, with nothing to recover, and without a change of its files.
/// With `further`, that is also checked after a write and after a compaction.
pub fn lives_on(mut store: Store, media: [MemorySink; 2], further: bool) {
    let same = |store: &Store, media: &[MemorySink; 2]| {
        let before = [media[0].to_vec(), media[1].to_vec()];
        let (again, after) = open(&before[0], &before[1], OpenOptions::default());
        let again = again.unwrap_or_else(|error| panic!("it does not open again: {error:#}"));
        assert_eq!(again.recovery(), nidus_wasm::Recovery::default());
        assert!([after[0].to_vec(), after[1].to_vec()] == before, "opening again changed bytes");
        assert_eq!(state(&again), state(store));
        assert_eq!(again.footprint().disk_bytes, (before[0].len() + before[1].len()) as u64);
    };
    same(&store, &media);
    if !further {
        return;
    }
    let mut batch = nidus_wasm::Batch::new();
    batch.push("further", &[("n", Value::Int(1))]);
    let count = store.count(Some("c"), &Filter::Not(Box::new(Filter::Eq("n".into(), Value::Int(1))))).unwrap();
    store.stage_upsert("c", 1, batch.bytes(), &vec![1.0; store.dimension()]).unwrap();
    store.stage_delete_where("c", &Filter::Not(Box::new(Filter::Eq("n".into(), Value::Int(1))))).unwrap();
    store.commit().unwrap();
    assert!(count == 0 || store.footprint().dead_rows > 0);
    assert!(store.get("c", "further").unwrap().is_some());
    same(&store, &media);
    let (before, fresh) = (state(&store), [MemorySink::new(), MemorySink::new()]);
    store.compact_into(Box::new(fresh[0].clone()), Box::new(fresh[1].clone())).unwrap();
    assert_eq!(state(&store), before);
    assert_eq!(store.footprint().dead_rows, 0);
    same(&store, &fresh);
}
