//! Staging: operations are checked and encoded in order, each seeing those before it, while the store stays as it is.

use hashbrown::HashTable;

use super::Store;
use super::arena::{ArenaMark, Item};
use super::index::{Collection, Index};
use crate::hash::{Hasher, hash};
use crate::error::{fail, out_of_memory, reserve, zeros};
use crate::order::sort_by;
use crate::search::{Filter, kernel};
use crate::segment::log::{Run, RunMark};
use crate::segment::op::{self, AttrsScan, Bad, Op, Reader};
use crate::{Meta, Result};

/// Numbers that are scaled while they are near the processor, before they go to where they stay; and rows.
const TILE: usize = 1 << 14;
const MOST: usize = 64;

/// What applying does, all memory for it taken beforehand. The first number is that of the collection as [`Staged`] sees it.
pub(super) enum Effect {
    /// The collection, until it is applied.
    Create(usize, Option<Box<Collection>>),
    Drop(usize),
    SetMeta(usize, Vec<u8>),
    Upsert(usize, Item, u32),
    Delete(usize, Item),
}

/// A collection as the staged operations see it.
pub(super) struct Seen {
    pub name: String,
    /// The applied one, as long as its documents show through.
    base: Option<u32>,
    /// The applied one, while effects are applied.
    pub number: Option<u32>,
    exists: bool,
    /// The effect that creates it.
    created: Option<usize>,
    /// For each id that was touched the last effect on it.
    touched: HashTable<u32>,
    /// Documents upserted into it since it was first touched, or created.
    upserts: usize,
}

#[derive(Default)]
pub(super) struct Staged {
    pub run: Run,
    pub effects: Vec<Effect>,
    pub seen: Vec<Seen>,
    upserts: usize,
    deletes: usize,
    creates: usize,
    /// Where the arena was before the first staged operation; of no meaning while the run is empty.
    arena: ArenaMark,
    /// The sinks have it: it can only be applied, or rolled back.
    pub written: bool,
}

struct Mark {
    run: RunMark,
    effects: usize,
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

/// The id of the document that an effect touches.
fn touched_id<'a>(effects: &[Effect], index: &'a Index, effect: u32) -> &'a [u8] {
    match &effects[effect as usize] {
        Effect::Upsert(_, item, _) | Effect::Delete(_, item) => index.arena.id_bytes(*item),
        _ => &[],
    }
}

impl Staged {
    /// What staged operations see under `name`, a number that stays theirs.
    fn see(&mut self, index: &Index, name: &str) -> Result<usize> {
        // The one used last is most often the one asked for.
        if let Some(seen) = self.seen.iter().rposition(|seen| seen.name == name) {
            return Ok(seen);
        }
        reserve(&mut self.seen, 1, "staging")?;
        let base = index.find_collection(name);
        let name = name.to_string();
        self.seen.push(Seen { name, base, number: base, exists: base.is_some(), created: None, touched: HashTable::new(), upserts: 0 });
        Ok(self.seen.len() - 1)
    }

    fn touched(&self, index: &Index, seen: usize, id: &[u8]) -> Option<u32> {
        let is = |effect: &u32| touched_id(&self.effects, index, *effect) == id;
        self.seen[seen].touched.find(hash(id), is).copied()
    }

    /// The document under `id` as staged operations see it.
    fn find(&self, index: &Index, seen: usize, id: &str) -> Option<Item> {
        match self.touched(index, seen, id.as_bytes()) {
            Some(effect) => match self.effects[effect as usize] {
                Effect::Upsert(_, item, _) => Some(item),
                _ => None,
            },
            None => self.seen[seen].base.and_then(|base| index.find(base, id)).map(|doc| index.doc(doc).item),
        }
    }

    /// That effect, which is there or is pushed next, is the last one on this id.
    fn touch(&mut self, index: &Index, seen: usize, effect: usize, item: Item) {
        let effect = effect as u32;
        let id = index.arena.id_bytes(item);
        let hashed = hash(id);
        let Self { seen: all, effects, .. } = self;
        match all[seen].touched.find_mut(hashed, |effect| touched_id(effects, index, *effect) == id) {
            Some(last) => *last = effect,
            None => {
                let hasher: Hasher<'_> = &|effect| hash(touched_id(effects, index, *effect));
                all[seen].touched.insert_unique(hashed, effect, hasher);
            }
        }
    }

