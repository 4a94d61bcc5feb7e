//! The sink over a `FileSystemSyncAccessHandle`, or over any object with the same methods.

use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{FileSystemReadWriteOptions, FileSystemSyncAccessHandle};

use super::thrown::from_js;
use super::{ByteSink, ByteSource, check_cut, check_publish};
use crate::Result;
use crate::error::fail;

#[wasm_bindgen]
extern "C" {
    /// A handle that other code may have implemented, so that its methods may return anything.
    type Unsure;

    #[wasm_bindgen(method, catch)]
    fn flush(this: &Unsure) -> Result<JsValue, JsValue>;
}

/// The greatest offset. Beyond it, a JavaScript number cannot express every offset exactly.
const MAX_OFFSET: u64 = 1 << 53;

/// A sink over a `FileSystemSyncAccessHandle`, or over an object with the same methods. In a dedicated worker, each
/// file of the origin private file system has such a handle.
///
/// The sink does not close the handle. If a method throws, the error's code tells a full disk (`QuotaExceeded`) from
/// every other failure (`StorageFailed`).
pub struct HandleSink {
    handle: FileSystemSyncAccessHandle,
    len: u64,
    /// True if the handle keeps no reference to the bytes that it is given. Then it may get views of wasm memory.
    lend_views: bool,
}

impl HandleSink {
    /// Makes a sink that appends behind what the handle has. With `lend_views`, the handle's `read` and `write` get
    /// views of wasm memory and must not keep them: a browser's own handles do not. Otherwise they get copies.
    pub fn new(handle: FileSystemSyncAccessHandle, lend_views: bool) -> Result<Self> {
        let size = handle.get_size().map_err(from_js)?;
        if !(size >= 0.0 && size <= MAX_OFFSET as f64 && size.fract() == 0.0) {
            fail!(StorageFailed, "getSize() returned no size");
        }
        Ok(Self { handle, len: size as u64, lend_views })
    }

    /// Makes a source to read from. It does not ask the handle for its size, so `len` returns 0. The handle gets views
    /// of wasm memory.
    pub fn source(handle: FileSystemSyncAccessHandle) -> Self {
        Self { handle, len: 0, lend_views: true }
    }

    pub(crate) fn at(offset: u64) -> Result<FileSystemReadWriteOptions> {
        if offset > MAX_OFFSET {
            fail!(Capacity, "offset {offset} is beyond what a handle can be given");
        }
        let options = FileSystemReadWriteOptions::new();
        options.set_at_f64(offset as f64);
        Ok(options)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let options = Self::at(offset)?;
        let written = if self.lend_views {
            self.handle.write_with_u8_array_and_options(bytes, &options)
        } else {
            self.handle.write_with_js_u8_array_and_options(&Uint8Array::from(bytes), &options)
        };
        check_count(written.map_err(from_js)?, bytes.len(), offset, "written")
    }
}

fn check_count(count: f64, asked: usize, offset: u64, what: &str) -> Result<()> {
    if count != asked as f64 {
        fail!(StorageFailed, "only {} of {asked} bytes at {offset} were {what}", count as u64);
    }
    Ok(())
}

impl ByteSink for HandleSink {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_at(self.len, bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        check_publish(at, self.len)?;
        self.write_at(at, &length)
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        check_cut(len, self.len)?;
        self.handle.truncate_with_f64(len as f64).map_err(from_js)?;
        self.len = len;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let returned = self.handle.unchecked_ref::<Unsure>().flush().map_err(from_js)?;
        if returned.is_object() {
            fail!(Unsupported, "flush() returned an object, a promise perhaps: it must be done when it returns");
        }
        Ok(())
    }
}

impl ByteSource for HandleSink {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let options = Self::at(at)?;
        if !js_sys::Reflect::has(self.handle.unchecked_ref(), &"read".into()).unwrap_or(false) {
            fail!(Unsupported, "this storage cannot be read synchronously");
        }
        let read = if self.lend_views {
            self.handle.read_with_u8_array_and_options(out, &options).map_err(from_js)?
        } else {
            let copy = Uint8Array::new_with_length(out.len() as u32);
            let read = self.handle.read_with_js_u8_array_and_options(&copy, &options).map_err(from_js)?;
            copy.copy_to(out);
            read
        };
        check_count(read, out.len(), at, "read")
    }
}
