use js_sys::{Float32Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::FileSystemSyncAccessHandle;

use super::error::OrThrow;
use super::numbers::copy_floats;
use super::results::{FoundRecords, RecordPage, Writer};
use super::rows::Rows;
use super::sinks::sinks;
use crate::Error;
use crate::search::Filter;
use crate::segment::receipt::{Receipt, Sender};
use crate::store::{Known, Matching, Store, ids};

/// Why [`receipt`](JsStore::receipt) has no result of a write. JavaScript gets the number, and
/// `src/ts/core/steps.ts` has the same names.
#[derive(Clone, Copy)]
#[repr(i32)]
enum NoReceipt {
    /// The write was never made.
    Unmade = -1,
    /// The write was refused.
    Refused = -2,
    /// The write was asked for so long ago that nobody can tell.
    Forgotten = -3,
}

/// A filter that is evaluated a slice at a time.
#[wasm_bindgen(js_name = Matching)]
pub struct JsMatching(Matching);

#[wasm_bindgen(js_class = Matching)]
impl JsMatching {
    /// Evaluates the filter for some more rows. Returns true once it is known which rows match.
    pub fn step(&mut self, store: &JsStore) -> Result<bool, JsValue> {
        store.0.match_step(&mut self.0).or_throw()
    }
}

#[wasm_bindgen(js_name = Store)]
pub struct JsStore(pub(super) Store);

#[wasm_bindgen(js_class = Store)]
impl JsStore {
    #[wasm_bindgen(getter)]
    pub fn dimension(&self) -> u32 {
        self.0.dimension() as u32
    }

    #[wasm_bindgen(getter, js_name = readOnly)]
    pub fn read_only(&self) -> bool {
        self.0.read_only()
    }

    #[wasm_bindgen(getter)]
    pub fn failed(&self) -> bool {
        self.0.failure().is_some()
    }

    #[wasm_bindgen(getter)]
    pub fn recovery(&self) -> String {
        let cut = self.0.recovery();
        format!(
            r#"{{"logBytes":{},"logFrames":{},"dataBytes":{},"created":{},"orphanedRows":{}}}"#,
            cut.log_bytes,
            cut.log_frames,
            cut.data_bytes,
            cut.created,
            self.0.orphaned_rows()
        )
    }

    #[wasm_bindgen(js_name = stageCreate)]
    pub fn stage_create(&mut self, collection: &str) -> Result<bool, JsValue> {
        self.0.stage_create(collection).or_throw()
    }

    #[wasm_bindgen(js_name = stageDrop)]
    pub fn stage_drop(&mut self, collection: &str) -> Result<bool, JsValue> {
        self.0.stage_drop(collection).or_throw()
    }

    #[wasm_bindgen(js_name = stageSetMeta)]
    pub fn stage_set_meta(&mut self, collection: &str, meta: &[u8]) -> Result<(), JsValue> {
        self.0.stage_set_meta(collection, meta).or_throw()
    }

    /// Stages an upsert, or an update if `changes` is true. For an update, `batch` has changes of attributes, and
    /// `vectors` is not used. It is one function for both because each export makes the page's download larger.
    #[wasm_bindgen(js_name = stageUpsert)]
    pub fn stage_upsert(
        &mut self,
        collection: &str,
        count: u32,
        batch: &[u8],
        vectors: &Float32Array,
        before: u32,
        changes: bool,
    ) -> Result<u32, JsValue> {
        if changes {
            return Ok(self.0.stage_update(collection, count as usize, batch).or_throw()? as u32);
        }
        let fill = &mut |from: usize, rows: &mut [f32]| copy_floats(vectors, from, rows);
        let floats = vectors.length() as usize;
        Ok(self.0.stage_upsert_with(collection, count as usize, batch, floats, before as usize, fill).or_throw()?
            as u32)
    }

    #[wasm_bindgen(js_name = stageDelete)]
    pub fn stage_delete(&mut self, collection: &str, count: u32, wire: &[u8]) -> Result<u32, JsValue> {
        Ok(self.0.stage_delete(collection, ids(wire, count as usize)).or_throw()? as u32)
    }

    #[wasm_bindgen(js_name = stageDeleteWhere)]
    pub fn stage_delete_where(&mut self, collection: &str, filter: &[u8]) -> Result<u32, JsValue> {
        let mut delete = || Ok::<_, Error>(self.0.stage_delete_where(collection, &Filter::decode(filter)?)? as u32);
        delete().or_throw()
    }

    /// Returns the result of a write if it was made or is staged, and otherwise a number of [`NoReceipt`]. After
    /// `Unmade` and `Forgotten`, the mutation that is staged next counts as this write, and `stageReceipt` follows. For
    /// number 0, returns the highest number that was made, or 0.
    pub fn receipt(&mut self, sender: &str, number: f64, back: u32) -> Result<f64, JsValue> {
        let sender = sender.bytes().fold(0, |sender, byte| sender << 8 | Sender::from(byte));
        let number = number as u64;
        if number == 0 {
            return Ok(self.0.newest(sender) as f64);
        }
        let none = match self.0.known(sender, number) {
            Known::Made(result) => return Ok(f64::from(result)),
            Known::Refused => NoReceipt::Refused,
            known => {
                self.0.expect_receipt(Receipt { sender, number, back, result: 0 }).or_throw()?;
                if known == Known::Unmade { NoReceipt::Unmade } else { NoReceipt::Forgotten }
            }
        };
        Ok(f64::from(none as i32))
    }

    #[wasm_bindgen(js_name = stageReceipt)]
    pub fn stage_receipt(&mut self, result: u32) {
        self.0.stage_receipt(result);
    }

    #[wasm_bindgen(getter, js_name = stagedBytes)]
    pub fn staged_bytes(&self) -> f64 {
        self.0.staged_bytes() as f64
    }

    /// Returns the ids of the documents that the staged operations upsert or delete, until they are applied.
    #[wasm_bindgen(js_name = stagedIds)]
    pub fn staged_ids(&self) -> Result<Uint8Array, JsValue> {
        let mut out = Writer::default();
        self.0.each_staged_id(&mut |id| out.str(id)).or_throw()?;
        Ok(Uint8Array::from(out.wire.as_slice()))
    }

    pub fn unstage(&mut self) {
        self.0.unstage_all();
    }

    pub fn write(&mut self) -> Result<(), JsValue> {
        self.0.write().or_throw()
    }

    pub fn apply(&mut self) {
        self.0.apply();
    }

    pub fn rollback(&mut self) -> Result<(), JsValue> {
        self.0.rollback().or_throw()
    }

    pub fn fail(&mut self, why: &str) {
        self.0.fail(why);
    }

    pub fn flush(&mut self) -> Result<(), JsValue> {
        self.0.flush().or_throw()
    }

    #[wasm_bindgen(getter, js_name = heldBytes)]
    pub fn held_bytes(&self) -> f64 {
        self.0.held_bytes() as f64
    }

    #[wasm_bindgen(js_name = hasCollection)]
    pub fn has_collection(&self, collection: &str) -> bool {
        self.0.has_collection(collection)
    }

    /// Returns the names of the collections, packed as ids are.
    pub fn collections(&self) -> Result<Uint8Array, JsValue> {
        let mut out = Writer::default();
        let mut write = || self.0.collection_names()?.iter().try_for_each(|name| out.str(name));
        write().or_throw()?;
        Ok(Uint8Array::from(out.wire.as_slice()))
    }

    #[wasm_bindgen(js_name = getMeta)]
    pub fn get_meta(&self, collection: &str) -> Uint8Array {
        Uint8Array::from(self.0.meta_bytes(collection))
    }

    pub fn count(&self, collection: Option<String>, filter: &[u8]) -> Result<f64, JsValue> {
        let count = || self.0.count(collection.as_deref(), &Filter::decode(filter)?);
        Ok(count().or_throw()? as f64)
    }

    /// Begins to evaluate a filter in slices. Returns None if the filter takes little time, or if it is known already
    /// which rows match.
    pub fn matching(
        &self,
        collection: Option<String>,
        filter: &[u8],
        by_row: bool,
    ) -> Result<Option<JsMatching>, JsValue> {
        let begin = || self.0.begin_matching(collection.as_deref(), Filter::decode(filter)?, by_row);
        Ok(begin().or_throw()?.map(JsMatching))
    }

    /// Returns the documents that were asked for, or None if rows are missing.
    pub fn get(
        &self,
        collection: &str,
        count: u32,
        wire: &[u8],
        rows: &mut Rows,
    ) -> Result<Option<FoundRecords>, JsValue> {
        let mut get = || {
            let mut docs = Vec::new();
            for id in ids(wire, count as usize) {
                crate::error::reserve(&mut docs, 1, "results")?;
                docs.push(self.0.find(collection, id?));
            }
            let mut out = Writer::default();
            for doc in &docs {
                match doc {
                    None => out.bytes(&[0])?,
                    Some(doc) => {
                        out.bytes(&[1])?;
                        out.attrs(self.0.doc_parts(*doc).2)?;
                    }
                }
            }
            Ok::<_, Error>(rows.vectors(&self.0, &mut docs.into_iter().flatten(), &mut out)?.then(|| out.found()))
        };
        get().or_throw()
    }

    /// Returns the documents that were asked for, or None if rows are missing.
    pub fn records(
        &self,
        collection: &str,
        filter: &[u8],
        after: Option<String>,
        limit: u32,
        rows: &mut Rows,
    ) -> Result<Option<RecordPage>, JsValue> {
        let mut page = || {
            let (docs, more) = self.0.page(collection, &Filter::decode(filter)?, after.as_deref(), limit as usize)?;
            let mut out = Writer::default();
            for doc in &docs {
                let (_, id, attrs) = self.0.doc_parts(*doc);
                out.str(id)?;
                out.attrs(attrs)?;
            }
            let count = docs.len() as u32;
            Ok::<_, Error>(rows.vectors(&self.0, &mut docs.into_iter(), &mut out)?.then(|| RecordPage {
                found: out.found(),
                count,
                more,
            }))
        };
        page().or_throw()
    }

    #[wasm_bindgen(js_name = codeStep)]
    pub fn code_step(&mut self, rows: &mut Rows) -> u32 {
        u32::from(self.0.code_step_with(&mut rows.0))
    }

    #[wasm_bindgen(getter)]
    pub fn uncoded(&self) -> u32 {
        self.0.uncoded() as u32
    }

    pub fn footprint(&self) -> String {
        let f = self.0.footprint();
        format!(
            concat!(
                r#"{{"rows":{},"deadRows":{},"codedRows":{},"dimension":{},"vectorBytes":{},"docCount":{},"#,
                r#""memoryBytes":{},"diskBytes":{},"readableBy":"{}"}}"#,
            ),
            f.rows,
            f.dead_rows,
            f.coded_rows,
            f.dimension,
            f.vector_bytes,
            f.doc_count,
            f.memory_bytes,
            f.disk_bytes,
            f.readable_by
        )
    }

    /// Returns the rows from `from` on, as many as are next to each other in memory. Returns none at the end.
    pub fn rows(&self, from: u32) -> Float32Array {
        let rows = self.0.rows();
        Float32Array::from(rows.spans(from as usize, rows.len()).next().map_or(&[][..], |(_, span)| span))
    }

    #[wasm_bindgen(getter, js_name = deadRatio)]
    pub fn dead_ratio(&self) -> f32 {
        if self.0.tidies_itself() { self.0.dead_ratio() } else { 0.0 }
    }

    #[wasm_bindgen(js_name = beginCompaction)]
    pub fn begin_compaction(
        &mut self,
        data: FileSystemSyncAccessHandle,
        log: FileSystemSyncAccessHandle,
        lend_views: bool,
    ) -> Result<(), JsValue> {
        let (data, log) = sinks(data, log, lend_views)?;
        self.0.begin_compaction(data, log).or_throw()
    }

    #[wasm_bindgen(js_name = compactStep)]
    pub fn compact_step(&mut self, rows: &mut Rows) -> Result<u32, JsValue> {
        self.0.compact_step_with(&mut rows.0).or_throw().map(u32::from)
    }

    #[wasm_bindgen(js_name = finishCompaction)]
    pub fn finish_compaction(&mut self) -> Result<(), JsValue> {
        self.0.finish_compaction().or_throw()
    }

    #[wasm_bindgen(js_name = abandonCompaction)]
    pub fn abandon_compaction(&mut self) {
        self.0.abandon_compaction();
    }

    #[wasm_bindgen(js_name = adoptCompaction)]
    pub fn adopt_compaction(&mut self) -> Result<(), JsValue> {
        self.0.adopt_compaction().or_throw()
    }

    #[wasm_bindgen(js_name = adoptStep)]
    pub fn adopt_step(&mut self) -> Result<bool, JsValue> {
        self.0.adopt_step().or_throw()
    }
}
