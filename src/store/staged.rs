//! What is staged, and what operations that follow see of it.

use hashbrown::HashTable;

use super::arena::{ArenaMark, Item};
use super::index::{Collection, Index};
use crate::Result;
use crate::error::{out_of_memory, reserve};
use crate::hash::{Hasher, hash};
use crate::segment::Run;

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
    pub base: Option<u32>,
    /// The applied one, while effects are applied.
    pub number: Option<u32>,
    pub exists: bool,
    /// The effect that creates it.
    pub created: Option<usize>,
    /// For each id that was touched the last effect on it.
    pub touched: HashTable<u32>,
    /// Documents upserted into it since it was first touched, or created.
    pub upserts: usize,
}

#[derive(Default)]
pub(super) struct Staged {
    pub run: Run,
    pub effects: Vec<Effect>,
    pub seen: Vec<Seen>,
    /// Places in `seen`, by name.
    pub names: HashTable<u32>,
    pub upserts: usize,
    pub deletes: usize,
    pub creates: usize,
    /// Where the arena was before the first staged operation; of no meaning while the run is empty.
    pub arena: ArenaMark,
    /// The sinks have it: it can only be applied, or rolled back.
    pub written: bool,
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
        self.seen.push(Seen { name, base, number: base, exists: base.is_some(), created: None, touched: HashTable::new(), upserts: 0 });
        Ok(self.seen.len() - 1)
    }

    pub fn touched(&self, index: &Index, seen: usize, id: &[u8]) -> Option<u32> {
        let is = |effect: &u32| touched_id(&self.effects, index, *effect) == id;
        self.seen[seen].touched.find(hash(id), is).copied()
    }

    /// The document under `id` as staged operations see it.
    pub fn find(&self, index: &Index, seen: usize, id: &str) -> Option<Item> {
        match self.touched(index, seen, id.as_bytes()) {
            Some(effect) => match self.effects[effect as usize] {
                Effect::Upsert(_, item, _) => Some(item),
                _ => None,
            },
            None => self.seen[seen].base.and_then(|base| index.find(base, id)).map(|doc| index.doc(doc).item),
        }
    }

    /// That effect, which is there or is pushed next, is the last one on this id.
    pub fn touch(&mut self, index: &Index, seen: usize, effect: usize, item: Item) {
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

    pub fn reserve_touched(&mut self, index: &Index, seen: usize, additional: usize) -> Result<()> {
        reserve(&mut self.effects, additional + 1, "staging")?;
        let Self { seen: all, effects, .. } = self;
        let hasher: Hasher<'_> = &|effect| hash(touched_id(effects, index, *effect));
        all[seen].touched.try_reserve(additional, hasher).map_err(|_| out_of_memory("staging", additional * 8))
    }
}
