//! The interface between the store and a storage.

#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) mod crash;
pub(crate) mod fault;
#[cfg(not(target_arch = "wasm32"))]
mod file;
#[cfg(all(target_arch = "wasm32", feature = "handle"))]
mod handle;
mod memory;
#[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
mod owner;
#[cfg(all(target_arch = "wasm32", feature = "handle"))]
mod thrown;

pub mod conformance;

#[cfg(not(target_arch = "wasm32"))]
pub use file::FileSink;
#[cfg(all(target_arch = "wasm32", feature = "handle"))]
pub use handle::HandleSink;
pub use memory::{CountingSink, MemorySink};
#[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
pub(crate) use owner::Files;
#[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
pub use owner::Owner;
#[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
pub(crate) use thrown::from_js;
#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
pub(crate) use thrown::thrown_by;

use crate::Result;
use crate::error::fail;

/// The unit that a disk writes completely or not at all.
pub const SECTOR: u64 = 512;

/// A file that bytes are written to. Bytes are only appended, except by [`publish`](ByteSink::publish).
///
/// This is the contract. `conformance` tests each number on every sink.
///
/// 1. `len` is the number of bytes that were appended and not truncated. Bytes that were there when the sink was opened
///    count, too.
/// 2. `append` writes all of `bytes` at `len`, or fails. If the storage takes fewer bytes without an error, that is a
///    failure, too.
/// 3. After a failed `append`, `len` is unchanged. Bytes may lie behind `len` until the next `truncate_to`. That call
///    must remove them, even if it is given the present `len`.
/// 4. `publish` overwrites 4 bytes that lie completely before `len`. It changes nothing else.
/// 5. `truncate_to` can only shrink the file. With a length beyond `len` it fails and changes nothing.
/// 6. When `flush` has returned, everything that was written before it is durable. Nothing that is written later can be
///    durable without it. Between two flushes, the disk may have kept any part of what was written, by whole sectors of
///    512 bytes, in any order.
/// 7. Appending nothing, truncating to `len` and flushing twice are no errors.
pub trait ByteSink {
    /// Returns the length in bytes (rule 1).
    fn len(&self) -> Result<u64>;
    /// Adds bytes at the end (rules 2 and 3).
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
    /// Overwrites the four bytes at `at` (rule 4).
    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()>;
    /// Shortens the file to `len` bytes (rule 5).
    fn truncate_to(&mut self, len: u64) -> Result<()>;
    /// Makes durable what was written before (rule 6).
    fn flush(&mut self) -> Result<()>;

    /// Returns whose file this is, if it is one of [`browser`](crate::browser). Those files take only stores of their
    /// own. A sink that wraps another one returns what that one returns.
    #[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
    fn owner(&self) -> Option<Owner> {
        None
    }

    /// Returns whether there are no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A file that bytes are read from, on storage that can be read synchronously.
pub trait ByteSource {
    /// Returns the length in bytes.
    fn len(&self) -> Result<u64>;
    /// Fills all of `out` with the bytes from `at` on, or fails.
    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()>;

    /// Returns whether there are no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Checks rule 4 of the contract: `publish` writes before `len`.
pub(crate) fn check_publish(at: u64, len: u64) -> Result<()> {
    if at.checked_add(4).is_none_or(|end| end > len) {
        fail!(StorageFailed, "publish at {at} is outside the {len} bytes written");
    }
    Ok(())
}

/// Checks rule 5 of the contract: `truncate_to` only shrinks.
pub(crate) fn check_cut(to: u64, len: u64) -> Result<()> {
    if to > len {
        fail!(StorageFailed, "truncate to {to} would grow {len} bytes");
    }
    Ok(())
}

impl<S: ByteSink + ?Sized> ByteSink for Box<S> {
    fn len(&self) -> Result<u64> {
        (**self).len()
    }
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        (**self).append(bytes)
    }
    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        (**self).publish(at, length)
    }
    fn truncate_to(&mut self, len: u64) -> Result<()> {
        (**self).truncate_to(len)
    }
    fn flush(&mut self) -> Result<()> {
        (**self).flush()
    }
    #[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
    fn owner(&self) -> Option<Owner> {
        (**self).owner()
    }
}
