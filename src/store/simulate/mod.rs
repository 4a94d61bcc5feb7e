//! The crash simulation. Generated operations run on a medium that can lose power before every call. Every crash image
//! is opened and compared with a model in maps. From some images the simulation goes on with a second generation of
//! crashes, which begins with the first call of their recovery. It also goes on from some moments at which the process
//! is killed while the power stays on.

mod check;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::Store;
use super::oracle::{self, Act, Model, stage};
use super::receipts::Known;
use crate::OpenOptions;
use crate::segment::receipt::{Receipt, Sender};
use crate::sink::crash::{CrashMedium, Fault, IsNew, Pair, Rng};
use check::{Made, Seen, State, check, options, same, same_receipts};

/// The sender of all operations that have a receipt.
const SENDER: Sender = u128::from_be_bytes(*b"0123456789abcdef");

/// Five rows and a third of one fill a sector.
const DIMENSION: usize = 24;

enum Start {
    Fresh,
    Image(Pair, Rc<State>),
    /// A process was killed while the power stayed on. The store may be in any of these states.
    Killed(CrashMedium, Vec<Rc<State>>),
}

/// One sequence of operations on one medium.
struct Line {
    rng: Rng,
    medium: CrashMedium,
    context: Rc<Cell<u128>>,
    options: OpenOptions,
    store: Option<Store>,
    /// The state of the store in memory.
    current: Rc<State>,
    /// The states that an image may open to.
    allowed: Vec<Rc<State>>,
    generation: u32,
    children: Vec<(Start, u32)>,
    /// The number of the last operation that was asked for.
    number: u64,
    /// The steps so far, for the message of a failure.
    trail: Vec<String>,
    checked: u64,
}

/// Runs all that follows from a seed. An error names the image that is wrong and the steps that led to it. Makes at
/// most `most` images of each file at each call, and a few times as many pairs of them.
pub fn run_seed(seed: u64, seen: &Arc<Seen>, most: usize) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let mut starts = VecDeque::from([(Start::Fresh, 0)]);
    let mut lines = 0;
    while let Some((start, generation)) = starts.pop_front() {
        lines += 1;
        let context = Rc::new(Cell::new(0));
        let is_new: IsNew = {
            let (seen, context) = (seen.clone(), context.clone());
            Rc::new(move |pair| seen.is_new(pair, context.get()))
        };
        let medium_seed = rng.below(u64::MAX);
        let empty = State::new(Model::new(), Made::new());
        let (medium, allowed, began) = match start {
            Start::Fresh => (CrashMedium::new(medium_seed, most, is_new), vec![empty], "a new store"),
            Start::Image(image, state) => {
                (CrashMedium::from_image(&image, medium_seed, most, is_new), vec![state], "an image")
            }
            Start::Killed(medium, allowed) => (medium.watched_by(is_new), allowed, "under a killed process"),
        };
        let mut line = Line {
            rng: Rng::new(rng.below(u64::MAX)),
            medium,
            context,
            options: OpenOptions { relaxed: rng.one_in(4), ..options() },
            store: None,
            current: allowed[0].clone(),
            allowed,
            generation,
            children: Vec::new(),
            number: u64::from(generation) << 20,
            trail: vec![format!("generation {generation}: {began}")],
            checked: 0,
        };
        let steps = if generation == 0 { 10 } else { 3 };
        line.run(steps).map_err(|what| format!("seed {seed}, line {lines}, behind {:#?}: {what}", line.trail))?;
        for child in line.children {
            if starts.len() + lines < 12 {
                starts.push_back(child);
            }
        }
    }
    Ok(())
}

impl Line {
    fn run(&mut self, steps: usize) -> Result<(), String> {
        if self.options.relaxed {
            self.trail.push("relaxed".into());
        }
        self.open(true)?;
        for _ in 0..steps {
            match self.rng.below(12) {
                0 => self.compact()?,
                1 => {
                    self.trail.push("process ends, power stays".into());
                    self.open(true)?;
                }
                2..=4 if self.options.relaxed => self.flush()?,
                _ => self.group()?,
            }
        }
        Ok(())
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("open")
    }

