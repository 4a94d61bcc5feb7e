use wasm_bindgen::prelude::*;
use web_sys::FileSystemSyncAccessHandle;

use super::error::OrThrow;
use super::numbers::size;
use super::sinks::sinks;
use super::store::JsStore;
use crate::sink::ByteSource;
use crate::sink::HandleSink;
use crate::store::{OpenOptions, Opening};

/// The number of bytes of the log that are read at a time. They are so few that they stay in the processor's cache, in
/// memory that is used again for each piece.
const LOG_PIECE: u32 = 1 << 18;

#[wasm_bindgen(js_name = Opening)]
pub struct JsOpening {
    opening: Opening,
    log_at: u64,
    log_len: u64,
}

#[wasm_bindgen(js_class = Opening)]
impl JsOpening {
    #[wasm_bindgen(constructor)]
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        data_length: f64,
        log_length: f64,
        dimension: Option<f64>,
        read_only: bool,
        relaxed: bool,
        transactional: bool,
        max_vector_bytes: Option<f64>,
        only_0_3: bool,
        compact: bool,
    ) -> Result<JsOpening, JsValue> {
        let open = || {
            let dimension = dimension.map(|dimension| size(dimension, "dimension")).transpose()?;
            let max_vector_bytes = max_vector_bytes.map(|max| size(max, "maxVectorBytes")).transpose()?;
            let dimension = dimension.map(|dimension| usize::try_from(dimension).unwrap_or(usize::MAX));
            let options =
                OpenOptions { dimension, read_only, relaxed, transactional, max_vector_bytes, only_0_3, compact };
            let log_len = size(log_length, "the log's length")?;
            Ok(JsOpening {
                opening: Opening::new(options, size(data_length, "the data's length")?, log_len)?,
                log_at: 0,
                log_len,
            })
        };
        open().or_throw()
    }

    /// Returns the number of rows that a sample must be taken from, or 0 if no sample is wanted.
    #[wasm_bindgen(getter, js_name = wantsSample)]
    pub fn wants_sample(&self) -> f64 {
        self.opening.wants_sample().unwrap_or(0) as f64
    }

    #[wasm_bindgen(getter)]
    pub fn dimension(&mut self) -> u32 {
        self.opening.dimension() as u32
    }

    pub fn sample(&mut self, rows: &[f32]) -> Result<(), JsValue> {
        self.opening.sample(rows).or_throw()
    }

    #[wasm_bindgen(js_name = feedData)]
    pub fn feed_data(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.opening.feed_data(bytes).or_throw()
    }

    #[wasm_bindgen(js_name = feedLog)]
    pub fn feed_log(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.log_at += bytes.len() as u64;
        self.opening.feed_log(bytes).or_throw()
    }

    /// Lets the handle read the next bytes of the data directly into wasm memory. Returns how many bytes it read.
    #[wasm_bindgen(js_name = pullData)]
    pub fn pull_data(&mut self, handle: FileSystemSyncAccessHandle, length: u32) -> Result<u32, JsValue> {
        let mut source = HandleSink::source(handle);
        Ok(self.opening.pull_data(&mut source, length as usize).or_throw()? as u32)
    }

    #[wasm_bindgen(js_name = pullLog)]
    pub fn pull_log(&mut self, handle: FileSystemSyncAccessHandle, length: u32) -> Result<u32, JsValue> {
        let pull = || {
            let length = u64::from(length.min(LOG_PIECE)).min(self.log_len - self.log_at) as usize;
            let mut bytes: Vec<u8> = Vec::new();
            crate::error::reserve(&mut bytes, length, "reading the log")?;
            bytes.resize(length, 0);
            HandleSink::source(handle).read_exact_at(self.log_at, &mut bytes)?;
            self.log_at += length as u64;
            self.opening.feed_log(&bytes)?;
            Ok(length as u32)
        };
        pull().or_throw()
    }

    pub fn finish(
        self,
        data: FileSystemSyncAccessHandle,
        log: FileSystemSyncAccessHandle,
        lend_views: bool,
    ) -> Result<JsStore, JsValue> {
        let (data, log) = sinks(data, log, lend_views)?;
        Ok(JsStore(self.opening.finish(data, log).or_throw()?))
    }
}
