//! Records on their way into a store.

use super::op;
use crate::Value;

/// Ids and attributes of records on their way into a store, in the form that `stage_upsert` takes: the log's own encoding.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    len: usize,
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Keys in any order; of equal keys the last counts.
    pub fn push(&mut self, id: &str, attrs: &[(&str, Value)]) {
        op::put_str(&mut self.bytes, id);
        op::put_attrs(&mut self.bytes, attrs.iter().map(|(key, value)| (*key, value)), attrs.len());
        self.len += 1;
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