    fn allow(&mut self, allowed: Vec<Rc<State>>) {
        let mut hashes: Vec<u128> = allowed.iter().map(|state| state.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        self.context.set(
            hashes.iter().fold(1, |all, hash| (all ^ hash).wrapping_mul(0xA24B_AED4_963E_E407_9FB2_1C65_1E98_DF25)),
        );
        self.allowed = allowed;
    }

    /// Checks all images that were recorded since the last time. Sometimes chooses one of them to go on from.
    fn look(&mut self) -> Result<(), String> {
        let images = self.medium.take_images();
        for (n, image) in images.iter().enumerate() {
            self.checked += 1;
            check(image, &self.allowed, self.checked.is_multiple_of(16)).map_err(|what| {
                format!(
                    "image {n} of {} (data {}, log {} bytes) {what}",
                    images.len(),
                    image[0].bytes.len(),
                    image[1].bytes.len()
                )
            })?;
        }
        if let Some(image) = self.medium.take_sample()
            && self.generation < 3
            && self.rng.one_in(8)
        {
            let state = check(&image, &self.allowed, true)?;
            self.children.push((Start::Image(image, state), self.generation + 1));
        }
        Ok(())
    }

    /// Sets the states that an image may open to while no call is under way, and checks the images of this moment.
    fn settled(&mut self, allowed: Vec<Rc<State>>) -> Result<(), String> {
        self.allow(allowed);
        self.medium.snapshot();
        self.look()
    }

    fn plan_kill(&mut self, of: u64) {
        if self.generation < 3 && self.rng.one_in(12) {
            self.medium.kill_at(self.rng.below(of));
        }
    }

    fn look_at_kill(&mut self) {
        if let Some(medium) = self.medium.take_killed(self.rng.below(u64::MAX)) {
            self.children.push((Start::Killed(medium, self.allowed.clone()), self.generation + 1));
        }
    }

    /// Opens the store. Whatever the power does meanwhile, the store must open to the same state again.
    fn open(&mut self, may_fail: bool) -> Result<(), String> {
        // When a process ends, what it held back is lost. Dropping a store would write it, so it is discarded before.
        if let Some(mut ended) = self.store.take() {
            ended.log.drop_held();
        }
        self.allow(self.allowed.clone());
        self.plan_kill(5);
        if may_fail && self.rng.one_in(8) {
            let fault = self.fault(4);
            self.trail.push(format!("opening meets {fault}"));
        }
        let [data, log] = self.medium.sinks();
        let opened = Store::open(data, log, self.options);
        self.medium.clear_fault();
        self.look()?;
        self.look_at_kill();
        let store = match opened {
            Ok(store) => store,
            Err(_) if may_fail => return self.open(false),
            Err(error) => return Err(format!("what a process left does not open: {error:#}")),
        };
        let found =
            self.allowed.iter().find(|state| same(&store, &state.model) && same_receipts(&store, &state.made)).cloned();
        let Some(found) = found else { return Err(format!("opened to {:?}", oracle::state(&store))) };
        self.store = Some(store);
        self.current = found.clone();
        // The state that an open store shows is durable.
        self.settled(vec![found])
    }

    fn fault(&mut self, calls: u64) -> String {
        let fault = match self.rng.below(3) {
            0 => Fault::Refused,
            1 => Fault::Short(self.rng.below(900) as usize),
            _ => Fault::Done,
        };
        let at = self.rng.below(calls);
        self.medium.fail_at(at, fault);
        format!("{fault:?} at call {at}")
    }

    fn group(&mut self) -> Result<(), String> {
        let acts: Vec<Act> = (0..1 + self.rng.below(2)).map(|_| self.act()).collect();
        let mut next = self.current.model.clone();
        let mut made = self.current.made.clone();
        for act in &acts {
            let marked = !self.rng.one_in(4);
            self.number += 1;
            let number = self.number;
            let receipt = Receipt { sender: SENDER, number, back: u32::MAX, result: 0 };
            let before = self.store().staged.run().bytes().len();
            let staged = if marked { self.store().expect_receipt(receipt) } else { Ok(()) };
            let result = staged
                .and_then(|()| stage(self.store(), act))
                .map_err(|error| format!("{act:?} cannot be staged: {error:#}"))?;
            if result != oracle::apply(&mut next, act, DIMENSION) {
                return Err(format!("{act:?} gave {result}"));
            }
            if marked {
                self.store().stage_receipt(result as u32);
                let known = self.store().known(SENDER, number);
                if known != Known::Made(result as u32) {
                    return Err(format!("what is staged is {known:?}"));
                }
                let logged = self.store().staged.run().bytes().len() > before;
                made.insert(number, (result as u32, logged));
            }
        }
        self.trail.push(format!("{acts:?}"));
        let (before, next) = (self.allowed.clone(), State::new(next, made));
        let nothing = self.store().staged.is_empty();
        let strict = !self.options.relaxed;
        if strict {
            self.allow(before.iter().cloned().chain([next.clone()]).collect());
        }
        self.plan_kill(8);
        if self.rng.one_in(6) {
            let fault = self.fault(8);
            self.trail.push(fault);
        }
        let written = self.store().write();
        self.medium.clear_fault();
        self.look()?;
        self.look_at_kill();
        match written {
            Ok(()) => {
                self.store().apply();
                self.current = next.clone();
                self.in_memory()?;
                if strict && !nothing {
                    return self.settled(vec![next]);
                }
                // A compaction also writes the receipts of operations that changed nothing.
                let loose = |state: &Rc<State>| {
                    next.made
                        .iter()
                        .filter(|(_, (_, logged))| !logged)
                        .map(|(n, made)| (*n, *made))
                        .chain(state.made.clone())
                        .collect()
                };
                self.settled(before.iter().map(|state| State::new(state.model.clone(), loose(state))).collect())
            }
            Err(_) if self.store().failure().is_some() => {
                self.trail.push("FAILED".into());
                self.open(true)
            }
            Err(_) => {
                self.trail.push("rolled back".into());
                self.in_memory()?;
                self.settled(before)
            }
        }
    }

    fn in_memory(&mut self) -> Result<(), String> {
        let State { model, made, .. } = &*self.current.clone();
        if !same_receipts(self.store(), made) {
            return Err(format!("the open store has other receipts than {made:?}"));
        }
        if same(self.store(), model) {
            Ok(())
        } else {
            Err(format!("the open store is {:?}, not {model:?}", oracle::state(self.store())))
        }
    }

    /// Flushes the store. In a relaxed store, everything that was acknowledged since the last flush becomes durable at
    /// once.
    fn flush(&mut self) -> Result<(), String> {
        self.trail.push("flush".into());
        self.flushing(|store| store.flush())
    }

    fn flushing(&mut self, work: impl FnOnce(&mut Store) -> crate::Result<()>) -> Result<(), String> {
        let current = self.current.clone();
        self.allow(self.allowed.iter().cloned().chain([current.clone()]).collect());
        self.plan_kill(5);
        if self.rng.one_in(6) {
            let fault = self.fault(5);
            self.trail.push(fault);
        }
        let done = work(self.store());
        self.medium.clear_fault();
        self.look()?;
        self.look_at_kill();
        match done {
            Ok(()) => self.settled(vec![current]),
            Err(_) if self.store().failure().is_some() => {
                self.trail.push("FAILED".into());
                self.open(true)
            }
            Err(error) => Err(format!("neither done nor FAILED: {error:#}")),
        }
    }

    fn compact(&mut self) -> Result<(), String> {
        self.trail.push("compaction".into());
        if self.options.relaxed {
            self.flush()?;
        }
        let [data, log] = self.medium.create();
        self.plan_kill(8);
        let faulty = self.rng.one_in(6);
        if faulty {
            let fault = self.fault(8);
            self.trail.push(fault);
        }
        let store = self.store();
        let written = store.begin_compaction(Box::new(data), Box::new(log)).and_then(|()| {
            while !store.compact_step()? {}
            store.finish_compaction()
        });
        self.medium.clear_fault();
        match written {
            Ok(()) => {
                self.medium.promote();
                self.look()?;
                self.look_at_kill();
                let store = self.store();
                let adopted = store.adopt_compaction().and_then(|()| {
                    while !store.adopt_step()? {}
                    Ok(())
                });
                adopted.map_err(|error| format!("cannot be adopted: {error:#}"))?;
            }
            Err(_) if faulty => {
                self.store().abandon_compaction();
                self.look()?;
                self.look_at_kill();
            }
            Err(error) => return Err(format!("compaction fails: {error:#}")),
        }
        self.in_memory()?;
        let allowed = self.allowed.clone();
        self.settled(allowed)
    }

    fn act(&mut self) -> Act {
        let rng = &mut self.rng;
        let collection = rng.below(3) as usize;
        let seed = |rng: &mut Rng| rng.below(256) as u8;
        match rng.below(18) {
            0 => Act::Create(collection),
            1 => Act::Drop(collection),
            2 => Act::SetMeta(collection, seed(rng)),
            3 | 4 => Act::Delete(collection, (0..1 + rng.below(4)).map(|_| rng.below(13) as u8).collect()),
            5 => Act::DeleteWhere(collection, rng.below(4) as i64),
            16 => Act::Update(collection, vec![(rng.below(8) as u8, seed(rng))]),
            17 => Act::Update(collection, (0..1 + rng.below(3)).map(|_| (rng.below(8) as u8, seed(rng))).collect()),
            // One record, small or large, alone in its run or not. This tries frames that may be written without a
            // commit mark.
            6..=8 => Act::Upsert(collection, vec![(rng.below(8) as u8, seed(rng))]),
            _ => Act::Upsert(collection, (0..3 + rng.below(6)).map(|_| (rng.below(13) as u8, seed(rng))).collect()),
        }
    }
}
