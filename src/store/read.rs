//! Reads and searches, of what was applied.

use super::Store;
use super::index::{Collection, DEAD};
use crate::error::{fail, reserve, zeros};
use crate::model::decode_attrs;
use crate::order::sort_by;
use crate::search::{self, Filter, TopK, kernel};
use crate::segment::op::Reader;
use crate::{Hit, Meta, Record, Result};

/// What a search asks for. The default is every collection, no filter, and no results: set `top_k`.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    /// None: all. One that does not exist holds nothing; duplicates count once.
    pub collections: Option<&'a [&'a str]>,
    pub top_k: usize,
    pub min_score: Option<f32>,
    pub filter: Filter,
}

/// Documents by number: the wrapper's way to read them without copies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub doc: u32,
    pub score: f32,
}

/// Records of one collection in the order of their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub records: Vec<Record>,
    /// There are more, with ids behind the last one's.
    pub more: bool,
}

impl Store {
    pub fn has_collection(&self, name: &str) -> bool {
        self.index.find_collection(name).is_some()
    }

    /// In the order of their UTF-8 bytes.
    pub fn collections(&self) -> Vec<String> {
        self.index.collections().map(|(_, collection)| collection.name.clone()).collect()
    }

    fn collection(&self, name: &str) -> Option<(u32, &Collection)> {
        let number = self.index.find_collection(name)?;
        Some((number, self.index.collection(number)?))
    }

    /// Empty for a collection that is not there, as in native.
    pub fn get_meta(&self, collection: &str) -> Meta {
        let bytes = self.meta_bytes(collection);
        let mut reader = Reader::new(bytes);
        let count = reader.count(16).unwrap_or(0);
        (0..count).map_while(|_| Some((reader.str().ok()?.to_string(), reader.str().ok()?.to_string()))).collect()
    }

    pub(crate) fn meta_bytes(&self, collection: &str) -> &[u8] {
        const EMPTY: &[u8] = &[0; 8];
        self.collection(collection).map(|(_, collection)| collection.meta.as_slice()).filter(|meta| !meta.is_empty()).unwrap_or(EMPTY)
    }

    /// Documents in one collection or (None) in all that match.
    pub fn count(&self, collection: Option<&str>, filter: &Filter) -> usize {
        let count = |collection: &Collection| {
            if filter.is_empty() {
                collection.len()
            } else {
                collection.docs().filter(|doc| filter.matches(self.index.attrs(*doc))).count()
            }
        };
        match collection {
            Some(name) => self.collection(name).map_or(0, |(_, collection)| count(collection)),
            None => self.index.collections().map(|(_, collection)| count(collection)).sum(),
        }
    }

    pub(crate) fn find(&self, collection: &str, id: &str) -> Option<u32> {
        self.index.find(self.index.find_collection(collection)?, id)
    }

    pub(crate) fn doc_vector(&self, doc: u32) -> &[f32] {
        self.data.matrix().row(self.index.doc(doc).row as usize)
    }

    /// Collection, id and encoded attributes.
    pub(crate) fn doc_parts(&self, doc: u32) -> (&str, &str, &[u8]) {
        (self.index.name(self.index.doc(doc).collection), self.index.id(doc), self.index.attrs(doc))
    }

    fn record(&self, doc: u32) -> Result<Record> {
        let (_, id, attrs) = self.doc_parts(doc);
        Ok(Record { id: id.to_string(), vector: self.doc_vector(doc).to_vec(), attrs: decode_attrs(attrs)? })
    }

    pub fn get(&self, collection: &str, id: &str) -> Result<Option<Record>> {
        self.find(collection, id).map(|doc| self.record(doc)).transpose()
    }

    /// At most `limit` records that match, in the order of their ids, of those whose id is behind `after`.
    pub fn records(&self, collection: &str, filter: &Filter, after: Option<&str>, limit: usize) -> Result<Page> {
        let (docs, more) = self.page(collection, filter, after, limit)?;
        Ok(Page { records: docs.into_iter().map(|doc| self.record(doc)).collect::<Result<_>>()?, more })
    }

    /// Every record of a collection, in the order of their ids.
    pub fn get_all(&self, collection: &str) -> Result<Vec<Record>> {
        Ok(self.records(collection, &Filter::default(), None, usize::MAX)?.records)
    }

    pub(crate) fn page(&self, collection: &str, filter: &Filter, after: Option<&str>, limit: usize) -> Result<(Vec<u32>, bool)> {
        let Some((_, collection)) = self.collection(collection) else { return Ok((Vec::new(), false)) };
        // One more than asked, to know whether there are more; `top` keeps the smallest ids by giving all the same score.
        let order = |a, b| self.index.order(a, b);
        let mut top = TopK::new(limit.saturating_add(1), collection.len(), None, &order)?;
        for doc in collection.docs() {
            if after.is_none_or(|after| self.index.id(doc) > after) && filter.matches(self.index.attrs(doc)) {
                top.offer(0.0, doc);
            }
        }
        let mut docs: Vec<u32> = Vec::new();
        reserve(&mut docs, top.len(), "a page")?;
        docs.extend(top.into_sorted().map(|(doc, _)| doc));
        let more = docs.len() > limit;
        docs.truncate(limit);
        Ok((docs, more))
    }

