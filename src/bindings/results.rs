//! Results of calls: encoded records and typed arrays of numbers.

use js_sys::{Float32Array, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use crate::Result as Fallible;
use crate::attrs::Packed;
use crate::segment::op;

/// Search results. `core.d.ts` describes their wire form.
#[wasm_bindgen]
pub struct Hits {
    pub(super) wire: Vec<u8>,
    pub(super) scores: Vec<f32>,
    /// The number of hits of each query.
    pub(super) counts: Vec<u32>,
    pub(super) vectors: Option<Vec<f32>>,
}

#[wasm_bindgen]
impl Hits {
    #[wasm_bindgen(getter)]
    pub fn wire(&self) -> Uint8Array {
        Uint8Array::from(self.wire.as_slice())
    }

    #[wasm_bindgen(getter)]
    pub fn scores(&self) -> Float32Array {
        Float32Array::from(self.scores.as_slice())
    }

    #[wasm_bindgen(getter)]
    pub fn vectors(&self) -> Option<Float32Array> {
        self.vectors.as_deref().map(Float32Array::from)
    }

    #[wasm_bindgen(getter)]
    pub fn counts(&self) -> Uint32Array {
        Uint32Array::from(self.counts.as_slice())
    }
}

/// Records that were asked for by their ids.
#[wasm_bindgen]
pub struct FoundRecords {
    pub(super) wire: Vec<u8>,
    pub(super) vectors: Vec<f32>,
}

#[wasm_bindgen]
impl FoundRecords {
    #[wasm_bindgen(getter)]
    pub fn wire(&self) -> Uint8Array {
        Uint8Array::from(self.wire.as_slice())
    }

    #[wasm_bindgen(getter)]
    pub fn vectors(&self) -> Float32Array {
        Float32Array::from(self.vectors.as_slice())
    }
}

/// Records of a collection, in the order of their ids: as many as were asked for.
#[wasm_bindgen]
pub struct RecordPage {
    pub(super) found: FoundRecords,
    pub(super) count: u32,
    pub(super) more: bool,
}

#[wasm_bindgen]
impl RecordPage {
    #[wasm_bindgen(getter)]
    pub fn wire(&self) -> Uint8Array {
        self.found.wire()
    }

    #[wasm_bindgen(getter)]
    pub fn vectors(&self) -> Float32Array {
        self.found.vectors()
    }

    #[wasm_bindgen(getter)]
    pub fn count(&self) -> u32 {
        self.count
    }

    #[wasm_bindgen(getter)]
    pub fn more(&self) -> bool {
        self.more
    }
}

/// Bytes and numbers of results. Memory is reserved before it is written.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) wire: Vec<u8>,
    pub(super) vectors: Vec<f32>,
}

impl Writer {
    pub(super) fn found(self) -> FoundRecords {
        FoundRecords { wire: self.wire, vectors: self.vectors }
    }

    fn room(&mut self, bytes: usize) -> Fallible<()> {
        crate::error::reserve(&mut self.wire, bytes, "results")
    }

    pub(super) fn str(&mut self, text: &str) -> Fallible<()> {
        self.room(text.len() + 8)?;
        op::put_str(&mut self.wire, text);
        Ok(())
    }

    pub(super) fn attrs(&mut self, attrs: Packed<'_>) -> Fallible<()> {
        attrs.write(&mut self.wire)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Fallible<()> {
        self.room(bytes.len())?;
        self.wire.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn vector(&mut self, vector: &[f32]) -> Fallible<()> {
        crate::error::reserve(&mut self.vectors, vector.len(), "results")?;
        self.vectors.extend_from_slice(vector);
        Ok(())
    }
}
