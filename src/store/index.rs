//! The index: which document is in which row. Collections, documents and the owner of each row are in memory.

mod repack;
mod replay;

use std::cmp::Ordering;

use hashbrown::HashTable;

use super::arena::{Arena, Item};
use super::touched::{SAME_TEXTS, Touched};
use crate::Result;
use crate::attrs::Packed;
use crate::error::{out_of_memory, reserve};
use crate::hash::{Hasher, hash};
use crate::order::sort_by;

pub use repack::Repack;
pub use replay::row_beyond_data;

/// The owner of a dead row.
pub const DEAD: u32 = u32::MAX;

/// The most rows without names, one after the other, that one interrupted write can leave.
const INTERRUPTED_ROWS: usize = 1024;
/// Interrupted writes can have left the rows without names if they are at most one in this many of all rows.
const INTERRUPTED_SHARE: usize = 8;

/// A document. `collection` is the number of its collection.
#[derive(Clone, Copy)]
pub struct Doc {
    pub row: u32,
    pub collection: u32,
    pub item: Item,
}

/// A collection: its encoded metadata, and its documents by id.
#[derive(Default)]
pub struct Collection {
    pub name: String,
    pub meta: Vec<u8>,
    docs: HashTable<u32>,
}

impl Collection {
    pub fn new(name: &str) -> Result<Self> {
        let mut owned = String::new();
        owned.try_reserve_exact(name.len()).map_err(|_| out_of_memory("a collection's name", name.len()))?;
        owned.push_str(name);
        Ok(Self { name: owned, ..Self::default() })
    }

    pub fn len(&self) -> usize {
        self.docs.len()
    }

    /// Iterates over the numbers of the documents, in no order.
    pub fn docs(&self) -> impl Iterator<Item = u32> {
        self.docs.iter().copied()
    }
}

#[derive(Default)]
pub struct Index {
    /// The collections by their numbers. A collection keeps its number as long as it exists.
    collections: Vec<Option<Collection>>,
    /// The numbers of the collections, by name.
    names: HashTable<u32>,
    /// The numbers that no collection has. There is room for all numbers, so that dropping a collection takes no
    /// memory.
    gaps: Vec<u32>,
    docs: Vec<Doc>,
    free: Vec<u32>,
    /// For each row the document in it, or [`DEAD`].
    owner: Vec<u32>,
    pub arena: Arena,
    pub touched: Touched,
    live: usize,
    /// How often a document got other attributes and kept its row, since the log began.
    pub updates: usize,
    /// The number of rows without names that have a row with a name behind them.
    skipped_rows: usize,
    /// The most of those rows that are directly one after the other.
    widest_gap: usize,
    /// The number of the collection that the last replayed operation was for.
    last: u32,
}

impl Index {
    pub fn rows(&self) -> usize {
        self.owner.len()
    }

    /// Returns a number that is greater than that of any document.
    pub fn docs_end(&self) -> usize {
        self.docs.len()
    }

    /// Returns true if no document was ever inserted.
    pub fn is_empty(&self) -> bool {
        self.docs.is_empty()
    }

    pub fn live(&self) -> usize {
        self.live
    }

    /// Returns how many of `rows` rows no replayed operation has named.
    pub fn unnamed(&self, rows: usize) -> usize {
        self.skipped_rows + rows.saturating_sub(self.owner.len())
    }

    /// Returns whether interrupted writes can have left the rows without names. That is so if there are no more of them
    /// in one place than one write leaves, if they are few in all, and if the last row has a name. (At the end of the
    /// data they may also belong to operations that the log has lost.)
    pub fn left_by_writes(&self, rows: usize) -> bool {
        self.widest_gap <= INTERRUPTED_ROWS && self.skipped_rows * INTERRUPTED_SHARE <= rows && rows <= self.owner.len()
    }

    pub fn owner(&self, row: usize) -> u32 {
        self.owner[row]
    }

    /// Returns whether there is a document with this number.
    pub fn lives(&self, doc: u32) -> bool {
        self.docs.get(doc as usize).is_some_and(|found| self.owner.get(found.row as usize) == Some(&doc))
    }

    /// Calls `each` with every document of a collection, in no order. A large collection is read in the order of
    /// memory, which is several times as fast as the order of its table.
    pub fn each_doc(&self, number: u32, collection: &Collection, each: &mut dyn FnMut(u32)) {
        if collection.len() * 4 < self.docs.len() {
            collection.docs().for_each(each);
        } else {
            (0..self.docs_end() as u32)
                .filter(|doc| self.lives(*doc) && self.doc(*doc).collection == number)
                .for_each(each);
        }
    }

    pub fn doc(&self, doc: u32) -> Doc {
        self.docs[doc as usize]
    }

    pub fn id(&self, doc: u32) -> &str {
        self.arena.id(self.doc(doc).item)
    }

