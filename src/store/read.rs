//! Reads. They see what was applied.

use super::Store;
use super::index::Collection;
use crate::attrs::Packed;
use crate::error::{fail, reserve};
use crate::search::{Filter, TopK, kernel};
use crate::segment::op::Reader;
use crate::{Meta, Record, Result};

/// Records of one collection, in the order of their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The records, ascending by id.
    pub records: Vec<Record>,
    /// True if there are more records, with greater ids than the last one.
    pub more: bool,
}

impl Store {
    /// Returns whether there is a collection of this name.
    pub fn has_collection(&self, name: &str) -> bool {
        self.index.find_collection(name).is_some()
    }

    /// Returns the names of all collections, in the order of their UTF-8 bytes.
    pub fn collections(&self) -> Vec<String> {
        let names = self
            .collection_names()
            .unwrap_or_else(|_| std::alloc::handle_alloc_error(std::alloc::Layout::new::<u32>()));
        names.into_iter().map(str::to_string).collect()
    }

    pub(crate) fn collection_names(&self) -> Result<Vec<&str>> {
        let sorted = self.index.sorted_collections()?;
        let mut names = Vec::new();
        reserve(&mut names, sorted.len(), "the collections")?;
        names.extend(sorted.iter().map(|number| self.index.name(*number)));
        Ok(names)
    }

    fn collection(&self, name: &str) -> Option<(u32, &Collection)> {
        let number = self.index.find_collection(name)?;
        Some((number, self.index.collection(number)?))
    }

    /// Returns the metadata of a collection. Returns an empty map if the collection does not exist, as native does.
    pub fn get_meta(&self, collection: &str) -> Meta {
        let bytes = self.meta_bytes(collection);
        let mut reader = Reader::new(bytes);
        let count = reader.count(16).unwrap_or(0);
        (0..count).map_while(|_| Some((reader.str().ok()?.to_string(), reader.str().ok()?.to_string()))).collect()
    }

    pub(crate) fn meta_bytes(&self, collection: &str) -> &[u8] {
        const EMPTY: &[u8] = &[0; 8];
        self.collection(collection)
            .map(|(_, collection)| collection.meta.as_slice())
            .filter(|meta| !meta.is_empty())
            .unwrap_or(EMPTY)
    }

    /// Counts the documents that match, in one collection or, with None, in all.
    pub fn count(&self, collection: Option<&str>, filter: &Filter) -> Result<usize> {
        filter.check()?;
        let one = collection.map(|name| self.collection(name));
        let number = one.flatten().map(|(number, _)| number);
        self.check_lists(filter, &|other| one.is_none() || Some(other) == number)?;
        let matches = self.matches(filter, number);
        let count = |(_, collection): (u32, &Collection)| {
            if filter.is_empty() { collection.len() } else { collection.docs().filter(|doc| matches(*doc)).count() }
        };
        Ok(match one {
            Some(one) => one.map_or(0, count),
            None => self.index.collections().map(count).sum(),
        })
    }

    pub(crate) fn find(&self, collection: &str, id: &str) -> Option<u32> {
        self.index.find(self.index.find_collection(collection)?, id)
    }

    pub(crate) fn doc_row(&self, doc: u32) -> usize {
        self.index.doc(doc).row as usize
    }

    /// Returns the vector of a document, or None if it is not in memory.
    pub(crate) fn doc_vector(&self, doc: u32) -> Option<&[f32]> {
        self.data.matrix().get(self.doc_row(doc))
    }

    /// Returns the collection, the id and the packed attributes of a document.
    pub(crate) fn doc_parts(&self, doc: u32) -> (&str, &str, Packed<'_>) {
        (self.index.name(self.index.doc(doc).collection), self.index.id(doc), self.index.attrs(doc))
    }

    fn record(&self, doc: u32) -> Result<Record> {
        let (_, id, attrs) = self.doc_parts(doc);
        let Some(vector) = self.doc_vector(doc) else { fail!(Unsupported, "the rows are not in memory") };
        Ok(Record { id: id.to_string(), vector: vector.to_vec(), attrs: attrs.to_map()? })
    }

    /// Returns the record with this id, or `None` if there is none. Fails if its row is not in memory.
    pub fn get(&self, collection: &str, id: &str) -> Result<Option<Record>> {
        self.find(collection, id).map(|doc| self.record(doc)).transpose()
    }

    /// Returns at most `limit` records that match and whose id is greater than `after`, in the order of their ids.
    pub fn records(&self, collection: &str, filter: &Filter, after: Option<&str>, limit: usize) -> Result<Page> {
        let (docs, more) = self.page(collection, filter, after, limit)?;
        Ok(Page { records: docs.into_iter().map(|doc| self.record(doc)).collect::<Result<_>>()?, more })
    }

    /// Returns every record of a collection, in the order of their ids.
    pub fn get_all(&self, collection: &str) -> Result<Vec<Record>> {
        Ok(self.records(collection, &Filter::default(), None, usize::MAX)?.records)
    }

    pub(crate) fn page(
        &self,
        collection: &str,
        filter: &Filter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<u32>, bool)> {
        filter.check()?;
        let Some((number, collection)) = self.collection(collection) else { return Ok((Vec::new(), false)) };
        self.check_lists(filter, &|other| other == number)?;
        let matches = self.matches(filter, Some(number));
        // It looks for one more than was asked for, to know whether there are more. All get the same score, so `top`
        // keeps those with the smallest ids.
        let order = |a, b| self.index.order(a, b);
        let mut top = TopK::new(limit.saturating_add(1), collection.len(), None, &order)?;
        let id = |doc| self.index.arena.id_bytes(self.index.doc(doc).item);
        let after = after.map(str::as_bytes);
        // Once the page is full, the greatest id on it. Most documents have a greater one.
        let mut last: Option<&[u8]> = None;
        self.index.each_doc(number, collection, &mut |doc| {
            let own = id(doc);
            if last.is_none_or(|last| own < last) && after.is_none_or(|after| own > after) && matches(doc) {
                top.offer(0.0, doc);
                last = top.last_of_all().map(id);
            }
        });
        let mut docs: Vec<u32> = Vec::new();
        reserve(&mut docs, top.len(), "a page")?;
        docs.extend(top.into_sorted().map(|(doc, _)| doc));
        let more = docs.len() > limit;
        docs.truncate(limit);
        Ok((docs, more))
    }
}

/// Returns the query scaled to length 1. Fails if it does not have `dimension` numbers, or if one of them or their
/// squared norm is not finite.
pub(crate) fn unit_query(vector: &[f32], dimension: usize) -> Result<Vec<f32>> {
    if vector.len() != dimension {
        fail!(DimensionMismatch, "the query has {} numbers, the store's dimension is {dimension}", vector.len());
    }
    let norm_squared = kernel::norm_squared(vector);
    if !norm_squared.is_finite() {
        fail!(InvalidArgument, "the query has a number that is not finite, or one so large that its length is not");
    }
    let mut unit = Vec::new();
    reserve(&mut unit, dimension, "the query")?;
    unit.extend_from_slice(vector);
    kernel::scale_to_unit(&mut unit, norm_squared);
    Ok(unit)
}

#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
/// Reads ids that are packed one after the other, each with its length.
pub(crate) fn ids(bytes: &[u8], count: usize) -> impl Iterator<Item = Result<&str>> {
    let mut reader = Reader::new(bytes);
    (0..count).map(move |n| reader.str().map_err(|bad| bad.error(crate::Code::InvalidArgument, &format!("id {n}"))))
}
