//! Salvage: reads from a store all that is still good, and writes it anew elsewhere, as a compaction does. The damaged
//! bytes stay as they are.

use super::Store;
use super::index::{DEAD, Index};
use super::open::OpenOptions;
use crate::Result;
use crate::error::fail;
use crate::segment::op::Op;
use crate::segment::rescue::{LogDamage, Rescue};
use crate::segment::{DataFound, DataReader, DataSegment, LogContents, LogSegment};
use crate::sink::ByteSource;

/// The report of a salvage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// The counts of what was read of the log, and of what could not be read.
    pub log: LogDamage,
    /// The number of documents that were dropped because their rows are not in the data.
    pub missing_rows: u64,
    /// The number of documents that were dropped because their rows do not have unit length, or because a later
    /// document has the same row.
    pub damaged_rows: u64,
    /// The number of rows that none of the operations that were read names.
    pub unnamed_rows: u64,
    /// The bytes of a partial row at the end of the data.
    pub data_bytes: u64,
}

/// A store that is being salvaged. It is fed like an [`Opening`](super::Opening), with the data's header before the
/// log.
pub struct Salvage {
    data: DataReader,
    rescue: Rescue,
    index: Index,
    found: Salvaged,
}

impl Salvage {
    /// Begins a salvage of streams of these lengths, in bytes. A dimension that is given is used instead of the one in
    /// the data's header.
    pub fn new(dimension: Option<usize>, data_len: u64, log_len: u64) -> Result<Self> {
        let data = DataReader::lenient(data_len, dimension)?;
        Ok(Self { data, rescue: Rescue::new(log_len), index: Index::default(), found: Salvaged::default() })
    }

    /// Takes the next bytes of the data.
    pub fn feed_data(&mut self, bytes: &[u8]) -> Result<()> {
        self.data.feed(bytes)
    }

    /// Reads at most `most` further bytes of the data from a source. Returns how many were read: 0 at the end.
    pub fn pull_data(&mut self, source: &mut dyn ByteSource, most: usize) -> Result<usize> {
        self.data.pull(source, most)
    }

    /// Takes the next bytes of the log. All of the data must have been fed before.
    pub fn feed_log(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { data, rescue, index, found } = self;
        let rows = data.rows().unwrap_or(0);
        rescue.feed(bytes, &mut |op| replay(index, found, op, rows))
    }

    /// Ends the reading. Returns a store that is in memory, and the report. A compaction then writes the store to new
    /// sinks, and `transactional` says whether a transactional host commits those.
    pub fn finish(self, transactional: bool) -> Result<(Store, Salvaged)> {
        let Self { data, rescue, mut index, mut found } = self;
        let rows = data.rows().unwrap_or(0);
        found.log = rescue.finish(&mut |op| replay(&mut index, &mut found, op, rows))?;
        let DataFound::Rows { matrix, cut_bytes } = data.finish()? else {
            fail!(Corrupt, "the data has no header: pass the store's dimension")
        };
        found.data_bytes = cut_bytes;
        found.unnamed_rows = index.unnamed(matrix.len()) as u64;
        for row in 0..index.rows() {
            let owner = index.owner(row);
            if owner != DEAD && !intact(matrix.row(row)) {
                drop_doc(&mut index, owner)?;
                found.damaged_rows += 1;
            }
        }
        let segment = DataSegment::with_rows(None, matrix);
        let store = Store::of(
            OpenOptions { transactional, ..OpenOptions::default() },
            segment,
            LogSegment::new(None, LogContents::default(), transactional),
            index,
        )?;
        Ok((store, found))
    }
}

/// Replays an operation as opening does. But an operation that contradicts the others is dropped and counted.
#[inline(never)]
fn replay(index: &mut Index, found: &mut Salvaged, op: Op<'_>, rows: u64) -> Result<()> {
    if let Op::Upsert { collection, id, row, .. } = op {
        if row >= rows {
            found.missing_rows += 1;
            return index.replay(Op::Create { collection }, rows);
        }
        // The row was written again after a cut, so its bytes belong to the later document.
        let owner = if (row as usize) < index.rows() { index.owner(row as usize) } else { DEAD };
        if owner != DEAD && index.find_collection(collection).and_then(|number| index.find(number, id)) != Some(owner) {
            found.damaged_rows += 1;
            drop_doc(index, owner)?;
        }
    }
    index.replay(op, rows)
}

fn drop_doc(index: &mut Index, doc: u32) -> Result<()> {
    index.reserve(0, 1, 0)?;
    let doc = index.doc(doc);
    index.delete_item(doc.collection, doc.item);
    Ok(())
}

/// Returns whether this store can have written the row: it has length 1, within the rounding of f32, or is too short to
/// be scaled.
fn intact(row: &[f32]) -> bool {
    let norm_squared: f64 = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let rounding = 1e-4 + row.len() as f64 / (1 << 23) as f64;
    (norm_squared - 1.0).abs() <= rounding || norm_squared < 1e-23
}
