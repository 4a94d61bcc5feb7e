//! Sequences of operations with faults, lost power, reopening and compaction, compared with a model of maps.
//! Acknowledged writes are there, failed writes are not, and a store that says FAILED takes no more writes.

use std::collections::BTreeMap;

use nidus_wasm::search::Filter;
use nidus_wasm::{Batch, Code, Meta, OpenOptions, Result, Store, Value, code_of, error};

use super::codec::{self, Attrs};
use super::data::unit;
use super::input::Input;
use super::medium::{Disk, Fault, Sink};
use super::model::{self, State};
use super::{naive_filter, oracle};

const DIMENSION: usize = 3;

struct World {
    options: OpenOptions,
    disk: Disk,
    store: Store,
    /// The state on the disk, the acknowledged state, and the state with all that is staged.
    durable: State,
    live: State,
    next: State,
    /// The bytes that the host of a transactional store made durable.
    committed: [Vec<u8>; 2],
}

fn name(n: u8) -> &'static str {
    ["a", "b", "größe", ""][usize::from(n % 4)]
}

fn id(n: u8) -> String {
    format!("{}{}", n % 12, "x".repeat(usize::from(n % 12) * 17))
}

/// Returns a vector and attributes that differ from record to record. The vector of some records is refused.
fn record(seed: u8) -> (Vec<f32>, Vec<(&'static str, Value)>) {
    let mut vector: Vec<f32> = (0..DIMENSION).map(|i| ((usize::from(seed) * 7 + i * 13) % 31) as f32 - 15.0).collect();
    match seed {
        250 => vector[2] = f32::NAN,
        251 => vector[0] = f32::MAX,
        252 => vector = vec![0.0; DIMENSION],
        253 => vector = vec![1e-30, 0.0, -0.0],
        _ => {}
    }
    let mut attrs = vec![("z", Value::Int(i64::from(seed % 4))), ("a", Value::Str("y".repeat(seed.into())))];
    if seed % 5 == 0 {
        attrs.push(("m", Value::Float(f64::from(seed) / 3.0)));
        attrs.push(("a", Value::Null));
    }
    (vector, attrs)
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let (flags, max) = (input.u8(), input.u8());
        let options = OpenOptions {
            dimension: Some(DIMENSION),
            relaxed: flags & 1 == 1,
            transactional: flags & 6 == 6,
            max_vector_bytes: (flags & 8 == 8).then_some(u64::from(max) * 12),
            only_0_3: flags & 48 == 48,
            ..OpenOptions::default()
        };
        let disk = Disk::default();
        let [data, log] = disk.fresh();
        disk.promote([data.file, log.file]);
        let store = Store::create(data, log, options).unwrap();
        let committed = disk.now();
        Self { options, disk, store, durable: State::new(), live: State::new(), next: State::new(), committed }
    }

    /// Stages one operation in the store and in the model. The answers must agree. If the operation fails, it must have
    /// changed nothing.
    fn stage(&mut self, input: &mut Input<'_>) {
        let (kind, collection) = (input.u8() % 12, name(input.u8()));
        let mut next = self.next.clone();
        let (answer, expected) = match kind {
            0 => {
                (self.store.stage_create(collection).map(usize::from), Ok(usize::from(!next.contains_key(collection))))
            }
            1 => {
                (self.store.stage_drop(collection).map(usize::from), Ok(usize::from(next.remove(collection).is_some())))
            }
            2 => {
                let meta = Meta::from([("n".to_string(), input.u8().to_string())]);
                let staged = self.store.stage_set_meta_map(collection, &meta).map(|()| 0);
                next.entry(collection.into()).or_default().0 = meta;
                (staged, Ok(0))
            }
            3 | 4 => self.stage_delete(&mut next, collection, input),
            _ => self.stage_upsert(&mut next, collection, input),
        };
        match (answer, expected) {
            (Ok(answer), Ok(expected)) => {
                assert_eq!(answer, expected, "operation {kind} on {collection:?}");
                if kind == 0 {
                    next.entry(collection.into()).or_default();
                }
                self.next = next;
            }
            (Err(error), _) if code_of(&error) == Code::Capacity => assert!(self.options.max_vector_bytes.is_some()),
            (Err(error), Err(expected)) => assert_eq!(code_of(&error), expected),
            (answer, expected) => panic!("operation {kind} on {collection:?}: {answer:?}, not {expected:?}"),
        }
    }

    fn stage_delete(
        &mut self,
        next: &mut State,
        collection: &str,
        input: &mut Input<'_>,
    ) -> (Result<usize>, std::result::Result<usize, Code>) {
        let how = input.u8();
        let mut none = BTreeMap::new();
        let docs = next.get_mut(collection).map_or(&mut none, |(_, docs)| docs);
        if how & 1 == 1 {
            let filter = match how >> 1 & 7 {
                z @ 0..4 => Filter::Eq("z".into(), Value::Int(z.into())),
                4 | 5 => Filter::Eq("a".into(), Value::Null),
                6 => Filter::Exists("m".into()),
                _ => Filter::Glob("a".into(), "yyyyyy*".into()),
            };
            let before = docs.len();
            docs.retain(|_, (_, attrs)| !naive_filter::matches(&filter, &codec::decode_attrs(attrs).unwrap()));
            return (self.store.stage_delete_where(collection, &filter), Ok(before - docs.len()));
        }
        let ids: Vec<String> = (0..input.below(5)).map(|_| id(input.u8())).collect();
        let bad = (how & 6 == 6).then(|| Err(error(Code::InvalidArgument, "no id")));
        let expected = if bad.is_some() {
            Err(Code::InvalidArgument)
        } else {
            Ok(ids.iter().filter(|id| docs.remove(*id).is_some()).count())
        };
        (self.store.stage_delete(collection, ids.iter().map(|id| Ok(id.as_str())).chain(bad)), expected)
    }

    fn stage_upsert(
        &mut self,
        next: &mut State,
        collection: &str,
        input: &mut Input<'_>,
    ) -> (Result<usize>, std::result::Result<usize, Code>) {
        let (mut batch, mut vectors, mut expected) = (Batch::new(), Vec::new(), Ok(0));
        let docs = &mut next.entry(collection.into()).or_default().1;
        let how = input.u8();
        for _ in 0..how % 8 {
            let (id, seed) = (id(input.u8()), input.u8());
            let (vector, attrs) = record(seed);
            batch.push(&id, &attrs);
            vectors.extend(&vector);
            if matches!(seed, 250 | 251) || seed % 5 == 0 && self.options.only_0_3 {
                expected = Err(Code::InvalidArgument);
            }
            let attrs: Attrs = attrs.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
            docs.insert(id, (model::bits(&unit(&vector)), codec::canonical(&attrs)));
        }
        let mut bytes = batch.bytes().to_vec();
        match how >> 3 {
            30 => vectors.push(1.0),
            31 => bytes.push(0),
            29 if !batch.is_empty() => drop(bytes.pop()),
            _ => {}
        }
        let expected = match how >> 3 {
            30 => Err(Code::DimensionMismatch),
            31 => Err(Code::InvalidArgument),
            29 if !batch.is_empty() => Err(Code::InvalidArgument),
            _ => expected.map(|_: usize| batch.len()),
        };
        (self.store.stage_upsert(collection, batch.len(), &bytes, &vectors), expected)
    }

    /// Writes what is staged. The host of a transactional store then commits it, or fails to.
    fn write(&mut self, input: &mut Input<'_>) {
        let before = self.disk.now();
        let after = if self.options.relaxed { self.durable.clone() } else { self.next.clone() };
        let result = self.store.write();
        match result {
            Ok(()) if self.options.transactional && input.u8() & 3 == 3 => {
                if self.next != self.live {
                    assert_eq!(code_of(&self.store.stage_create("x").unwrap_err()), Code::InvalidArgument);
                }
                match self.store.rollback() {
                    Ok(()) => assert!(self.disk.now() == before, "a rollback left bytes"),
                    Err(_) => return self.failed(&after, input),
                }
                self.next = self.live.clone();
            }
            Ok(()) => {
                self.store.apply();
                self.picture(&after);
                (self.live, self.durable) = (self.next.clone(), after);
                self.committed = self.disk.now();
            }
            Err(_) if self.store.failure().is_some() => return self.failed(&after, input),
            Err(_) => {
                assert!(self.disk.now() == before, "a write that failed left bytes");
                self.picture(&after);
                self.next = self.live.clone();
            }
        }
        assert_eq!(model::state(&self.store), self.live);
    }

    fn flush(&mut self, input: &mut Input<'_>) {
        let after = self.live.clone();
        match self.store.flush() {
            Ok(()) => {
                self.picture(&after);
                self.durable = after;
                self.committed = self.disk.now();
            }
            Err(_) => {
                assert!(self.store.failure().is_some());
                self.failed(&after, input);
            }
        }
    }

    /// Checks that a loss of power during the last call leaves the state before that call or the state after it.
    fn picture(&self, after: &State) {
        if let Some(bytes) = self.disk.picture().filter(|_| !self.options.transactional) {
            self.left(bytes, after);
        }
    }

    fn left(&self, [data, log]: [Vec<u8>; 2], after: &State) -> State {
        let (store, media) =
            model::open(&data, &log, OpenOptions { dimension: Some(DIMENSION), ..OpenOptions::default() });
        let store = store.unwrap_or_else(|error| panic!("what was left does not open: {error:#}"));
        let found = model::state(&store);
        assert!(found == self.durable || found == *after, "left: {found:?}, neither {:?} nor {after:?}", self.durable);
        assert!(!oracle::ends_newer(&media[1].to_vec()), "native 0.3.0 would cut the last frame");
        model::lives_on(store, media, false);
        found
    }

    /// Checks a store that has failed: it says so, it can still be read, and the disk holds one of two states.
    fn failed(&mut self, after: &State, input: &mut Input<'_>) {
        assert_eq!(code_of(&self.store.stage_create("x").unwrap_err()), Code::Failed);
        assert_eq!(code_of(&self.store.flush().unwrap_err()), Code::Failed);
        assert!(self.store.write().is_err());
        assert_eq!(model::state(&self.store), self.live);
        self.picture(after);
        self.reopen(after, input);
    }

    /// Drops the store, or loses the power, and opens the store again from what is there.
    fn reopen(&mut self, after: &State, input: &mut Input<'_>) {
        let how = input.u8();
        let bytes = match (self.options.transactional, how & 1) {
            (true, _) => self.committed.clone(),
            (false, 0) => self.disk.now(),
            _ => self.disk.cut(input.bytes(6)),
        };
        let found = self.left(bytes.clone(), after);
        self.options.relaxed = how & 6 == 6;
        self.disk = Disk::new(bytes);
        if how & 24 == 24 {
            self.disk.fail(u64::from(how >> 5), 100, Fault::Refused);
        }
        let open = |disk: &Disk| {
            let [data, log] = disk.current();
            Store::open(data, log, self.options)
        };
        // Recovery may fail to cut something off. The next opening does it.
        let opened = open(&self.disk).or_else(|_| {
            self.disk.heal();
            open(&self.disk)
        });
        self.store = opened.unwrap();
        self.disk.heal();
        assert_eq!(model::state(&self.store), found);
        self.committed = self.disk.now();
        (self.durable, self.live, self.next) = (found.clone(), found.clone(), found);
    }

    /// Compacts slice by slice, with searches in between. The compaction is then abandoned, promoted, or promoted with
    /// an unknown outcome.
    fn compact(&mut self, input: &mut Input<'_>) {
        self.store.unstage_all();
        self.next = self.live.clone();
        let (how, after) = (input.u8(), self.live.clone());
        let [data, log] = self.disk.fresh();
        let pair = [data.file, log.file];
        let written = self.write_pair(data, log);
        if self.store.failure().is_some() {
            return self.failed(&after, input);
        }
        self.picture(&after);
        if self.store.held_bytes() == 0 {
            self.durable = after.clone();
            self.committed = self.disk.now();
        }
        if written.is_err() || how & 7 == 7 {
            self.store.abandon_compaction();
            return assert_eq!(model::state(&self.store), self.live);
        }
        if how & 7 != 6 {
            self.disk.promote(pair);
            self.committed = self.disk.now();
        }
        if how & 7 >= 5 {
            self.store.fail("nobody knows whether the new pair is the current one");
            return self.failed(&after, input);
        }
        self.store.adopt_compaction().unwrap();
        loop {
            let done = self.store.adopt_step().unwrap();
            if done {
                break;
            }
            assert_eq!(model_of(&self.store), self.live);
        }
        assert_eq!(model::state(&self.store), self.live);
        assert_eq!(self.store.footprint().dead_rows, 0);
    }

    fn write_pair(&mut self, data: Sink, log: Sink) -> Result<()> {
        self.store.begin_compaction(Box::new(data), Box::new(log))?;
        assert_eq!(code_of(&self.store.stage_create("x").unwrap_err()), Code::InvalidArgument);
        while !self.store.compact_step()? {
            assert_eq!(model::state(&self.store), self.live);
        }
        self.store.finish_compaction()
    }
}

