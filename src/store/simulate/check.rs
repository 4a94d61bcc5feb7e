//! The check of every image: a store must open, to an allowed state, and take a further write.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{DIMENSION, SENDER};
use crate::sink::crash::{Pair, hash};
use crate::sink::{ByteSource, MemorySink};
use crate::store::Known;
use crate::store::oracle::{self, Act, Model};
use crate::{OpenOptions, Recovery, Store};

/// The operations that have a receipt: their results, and whether they logged anything. The log need not have the
/// receipts of those that did not.
pub type Made = BTreeMap<u64, (u32, bool)>;

/// A state that a store may be found in, and what a further write makes of it.
pub struct State {
    pub model: Model,
    pub made: Made,
    pub hash: u128,
    after: OnceCell<Model>,
}

impl State {
    pub fn new(model: Model, made: Made) -> Rc<Self> {
        let hash = hash(format!("{model:?} {made:?}").as_bytes());
        Rc::new(Self { model, made, hash, after: OnceCell::new() })
    }

    fn after(&self) -> &Model {
        self.after.get_or_init(|| {
            let mut after = self.model.clone();
            for act in further() {
                oracle::apply(&mut after, &act, DIMENSION);
            }
            after
        })
    }
}

fn further() -> [Act; 2] {
    [Act::Upsert(1, vec![(1, 201), (13, 24), (14, 55)]), Act::Delete(0, vec![2])]
}

pub fn options() -> OpenOptions {
    OpenOptions { dimension: Some(DIMENSION), ..OpenOptions::default() }
}

/// Returns whether the store has the documents, the bits of their vectors, the attributes, the metadata and the
/// collections of the model.
pub fn same(store: &Store, model: &Model) -> bool {
    let names = store.collections();
    names.iter().eq(model.keys())
        && model.iter().all(|(name, (meta, docs))| {
            let Ok(records) = store.get_all(name) else { return false };
            let bits = |vector: &[f32]| vector.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
            store.get_meta(name) == *meta
                && records.len() == docs.len()
                && records.iter().zip(docs).all(|(record, (id, (vector, attrs)))| {
                    record.id == *id && record.attrs == *attrs && bits(&record.vector) == bits(vector)
                })
        })
}

/// Returns whether the store knows of every write that was made, and of no other.
pub fn same_receipts(store: &Store, made: &Made) -> bool {
    let told = store.receipts.numbers(SENDER);
    told.iter().all(|number| made.contains_key(number))
        && made.iter().all(|(number, (result, logged))| match store.known(SENDER, *number) {
            Known::Made(told) => told == *result,
            _ => !logged,
        })
}

/// The images that a run has looked at, so that it looks at each once. The threads of the run share this.
pub struct Seen {
    /// Hashes of the bytes of both files, together with the states that they are compared with.
    checks: Vec<Mutex<HashSet<u128>>>,
    /// Hashes of the bytes alone.
    images: Vec<Mutex<HashSet<u128>>>,
    pub distinct: AtomicU64,
}

impl Seen {
    pub fn new() -> Self {
        let shards = || (0..64).map(|_| Mutex::default()).collect();
        Self { checks: shards(), images: shards(), distinct: AtomicU64::new(0) }
    }

    pub fn distinct(&self) -> u64 {
        self.distinct.load(Ordering::Relaxed)
    }

    pub fn is_new(&self, [data, log]: &Pair, context: u128) -> bool {
        let insert =
            |shards: &[Mutex<HashSet<u128>>], hash: u128| shards[(hash >> 122) as usize].lock().unwrap().insert(hash);
        let bytes = data.hash.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835) ^ log.hash.rotate_left(41);
        if !insert(&self.checks, bytes ^ context.wrapping_mul(0xD6E8_FEB8_6659_FD93_A5A3_564E_27F8_862B)) {
            return false;
        }
        if insert(&self.images, bytes) {
            self.distinct.fetch_add(1, Ordering::Relaxed);
        }
        true
    }
}

/// Returns which of the allowed states the image opens to, or what is wrong with it.
pub fn check([data, log]: &Pair, allowed: &[Rc<State>], thorough: bool) -> Result<Rc<State>, String> {
    let (data_sink, log_sink) =
        (MemorySink::with_bytes(data.bytes.to_vec()), MemorySink::with_bytes(log.bytes.to_vec()));
    let mut store = Store::open(data_sink.clone(), log_sink.clone(), options())
        .map_err(|error| format!("does not open: {error:#}"))?;
    let fits = |state: &&Rc<State>| same(&store, &state.model) && same_receipts(&store, &state.made);
    let Some(state) = allowed.iter().find(fits) else {
        let found = oracle::state(&store);
        return Err(format!(
            "opens to {found:?}, which is none of {:?}",
            allowed.iter().map(|state| &state.model).collect::<Vec<_>>()
        ));
    };
    let Recovery { log_bytes, log_frames, data_bytes, created } = store.recovery();
    let kept = (ByteSource::len(&data_sink).unwrap_or(0), ByteSource::len(&log_sink).unwrap_or(0));
    let told = if created {
        kept == (64, 0) && state.model.is_empty()
    } else {
        kept == (data.bytes.len() as u64 - data_bytes, log.bytes.len() as u64 - log_bytes)
    };
    if !told || (log_bytes == 0 && log_frames > 0) || data_bytes >= 4 * DIMENSION as u64 {
        return Err(format!("the report {:?} does not fit {kept:?}", store.recovery()));
    }
    if thorough {
        oracle::state(&store);
    }
    for act in further() {
        oracle::stage(&mut store, &act).map_err(|error| format!("a further operation cannot be staged: {error:#}"))?;
    }
    store.commit().map_err(|error| format!("a further write fails: {error:#}"))?;
    drop(store);
    let again = Store::open(data_sink, log_sink, options())
        .map_err(|error| format!("does not open behind a further write: {error:#}"))?;
    if !same_receipts(&again, &state.made) {
        return Err("a further write took receipts away".into());
    }
    if !same(&again, state.after()) {
        return Err(format!("a further write on {:?} made {:?}", state.model, oracle::state(&again)));
    }
    if again.recovery() != Recovery::default() {
        return Err(format!("a further write left something to recover: {:?}", again.recovery()));
    }
    Ok(state.clone())
}
