//! A sink that fails on purpose, for tests.

use std::cell::RefCell;
use std::rc::Rc;

use super::{ByteSink, ByteSource, MemorySink};
use crate::Result;
use crate::error::fail;

/// The way in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call does nothing and fails.
    Refused,
    /// An append writes this many bytes (fewer than asked for) and fails. Any other call does nothing and fails.
    Short(usize),
}

#[derive(Default)]
struct Plan {
    calls: u64,
    /// For each fault: the first call that fails, the first one that does not fail any more, and the way in which they
    /// fail.
    faults: Vec<(u64, u64, Fault)>,
    trace: Vec<&'static str>,
}

/// The calls that must fail. They are counted over all sinks that share the plan. Clones share one count.
#[derive(Clone, Default)]
pub struct Faults(Rc<RefCell<Plan>>);

impl Faults {
    /// Returns a plan in which no call fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the `n`-th call from now fail. 0 is the next call.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        self.fail_between(n, n + 1, fault);
    }

    /// Makes the calls `from..to`, counted from now, fail.
    pub fn fail_between(&self, from: u64, to: u64, fault: Fault) {
        let mut plan = self.0.borrow_mut();
        let now = plan.calls;
        plan.faults.push((now.saturating_add(from), now.saturating_add(to), fault));
    }

    /// Lets all later calls succeed.
    pub fn clear(&self) {
        self.0.borrow_mut().faults.clear();
    }

    /// Returns the number of calls so far.
    pub fn calls(&self) -> u64 {
        self.0.borrow().calls
    }

    /// Returns the names of all calls so far, in order.
    pub fn trace(&self) -> Vec<&'static str> {
        self.0.borrow().trace.clone()
    }

    fn next(&self, call: &'static str) -> Option<Fault> {
        let mut plan = self.0.borrow_mut();
        let n = plan.calls;
        plan.calls += 1;
        plan.trace.push(call);
        plan.faults.iter().find(|(from, to, _)| (*from..*to).contains(&n)).map(|(_, _, fault)| *fault)
    }
}

/// A sink in memory that fails as planned.
#[derive(Clone)]
pub struct FaultSink {
    /// The bytes that the sink has.
    pub inner: MemorySink,
    faults: Faults,
    /// The bytes of a failed append stay behind `len`, as on a real disk.
    len: Rc<RefCell<u64>>,
    names: [&'static str; 4],
}

impl FaultSink {
    /// Makes a sink whose calls fail as the plan says. The trace has its calls by these names.
    pub fn new(inner: MemorySink, faults: &Faults, names: [&'static str; 4]) -> Self {
        let len = ByteSink::len(&inner).unwrap_or(0);
        Self { inner, faults: faults.clone(), len: Rc::new(RefCell::new(len)), names }
    }
}

impl ByteSink for FaultSink {
    fn len(&self) -> Result<u64> {
        Ok(*self.len.borrow())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let len = *self.len.borrow();
        match self.faults.next(self.names[0]) {
            Some(Fault::Refused) => fail!(StorageFailed, "injected: append refused"),
            Some(Fault::Short(n)) => {
                self.inner.truncate_to(len)?;
                self.inner.append(&bytes[..n.min(bytes.len().saturating_sub(1))])?;
                fail!(QuotaExceeded, "injected: short append")
            }
            None => {
                self.inner.truncate_to(len)?;
                self.inner.append(bytes)?;
                *self.len.borrow_mut() += bytes.len() as u64;
                Ok(())
            }
        }
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        match self.faults.next(self.names[1]) {
            Some(_) => fail!(StorageFailed, "injected: publish refused"),
            None => self.inner.publish(at, length),
        }
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        match self.faults.next(self.names[2]) {
            Some(_) => fail!(StorageFailed, "injected: truncate refused"),
            None if len > *self.len.borrow() => fail!(StorageFailed, "truncate would grow"),
            None => {
                self.inner.truncate_to(len)?;
                *self.len.borrow_mut() = len;
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self.faults.next(self.names[3]) {
            Some(_) => fail!(StorageFailed, "injected: flush refused"),
            None => Ok(()),
        }
    }
}

impl ByteSource for FaultSink {
    fn len(&self) -> Result<u64> {
        ByteSink::len(self)
    }

    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        self.inner.read_exact_at(at, out)
    }
}
