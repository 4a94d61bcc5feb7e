//! Records to be written into a store.

use super::changes::GONE;
use super::op;
use crate::Value;

/// The ids and attributes of records to be written, in the form that `stage_upsert` takes: the log's own encoding.
/// Or the ids of records and the changes to their attributes, in the form that `stage_update` takes.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    len: usize,
}

impl Batch {
    /// Returns a batch without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record. The keys may come in any order. If a key occurs twice, the last value counts.
    pub fn push(&mut self, id: &str, attrs: &[(&str, Value)]) {
        op::put_str(&mut self.bytes, id);
        op::put_attrs(&mut self.bytes, attrs.iter().map(|(key, value)| (*key, value)), attrs.len());
        self.len += 1;
    }

    /// Adds changes to the attributes of a record, for `stage_update`. A key without a value is removed. If a key
    /// occurs twice, the last change counts.
    pub fn push_changes(&mut self, id: &str, changes: &[(&str, Option<Value>)]) {
        op::put_str(&mut self.bytes, id);
        self.bytes.extend_from_slice(&(changes.len() as u64).to_le_bytes());
        for (key, value) in changes {
            op::put_str(&mut self.bytes, key);
            match value {
                Some(value) => op::put_value(&mut self.bytes, value),
                None => self.bytes.extend_from_slice(&GONE.to_le_bytes()),
            }
        }
        self.len += 1;
    }

    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the encoded records, for `stage_upsert` or `stage_update`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
