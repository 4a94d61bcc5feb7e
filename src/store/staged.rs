//! The operations that are staged: their log frames, their effects on the index, and what later operations see of them.

use hashbrown::HashTable;

use super::arena::{ArenaMark, Item};
use super::index::{Collection, Index};
use crate::Result;
use crate::error::{out_of_memory, reserve};
use crate::hash::{Hasher, hash};
use crate::segment::op::{AttrsScan, Op};
use crate::segment::receipt::{LEN, Receipt};
use crate::segment::{Run, RunMark};

/// A change that is made when an operation is applied. All memory for it is taken while staging. The first number is
/// the place of the collection in the list `seen` of [`Staged`].
enum Effect {
    /// The new collection, until the effect is applied.
    Create(usize, Option<Box<Collection>>),
    Drop(usize),
    SetMeta(usize, Vec<u8>),
    Upsert(usize, Item, u32),
    Delete(usize, Item),
}

/// A collection as the staged operations see it.
struct Seen {
    name: String,
    /// The number of the applied collection, unless a staged operation has dropped it.
    base: Option<u32>,
    /// The number that the collection has in the index, while effects are applied.
    number: Option<u32>,
    exists: bool,
    /// The place in `effects` of the one that creates it.
    created: Option<usize>,
    /// For each id that was touched, the place of the last effect on it.
    touched: HashTable<u32>,
    /// The number of documents that staged operations upserted into it, since the last of them that dropped it.
    upserts: usize,
}

/// A mark that the staged operations can be cut back to.
pub(super) struct StagedMark {
    run: RunMark,
    effects: usize,
}

#[derive(Default)]
pub(super) struct Staged {
    run: Run,
    effects: Vec<Effect>,
    seen: Vec<Seen>,
    /// Places in `seen`, by name.
    names: HashTable<u32>,
    upserts: usize,
    deletes: usize,
    creates: usize,
    /// The mark of the arena before the first staged operation. It means nothing while the run is empty.
    arena: ArenaMark,
    /// True once the sinks have what is staged. Then it can only be applied or rolled back.
    written: bool,
}

/// Returns the id of the document that an effect touches.
fn touched_id<'a>(effects: &[Effect], index: &'a Index, effect: u32) -> &'a [u8] {
    match &effects[effect as usize] {
        Effect::Upsert(_, item, _) | Effect::Delete(_, item) => index.arena.id_bytes(*item),
        _ => &[],
    }
}

impl Staged {
    pub fn is_empty(&self) -> bool {
        self.run.is_empty()
    }

    pub fn is_written(&self) -> bool {
        self.written
    }

    /// Sets whether the sinks have what is staged.
    pub fn set_written(&mut self, written: bool) {
        self.written = written;
    }

    /// Returns the staged log frames.
    pub fn run(&self) -> &Run {
        &self.run
    }

    pub fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    /// Calls `each` with the id of each document that is upserted or deleted, in the order of the operations.
    pub fn each_id(&self, index: &Index, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        self.effects.iter().try_for_each(|effect| match effect {
            Effect::Upsert(_, item, _) | Effect::Delete(_, item) => each(index.arena.id(*item)),
            _ => Ok(()),
        })
    }

    /// Begins an operation, and returns the mark to go back to if it fails. `arena` is the present mark of the arena.
    pub fn mark(&mut self, arena: ArenaMark) -> StagedMark {
        if self.run.is_empty() {
            // The remains of failed operations are not needed any more. The arena's mark may be from before a
            // compaction that packed the arena anew.
            *self = Self { run: std::mem::take(&mut self.run), arena, ..Self::default() };
        }
        StagedMark { run: self.run.mark(), effects: self.effects.len() }
    }

    /// Removes an operation that failed. Collections that [`see`](Self::see) found stay known, because what is known of
    /// them is true anyway.
    pub fn back_to(&mut self, mark: &StagedMark) {
        self.run.back_to(mark.run);
        self.effects.truncate(mark.effects);
    }

    /// Removes everything that is staged. Returns the mark of the arena before the first operation, if there is one.
    pub fn clear(&mut self) -> Option<ArenaMark> {
        let arena = (!self.run.is_empty()).then_some(self.arena);
        let mut run = std::mem::take(&mut self.run);
        run.clear();
        *self = Self { run, ..Self::default() };
        arena
    }

