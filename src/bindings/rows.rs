use js_sys::{Float32Array, Uint32Array};
use wasm_bindgen::prelude::*;

use super::error::OrThrow;
use super::results::Writer;
use crate::Result as Fallible;
use crate::segment::Supplied;
use crate::store::Store;

/// The rows that one call needs and memory does not hold. The caller reads and supplies them, and then makes the call
/// again.
#[wasm_bindgen]
#[derive(Default)]
pub struct Rows(pub(super) Supplied);

#[wasm_bindgen]
impl Rows {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the numbers of the missing rows, ascending.
    pub fn wanted(&mut self) -> Result<Uint32Array, JsValue> {
        Ok(Uint32Array::from(self.0.wanted().or_throw()?))
    }

    /// Takes the missing rows, one after the other.
    pub fn supply(&mut self, vectors: &Float32Array, dimension: u32) -> Result<(), JsValue> {
        vectors.copy_to(self.0.space(vectors.length() as usize, dimension as usize).or_throw()?);
        Ok(())
    }
}

impl Rows {
    /// Adds the vectors of documents to the results, if all of them are in memory or supplied. Otherwise returns false.
    pub(super) fn vectors(
        &mut self,
        store: &Store,
        docs: &mut dyn Iterator<Item = u32>,
        out: &mut Writer,
    ) -> Fallible<bool> {
        let mut numbers = Vec::new();
        for doc in docs {
            crate::error::reserve(&mut numbers, 1, "results")?;
            numbers.push(store.doc_row(doc));
        }
        if !self.0.want(store.rows(), &mut numbers.iter().copied())? {
            return Ok(false);
        }
        for row in numbers {
            out.vector(self.0.get(store.rows(), row).unwrap_or(&[]))?;
        }
        Ok(true)
    }
}
