#[cfg(feature = "whole")]
use js_sys::{Float32Array, Uint16Array};
use wasm_bindgen::prelude::*;

use super::error::OrThrow;
use super::numbers::size;
use super::results::{Hits, Writer};
use super::rows::Rows;
use super::store::JsStore;
use crate::Error;
use crate::search::Filter;
#[cfg(feature = "whole")]
use crate::search::Share;
use crate::store::{Query, Searching, ids};

#[wasm_bindgen(js_class = Store)]
impl JsStore {
    #[wasm_bindgen(js_name = beginSearch)]
    pub fn begin_search(
        &self,
        queries: &[f32],
        collections: Option<u32>,
        names: &[u8],
        top_k: f64,
        min_score: f64,
        filter: &[u8],
    ) -> Result<JsSearch, JsValue> {
        let begin = || {
            let names = collections
                .map(|count| ids(names, count as usize).collect::<crate::Result<Vec<&str>>>())
                .transpose()?;
            let query = Query {
                collections: names.as_deref(),
                top_k: size(top_k, "topK")?.try_into().unwrap_or(usize::MAX),
                min_score: (!min_score.is_nan()).then_some(min_score as f32),
                filter: Filter::decode(filter)?,
            };
            Ok::<_, Error>(JsSearch(self.0.begin_search(queries, query)?))
        };
        begin().or_throw()
    }
}

/// A search that is under way.
#[wasm_bindgen(js_name = Search)]
pub struct JsSearch(pub(super) Searching);

#[wasm_bindgen(js_class = Search)]
impl JsSearch {
    /// Goes on with the search. Returns the hits, or None if rows are missing. `with_vectors` is 1 or 0. If it is 2,
    /// `wire` has only the numbers of the documents, four bytes each.
    pub fn advance(&mut self, store: &JsStore, rows: &mut Rows, with_vectors: u8) -> Result<Option<Hits>, JsValue> {
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
                    scores.push(hit.score);
                    if with_vectors == 2 {
                        out.bytes(&hit.doc.to_le_bytes())?;
                        continue;
                    }
                    let (collection, id, attrs) = store.0.doc_parts(hit.doc);
                    out.str(collection)?;
                    out.str(id)?;
                    out.attrs(attrs)?;
                }
            }
            let mut docs = self.0.found().iter().flatten().map(|hit| hit.doc);
            let with_vectors = with_vectors == 1;
            if with_vectors && !rows.vectors(&store.0, &mut docs, &mut out)? {
                return Ok(None);
            }
            Ok::<_, Error>(Some(Hits { wire: out.wire, scores, counts, vectors: with_vectors.then_some(out.vectors) }))
        };
        advance().or_throw()
    }
}

/// For threads that each search a part of the rows.
#[cfg(feature = "whole")]
#[wasm_bindgen(js_class = Store)]
impl JsStore {
    /// Returns the number of rows in a chunk of codes. Whole chunks are dealt to threads.
    #[wasm_bindgen(getter, js_name = chunkRows)]
    pub fn chunk_rows(&self) -> u32 {
        self.0.chunk_rows() as u32
    }

    /// Copies `count` rows from `from` on into an array of the caller's. The rows must be in memory.
    #[wasm_bindgen(js_name = copyRows)]
    pub fn copy_rows(&self, from: u32, to: &Float32Array) {
        let (rows, mut at) = (self.0.rows(), 0);
        let count = to.length() as usize / self.0.dimension();
        for (_, span) in rows.spans(from as usize, (from as usize + count).min(rows.len())) {
            to.subarray(at, at + span.len() as u32).copy_from(span);
            at += span.len() as u32;
        }
    }
}

/// For threads that each search a part of the rows.
#[cfg(feature = "whole")]
#[wasm_bindgen(js_class = Search)]
impl JsSearch {
    /// Leaves the first `dealt` chunks to other threads, except every `parts`th. Returns true if the results of the
    /// others must be merged before this search goes on.
    pub fn split(&mut self, store: &JsStore, parts: u32, dealt: u32) -> Result<bool, JsValue> {
        store.0.split_search(&mut self.0, Share { parts: parts as usize, dealt: dealt as usize }).or_throw()
    }

    /// Returns which rows of a part count, by the numbers that the part gives them: a bit for each row, sixteen in a
    /// number. Returns None if all rows count.
    #[wasm_bindgen(js_name = rowsFor)]
    pub fn rows_for(&self, store: &JsStore, part: u32) -> Result<Option<Uint16Array>, JsValue> {
        let groups = store.0.rows_for(&self.0, part as usize).or_throw()?;
        Ok(groups.map(|groups| Uint16Array::from(groups.as_slice())))
    }

    /// Takes the rows and scores that a part found for a query.
    pub fn merge(
        &mut self,
        store: &JsStore,
        query: u32,
        part: u32,
        rows: &[u32],
        scores: &[f32],
    ) -> Result<(), JsValue> {
        store.0.merge(&mut self.0, query as usize, part as usize, rows, scores).or_throw()
    }

    /// Searches all that can be searched without the other threads. Returns false if rows are missing.
    pub fn own(&mut self, store: &JsStore, rows: &mut Rows) -> Result<bool, JsValue> {
        store.0.advance_search(&mut self.0, &mut rows.0).or_throw()
    }
}
