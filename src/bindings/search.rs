use wasm_bindgen::prelude::*;

use super::error::OrThrow;
use super::results::{Hits, Writer};
use super::rows::Rows;
use super::store::JsStore;
use crate::Error;
use crate::store::Searching;

/// A search under way.
#[wasm_bindgen(js_name = Search)]
pub struct JsSearch(pub(super) Searching);

#[wasm_bindgen(js_class = Search)]
impl JsSearch {
    /// None: rows are missing.
    pub fn advance(&mut self, store: &JsStore, rows: &mut Rows, with_vectors: bool) -> Result<Option<Hits>, JsValue> {
        let mut advance = || {
            if !store.0.advance_search(&mut self.0, &mut rows.0)? {
                return Ok(None);
            }
            let mut out = Writer::default();
            let (mut scores, mut counts) = (Vec::new(), Vec::new());
            for found in self.0.found() {
                crate::error::reserve(&mut scores, found.len(), "results")?;
                crate::error::reserve(&mut counts, 1, "results")?;
                counts.push(found.len() as u32);
                for hit in found {
                    let (collection, id, attrs) = store.0.doc_parts(hit.doc);
                    out.str(collection)?;
                    out.str(id)?;
                    out.bytes(attrs)?;
                    scores.push(hit.score);
                }
            }
            let mut docs = self.0.found().iter().flatten().map(|hit| hit.doc);
            if with_vectors && !rows.vectors(&store.0, &mut docs, &mut out)? {
                return Ok(None);
            }
            Ok::<_, Error>(Some(Hits { wire: out.wire, scores, counts, vectors: with_vectors.then_some(out.vectors) }))
        };
        advance().or_throw()
    }
}
