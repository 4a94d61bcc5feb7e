//! A disk with a few files. Its calls can be made to fail. It can be copied as a loss of power would leave it (SPEC
//! 2.1).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use nidus_wasm::sink::{ByteSink, ByteSource};
use nidus_wasm::{Code, Result, error};

const SECTOR: usize = 512;

/// The way in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The call does nothing.
    Refused,
    /// An append or a publish does a part of its work. Other calls do nothing.
    Short(usize),
    /// The call does all its work and reports a failure.
    Done,
}

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    now: Vec<u8>,
    /// The number of bytes that were acknowledged. More bytes may follow them.
    len: usize,
    dirty: BTreeSet<usize>,
}

impl File {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.now.resize(self.now.len().max(at + bytes.len()), 0);
        self.now[at..at + bytes.len()].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(at / SECTOR..=(at + bytes.len() - 1) / SECTOR);
        }
    }

    /// Returns what a loss of power leaves. `choose` picks the length, and for each sector written since the last flush
    /// whether it is new.
    fn left(&self, choose: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let (low, high) = (self.durable.len().min(self.now.len()), self.durable.len().max(self.now.len()));
        let mut lens = vec![self.durable.len(), self.now.len()];
        lens.extend((low.div_ceil(SECTOR)..=high / SECTOR).map(|sector| sector * SECTOR));
        let mut left = self.durable.clone();
        left.resize(lens[choose(lens.len())], 0);
        for sector in &self.dirty {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(left.len()).min(self.now.len());
            if choose(2) == 1 && from < to {
                left[from..to].copy_from_slice(&self.now[from..to]);
            }
        }
        left
    }
}

#[derive(Default)]
struct Inner {
    files: Vec<File>,
    calls: u64,
    /// The first call that fails, the call after the last one, and the fault.
    faults: Vec<(u64, u64, Fault)>,
    /// The call before which the power is lost, and the choices for it.
    cut: Option<(u64, Vec<u8>)>,
    /// The numbers of the current files.
    current: [usize; 2],
    picture: Option<[Vec<u8>; 2]>,
}

#[derive(Clone, Default)]
pub struct Disk(Rc<RefCell<Inner>>);

impl Disk {
    /// Makes a disk with two files.
    pub fn new(bytes: [Vec<u8>; 2]) -> Self {
        let disk = Self::default();
        let pair = bytes.map(|bytes| disk.add(bytes).file);
        disk.0.borrow_mut().current = pair;
        disk
    }

    fn add(&self, bytes: Vec<u8>) -> Sink {
        let inner = &mut *self.0.borrow_mut();
        inner.files.push(File { durable: bytes.clone(), len: bytes.len(), now: bytes, dirty: BTreeSet::new() });
        Sink { disk: self.clone(), file: inner.files.len() - 1 }
    }

    /// Opens the current files again.
    pub fn current(&self) -> [Sink; 2] {
        let inner = &mut *self.0.borrow_mut();
        inner.current.map(|file| {
            inner.files[file].len = inner.files[file].now.len();
            Sink { disk: self.clone(), file }
        })
    }

    /// Returns two new files, for a compaction.
    pub fn fresh(&self) -> [Sink; 2] {
        [self.add(Vec::new()), self.add(Vec::new())]
    }

    pub fn promote(&self, pair: [usize; 2]) {
        self.0.borrow_mut().current = pair;
    }

    /// Returns what a killed process leaves: all that was written.
    pub fn now(&self) -> [Vec<u8>; 2] {
        let inner = self.0.borrow();
        inner.current.map(|file| inner.files[file].now.clone())
    }

    /// Makes the calls `from..to`, counted from now, fail.
    pub fn fail(&self, from: u64, to: u64, fault: Fault) {
        let inner = &mut *self.0.borrow_mut();
        inner.faults.push((inner.calls + from, inner.calls + to, fault));
    }

    pub fn heal(&self) {
        self.0.borrow_mut().faults.clear();
    }

    /// Copies the disk before the `n`-th call from now, as a loss of power would leave it.
    pub fn cut_at(&self, n: u64, choices: Vec<u8>) {
        let inner = &mut *self.0.borrow_mut();
        inner.cut = Some((inner.calls + n, choices));
    }

    /// Returns the copy that [`cut_at`](Self::cut_at) asked for, if it was made.
    pub fn picture(&self) -> Option<[Vec<u8>; 2]> {
        self.0.borrow_mut().picture.take()
    }

    /// Copies the disk now, as a loss of power would leave it.
    pub fn cut(&self, choices: &[u8]) -> [Vec<u8>; 2] {
        self.0.borrow().left(choices)
    }
}

impl Inner {
    fn left(&self, choices: &[u8]) -> [Vec<u8>; 2] {
        let mut choices = choices.iter().cycle();
        let mut choose = |n: usize| choices.next().map_or(0, |byte| usize::from(*byte) % n);
        self.current.map(|file| self.files[file].left(&mut choose))
    }
}

/// One of a disk's files.
pub struct Sink {
    disk: Disk,
    pub file: usize,
}

impl Sink {
    /// Does `work` on the file, or the part of it that a fault allows. `all` is the amount of work.
    fn call(&mut self, all: usize, work: impl FnOnce(&mut File, usize) -> Result<()>) -> Result<()> {
        let inner = &mut *self.disk.0.borrow_mut();
        let n = inner.calls;
        inner.calls += 1;
        if let Some((_, choices)) = inner.cut.take_if(|(at, _)| *at == n) {
            inner.picture = Some(inner.left(&choices));
        }
        let fault = inner.faults.iter().find(|(from, to, _)| (*from..*to).contains(&n)).map(|(_, _, fault)| *fault);
        let file = &mut inner.files[self.file];
        let Some(fault) = fault else { return work(file, all) };
        let done = match fault {
            Fault::Done => Some(all),
            Fault::Short(n) if all > 1 => Some(n % all),
            _ => None,
        };
        let len = file.len;
        if let Some(done) = done {
            work(file, done)?;
        }
        file.len = len;
        Err(error(Code::StorageFailed, "injected"))
    }
}

impl ByteSink for Sink {
    fn len(&self) -> Result<u64> {
        Ok(self.disk.0.borrow().files[self.file].len as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.call(bytes.len(), |file, done| {
            let at = file.len;
            file.write(at, &bytes[..done]);
            file.len = at + done;
            Ok(())
        })
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        self.call(4, |file, done| {
            assert!(at as usize + 4 <= file.len, "published behind the end");
            file.write(at as usize, &length[..done]);
            Ok(())
        })
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        self.call(1, |file, _| {
            assert!(len as usize <= file.len, "truncated to more than there is");
            file.now.truncate(len as usize);
            file.len = len as usize;
            Ok(())
        })
    }

    fn flush(&mut self) -> Result<()> {
        self.call(1, |file, _| {
            file.durable = file.now.clone();
            file.dirty.clear();
            Ok(())
        })
    }
}

impl ByteSource for Sink {
    fn len(&self) -> Result<u64> {
        ByteSink::len(self)
    }

    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        let inner = self.disk.0.borrow();
        match inner.files[self.file].now.get(at as usize..at as usize + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return Err(error(Code::StorageFailed, "read behind the end")),
        }
        Ok(())
    }
}
