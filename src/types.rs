//! The public types that every module shares.

use std::collections::BTreeMap;

/// A typed attribute. `Null` ("set, and empty") differs from an absent key ("not set").
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A value that says that there is none.
    Null,
    /// A text.
    Str(String),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// A list of texts.
    List(Vec<String>),
    /// Native reads it from 0.52 on.
    Float(f64),
    /// Milliseconds since 1970, UTC. Native reads it from 0.52 on.
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

/// The metadata of a collection.
pub type Meta = BTreeMap<String, String>;

/// A record as the store holds it. Its vector has length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The id, which is unique in its collection.
    pub id: String,
    /// The vector, as many numbers as the dimension of the store.
    pub vector: Vec<f32>,
    /// The attributes by their keys.
    pub attrs: BTreeMap<String, Value>,
}

/// A search result. Lists of them have the best one first.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The collection that the document is in.
    pub collection: String,
    /// The id, which is unique in its collection.
    pub id: String,
    /// The cosine similarity.
    pub score: f32,
    /// The attributes by their keys.
    pub attrs: BTreeMap<String, Value>,
}

/// The size of a store, in bytes unless a field says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// The number of rows in the data segment, dead rows included.
    pub rows: u64,
    /// The number of rows that no document refers to. A compaction would free them.
    pub dead_rows: u64,
    /// The number of rows that have codes, so that a search need not read them.
    pub coded_rows: u64,
    /// The number of numbers in a vector.
    pub dimension: usize,
    /// `rows * dimension * 4`. `max_vector_bytes` limits it.
    pub vector_bytes: u64,
    /// The number of documents in all collections.
    pub doc_count: usize,
    /// On wasm, the size of the whole linear memory. Elsewhere, the size of the store's own tables.
    pub memory_bytes: u64,
    /// The lengths of data and log together.
    pub disk_bytes: u64,
    /// The oldest native nidus that can read the store.
    pub readable_by: &'static str,
}

/// A report on what an opening had to cut off. If the store was closed properly before, all the numbers are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The number of bytes that were cut off the log.
    pub log_bytes: u64,
    /// The number of frames, complete or not, within those bytes, or at least within their first MiB.
    pub log_frames: u64,
    /// The number of bytes of a partial row that were cut off the data.
    pub data_bytes: u64,
    /// True if this opening made the store.
    pub created: bool,
}