    fn reserve_touched(&mut self, index: &Index, seen: usize, additional: usize) -> Result<()> {
        reserve(&mut self.effects, additional + 1, "staging")?;
        let Self { seen: all, effects, .. } = self;
        let hasher: Hasher<'_> = &|effect| hash(touched_id(effects, index, *effect));
        all[seen].touched.try_reserve(additional, hasher).map_err(|_| out_of_memory("staging", additional * 8))
    }
}

impl Store {
    fn mark(&mut self) -> Mark {
        let arena = self.index.arena.mark();
        if self.staged.run.is_empty() {
            // What operations that failed left here is of no use, and its mark may be from before a compaction that packed the arena anew.
            let run = std::mem::take(&mut self.staged.run);
            self.staged = Staged { run, arena, ..Staged::default() };
        }
        Mark { run: self.staged.run.mark(), effects: self.staged.effects.len(), rows: self.data.matrix().len(), arena }
    }

    /// Forgets what an operation staged before it failed. Those that `see` made known stay known: they say only what is true anyway.
    fn unstage(&mut self, mark: &Mark) {
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
            self.staged.run.push(&Op::Upsert { collection, id, row: (first + n) as u64, attrs })?;
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
    fn untouch(&mut self, seen: usize, from: usize) {
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

    /// Deletes those of the ids that are there; returns how many they were.
    pub fn stage_delete<'a>(&mut self, collection: &str, ids: impl Iterator<Item = Result<&'a str>>) -> Result<usize> {
        self.check_writable()?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        let staged = self.stage_deletes(seen, collection, ids);
        if staged.is_err() {
            self.untouch(seen, mark.effects);
            self.unstage(&mark);
        }
        staged
    }

    fn stage_deletes<'a>(&mut self, seen: usize, collection: &str, ids: impl Iterator<Item = Result<&'a str>>) -> Result<usize> {
        let mut count = 0;
        for id in ids {
            if let Some(item) = self.staged.find(&self.index, seen, id?) {
                self.stage_delete_item(seen, collection, item, count)?;
                count += 1;
            }
        }
        self.staged.deletes += count;
        Ok(count)
    }

    /// One that is there, `before` others being staged by the same operation.
    fn stage_delete_item(&mut self, seen: usize, collection: &str, item: Item, before: usize) -> Result<()> {
        self.staged.reserve_touched(&self.index, seen, 1)?;
        self.index.reserve(self.staged.upserts, self.staged.deletes + before + 1, self.staged.creates)?;
        self.staged.run.push(&Op::Delete { collection, id: self.index.arena.id(item) })?;
        self.staged.touch(&self.index, seen, self.staged.effects.len(), item);
        self.staged.effects.push(Effect::Delete(seen, item));
        Ok(())
    }

    /// Deletes the documents that match, in the order of their ids; returns how many they were.
    pub fn stage_delete_where(&mut self, collection: &str, filter: &Filter) -> Result<usize> {
        self.check_writable()?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        let mut items: Vec<Item> = Vec::new();
        let mut add = |item: Item| {
            if filter.matches(self.index.arena.attrs(item)) {
                reserve(&mut items, 1, "ids to delete")?;
                items.push(item);
            }
            Ok::<(), crate::Error>(())
        };
        if let Some(base) = self.staged.seen[seen].base.and_then(|base| self.index.collection(base)) {
            for doc in base.docs() {
                let item = self.index.doc(doc).item;
                if self.staged.touched(&self.index, seen, self.index.arena.id_bytes(item)).is_none() {
                    add(item)?;
                }
            }
        }
        for effect in self.staged.seen[seen].touched.iter() {
            if let Effect::Upsert(_, item, _) = self.staged.effects[*effect as usize] {
                add(item)?;
            }
        }
        let id = |n: u32| self.index.arena.id_bytes(items[n as usize]);
        let mut order: Vec<u32> = Vec::new();
        reserve(&mut order, items.len(), "ids to delete")?;
        order.extend(0..items.len() as u32);
        sort_by(&mut order, &|a, b| id(a).cmp(id(b)))?;
        let mut items = order.iter().map(|n| items[*n as usize]).enumerate();
        if let Err(error) = items.try_for_each(|(before, item)| self.stage_delete_item(seen, collection, item, before)) {
            self.untouch(seen, mark.effects);
            self.unstage(&mark);
            return Err(error);
        }
        self.staged.deletes += order.len();
        Ok(order.len())
    }
}
