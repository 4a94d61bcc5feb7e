use js_sys::{Float32Array, Float64Array};
use wasm_bindgen::prelude::*;
use web_sys::FileSystemSyncAccessHandle;

use super::error::OrThrow;
use super::handle::HandleSink;
use super::numbers::copy_rows;
use crate::DataSegment;
use crate::search::{TopK, scan_rows};
use crate::store::unit_query;

#[wasm_bindgen(js_name = Segment)]
pub struct JsSegment(DataSegment);

#[wasm_bindgen]
pub struct SegmentHits {
    rows: Vec<f64>,
    scores: Vec<f32>,
}

#[wasm_bindgen]
impl SegmentHits {
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> Float64Array {
        Float64Array::from(self.rows.as_slice())
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
        Ok(JsSegment(DataSegment::open(sink, dimension as usize).or_throw()?))
    }

    #[wasm_bindgen(js_name = inMemory)]
    pub fn in_memory(dimension: u32) -> Result<JsSegment, JsValue> {
        Ok(JsSegment(DataSegment::in_memory(dimension as usize).or_throw()?))
    }

    #[wasm_bindgen(getter)]
    pub fn dimension(&self) -> u32 {
        self.0.dimension() as u32
    }

    #[wasm_bindgen(getter, js_name = rowCount)]
    pub fn row_count(&self) -> u32 {
        self.0.row_count() as u32
    }

    pub fn append(&mut self, vectors: &Float32Array) -> Result<u32, JsValue> {
        let count = self.0.whole_rows(vectors.length() as usize).or_throw()?;
        let first = self.0.append(count, |matrix, first| copy_rows(vectors, matrix, first)).or_throw()?;
        Ok(first as u32)
    }

    pub fn row(&self, index: u32) -> Result<Float32Array, JsValue> {
        Ok(Float32Array::from(self.0.row(index as usize).or_throw()?))
    }

    pub fn search(&self, query: &[f32], top_k: f64, min_score: f64) -> Result<SegmentHits, JsValue> {
        let unit = unit_query(query, self.0.dimension()).or_throw()?;
        let least = (!min_score.is_nan()).then_some(min_score as f32);
        let rows = self.0.row_count();
        let mut top = TopK::new(top_k as usize, rows, least, &|a, b| a.cmp(&b)).or_throw()?;
        if top_k as usize > 0 {
            let limit = top.limit();
            scan_rows(&unit, self.0.matrix(), 0..rows, limit, &mut |row, score| {
                top.offer(score, row as u32);
                top.limit()
            });
        }
        let mut hits = SegmentHits { rows: Vec::new(), scores: Vec::new() };
        for (row, score) in top.into_sorted() {
            hits.rows.push(f64::from(row));
            hits.scores.push(score);
        }
        Ok(hits)
    }

    #[wasm_bindgen(js_name = truncateTo)]
    pub fn truncate_to(&mut self, rows: u32) -> Result<(), JsValue> {
        self.0.truncate_to(rows as usize).or_throw()
    }

    pub fn sync(&mut self) -> Result<(), JsValue> {
        self.0.sync().or_throw()
    }

    #[wasm_bindgen(js_name = rewriteTo)]
    pub fn rewrite_to(&mut self, handle: FileSystemSyncAccessHandle, rows: &[f32], lend_views: bool) -> Result<(), JsValue> {
        let sink = HandleSink::new(handle, lend_views).or_throw()?;
        self.0.rewrite_to(Box::new(sink), rows).or_throw()
    }
}