/// Returns the documents and the metadata. The counts of rows are left out, because they are not right while rows are
/// exchanged.
fn model_of(store: &Store) -> State {
    let docs = |name: &str| {
        store
            .get_all(name)
            .unwrap()
            .into_iter()
            .map(|r| (r.id, (model::bits(&r.vector), codec::canonical(&r.attrs))))
            .collect()
    };
    store.collections().into_iter().map(|name| (name.clone(), (store.get_meta(&name), docs(&name)))).collect()
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new(&mut input);
    while !input.is_empty() {
        match input.u8() % 24 {
            0..=9 => world.stage(&mut input),
            10..=14 => world.write(&mut input),
            15 => world.flush(&mut input),
            16 => {
                let (from, len, kind) = (u64::from(input.u8() % 24), u64::from(input.u8() % 4), input.u8());
                let fault =
                    [Fault::Refused, Fault::Short(usize::from(kind)), Fault::Short(usize::from(kind) * 8), Fault::Done]
                        [usize::from(kind) % 4];
                world.disk.fail(from, from + 1 + len, fault);
            }
            17 => world.disk.heal(),
            18 => {
                let n = u64::from(input.u8() % 12);
                world.disk.cut_at(n, input.bytes(6).to_vec());
            }
            19 | 20 => {
                let durable = world.durable.clone();
                world.reopen(&durable, &mut input);
            }
            21 => world.compact(&mut input),
            22 => {
                world.store.unstage_all();
                world.next = world.live.clone();
            }
            _ => assert_eq!(model::state(&world.store), world.live),
        }
    }
    world.disk.heal();
    world.write(&mut Input::new(&[]));
    world.flush(&mut Input::new(&[]));
    let durable = world.durable.clone();
    world.reopen(&durable, &mut Input::new(&[]));
}
