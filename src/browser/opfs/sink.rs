use std::cell::Cell;
use std::rc::Rc;

use web_sys::FileSystemSyncAccessHandle;

use crate::Result;
use crate::error::{Context, fail};
use crate::sink::{ByteSink, ByteSource, HandleSink, Owner, check_cut, check_publish, from_js};

/// The greatest offset. Beyond it, a JavaScript number cannot express every offset exactly.
const MAX_OFFSET: u64 = 1 << 53;

/// A handle, before it is known to whom it belongs. It is closed if it is dropped.
pub struct Opened(pub Option<FileSystemSyncAccessHandle>);

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.close();
        }
    }
}

/// The handle of an open file. The files of the store close it.
pub struct File {
    pub handle: FileSystemSyncAccessHandle,
    pub closed: Cell<bool>,
    /// The file and the store, for errors.
    pub what: String,
}

impl File {
    fn check(&self) -> Result<()> {
        if self.closed.get() {
            fail!(Closed, "{} was closed: open the store again", self.what);
        }
        Ok(())
    }

    pub fn size(&self) -> Result<u64> {
        self.check()?;
        let size = self.handle.get_size().map_err(from_js)?;
        if !(size >= 0.0 && size <= MAX_OFFSET as f64 && size.fract() == 0.0) {
            fail!(StorageFailed, "the browser says that {} has {size} bytes", self.what);
        }
        Ok(size as u64)
    }

    /// Writes all of the bytes, or fails. Near the quota a browser may write fewer bytes than it was asked for, without an
    /// error. The next try then throws, or writes none: that is the only sign of a full quota in Firefox.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check()?;
        let mut done = 0;
        while done < bytes.len() {
            let options = HandleSink::at(offset + done as u64)?;
            let written = self.handle.write_with_u8_array_and_options(&bytes[done..], &options);
            let written = written.map_err(from_js).context(&self.what)?;
            let left = bytes.len() - done;
            if written.is_nan() || written < 0.0 || written > left as f64 {
                fail!(StorageFailed, "{}: the browser says that it wrote {written} of {left} bytes", self.what);
            }
            if written < 1.0 {
                fail!(
                    QuotaExceeded,
                    "{}: the browser wrote {done} of {} bytes at {offset}. Free some space and try again",
                    self.what,
                    bytes.len()
                );
            }
            done += written as usize;
        }
        Ok(())
    }

    /// Reads up to `out.len()` bytes, and returns how many there were.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        self.check()?;
        let read = self.handle.read_with_u8_array_and_options(out, &HandleSink::at(offset)?);
        let read = read.map_err(from_js).context(&self.what)?;
        if read.is_nan() || read < 0.0 || read > out.len() as f64 {
            fail!(StorageFailed, "{}: the browser says that it read {read} of {} bytes", self.what, out.len());
        }
        Ok(read as usize)
    }

    pub fn truncate(&self, len: u64) -> Result<()> {
        self.check()?;
        self.handle.truncate_with_f64(len as f64).map_err(from_js).context(&self.what)
    }

    pub fn flush(&self) -> Result<()> {
        self.check()?;
        self.handle.flush().map_err(from_js).context(&self.what)
    }
}

/// A file of a store in OPFS: data or log. It reads and writes synchronously.
///
/// [`OpfsFiles::close`](super::OpfsFiles::close) closes it. Its methods fail with `CLOSED` then.
pub struct OpfsSink {
    pub(super) file: Rc<File>,
    len: u64,
    pub(super) owner: Owner,
    /// Keeps the lock until the last sink is gone.
    _files: Rc<dyn std::any::Any>,
}

impl OpfsSink {
    pub(super) fn new(file: &Rc<File>, owner: &Owner, files: Rc<dyn std::any::Any>) -> Result<Self> {
        Ok(Self { file: file.clone(), len: file.size()?, owner: owner.clone(), _files: files })
    }

    fn check_writer(&self) -> Result<()> {
        self.file.check()?;
        self.owner.claim()
    }
}

impl ByteSink for OpfsSink {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_writer()?;
        self.file.write(self.len, bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        self.check_writer()?;
        check_publish(at, self.len)?;
        self.file.write(at, &length)
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        self.check_writer()?;
        check_cut(len, self.len)?;
        self.file.truncate(len)?;
        self.len = len;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }

    fn owner(&self) -> Option<Owner> {
        Some(self.owner.clone())
    }
}

impl ByteSource for OpfsSink {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < out.len() {
            match self.file.read(at + done as u64, &mut out[done..])? {
                0 => fail!(StorageFailed, "only {done} of {} bytes at {at} of {} were read", out.len(), self.file.what),
                read => done += read,
            }
        }
        Ok(())
    }
}
