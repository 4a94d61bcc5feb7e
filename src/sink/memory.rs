use std::cell::RefCell;
use std::rc::Rc;

use super::{ByteSink, ByteSource, check_cut, check_publish};
use crate::Result;
use crate::error::{fail, reserve};

/// Bytes in memory. Clones share the bytes, so that a test can look at what a store wrote.
#[derive(Clone, Default)]
pub struct MemorySink {
    bytes: Rc<RefCell<Vec<u8>>>,
}

impl MemorySink {
    /// Returns an empty sink.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a sink that holds these bytes.
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Rc::new(RefCell::new(bytes)) }
    }

    /// Returns a copy of all bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes.borrow().clone()
    }
}

impl ByteSink for MemorySink {
    fn len(&self) -> Result<u64> {
        Ok(self.bytes.borrow().len() as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut all = self.bytes.borrow_mut();
        reserve(&mut all, bytes.len(), "a memory sink")?;
        all.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        let mut all = self.bytes.borrow_mut();
        check_publish(at, all.len() as u64)?;
        all[at as usize..at as usize + 4].copy_from_slice(&length);
        Ok(())
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        let mut all = self.bytes.borrow_mut();
        check_cut(len, all.len() as u64)?;
        all.truncate(len as usize);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl ByteSource for MemorySink {
    fn len(&self) -> Result<u64> {
        ByteSink::len(self)
    }

    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        let all = self.bytes.borrow();
        match usize::try_from(at).ok().and_then(|at| all.get(at..at.checked_add(out.len())?)) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => fail!(StorageFailed, "read of {} bytes at {at} is outside {} bytes", out.len(), all.len()),
        }
        Ok(())
    }
}

/// A sink that counts the bytes and keeps none of them. It is for a store that is only in memory.
#[derive(Default)]
pub struct CountingSink {
    len: u64,
}

impl ByteSink for CountingSink {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn publish(&mut self, at: u64, _: [u8; 4]) -> Result<()> {
        check_publish(at, self.len)?;
        Ok(())
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        check_cut(len, self.len)?;
        self.len = len;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
