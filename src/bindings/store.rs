use js_sys::{Float32Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::FileSystemSyncAccessHandle;

use super::error::OrThrow;
use super::handle::HandleSink;
use crate::error::fail;
use crate::search::Filter;
use crate::segment::{Matrix, op};
use crate::sink::{ByteSink, ByteSource};
use crate::store::{OpenOptions, Opening, Query, Store, ids};
use crate::{Error, Result as Fallible};

/// Copies row-major vectors into the rows from `first` on.
pub fn copy_rows(vectors: &Float32Array, matrix: &mut Matrix, first: usize) {
    let (mut at, end, dimension) = (first, matrix.len(), matrix.dimension());
    let mut from = 0;
    while at < end {
        let span = matrix.span_mut(at, end);
        let to = from + span.len() as u32;
        vectors.subarray(from, to).copy_to(span);
        at += span.len() / dimension;
        from = to;
    }
}

fn size(value: f64, what: &str) -> Fallible<u64> {
    if !(value >= 0.0 && value <= 9_007_199_254_740_992.0 && value.fract() == 0.0) {
        fail!(InvalidArgument, "{what} is no whole number from 0 up");
    }
    Ok(value as u64)
}

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
        compat: Option<String>,
    ) -> Result<JsOpening, JsValue> {
        let open = || {
            let dimension = dimension.map(|dimension| size(dimension, "dimension")).transpose()?;
            let max_vector_bytes = max_vector_bytes.map(|max| size(max, "maxVectorBytes")).transpose()?;
            let only_0_3 = match compat.as_deref() {
                None => false,
                Some("0.3") => true,
                Some(other) => fail!(InvalidArgument, "compat {other} is not known; there is 0.3"),
            };
            let dimension = dimension.map(|dimension| usize::try_from(dimension).unwrap_or(usize::MAX));
            let options = OpenOptions { dimension, read_only, relaxed, transactional, max_vector_bytes, only_0_3 };
            let log_len = size(log_length, "the log's length")?;
            Ok(JsOpening { opening: Opening::new(options, size(data_length, "the data's length")?, log_len)?, log_at: 0, log_len })
        };
        open().or_throw()
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

    /// The handle gets views of wasm memory to fill.
    #[wasm_bindgen(js_name = pullData)]
    pub fn pull_data(&mut self, handle: FileSystemSyncAccessHandle, length: u32) -> Result<u32, JsValue> {
        let mut source = HandleSink::new(handle, true).or_throw()?;
        Ok(self.opening.pull_data(&mut source, length as usize).or_throw()? as u32)
    }

    #[wasm_bindgen(js_name = pullLog)]
    pub fn pull_log(&mut self, handle: FileSystemSyncAccessHandle, length: u32) -> Result<u32, JsValue> {
        let pull = || {
            let length = u64::from(length).min(self.log_len - self.log_at) as usize;
            let mut bytes: Vec<u8> = Vec::new();
            crate::error::reserve(&mut bytes, length, "reading the log")?;
            bytes.resize(length, 0);
            HandleSink::new(handle, true)?.read_exact_at(self.log_at, &mut bytes)?;
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

type Sink = Box<dyn ByteSink>;

fn sinks(data: FileSystemSyncAccessHandle, log: FileSystemSyncAccessHandle, lend_views: bool) -> Result<(Sink, Sink), JsValue> {
    let data = HandleSink::new(data, lend_views).or_throw()?;
    let log = HandleSink::new(log, lend_views).or_throw()?;
    Ok((Box::new(data), Box::new(log)))
}

/// Search results; see `core.d.ts` for the wire forms.
#[wasm_bindgen]
pub struct Hits {
    wire: Vec<u8>,
    scores: Vec<f32>,
    vectors: Option<Vec<f32>>,
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
    pub fn count(&self) -> u32 {
        self.scores.len() as u32
    }
}

/// Records asked for by their ids.
#[wasm_bindgen]
pub struct Found {
    wire: Vec<u8>,
    vectors: Vec<f32>,
}

#[wasm_bindgen]
impl Found {
    #[wasm_bindgen(getter)]
    pub fn wire(&self) -> Uint8Array {
        Uint8Array::from(self.wire.as_slice())
    }

    #[wasm_bindgen(getter)]
    pub fn vectors(&self) -> Float32Array {
        Float32Array::from(self.vectors.as_slice())
    }
}

/// Some records of a collection.
#[wasm_bindgen]
pub struct Page {
    found: Found,
    count: u32,
    more: bool,
}

#[wasm_bindgen]
impl Page {
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

/// Bytes and numbers of results, with memory asked for before it is taken.
#[derive(Default)]
struct Writer {
    wire: Vec<u8>,
    vectors: Vec<f32>,
}

impl Writer {
    fn room(&mut self, bytes: usize) -> Fallible<()> {
        crate::error::reserve(&mut self.wire, bytes, "results")
    }

    fn str(&mut self, text: &str) -> Fallible<()> {
        self.room(text.len() + 8)?;
        op::put_str(&mut self.wire, text);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Fallible<()> {
        self.room(bytes.len())?;
        self.wire.extend_from_slice(bytes);
        Ok(())
    }

    fn vector(&mut self, vector: &[f32]) -> Fallible<()> {
        crate::error::reserve(&mut self.vectors, vector.len(), "results")?;
        self.vectors.extend_from_slice(vector);
        Ok(())
    }
}

#[wasm_bindgen(js_name = Store)]
pub struct JsStore(Store);

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
            r#"{{"logBytes":{},"logFrames":{},"dataBytes":{},"created":{}}}"#,
            cut.log_bytes, cut.log_frames, cut.data_bytes, cut.created
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

    #[wasm_bindgen(js_name = stageUpsert)]
    pub fn stage_upsert(&mut self, collection: &str, count: u32, batch: &[u8], vectors: &Float32Array) -> Result<u32, JsValue> {
        let fill = |matrix: &mut Matrix, first| copy_rows(vectors, matrix, first);
        let floats = vectors.length() as usize;
        Ok(self.0.stage_upsert_with(collection, count as usize, batch, floats, fill).or_throw()? as u32)
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

    #[wasm_bindgen(getter, js_name = stagedBytes)]
    pub fn staged_bytes(&self) -> f64 {
        self.0.staged_bytes() as f64
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

    pub fn collections(&self) -> Vec<String> {
        self.0.collections()
    }

    #[wasm_bindgen(js_name = getMeta)]
    pub fn get_meta(&self, collection: &str) -> Uint8Array {
        Uint8Array::from(self.0.meta_bytes(collection))
    }

    pub fn count(&self, collection: Option<String>, filter: &[u8]) -> Result<f64, JsValue> {
        let filter = Filter::decode(filter).or_throw()?;
        Ok(self.0.count(collection.as_deref(), &filter) as f64)
    }

    pub fn get(&self, collection: &str, count: u32, wire: &[u8]) -> Result<Found, JsValue> {
        let get = || {
            let mut out = Writer::default();
            for id in ids(wire, count as usize) {
                match self.0.find(collection, id?) {
                    None => out.bytes(&[0])?,
                    Some(doc) => {
                        out.bytes(&[1])?;
                        out.bytes(self.0.doc_parts(doc).2)?;
                        out.vector(self.0.doc_vector(doc))?;
                    }
                }
            }
            Ok::<_, Error>(Found { wire: out.wire, vectors: out.vectors })
        };
        get().or_throw()
    }

    pub fn records(&self, collection: &str, filter: &[u8], after: Option<String>, limit: u32) -> Result<Page, JsValue> {
        let page = || {
            let (docs, more) = self.0.page(collection, &Filter::decode(filter)?, after.as_deref(), limit as usize)?;
            let mut out = Writer::default();
            for doc in &docs {
                let (_, id, attrs) = self.0.doc_parts(*doc);
                out.str(id)?;
                out.bytes(attrs)?;
                out.vector(self.0.doc_vector(*doc))?;
            }
            Ok::<_, Error>(Page { found: Found { wire: out.wire, vectors: out.vectors }, count: docs.len() as u32, more })
        };
        page().or_throw()
    }

    pub fn search(
        &self,
        query: &[f32],
        collections: Option<Vec<String>>,
        top_k: f64,
        min_score: f64,
        filter: &[u8],
        with_vectors: bool,
    ) -> Result<Hits, JsValue> {
        let search = || {
            let names: Option<Vec<&str>> = collections.as_ref().map(|names| names.iter().map(String::as_str).collect());
            let found = self.0.search_docs(
                query,
                &Query {
                    collections: names.as_deref(),
                    top_k: size(top_k, "topK")?.try_into().unwrap_or(usize::MAX),
                    min_score: (!min_score.is_nan()).then_some(min_score as f32),
                    filter: Filter::decode(filter)?,
                },
            )?;
            let mut out = Writer::default();
            let mut scores = Vec::new();
            crate::error::reserve(&mut scores, found.len(), "results")?;
            for hit in found {
                let (collection, id, attrs) = self.0.doc_parts(hit.doc);
                out.str(collection)?;
                out.str(id)?;
                out.bytes(attrs)?;
                scores.push(hit.score);
                if with_vectors {
                    out.vector(self.0.doc_vector(hit.doc))?;
                }
            }
            Ok::<_, Error>(Hits { wire: out.wire, scores, vectors: with_vectors.then_some(out.vectors) })
        };
        search().or_throw()
    }

    pub fn footprint(&self) -> String {
        let f = self.0.footprint();
        format!(
            r#"{{"rows":{},"deadRows":{},"dimension":{},"vectorBytes":{},"docCount":{},"memoryBytes":{},"diskBytes":{},"readableBy":"{}"}}"#,
            f.rows, f.dead_rows, f.dimension, f.vector_bytes, f.doc_count, f.memory_bytes, f.disk_bytes, f.readable_by
        )
    }

    #[wasm_bindgen(getter, js_name = deadRatio)]
    pub fn dead_ratio(&self) -> f32 {
        self.0.dead_ratio()
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
    pub fn compact_step(&mut self) -> Result<bool, JsValue> {
        self.0.compact_step().or_throw()
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