    pub fn attrs(&self, doc: u32) -> Packed<'_> {
        self.arena.attrs(self.doc(doc).item)
    }

    /// Orders by collection, then by id, both by their UTF-8 bytes.
    pub fn order(&self, a: u32, b: u32) -> Ordering {
        let (x, y) = (self.doc(a), self.doc(b));
        let collections = if x.collection == y.collection {
            Ordering::Equal
        } else {
            self.name(x.collection).cmp(self.name(y.collection))
        };
        collections.then_with(|| self.arena.id_bytes(x.item).cmp(self.arena.id_bytes(y.item)))
    }

    pub fn name(&self, collection: u32) -> &str {
        self.collection(collection).map_or("", |collection| collection.name.as_str())
    }

    pub fn collection(&self, number: u32) -> Option<&Collection> {
        self.collections.get(number as usize)?.as_ref()
    }

    /// Iterates over the collections in no order.
    pub fn collections(&self) -> impl Iterator<Item = (u32, &Collection)> {
        self.collections
            .iter()
            .enumerate()
            .filter_map(|(number, collection)| Some((number as u32, collection.as_ref()?)))
    }

    pub fn collection_count(&self) -> usize {
        self.names.len()
    }

    /// Returns the numbers of the collections in the order of their names. The list is made for each call. A list that
    /// is kept would have to be shifted for each new collection.
    pub fn sorted_collections(&self) -> Result<Vec<u32>> {
        let mut sorted = Vec::new();
        reserve(&mut sorted, self.names.len(), "the collections")?;
        sorted.extend(self.names.iter());
        sort_by(&mut sorted, &|a, b| self.name(a).cmp(self.name(b)))?;
        Ok(sorted)
    }

    pub fn find_collection(&self, name: &str) -> Option<u32> {
        self.names.find(hash(name.as_bytes()), |number| self.name(*number) == name).copied()
    }

    pub fn find(&self, collection: u32, id: &str) -> Option<u32> {
        let docs = &self.collection(collection)?.docs;
        docs.find(hash(id.as_bytes()), |doc| self.arena.id_bytes(self.docs[*doc as usize].item) == id.as_bytes())
            .copied()
    }

    /// Takes memory for `upserts` more rows and documents, `deletes` deletions and `collections` new collections, so
    /// that applying them cannot fail.
    pub fn reserve(&mut self, upserts: usize, deletes: usize, collections: usize) -> Result<()> {
        self.touched.reserve(upserts + deletes);
        reserve(&mut self.owner, upserts, "the index of rows")?;
        reserve(&mut self.docs, upserts, "the index of documents")?;
        reserve(&mut self.free, deletes, "the index of documents")?;
        if collections == 0 {
            return Ok(());
        }
        reserve(&mut self.collections, collections, "the collections")?;
        let gaps = self.collections.len() + collections - self.gaps.len();
        reserve(&mut self.gaps, gaps, "the collections")?;
        let Self { names, collections: all, .. } = self;
        let hasher: Hasher<'_> = &|number| hash_of(all, *number);
        names.try_reserve(collections, hasher).map_err(|_| out_of_memory("the collections", collections * 8))
    }

    /// Makes room for the owners of `rows` rows.
    pub fn reserve_rows(&mut self, rows: usize) -> Result<()> {
        let more = rows.saturating_sub(self.owner.len());
        reserve(&mut self.owner, more, "the index of rows")
    }

    /// Makes room for `additional` more documents of one collection.
    pub fn reserve_docs(&mut self, collection: u32, additional: usize) -> Result<()> {
        let Self { collections, docs, arena, .. } = self;
        match collections.get_mut(collection as usize).and_then(Option::as_mut) {
            Some(collection) => reserve_table(&mut collection.docs, docs, arena, additional),
            None => Ok(()),
        }
    }

    /// Does what [`reserve_docs`](Self::reserve_docs) does, for a collection that is not in the index yet and has no
    /// documents.
    pub fn reserve_new(&self, collection: &mut Collection, additional: usize) -> Result<()> {
        reserve_table(&mut collection.docs, &self.docs, &self.arena, additional)
    }

    /// Inserts a collection and returns its number. Cannot fail after [`reserve`](Self::reserve). A collection that has
    /// the same name already stays as it is, and its number is returned.
    pub fn insert_collection(&mut self, collection: Collection) -> u32 {
        if let Some(number) = self.find_collection(&collection.name) {
            return number;
        }
        let number = self.gaps.pop().unwrap_or_else(|| {
            self.collections.push(None);
            self.collections.len() as u32 - 1
        });
        let hashed = hash(collection.name.as_bytes());
        self.collections[number as usize] = Some(collection);
        let Self { names, collections, .. } = self;
        let hasher: Hasher<'_> = &|number| hash_of(collections, *number);
        names.insert_unique(hashed, number, hasher);
        number
    }

    pub fn drop_collection(&mut self, name: &str) {
        let Self { names, collections, .. } = self;
        let is = |number: &u32| {
            collections.get(*number as usize).and_then(Option::as_ref).is_some_and(|collection| collection.name == name)
        };
        let Ok(entry) = names.find_entry(hash(name.as_bytes()), is) else { return };
        let (number, _) = entry.remove();
        self.gaps.push(number);
        if let Some(collection) = self.collections[number as usize].take() {
            for doc in collection.docs {
                self.free_doc(doc);
            }
        }
    }

    pub fn set_meta(&mut self, collection: u32, meta: Vec<u8>) {
        if let Some(collection) = self.collections.get_mut(collection as usize).and_then(Option::as_mut) {
            collection.meta = meta;
        }
    }

    fn free_doc(&mut self, doc: u32) {
        self.touched.note(doc);
        self.owner[self.docs[doc as usize].row as usize] = DEAD;
        self.free.push(doc);
        self.live -= 1;
    }

    /// Adds rows without an owner, so that there are `rows`.
    pub fn grow_rows(&mut self, rows: usize) {
        self.owner.resize(rows.max(self.owner.len()), DEAD);
    }

    /// Puts the document with the id of `item` into a row that exists. If it had another row, that one is dead from now
    /// on. Returns true if it had this row before, so that only its attributes change.
    pub fn upsert(&mut self, collection: u32, item: Item, row: u32) -> bool {
        let Self { collections, docs, arena, owner, free, live, touched, updates, .. } = self;
        let Some(table) = collections.get_mut(collection as usize).and_then(Option::as_mut).map(|c| &mut c.docs) else {
            return false;
        };
        let hashed = hash(arena.id_bytes(item));
        let found = table.find(hashed, |doc| arena.id_bytes(docs[*doc as usize].item) == arena.id_bytes(item)).copied();
        let doc = Doc { row, collection, item };
        let number = match found {
            Some(number) => {
                let before = std::mem::replace(&mut docs[number as usize], doc);
                let same = touched.follows() && arena.attrs(before.item).has_texts_of(arena.attrs(item));
                touched.note(if same { number | SAME_TEXTS } else { number });
                if before.row == row {
                    *updates += 1;
                    return true;
                }
                owner[before.row as usize] = DEAD;
                number
            }
            None => {
                *live += 1;
                let number = match free.pop() {
                    Some(number) => {
                        docs[number as usize] = doc;
                        number
                    }
                    None => {
                        docs.push(doc);
                        docs.len() as u32 - 1
                    }
                };
                let hasher: Hasher<'_> = &|doc| hash(arena.id_bytes(docs[*doc as usize].item));
                table.insert_unique(hashed, number, hasher);
                touched.note(number);
                number
            }
        };
        owner[row as usize] = number;
        false
    }

    pub fn delete(&mut self, collection: u32, id: &str) {
        if let Some(doc) = self.find(collection, id) {
            self.delete_item(collection, self.doc(doc).item);
        }
    }

    /// Deletes the document with the id of an item of the arena.
    pub fn delete_item(&mut self, collection: u32, item: Item) {
        let Self { collections, docs, arena, .. } = self;
        let Some(table) = collections.get_mut(collection as usize).and_then(Option::as_mut).map(|c| &mut c.docs) else {
            return;
        };
        let id = arena.id_bytes(item);
        if let Ok(entry) = table.find_entry(hash(id), |doc| arena.id_bytes(docs[*doc as usize].item) == id) {
            let (doc, _) = entry.remove();
            self.free_doc(doc);
        }
    }

    /// Exchanges the owners of two rows, after the matrix has exchanged the rows.
    pub fn swap_rows(&mut self, a: usize, b: usize) {
        self.owner.swap(a, b);
        for row in [a, b] {
            if let Some(doc) = self.docs.get_mut(self.owner[row] as usize) {
                doc.row = row as u32;
            }
        }
    }

    /// Gives all living documents new rows: the first of `docs` gets row 0, and so on.
    pub fn renumber(&mut self, docs: &[u32]) {
        self.owner.clear();
        self.owner.extend_from_slice(docs);
        for (row, doc) in docs.iter().enumerate() {
            self.docs[*doc as usize].row = row as u32;
        }
    }

    pub fn truncate_rows(&mut self, rows: usize) {
        self.owner.truncate(rows);
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        let tables: usize =
            self.collections.iter().flatten().map(|c| c.docs.allocation_size() + c.meta.capacity()).sum();
        tables
            + self.docs.capacity() * size_of::<Doc>()
            + (self.owner.capacity() + self.free.capacity()) * 4
            + self.arena.memory_bytes()
    }
}

fn hash_of(collections: &[Option<Collection>], number: u32) -> u64 {
    hash(
        collections
            .get(number as usize)
            .and_then(Option::as_ref)
            .map_or(&[][..], |collection| collection.name.as_bytes()),
    )
}

fn reserve_table(table: &mut HashTable<u32>, docs: &[Doc], arena: &Arena, additional: usize) -> Result<()> {
    let hasher: Hasher<'_> = &|doc| hash(arena.id_bytes(docs[*doc as usize].item));
    table.try_reserve(additional, hasher).map_err(|_| out_of_memory("the index of ids", additional * 8))
}
