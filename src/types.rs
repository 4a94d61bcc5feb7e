//! The public types that every module shares.

use std::collections::BTreeMap;

/// A typed attribute. `Null` ("set, and empty") differs from an absent key ("not set").
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Str(String),
    Int(i64),
    Bool(bool),
    List(Vec<String>),
    /// Read by native from 0.52 on.
    Float(f64),
    /// Milliseconds since 1970, UTC. Read by native from 0.52 on.
    DateTime(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Str(text.into())
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Value::Int(int)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Value::Bool(bool)
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Value::Float(float)
    }
}

/// A collection's own metadata.
pub type Meta = BTreeMap<String, String>;

/// A record as it lies in a store: its vector as normalized.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: String,
    pub vector: Vec<f32>,
    pub attrs: BTreeMap<String, Value>,
}

/// A search result, best first in a list of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub collection: String,
    pub id: String,
    /// Cosine similarity.
    pub score: f32,
    pub attrs: BTreeMap<String, Value>,
}

/// What a store takes up. Bytes unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Rows in the data segment, dead ones too.
    pub rows: u64,
    /// Rows that no document refers to: what `compact` would free.
    pub dead_rows: u64,
    /// Rows that searches need not read whole.
    pub coded_rows: u64,
    pub dimension: usize,
    /// `rows * dimension * 4`: what `max_vector_bytes` limits.
    pub vector_bytes: u64,
    pub doc_count: usize,
    /// On wasm the whole linear memory, else what the store's own tables hold.
    pub memory_bytes: u64,
    /// Lengths of data and log.
    pub disk_bytes: u64,
    /// The oldest native nidus that can read the store.
    pub readable_by: &'static str,
}

/// What opening had to cut, all zero for a store that was closed in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes cut from the end of the log.
    pub log_bytes: u64,
    /// Frames, whole or begun, within those bytes, or at least within their first MiB.
    pub log_frames: u64,
    /// Bytes of a partial row cut from the end of the data.
    pub data_bytes: u64,
    /// The store was made by this open.
    pub created: bool,
}
