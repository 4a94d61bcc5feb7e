use js_sys::{Float32Array, Float64Array, Uint32Array};
use wasm_bindgen::prelude::*;
use web_sys::FileSystemSyncAccessHandle;

use super::error::OrThrow;
use super::numbers::copy_rows;
use crate::search::{Among, Bits, Cascade, Codes, Memo, Share, Tuning};
use crate::segment::{Step, Supplied};
use crate::sink::HandleSink;
use crate::store::unit_query;
use crate::{DataSegment, Error};

#[wasm_bindgen(js_name = Segment)]
pub struct JsSegment {
    data: DataSegment,
    codes: Codes,
    memo: Memo,
}

impl JsSegment {
    fn of(data: DataSegment) -> Self {
        let codes = Codes::new(data.dimension(), Tuning::DEFAULT);
        Self { data, codes, memo: Memo::default() }
    }
}

#[wasm_bindgen]
pub struct SegmentHits {
    rows: Vec<f64>,
    scores: Vec<f32>,
    counts: Vec<u32>,
}

#[wasm_bindgen]
impl SegmentHits {
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> Float64Array {
        Float64Array::from(self.rows.as_slice())
    }

    /// Returns the number of hits of each query.
    #[wasm_bindgen(getter)]
    pub fn counts(&self) -> Uint32Array {
        Uint32Array::from(self.counts.as_slice())
    }

    #[wasm_bindgen(getter)]
    pub fn scores(&self) -> Float32Array {
        Float32Array::from(self.scores.as_slice())
    }
}

#[wasm_bindgen(js_class = Segment)]
impl JsSegment {
    pub fn open(handle: FileSystemSyncAccessHandle, dimension: u32, lend_views: bool) -> Result<JsSegment, JsValue> {
        let sink = HandleSink::new(handle, lend_views).or_throw()?;
        Ok(JsSegment::of(DataSegment::open(sink, dimension as usize).or_throw()?))
    }

    #[wasm_bindgen(js_name = inMemory)]
    pub fn in_memory(dimension: u32) -> Result<JsSegment, JsValue> {
        Ok(JsSegment::of(DataSegment::in_memory(dimension as usize).or_throw()?))
    }

    #[wasm_bindgen(getter)]
    pub fn dimension(&self) -> u32 {
        self.data.dimension() as u32
    }

    #[wasm_bindgen(getter, js_name = rowCount)]
    pub fn row_count(&self) -> u32 {
        self.data.row_count() as u32
    }

    pub fn append(&mut self, vectors: &Float32Array) -> Result<u32, JsValue> {
        let count = self.data.whole_rows(vectors.length() as usize).or_throw()?;
        let first = self.data.append(count, |matrix, first| copy_rows(vectors, matrix, first)).or_throw()?;
        Ok(first as u32)
    }

    pub fn row(&self, index: u32) -> Result<Float32Array, JsValue> {
        Ok(Float32Array::from(self.data.row(index as usize).or_throw()?))
    }

    /// Makes codes for a few milliseconds. Codes make searches quick. Returns true if nothing is left to do.
    #[wasm_bindgen(js_name = codeStep)]
    pub fn code_step(&mut self) -> bool {
        self.codes.step(self.data.matrix(), self.data.row_count(), &mut Supplied::default()) != Step::More
    }

    pub fn search(&self, query: &[f32], top_k: f64, min_score: f64) -> Result<SegmentHits, JsValue> {
        self.best(query, top_k, min_score, None, false)
    }

    /// Returns the best rows for each of several queries. `only` (groups of sixteen bits) limits them to some rows.
    /// With `ties`, rows with the score of the last hit are returned, too.
    pub fn best(
        &self,
        queries: &[f32],
        top_k: f64,
        min_score: f64,
        only: Option<Vec<u16>>,
        ties: bool,
    ) -> Result<SegmentHits, JsValue> {
        let best = || {
            let mut hits = SegmentHits { rows: Vec::new(), scores: Vec::new(), counts: Vec::new() };
            let least = (!min_score.is_nan()).then_some(min_score as f32);
            let only =
                only.map(|groups| Bits { ones: groups.iter().map(|group| group.count_ones() as usize).sum(), groups });
            let among = Among {
                matrix: self.data.matrix(),
                codes: &self.codes,
                memo: &self.memo,
                rows: self.data.row_count(),
                narrowed: only.is_some(),
                only: only.as_ref(),
                document: &|row| Some(row as u32),
                ties: &|a, b| a.cmp(&b),
                share: Share::ALL,
            };
            for query in queries.chunks(self.data.dimension()) {
                let k = (top_k as usize).min(among.rows);
                let mut wanted = k + usize::from(ties);
                let found = loop {
                    let mut search = among.begin(vec![unit_query(query, self.data.dimension())?], wanted, least)?;
                    for search in &mut search {
                        among.advance(search, &mut Supplied::default())?;
                    }
                    let found = search.pop();
                    let scores = found.as_ref().map_or(&[][..], Cascade::found);
                    let same = |a: f32, b: f32| a == b || a.is_nan() && b.is_nan();
                    // If there are no more rows, or if the last one is worse, all ties are there.
                    if !ties || k == 0 || scores.len() < wanted || !same(scores[k - 1].1, scores[scores.len() - 1].1) {
                        break found;
                    }
                    wanted *= 4;
                };
                let found = found.as_ref().map_or(&[][..], Cascade::found);
                let found = if top_k as usize > 0 { found } else { &[] };
                hits.counts.push(found.len() as u32);
                hits.rows.extend(found.iter().map(|(row, _)| f64::from(*row)));
                hits.scores.extend(found.iter().map(|(_, score)| *score));
            }
            Ok::<_, Error>(hits)
        };
        best().or_throw()
    }

    #[wasm_bindgen(js_name = truncateTo)]
    pub fn truncate_to(&mut self, rows: u32) -> Result<(), JsValue> {
        self.codes.clear();
        self.data.truncate_to(rows as usize).or_throw()
    }

    pub fn sync(&mut self) -> Result<(), JsValue> {
        self.data.sync().or_throw()
    }

    #[wasm_bindgen(js_name = rewriteTo)]
    pub fn rewrite_to(
        &mut self,
        handle: FileSystemSyncAccessHandle,
        rows: &[f32],
        lend_views: bool,
    ) -> Result<(), JsValue> {
        let sink = HandleSink::new(handle, lend_views).or_throw()?;
        self.codes.clear();
        self.data.rewrite_to(Box::new(sink), rows).or_throw()
    }
}