    /// The `top_k` documents with the highest cosine similarity to `vector`, best first; equal ones by collection, then id, in UTF-8
    /// byte order. Scores are native's to the bit.
    pub fn search(&self, vector: &[f32], query: &Query<'_>) -> Result<Vec<Hit>> {
        self.search_docs(vector, query)?
            .into_iter()
            .map(|Found { doc, score }| {
                let (collection, id, attrs) = self.doc_parts(doc);
                Ok(Hit { collection: collection.to_string(), id: id.to_string(), score, attrs: decode_attrs(attrs)? })
            })
            .collect()
    }

    pub(crate) fn search_docs(&self, vector: &[f32], query: &Query<'_>) -> Result<Vec<Found>> {
        let unit = unit_query(vector, self.dimension())?;
        let scope = self.scope(query.collections)?;
        let in_scope: usize = scope.iter().filter_map(|number| self.index.collection(*number)).map(Collection::len).sum();
        let order = |a, b| self.index.order(a, b);
        let mut top = TopK::new(query.top_k, in_scope, query.min_score, &order)?;
        if query.top_k == 0 || in_scope == 0 {
            return Ok(Vec::new());
        }
        let matches = |doc: u32| query.filter.is_empty() || query.filter.matches(self.index.attrs(doc));
        let rows = self.index.rows();
        // A row that is scored by itself costs as much as many that are passed over.
        let passed_over = if self.codes.rows() * 2 > rows { 16 } else { 4 };
        if in_scope < rows / passed_over {
            let mut docs: Vec<u32> = Vec::new();
            reserve(&mut docs, in_scope, "the rows in scope")?;
            for collection in scope.iter().filter_map(|number| self.index.collection(*number)) {
                docs.extend(collection.docs().filter(|doc| matches(*doc)));
            }
            let row = |doc| self.index.doc(doc).row;
            sort_by(&mut docs, &|a, b| row(a).cmp(&row(b)))?;
            for doc in docs {
                let score = kernel::dot(&unit, self.data.matrix().row(row(doc) as usize));
                top.offer(score, doc);
            }
        } else {
            let mut scoped = Vec::new();
            let all = self.index.collections().count() == scope.len();
            if !all {
                let most = scope.iter().max().map_or(0, |most| *most as usize + 1);
                zeros(&mut scoped, most, "the collections in scope")?;
                scope.iter().for_each(|number| scoped[*number as usize] = true);
            }
            let document = |row| {
                let doc = self.index.owner(row);
                let in_scope = doc != DEAD && (all || scoped.get(self.index.doc(doc).collection as usize) == Some(&true));
                (in_scope && matches(doc)).then_some(doc)
            };
            if self.is_selective(&query.filter) {
                // In the order of the rows, which is that in which their attributes lie, too.
                for (row, doc) in (0..rows).filter_map(|row| Some((row, document(row)?))) {
                    top.offer(kernel::dot(&unit, self.data.matrix().row(row)), doc);
                }
            } else {
                search::search(&unit, self.data.matrix(), &self.codes, &self.memo, rows, query.top_k, &mut top, &document)?;
            }
        }
        let mut found = Vec::new();
        reserve(&mut found, top.len(), "results")?;
        found.extend(top.into_sorted().map(|(doc, score)| Found { doc, score }));
        Ok(found)
    }

    /// Whether so few documents match that it is best to find them first. (Judged by a few.)
    fn is_selective(&self, filter: &Filter) -> bool {
        const LOOKED_AT: usize = 64;
        let rows = self.index.rows();
        if filter.is_empty() || rows < LOOKED_AT {
            return false;
        }
        let owners = (0..LOOKED_AT).map(|n| self.index.owner(n * (rows / LOOKED_AT))).filter(|doc| *doc != DEAD);
        owners.filter(|doc| filter.matches(self.index.attrs(*doc))).count() * 32 < LOOKED_AT
    }

    /// The numbers of the collections that are there, each once.
    fn scope(&self, names: Option<&[&str]>) -> Result<Vec<u32>> {
        let Some(names) = names else { return Ok(self.index.collections().map(|(number, _)| number).collect()) };
        let mut scope = Vec::new();
        for number in names.iter().filter_map(|name| self.index.find_collection(name)) {
            if !scope.contains(&number) {
                reserve(&mut scope, 1, "the collections in scope")?;
                scope.push(number);
            }
        }
        Ok(scope)
    }
}

/// A query of the right length with only finite numbers, normalized.
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

#[cfg(target_arch = "wasm32")]
/// Ids packed one behind the other, each with its length.
pub(crate) fn ids(bytes: &[u8], count: usize) -> impl Iterator<Item = Result<&str>> {
    let mut reader = Reader::new(bytes);
    (0..count).map(move |n| {
        reader.str().map_err(|bad| bad.error(crate::Code::InvalidArgument, &format!("id {n}")))
    })
}
