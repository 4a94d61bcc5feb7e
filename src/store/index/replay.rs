//! Replays the operations of a log into the index.

use super::{Collection, DEAD, Index};
use crate::error::reserve;
use crate::segment::op::{self, Op};
use crate::{Code, Result, error};

impl Index {
    /// Applies one operation of a log. The rows need not have been read yet: the data has at most `max_rows`. Fails
    /// with `CORRUPT` if the operation names a row beyond them, or a row that another document has.
    pub fn replay(&mut self, op: Op<'_>, max_rows: u64) -> Result<()> {
        let collection = match op {
            Op::Drop { collection } => {
                let deletes = self
                    .find_collection(collection)
                    .and_then(|number| self.collection(number))
                    .map_or(0, Collection::len);
                self.reserve(0, deletes, 0)?;
                self.drop_collection(collection);
                return Ok(());
            }
            Op::Delete { collection, id } => {
                if let Some(number) = self.find_collection(collection) {
                    self.reserve(0, 1, 0)?;
                    self.delete(number, id);
                }
                return Ok(());
            }
            Op::Create { collection } | Op::SetMeta { collection, .. } | Op::Upsert { collection, .. } => collection,
        };
        let number = match self.find_again(collection) {
            Some(number) => number,
            None => {
                self.reserve(0, 0, 1)?;
                self.insert_collection(Collection::new(collection)?)
            }
        };
        self.last = number;
        match op {
            Op::SetMeta { meta, .. } => self.set_meta(number, op::canonical(meta, op::skip_str)?),
            Op::Upsert { id, row, attrs, .. } => {
                if row >= max_rows {
                    return Err(row_beyond_data(row));
                }
                let row = row as usize;
                self.reserve_rows(row + 1)?;
                reserve(&mut self.docs, 1, "the index of documents")?;
                let gap = row.saturating_sub(self.owner.len());
                self.skipped_rows += gap;
                self.widest_gap = self.widest_gap.max(gap);
                self.grow_rows(row + 1);
                let owner = self.owner[row];
                if owner != DEAD && self.find(number, id) != Some(owner) {
                    return Err(error(
                        Code::Corrupt,
                        format!("the log gives row {row} to two documents; nothing was changed"),
                    ));
                }
                self.reserve_replayed(number)?;
                let item = if attrs.canonical {
                    self.arena.push(id, attrs.bytes)?
                } else {
                    self.arena.push(id, &op::canonical(attrs.bytes, op::skip_value)?)?
                };
                self.upsert(number, item, row as u32);
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes room for one more document of a collection. A table that is full becomes eight times as large, because each
    /// document is hashed again when its table grows. But it gets no more room than the list of all documents has.
    fn reserve_replayed(&mut self, number: u32) -> Result<()> {
        let Some(collection) = self.collection(number) else { return Ok(()) };
        let len = collection.docs.len();
        if len < collection.docs.capacity() {
            return Ok(());
        }
        let left = self.docs.capacity() - self.docs.len();
        self.reserve_docs(number, (len * 7).min(left).max(1))
    }

    /// Finds a collection. Most operations of a log are for the same one as the operation before.
    fn find_again(&self, name: &str) -> Option<u32> {
        let is_last = self.collection(self.last).is_some_and(|last| last.name == name);
        if is_last { Some(self.last) } else { self.find_collection(name) }
    }
}

pub fn row_beyond_data(row: u64) -> crate::Error {
    error(Code::Corrupt, format!("the log names row {row}, which lies beyond the data; nothing was changed"))
}
