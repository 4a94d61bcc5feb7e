//! Staging: operations are checked and encoded in order, each seeing those before it, while the store stays as it is.

use hashbrown::HashTable;

use super::Store;
use super::arena::ArenaMark;
use super::index::Collection;
use super::staged::{Effect, Staged};
use crate::error::{fail, reserve, zeros};
use crate::search::kernel;
use crate::segment::RunMark;
use crate::segment::op::{self, AttrsScan, Bad, Op, Reader};
use crate::{Meta, Result};

/// Numbers that are scaled while they are near the processor, before they go to where they stay; and rows.
const TILE: usize = 1 << 14;
const MOST: usize = 64;

pub(super) struct Mark {
    run: RunMark,
    pub effects: usize,
    rows: usize,
    arena: ArenaMark,
}

#[cold]
fn not_storable(record: usize, id: &str, vector: &[f32]) -> crate::Error {
    let what = match vector.iter().position(|x| !x.is_finite()) {
        Some(at) => {
            let x = vector[at];
            let name = if x.is_nan() { "NaN" } else if x > 0.0 { "Infinity" } else { "-Infinity" };
            format!("vector[{at}] is {name} as a 32-bit float")
        }
        None => "the vector is too long: its squared norm overflows a 32-bit float".to_string(),
    };
    crate::error(crate::Code::InvalidArgument, format!("record {record} (id \"{id}\"): {what}"))
}

impl Store {
    pub(super) fn mark(&mut self) -> Mark {
        let arena = self.index.arena.mark();
        if self.staged.run.is_empty() {
            // What operations that failed left here is of no use, and its mark may be from before a compaction that packed the arena anew.
            let run = std::mem::take(&mut self.staged.run);
            self.staged = Staged { run, arena, ..Staged::default() };
        }
        Mark { run: self.staged.run.mark(), effects: self.staged.effects.len(), rows: self.data.matrix().len(), arena }
    }

    /// Forgets what an operation staged before it failed. Those that `see` made known stay known: they say only what is true anyway.
    pub(super) fn unstage(&mut self, mark: &Mark) {
        self.staged.run.back_to(mark.run);
        self.staged.effects.truncate(mark.effects);
        self.data.unstage(mark.rows);
        self.index.arena.back_to(mark.arena);
    }

    pub(super) fn drop_staged(&mut self) {
        if !self.staged.run.is_empty() {
            self.index.arena.back_to(self.staged.arena);
        }
        self.data.unstage(0);
        self.receipts.drop_staged();
        let mut run = std::mem::take(&mut self.staged.run);
        run.clear();
        self.staged = Staged { run, ..Staged::default() };
    }

    /// Forgets everything that is staged and not written.
    pub fn unstage_all(&mut self) {
        if !self.staged.written {
            self.drop_staged();
        }
    }

    /// Bytes staged: rows and log frames.
    pub fn staged_bytes(&self) -> usize {
        let rows = self.data.matrix().len() - self.data.row_count();
        rows * self.dimension() * 4 + self.staged.run.bytes().len()
    }

    fn stage_creation(&mut self, seen: usize, logged: bool) -> Result<()> {
        let name = self.staged.seen[seen].name.clone();
        let mut collection = Collection::new(&name)?;
        self.index.reserve_new(&mut collection, 0)?;
        self.staged.creates += 1;
        self.index.reserve(self.staged.upserts, self.staged.deletes, self.staged.creates)?;
        reserve(&mut self.staged.effects, 1, "staging")?;
        if logged {
            self.staged.run.push(&Op::Create { collection: &name })?;
        }
        self.staged.seen[seen].created = Some(self.staged.effects.len());
        self.staged.seen[seen].exists = true;
        self.staged.effects.push(Effect::Create(seen, Some(Box::new(collection))));
        Ok(())
    }

    /// True if the collection was not there.
    pub fn stage_create(&mut self, collection: &str) -> Result<bool> {
        self.check_writable()?;
        self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        if self.staged.seen[seen].exists {
            return Ok(false);
        }
        self.stage_creation(seen, true)?;
        Ok(true)
    }

    /// True if the collection was there.
    pub fn stage_drop(&mut self, collection: &str) -> Result<bool> {
        self.check_writable()?;
        self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        if !self.staged.seen[seen].exists {
            return Ok(false);
        }
        let base = self.staged.seen[seen].base.and_then(|base| self.index.collection(base)).map_or(0, Collection::len);
        self.staged.deletes += base + self.staged.seen[seen].upserts;
        self.index.reserve(self.staged.upserts, self.staged.deletes, self.staged.creates)?;
        reserve(&mut self.staged.effects, 1, "staging")?;
        self.staged.run.push(&Op::Drop { collection })?;
        self.staged.effects.push(Effect::Drop(seen));
        let dropped = &mut self.staged.seen[seen];
        (dropped.base, dropped.exists, dropped.created, dropped.upserts) = (None, false, None, 0);
        dropped.touched = HashTable::new();
        Ok(true)
    }

    /// Replaces the collection's metadata; an absent collection comes to be. `meta` is an encoded map of strings.
    pub fn stage_set_meta(&mut self, collection: &str, meta: &[u8]) -> Result<()> {
        self.check_writable()?;
        let mark = self.mark();
        let meta = op::canonical(meta, op::skip_str)?;
        let seen = self.staged.see(&self.index, collection)?;
        if !self.staged.seen[seen].exists {
            self.stage_creation(seen, false)?;
        }
        let staged = reserve(&mut self.staged.effects, 1, "staging")
            .and_then(|()| self.staged.run.push(&Op::SetMeta { collection, meta: &meta }));
        match staged {
            Ok(()) => self.staged.effects.push(Effect::SetMeta(seen, meta)),
            Err(error) => {
                self.forget_creation(seen, &mark);
                return Err(error);
            }
        }
        Ok(())
    }

