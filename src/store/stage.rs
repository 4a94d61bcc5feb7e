//! Staging: operations are checked and encoded in order. Each sees those before it, and the store itself stays as it
//! is.

use super::Store;
use super::arena::ArenaMark;
use super::staged::StagedMark;
use crate::error::{fail, zeros};
use crate::search::kernel;
use crate::segment::op::{self, AttrsScan, Bad, Reader};
use crate::{Meta, Result};

/// The number of numbers in a tile, about 64 KB of rows. They are checked and scaled together, and are still in the
/// cache when they are copied into the matrix.
const TILE: usize = 1 << 14;
/// The most rows in a tile.
const MOST: usize = 64;

pub(super) struct Mark {
    staged: StagedMark,
    rows: usize,
    arena: ArenaMark,
}

impl Mark {
    pub fn staged(&self) -> &StagedMark {
        &self.staged
    }
}

#[cold]
fn not_storable(record: usize, id: &str, vector: &[f32]) -> crate::Error {
    let what = match vector.iter().position(|x| !x.is_finite()) {
        Some(at) => {
            let x = vector[at];
            let name = if x.is_nan() {
                "NaN"
            } else if x > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            format!("vector[{at}] is {name} as a 32-bit float; vectors take numbers up to 3.4e38")
        }
        None => "the vector is too long: its squared norm overflows a 32-bit float".to_string(),
    };
    crate::error(crate::Code::InvalidArgument, format!("record {record} (id \"{id}\"): {what}"))
}

impl Store {
    pub(super) fn mark(&mut self) -> Mark {
        let arena = self.index.arena.mark();
        Mark { staged: self.staged.mark(arena), rows: self.data.matrix().len(), arena }
    }

    /// Removes what an operation has staged since `mark`, after it failed.
    #[inline(never)]
    pub(super) fn unstage(&mut self, mark: &Mark) {
        self.staged.back_to(&mark.staged);
        self.data.unstage(mark.rows);
        self.index.arena.back_to(mark.arena);
    }

    pub(super) fn drop_staged(&mut self) {
        if let Some(arena) = self.staged.clear() {
            self.index.arena.back_to(arena);
        }
        self.data.unstage(0);
        self.receipts.drop_staged();
    }

    /// Removes everything that is staged and not written.
    pub fn unstage_all(&mut self) {
        if !self.staged.is_written() {
            self.drop_staged();
        }
    }

    /// Returns the number of bytes that are staged: rows and log frames.
    pub fn staged_bytes(&self) -> usize {
        let rows = self.data.matrix().len() - self.data.row_count();
        rows * self.dimension() * 4 + self.staged.run().bytes().len()
    }

    /// Calls `each` with the id of every document that staged operations upsert or delete, in the order of the
    /// operations. Operations that are written and not yet applied count, too. An id that is touched several times
    /// comes several times.
    pub fn each_staged_id(&self, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        self.staged.each_id(&self.index, each)
    }

    /// Stages the creation of a collection. Returns true if the collection did not exist.
    pub fn stage_create(&mut self, collection: &str) -> Result<bool> {
        self.check_writable()?;
        self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        if self.staged.exists(seen) {
            return Ok(false);
        }
        self.staged.create(&mut self.index, seen, true)?;
        Ok(true)
    }

    /// Stages the removal of a collection with its documents. Returns true if the collection existed.
    pub fn stage_drop(&mut self, collection: &str) -> Result<bool> {
        self.check_writable()?;
        self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        if !self.staged.exists(seen) {
            return Ok(false);
        }
        self.staged.drop_collection(&mut self.index, seen)?;
        Ok(true)
    }

    /// Replaces the metadata of a collection. Creates the collection if it does not exist. `meta` is an encoded map of
    /// strings.
    pub fn stage_set_meta(&mut self, collection: &str, meta: &[u8]) -> Result<()> {
        self.check_writable()?;
        let mark = self.mark();
        let meta = op::canonical(meta, op::skip_str)?;
        let seen = self.staged.see(&self.index, collection)?;
        if !self.staged.exists(seen) {
            self.staged.create(&mut self.index, seen, false)?;
        }
        if let Err(error) = self.staged.set_meta(seen, meta) {
            self.forget_creation(seen, &mark);
            return Err(error);
        }
        Ok(())
    }

    /// Does what [`stage_set_meta`](Self::stage_set_meta) does, from a map.
    pub fn stage_set_meta_map(&mut self, collection: &str, meta: &Meta) -> Result<()> {
        let mut bytes = Vec::new();
        op::put_meta(&mut bytes, meta);
        self.stage_set_meta(collection, &bytes)
    }

    fn forget_creation(&mut self, seen: usize, mark: &Mark) {
        self.staged.uncreate(seen, &mark.staged);
        self.unstage(mark);
    }

