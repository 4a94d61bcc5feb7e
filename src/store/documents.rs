//! Documents by their numbers, for an index outside the store: which ones changed, which ones a search is limited to,
//! and where their rows are. A document has its number as long as it exists, whatever row it is in.

use std::rc::Rc;

use super::Store;
use super::index::DEAD;
use super::search::Searching;
use crate::Result;
use crate::search::Bits;
use crate::search::codes::kernel::ones;

impl Store {
    /// Calls `each` with 0, and then with each document that was written or deleted since the last call. A document may
    /// come several times. The highest bit is set if the document existed before the write and its texts are as before.
    /// If any document may have changed, as at the first call, calls `each` with 1 and then with all documents. If
    /// `each` fails, any document may have changed at the next call.
    pub fn touched(&mut self, each: &mut dyn FnMut(u32) -> Result<()>) -> Result<()> {
        let touched = self.index.touched.take();
        // Staged writes had memory for their notes, which was just taken.
        self.index.touched.reserve(self.staged.changes());
        let told = each(u32::from(touched.is_none())).and_then(|()| match touched {
            Some(docs) => docs.into_iter().try_for_each(each),
            None => (0..self.index.docs_end() as u32).filter(|doc| self.index.lives(*doc)).try_for_each(each),
        });
        if told.is_err() {
            self.index.touched.lose();
        }
        told
    }

    /// Calls `each` with three kinds of numbers, little-endian: the length of the log that the documents are made of
    /// (u64), a checksum of its operations (u32), and for each number of a document its row (u32), or
    /// [`u32::MAX`] if there is no such document. Does not call it while a compaction is under way.
    #[cfg(any(test, all(target_arch = "wasm32", feature = "bindings")))]
    pub(crate) fn place(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.compaction.is_some() {
            return Ok(());
        }
        let mark = self.log.mark();
        each(&mark.len.to_le_bytes())?;
        each(&mark.sum.to_le_bytes())?;
        (0..self.index.docs_end() as u32).try_for_each(|doc| {
            let row = if self.index.lives(doc) { self.index.doc(doc).row } else { u32::MAX };
            each(&row.to_le_bytes())
        })
    }

    /// Returns whether there is a document with this number.
    #[cfg(any(test, all(target_arch = "wasm32", feature = "bindings")))]
    pub(crate) fn has_document(&self, doc: u32) -> bool {
        self.index.lives(doc)
    }

    /// Limits a search to a set of documents: bit `i` of byte `n` stands for document 8 n + i. It must not have begun
    /// its steps. A number that no document has counts for nothing.
    pub fn limit_search(&self, searching: &mut Searching, set: &[u8]) -> Result<()> {
        let mut only = Bits::none(self.index.rows())?;
        for (n, byte) in set.iter().enumerate() {
            for i in ones(u32::from(*byte)) {
                let doc = (8 * n + i) as u32;
                if self.index.lives(doc) {
                    only.insert(self.doc_row(doc));
                }
            }
        }
        if let Some(before) = &searching.only {
            only.and(before);
        }
        searching.only = Some(Rc::new(only));
        Ok(())
    }