    /// [`stage_set_meta`](Self::stage_set_meta) from a map.
    pub fn stage_set_meta_map(&mut self, collection: &str, meta: &Meta) -> Result<()> {
        let mut bytes = Vec::new();
        op::put_meta(&mut bytes, meta);
        self.stage_set_meta(collection, &bytes)
    }

    fn forget_creation(&mut self, seen: usize, mark: &Mark) {
        if self.staged.seen[seen].created.is_some_and(|created| created >= mark.effects) {
            self.staged.seen[seen].created = None;
            self.staged.seen[seen].exists = false;
        }
        self.unstage(mark);
    }

    /// Upserts `count` records: their ids and attributes in `batch` (see [`Batch`](crate::Batch)), their vectors row by row.
    /// A collection that is not there is created, for an empty batch too. Returns `count`.
    pub fn stage_upsert(&mut self, collection: &str, count: usize, batch: &[u8], vectors: &[f32]) -> Result<usize> {
        let floats = vectors.len();
        self.stage_upsert_with(collection, count, batch, floats, 0, &mut |from, rows| rows.copy_from_slice(&vectors[from..][..rows.len()]))
    }

    /// [`stage_upsert`](Self::stage_upsert), `fill` copying the vectors' numbers from a place on. Errors count the records from `before`.
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
            fail!(DimensionMismatch, "{count} vectors of {} numbers are not {floats} numbers", self.dimension());
        }
        self.check_capacity(count)?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        let staged = self.stage_records(seen, collection, count, batch, before, fill);
        match staged {
            Ok(()) => self.staged.seen[seen].upserts += count,
            Err(error) => {
                self.untouch(seen, mark.effects);
                self.forget_creation(seen, &mark);
                return Err(error);
            }
        }
        self.staged.upserts += count;
        Ok(count)
    }

    fn check_capacity(&self, count: usize) -> Result<()> {
        let Some(max) = self.options.max_vector_bytes else { return Ok(()) };
        let rows = self.data.matrix().len() as u64 + count as u64;
        let bytes = rows.saturating_mul(self.dimension() as u64 * 4);
        if bytes > max {
            fail!(Capacity, "the vectors would take {bytes} bytes, more than maxVectorBytes ({max}); compact() frees dead rows");
        }
        Ok(())
    }

    fn stage_records(
        &mut self,
        seen: usize,
        collection: &str,
        count: usize,
        batch: &[u8],
        before: usize,
        fill: &mut dyn FnMut(usize, &mut [f32]),
    ) -> Result<()> {
        if !self.staged.seen[seen].exists {
            self.stage_creation(seen, true)?;
        }
        self.index.reserve(self.staged.upserts + count, self.staged.deletes, self.staged.creates)?;
        let upserts = self.staged.seen[seen].upserts + count;
        match (self.staged.seen[seen].created, self.staged.seen[seen].base) {
            (Some(created), _) => {
                if let Some(Effect::Create(_, Some(collection))) = self.staged.effects.get_mut(created) {
                    self.index.reserve_new(collection, upserts)?;
                }
            }
            (None, Some(base)) => self.index.reserve_docs(base, upserts)?,
            (None, None) => {}
        }
        self.staged.reserve_touched(&self.index, seen, count)?;
        let first = self.data.stage(count)?;
        let dimension = self.dimension();
        let rows = (TILE / dimension).clamp(8, MOST) & !7;
        let (mut tile, mut norms) = (Vec::new(), [0.0; MOST]);
        zeros(&mut tile, rows.min(count) * dimension, "staging")?;
        let mut reader = Reader::new(batch);
        for n in 0..count {
            let malformed = |bad: Bad| bad.error(crate::Code::InvalidArgument, &format!("record {} of the batch", before + n));
            let id = reader.str().map_err(malformed)?;
            let attrs = reader.attrs().map_err(malformed)?;
            if attrs.newer && self.options.only_0_3 {
                fail!(InvalidArgument, "record {} (id \"{id}\") has a float or a date, which native 0.3.0 cannot read (compat)", before + n);
            }
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
            self.staged.run.push(&Op::Upsert { collection, id, row: (first + n) as u64, attrs, named: false })?;
            let item = self.index.arena.push(id, attrs.bytes)?;
            self.staged.touch(&self.index, seen, self.staged.effects.len(), item);
            self.staged.effects.push(Effect::Upsert(seen, item, (first + n) as u32));
        }
        if reader.left() > 0 {
            fail!(InvalidArgument, "{} bytes too many behind the {count} records of the batch", reader.left());
        }
        Ok(())
    }

    /// Effects from `from` on are about to be forgotten: ids touched by them are seen as they were before. (Had the collection been
    /// dropped before them, nothing but its new creation could have touched an id since: so all that follow the creation count.)
    pub(super) fn untouch(&mut self, seen: usize, from: usize) {
        if self.staged.effects.len() == from {
            return;
        }
        self.staged.seen[seen].touched.clear();
        for n in self.staged.seen[seen].created.unwrap_or(0)..from {
            if let Effect::Upsert(of, item, _) | Effect::Delete(of, item) = self.staged.effects[n]
                && of == seen
            {
                self.staged.touch(&self.index, seen, n, item);
            }
        }
    }
}