    /// Upserts `count` records. `batch` has their ids and attributes (see [`Batch`](crate::Batch)), and `vectors` their
    /// vectors, row by row. Creates the collection if it does not exist, also for an empty batch. Returns `count`.
    pub fn stage_upsert(&mut self, collection: &str, count: usize, batch: &[u8], vectors: &[f32]) -> Result<usize> {
        let floats = vectors.len();
        self.stage_upsert_with(collection, count, batch, floats, 0, &mut |from, rows| {
            rows.copy_from_slice(&vectors[from..][..rows.len()]);
        })
    }

    /// Does what [`stage_upsert`](Self::stage_upsert) does, and copies the vectors piece by piece. They have `floats`
    /// numbers in all. `fill(from, rows)` fills `rows` with the numbers from `from` on. Errors call the first record
    /// number `before`.
    pub fn stage_upsert_with(
        &mut self,
        collection: &str,
        count: usize,
        batch: &[u8],
        floats: usize,
        before: usize,
        fill: &mut dyn FnMut(usize, &mut [f32]),
    ) -> Result<usize> {
        self.check_writable()?;
        if Some(floats) != count.checked_mul(self.dimension()) {
            fail!(
                DimensionMismatch,
                "the batch has {count} records and {floats} numbers; the dimension is {}",
                self.dimension()
            );
        }
        self.check_capacity(count)?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        if let Err(error) = self.stage_records(seen, count, batch, before, fill) {
            self.staged.untouch(&self.index, seen, &mark.staged);
            self.forget_creation(seen, &mark);
            return Err(error);
        }
        self.staged.count_upserts(seen, count);
        Ok(count)
    }

    fn check_capacity(&self, count: usize) -> Result<()> {
        let Some(max) = self.options.max_vector_bytes else { return Ok(()) };
        let rows = self.data.matrix().len() as u64 + count as u64;
        let bytes = rows.saturating_mul(self.dimension() as u64 * 4);
        if bytes > max {
            fail!(
                Capacity,
                "the vectors would take {bytes} bytes, more than maxVectorBytes ({max}); compact() frees dead rows"
            );
        }
        Ok(())
    }

    fn stage_records(
        &mut self,
        seen: usize,
        count: usize,
        batch: &[u8],
        before: usize,
        fill: &mut dyn FnMut(usize, &mut [f32]),
    ) -> Result<()> {
        if !self.staged.exists(seen) {
            self.staged.create(&mut self.index, seen, true)?;
        }
        self.staged.reserve_upserts(&mut self.index, seen, count)?;
        let first = self.data.stage(count)?;
        let dimension = self.dimension();
        let rows = (TILE / dimension).clamp(8, MOST) & !7;
        let (mut tile, mut norms) = (Vec::new(), [0.0; MOST]);
        zeros(&mut tile, rows.min(count) * dimension, "staging")?;
        let mut reader = Reader::new(batch);
        for n in 0..count {
            let malformed =
                |bad: Bad| bad.error(crate::Code::InvalidArgument, &format!("record {} of the batch", before + n));
            let id = reader.str().map_err(malformed)?;
            let attrs = reader.attrs().map_err(malformed)?;
            self.check_newer(attrs, before + n, id)?;
            if n % rows == 0 {
                let tile = &mut tile[..rows.min(count - n) * dimension];
                fill(n * dimension, tile);
                kernel::norms_squared(tile, dimension, &mut norms);
                tile.chunks_exact_mut(dimension).zip(norms).for_each(|(row, norm)| kernel::scale_to_unit(row, norm));
                self.data.matrix_mut().extend(tile);
            }
            if !norms[n % rows].is_finite() {
                return Err(not_storable(before + n, id, self.data.matrix().row(first + n)));
            }
            let sorted;
            let attrs = if attrs.canonical {
                attrs
            } else {
                sorted = op::canonical(attrs.bytes, op::skip_value)?;
                AttrsScan { bytes: &sorted, ..attrs }
            };
            self.staged.upsert(&mut self.index, seen, id, first + n, attrs)?;
        }
        check_end(&reader, count)
    }

    #[inline(never)]
    pub(super) fn check_newer(&self, attrs: AttrsScan<'_>, record: usize, id: &str) -> Result<()> {
        if attrs.newer && self.options.only_0_3 {
            fail!(
                InvalidArgument,
                "record {record} (id \"{id}\") has a float or a date, which native 0.3.0 cannot read (compat)"
            );
        }
        Ok(())
    }
}

/// Fails if anything follows the records of a batch.
#[inline(never)]
pub(super) fn check_end(reader: &Reader<'_>, count: usize) -> Result<()> {
    if reader.left() > 0 {
        fail!(InvalidArgument, "{} bytes too many behind the {count} records of the batch", reader.left());
    }
    Ok(())
}