    /// Returns which documents the filter of a search matches in its collections: a bit for each number of a document,
    /// sixteen in a `u16`. Returns None if the search has no filter.
    pub fn documents_for(&self, searching: &mut Searching) -> Result<Option<Vec<u16>>> {
        if !searching.filtered {
            return Ok(None);
        }
        self.find_all(searching)?;
        let mut docs = Bits::none(self.index.docs_end())?;
        for row in searching.only.iter().flat_map(|only| only.rows(0)) {
            let doc = self.index.owner(row);
            if doc != DEAD {
                docs.insert(doc as usize);
            }
        }
        Ok(Some(docs.groups))
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use crate::error::fail;
    use crate::search::Filter;
    use crate::segment::Supplied;
    use crate::sink::MemorySink;
    use crate::store::touched::SAME_TEXTS;
    use crate::{Batch, OpenOptions, Query, Store, Value};

    fn store() -> Store {
        let options = OpenOptions { dimension: Some(2), ..OpenOptions::default() };
        Store::create(MemorySink::new(), MemorySink::new(), options).unwrap()
    }

    /// A document as an index outside the store knows it: its collection, its id, its attribute `n`, and its texts.
    type Document = (String, String, i64, Vec<Value>);

    /// The documents by their numbers.
    type Known = BTreeMap<u32, Document>;

    fn look(store: &Store, doc: u32) -> Option<Document> {
        store.has_document(doc).then(|| {
            let (collection, id, attrs) = store.doc_parts(doc);
            let mut attrs = attrs.to_map().unwrap();
            let n = match attrs.remove("n") {
                Some(Value::Int(n)) => n,
                _ => -1,
            };
            (collection.to_string(), id.to_string(), n, attrs.into_values().collect())
        })
    }

    fn all(store: &Store) -> Known {
        (0..store.index.docs_end() as u32).filter_map(|doc| Some((doc, look(store, doc)?))).collect()
    }

    /// Asks for what changed, again if the first call fails after so many numbers, as when there is no memory for more.
    fn follow(store: &mut Store, known: &mut Known, until: usize) {
        let mut docs = Vec::new();
        let told = store.touched(&mut |doc| {
            if docs.len() == until {
                fail!(OutOfMemory, "no more");
            }
            Ok(docs.push(doc))
        });
        if told.is_err() {
            docs.clear();
            store.touched(&mut |doc| Ok(docs.push(doc))).unwrap();
        }
        if docs.remove(0) == 1 {
            known.clear();
        }
        let (same, docs): (Vec<u32>, Vec<u32>) = docs.into_iter().partition(|doc| doc & SAME_TEXTS > 0);
        for doc in same.into_iter().map(|doc| doc & !SAME_TEXTS).filter(|doc| !docs.contains(doc)) {
            let now = look(store, doc).unwrap();
            let before = known.insert(doc, now.clone()).unwrap();
            assert_eq!((before.0, before.1, before.3), (now.0, now.1, now.3));
        }
        for doc in docs {
            match look(store, doc) {
                Some(document) => known.insert(doc, document),
                None => known.remove(&doc),
            };
        }
    }

    /// Returns a text, or a list of texts.
    fn texts(n: u8) -> Value {
        let text = Value::Str((n % 4).to_string());
        if n.is_multiple_of(2) { text } else { Value::List(vec![(n % 4).to_string()]) }
    }

    fn compacted(store: &mut Store) {
        store.begin_compaction(Box::new(MemorySink::new()), Box::new(MemorySink::new())).unwrap();
        while !store.compact_step().unwrap() {}
        store.finish_compaction().unwrap();
        store.adopt_compaction().unwrap();
        while !store.adopt_step().unwrap() {}
    }

    /// Returns the mark of the log as bytes, and the id in each row.
    fn place(store: &Store) -> (Vec<u8>, BTreeMap<u32, String>) {
        let mut bytes = Vec::new();
        store.place(&mut |some| Ok(bytes.extend_from_slice(some))).unwrap();
        let rows = bytes.split_off(12);
        let (rows, rest) = rows.as_chunks::<4>();
        assert!(rest.is_empty());
        let rows = rows.iter().map(|row| u32::from_le_bytes(*row)).zip(0..).filter(|(row, _)| *row != u32::MAX);
        (bytes, rows.map(|(row, doc)| (row, look(store, doc).unwrap().1)).collect())
    }

    #[test]
    fn a_look_between_a_write_and_its_application_loses_nothing() {
        let looks = |db: &mut Store| {
            let mut docs = Vec::new();
            db.touched(&mut |doc| Ok(docs.push(doc))).unwrap();
            docs
        };
        let mut db = store();
        let mut batch = Batch::new();
        (0..3).for_each(|id| batch.push(&id.to_string(), &[]));
        for _ in 0..2 {
            db.stage_upsert("a", 3, batch.bytes(), &[1.0; 6]).unwrap();
            db.write().unwrap();
            looks(&mut db);
            db.apply();
            let found: Vec<u32> = looks(&mut db).into_iter().map(|doc| doc & !SAME_TEXTS).collect();
            assert_eq!(found, [0, 0, 1, 2]);
        }
        db.stage_delete("a", ["1", "2"].into_iter().map(Ok)).unwrap();
        db.write().unwrap();
        looks(&mut db);
        db.apply();
        assert_eq!(looks(&mut db), [0, 1, 2]);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: crate::few_or(60, 600),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// An index that looks only at touched documents knows all documents, after any writes and compactions.
        #[test]
        fn touched_documents_are_all_that_changed(
            acts in prop::collection::vec((0u8..12, 0u8..3, 0u8..8, any::<u8>()), 1..60),
        ) {
            let mut db = store();
            let mut known = Known::new();
            follow(&mut db, &mut known, usize::MAX);
            for (act, collection, id, n) in acts {
                let collection = ["a", "b", "c"][collection as usize];
                let name = format!("{id}");
                match act {
                    0..=6 => {
                        let mut batch = Batch::new();
                        let texts = [("n", i64::from(n).into()), ("t", Value::Str(n.to_string())), ("u", texts(n))];
                        batch.push(&name, &texts[..usize::from(1 + n % 3)]);
                        db.stage_upsert(collection, 1, batch.bytes(), &[1.0, f32::from(n)]).unwrap();
                    }
                    7 => {
                        let mut batch = Batch::new();
                        let t = (n % 5 > 0).then(|| Value::Str((n / 3).to_string()));
                        let changes = [("n", Some(i64::from(n).into())), ("u", Some(texts(n / 3))), ("t", t)];
                        batch.push_changes(&name, &changes);
                        let _ = db.stage_update(collection, 1, batch.bytes());
                    }
                    8 => {
                        db.stage_delete(collection, [name.as_str()].into_iter().map(Ok)).unwrap();
                    }
                    9 => {
                        db.stage_drop(collection).unwrap();
                    }
                    10 => {
                        db.commit().unwrap();
                        compacted(&mut db);
                    }
                    _ => db.unstage_all(),
                }
                if n % 3 > 0 {
                    db.commit().unwrap();
                    if n % 2 > 0 {
                        follow(&mut db, &mut known, usize::from(n % 8));
                        prop_assert_eq!(&known, &all(&db));
                    }
                }
            }
        }

        /// The place and the rows are those of the files, so a store that is opened from them has the same.
        #[test]
        fn the_place_and_the_rows_are_those_of_the_files(
            acts in prop::collection::vec((0u8..12, 0u8..8, any::<u8>()), 1..40),
            relaxed: bool,
        ) {
            let options = OpenOptions { dimension: Some(2), relaxed, ..OpenOptions::default() };
            let (mut data, mut log) = (MemorySink::new(), MemorySink::new());
            let mut db = Store::create(data.clone(), log.clone(), options).unwrap();
            let mut places = BTreeMap::new();
            for (act, id, n) in acts {
                let name = format!("{id}");
                match act {
                    0..=5 => {
                        let mut batch = Batch::new();
                        batch.push(&name, &[("n", i64::from(n).into())]);
                        batch.push("same", &[]);
                        db.stage_upsert("a", 2, batch.bytes(), &[1.0, f32::from(n), 1.0, 0.0]).unwrap();
                    }
                    6 => {
                        db.stage_delete("a", [name.as_str()].into_iter().map(Ok)).unwrap();
                    }
                    7 => {
                        db.stage_drop("a").unwrap();
                    }
                    8 => db.unstage_all(),
                    9 => {
                        db.write().unwrap();
                        if n % 2 == 0 { db.rollback().unwrap() } else { db.apply() }
                    }
                    10 => {
                        db.commit().unwrap();
                        (data, log) = (MemorySink::new(), MemorySink::new());
                        db.begin_compaction(Box::new(data.clone()), Box::new(log.clone())).unwrap();
                        while !db.compact_step().unwrap() {}
                        db.finish_compaction().unwrap();
                        db.adopt_compaction().unwrap();
                        db.place(&mut |_| panic!("rows are changing")).unwrap();
                        while !db.adopt_step().unwrap() {}
                        places.clear();
                    }
                    _ => {
                        db.commit().unwrap();
                    }
                }
                db.commit().unwrap();
                let now = place(&db);
                // Other operations never lead to the same place.
                let length = places.insert(now.0.clone(), db.log.bytes()).unwrap_or(db.log.bytes());
                prop_assert_eq!(length, db.log.bytes());
                db.flush().unwrap();
                prop_assert_eq!(&now, &place(&db));
                let again =
                    Store::open(MemorySink::with_bytes(data.to_vec()), MemorySink::with_bytes(log.to_vec()), options)
                        .unwrap();
                prop_assert_eq!(now, place(&again));
            }
        }

        /// A filter's documents, and a search that is limited to some of them, are those of a simple loop over all
        /// documents.
        #[test]
        fn a_search_is_limited(
            numbers in prop::collection::vec(0i64..6, 1..200),
            least in 0i64..6,
            every in 1usize..9,
        ) {
            let mut db = store();
            let mut batch = Batch::new();
            let mut vectors = Vec::new();
            for (i, n) in numbers.iter().enumerate() {
                batch.push(&format!("{i:03}"), &[("n", (*n).into())]);
                vectors.extend([1.0, i as f32]);
            }
            db.stage_upsert("a", numbers.len(), batch.bytes(), &vectors).unwrap();
            let mut other = Batch::new();
            other.push("x", &[("n", 5i64.into())]);
            db.stage_upsert("b", 1, other.bytes(), &[1.0, 0.0]).unwrap();
            db.commit().unwrap();
            let filter = Filter::Compare("n".into(), crate::search::Bound::GreaterOrEqual, Value::Int(least));
            let query = Query { collections: Some(&["a"]), top_k: 1000, filter, ..Query::default() };
            let mut searching = db.begin_search(&[1.0, 1.0], query).unwrap();
            let groups = db.documents_for(&mut searching).unwrap().unwrap();
            let bit = |doc: u32| groups.get(doc as usize / 16).is_some_and(|group| group >> (doc % 16) & 1 == 1);
            let expected: Vec<u32> = all(&db)
                .iter()
                .filter(|(_, (collection, _, n, _))| collection == "a" && *n >= least)
                .map(|(doc, _)| *doc)
                .collect();
            prop_assert_eq!(
                (0..db.index.docs_end() as u32 + 40).filter(|doc| bit(*doc)).collect::<Vec<_>>(),
                expected.clone()
            );
            let limited: Vec<u32> = all(&db).into_keys().step_by(every).collect();
            // Numbers that no document has are in the set, too.
            let mut set = vec![0; db.index.docs_end() / 8 + 40];
            set[db.index.docs_end() / 8 + 30] = 1;
            for doc in &limited {
                set[*doc as usize / 8] |= 1 << (doc % 8);
            }
            db.limit_search(&mut searching, &set).unwrap();
            prop_assert!(db.advance_search(&mut searching, &mut Supplied::default()).unwrap());
            let mut found: Vec<u32> = searching.found_docs(0).to_vec();
            found.sort_unstable();
            prop_assert_eq!(found, expected.into_iter().filter(|doc| limited.contains(doc)).collect::<Vec<_>>());
        }
    }
}