    /// Adds a frame that changes nothing, if the last frame has a value that native 0.3.0 does not know. See
    /// [`Run::seal`].
    pub fn seal(&mut self) -> Result<()> {
        if !self.run.ends_newer() {
            return Ok(());
        }
        let collection = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Upsert(seen, ..) => Some(self.seen[*seen].name.as_str()),
            _ => None,
        });
        self.run.seal(collection.unwrap_or_default())
    }

    /// Applies what is staged to the index, and returns its frames. Nothing is staged any more. Cannot fail, because
    /// all memory was taken while staging. Calls `changed` for each row that stays and gets other attributes.
    pub fn apply_to(&mut self, index: &mut Index, changed: &mut dyn FnMut(&Index, u32)) -> Run {
        let Self { effects, mut seen, run, .. } = std::mem::take(self);
        for effect in effects {
            match effect {
                Effect::Create(n, collection) => {
                    seen[n].number = collection.map(|collection| index.insert_collection(*collection));
                }
                Effect::Drop(n) => {
                    index.drop_collection(&seen[n].name);
                    seen[n].number = None;
                }
                Effect::SetMeta(n, meta) => {
                    if let Some(number) = seen[n].number {
                        index.set_meta(number, meta);
                    }
                }
                Effect::Upsert(n, item, row) => {
                    if let Some(number) = seen[n].number
                        && index.upsert(number, item, row)
                    {
                        changed(index, row);
                    }
                }
                Effect::Delete(n, item) => {
                    if let Some(number) = seen[n].number {
                        index.delete_item(number, item);
                    }
                }
            }
        }
        run
    }

    /// Keeps the memory of frames that were applied for the next ones.
    pub fn reuse(&mut self, mut run: Run) {
        run.clear();
        self.run = run;
    }

    /// Makes the next operation's frames take memory for `receipts` receipts, too.
    pub fn expect_receipts(&mut self, receipts: usize) {
        self.run.room = LEN * receipts;
    }

    pub fn add_receipts(&mut self, receipts: &[&[Receipt]]) {
        self.run.add_receipts(receipts);
    }

    /// Returns the place in `seen` of the collection `name`. It stays the same as long as anything is staged.
    pub fn see(&mut self, index: &Index, name: &str) -> Result<usize> {
        let Self { seen, names, .. } = self;
        let hashed = hash(name.as_bytes());
        if let Some(found) = names.find(hashed, |at| seen[*at as usize].name == name) {
            return Ok(*found as usize);
        }
        reserve(seen, 1, "staging")?;
        let hasher: Hasher<'_> = &|at| hash(seen[*at as usize].name.as_bytes());
        names.try_reserve(1, hasher).map_err(|_| out_of_memory("staging", 8))?;
        names.insert_unique(hashed, seen.len() as u32, hasher);
        let base = index.find_collection(name);
        let name = name.to_string();
        self.seen.push(Seen {
            name,
            base,
            number: base,
            exists: base.is_some(),
            created: None,
            touched: HashTable::new(),
            upserts: 0,
        });
        Ok(self.seen.len() - 1)
    }

    fn touched(&self, index: &Index, seen: usize, id: &[u8]) -> Option<u32> {
        let is = |effect: &u32| touched_id(&self.effects, index, *effect) == id;
        self.seen[seen].touched.find(hash(id), is).copied()
    }

    /// Returns the document with this id, as the staged operations see it, and its row.
    #[inline(never)]
    pub fn find(&self, index: &Index, seen: usize, id: &str) -> Option<(Item, u32)> {
        match self.touched(index, seen, id.as_bytes()) {
            Some(effect) => match self.effects[effect as usize] {
                Effect::Upsert(_, item, row) => Some((item, row)),
                _ => None,
            },
            None => {
                let doc = self.seen[seen].base.and_then(|base| index.find(base, id)).map(|doc| index.doc(doc));
                doc.map(|doc| (doc.item, doc.row))
            }
        }
    }

    /// Notes that an effect is the last one on the id of `item`. The effect exists already, or is pushed next.
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

    /// Returns whether a staged operation touched the document with this id.
    pub fn touches(&self, index: &Index, seen: usize, id: &[u8]) -> bool {
        self.touched(index, seen, id).is_some()
    }

    /// Returns the documents that the staged operations upserted into a collection and did not delete again.
    pub fn upserted(&self, seen: usize) -> impl Iterator<Item = Item> + '_ {
        self.seen[seen].touched.iter().filter_map(|effect| match self.effects[*effect as usize] {
            Effect::Upsert(_, item, _) => Some(item),
            _ => None,
        })
    }

    pub fn exists(&self, seen: usize) -> bool {
        self.seen[seen].exists
    }

    /// Returns the number of the applied collection, unless a staged operation has dropped it.
    pub fn base(&self, seen: usize) -> Option<u32> {
        self.seen[seen].base
    }

    fn reserve_index(&self, index: &mut Index, upserts: usize, deletes: usize) -> Result<()> {
        index.reserve(self.upserts + upserts, self.deletes + deletes, self.creates)
    }

    /// Stages the creation of a collection. `logged` says that it gets a frame of its own.
    pub fn create(&mut self, index: &mut Index, seen: usize, logged: bool) -> Result<()> {
        let name = self.seen[seen].name.clone();
        let mut collection = Collection::new(&name)?;
        index.reserve_new(&mut collection, 0)?;
        self.creates += 1;
        self.reserve_index(index, 0, 0)?;
        reserve(&mut self.effects, 1, "staging")?;
        if logged {
            self.run.push(&Op::Create { collection: &name })?;
        }
        self.seen[seen].created = Some(self.effects.len());
        self.seen[seen].exists = true;
        self.effects.push(Effect::Create(seen, Some(Box::new(collection))));
        Ok(())
    }

    /// Takes back the creation of the collection, if the operation that began at `mark` created it.
    pub fn uncreate(&mut self, seen: usize, mark: &StagedMark) {
        let seen = &mut self.seen[seen];
        if seen.created.is_some_and(|created| created >= mark.effects) {
            (seen.created, seen.exists) = (None, false);
        }
    }

    pub fn drop_collection(&mut self, index: &mut Index, seen: usize) -> Result<()> {
        let base = self.seen[seen].base.and_then(|base| index.collection(base)).map_or(0, Collection::len);
        self.deletes += base + self.seen[seen].upserts;
        self.reserve_index(index, 0, 0)?;
        reserve(&mut self.effects, 1, "staging")?;
        self.run.push(&Op::Drop { collection: &self.seen[seen].name })?;
        self.effects.push(Effect::Drop(seen));
        let dropped = &mut self.seen[seen];
        (dropped.base, dropped.exists, dropped.created, dropped.upserts) = (None, false, None, 0);
        dropped.touched = HashTable::new();
        Ok(())
    }

    /// Stages the metadata of a collection. `meta` is encoded, with ascending keys.
    #[inline(never)]
    pub fn set_meta(&mut self, seen: usize, meta: Vec<u8>) -> Result<()> {
        reserve(&mut self.effects, 1, "staging")?;
        self.run.push(&Op::SetMeta { collection: &self.seen[seen].name, meta: &meta })?;
        self.effects.push(Effect::SetMeta(seen, meta));
        Ok(())
    }

    /// Returns the number of documents that are upserted or deleted once the operations are applied, or more.
    pub fn changes(&self) -> usize {
        self.upserts + self.deletes
    }

    /// Takes the memory that `count` upserts need, except for their frames.
    #[inline(never)]
    pub fn reserve_upserts(&mut self, index: &mut Index, seen: usize, count: usize) -> Result<()> {
        self.reserve_index(index, count, 0)?;
        let upserts = self.seen[seen].upserts + count;
        match (self.seen[seen].created, self.seen[seen].base) {
            (Some(created), _) => {
                if let Some(Effect::Create(_, Some(collection))) = self.effects.get_mut(created) {
                    index.reserve_new(collection, upserts)?;
                }
            }
            (None, Some(base)) => index.reserve_docs(base, upserts)?,
            (None, None) => {}
        }
        self.reserve_touched(index, seen, count)
    }

    /// Stages an upsert. [`reserve_upserts`](Self::reserve_upserts) must come before it. `attrs` has ascending keys.
    pub fn upsert(&mut self, index: &mut Index, seen: usize, id: &str, row: usize, attrs: AttrsScan<'_>) -> Result<()> {
        let bytes = attrs.bytes;
        self.run.push(&Op::Upsert { collection: &self.seen[seen].name, id, row: row as u64, attrs, named: false })?;
        let item = index.arena.push(id, bytes)?;
        self.touch(index, seen, self.effects.len(), item);
        self.effects.push(Effect::Upsert(seen, item, row as u32));
        Ok(())
    }

    /// Counts the upserts of an operation that is completely staged.
    pub fn count_upserts(&mut self, seen: usize, count: usize) {
        self.seen[seen].upserts += count;
        self.upserts += count;
    }

    /// Stages the deletion of a document that exists. The same operation has deleted `before` others already.
    pub fn delete(&mut self, index: &mut Index, seen: usize, item: Item, before: usize) -> Result<()> {
        self.reserve_touched(index, seen, 1)?;
        self.reserve_index(index, 0, before + 1)?;
        self.run.push(&Op::Delete { collection: &self.seen[seen].name, id: index.arena.id(item) })?;
        self.touch(index, seen, self.effects.len(), item);
        self.effects.push(Effect::Delete(seen, item));
        Ok(())
    }

    /// Counts the deletions of an operation that is completely staged.
    pub fn count_deletes(&mut self, count: usize) {
        self.deletes += count;
    }

    /// Makes the staged operations see the ids of a collection as they were at `mark`. The caller then removes the
    /// effects behind `mark`. Only the effects before it count, and of those only the ones since the collection was
    /// created, if a staged operation created it. Before that, the collection did not exist or was dropped.
    #[inline(never)]
    pub fn untouch(&mut self, index: &Index, seen: usize, mark: &StagedMark) {
        if self.effects.len() == mark.effects {
            return;
        }
        self.seen[seen].touched.clear();
        for n in self.seen[seen].created.unwrap_or(0)..mark.effects {
            if let Effect::Upsert(of, item, _) | Effect::Delete(of, item) = self.effects[n]
                && of == seen
            {
                self.touch(index, seen, n, item);
            }
        }
    }
}
