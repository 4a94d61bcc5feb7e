//! Searches: finds the documents that are in scope and match the filter, and the best of them for one query or several.

use std::cmp::Ordering;
use std::rc::Rc;

use super::Store;
use super::index::{Collection, DEAD};
use super::read::unit_query;
use crate::error::{fail, reserve, zeros};
use crate::order::{Ties, sort_by};
use crate::search::codes::kernel::GROUP;
use crate::search::{Among, Bits, Cascade, Filter, Share, TOGETHER, TopK};
use crate::segment::Supplied;
use crate::{Hit, Result};

/// The number of documents that are looked at to estimate how many match. Fewer would give too rough an estimate.
const LOOKED_AT: usize = 64;

/// The parameters of a search. The default is every collection, no filter, and no results: set `top_k`.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    /// None means all collections. One that does not exist counts as empty. One that is named twice counts once.
    pub collections: Option<&'a [&'a str]>,
    /// The most hits for each query. It is 0 by default, and then there are none.
    pub top_k: usize,
    /// The least score of a hit, or `None` if any score will do.
    pub min_score: Option<f32>,
    /// The condition that the attributes of a hit meet.
    pub filter: Filter,
}

/// A document by its number, so that the wrapper can read it without copies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub doc: u32,
    pub score: f32,
}

/// A search that is under way, for one query or several with the same scope. It can go on only as long as the store
/// does not change.
pub struct Searching {
    /// The unit vectors of the queries that have not begun, the first one last.
    queries: Vec<Vec<f32>>,
    together: Vec<Cascade>,
    wanted: usize,
    least: Option<f32>,
    pub(super) filter: Rc<Filter>,
    /// True if the query has a filter.
    pub(super) filtered: bool,
    scoped: Vec<bool>,
    pub(super) only: Option<Rc<Bits>>,
    /// The part that other threads search.
    share: Share,
    found: Vec<Vec<Found>>,
}

impl Store {
    /// Returns the `top_k` documents with the highest cosine similarity to `vector`, best first. Equal ones are ordered
    /// by collection, then by id, in UTF-8 byte order. Scores are native's, to the bit.
    pub fn search(&self, vector: &[f32], query: &Query<'_>) -> Result<Vec<Hit>> {
        if vector.len() != self.dimension() {
            unit_query(vector, self.dimension())?;
        }
        Ok(self.search_many(vector, query)?.pop().unwrap_or_default())
    }

    /// Searches for each of several vectors, as [`search`](Self::search) does. They are one after the other in
    /// `vectors`. Returns the results in the same order. Up to eight vectors share a pass over the rows.
    pub fn search_many(&self, vectors: &[f32], query: &Query<'_>) -> Result<Vec<Vec<Hit>>> {
        let mut searching = self.begin_search(vectors, query.clone())?;
        if !self.advance_search(&mut searching, &mut Supplied::default())? {
            fail!(Unsupported, "the rows are not in memory");
        }
        self.hits(&searching)
    }

    /// Returns the results of a search that is done, for each of its queries.
    pub fn hits(&self, searching: &Searching) -> Result<Vec<Vec<Hit>>> {
        let hit = |found: &Found| {
            let (collection, id, attrs) = self.doc_parts(found.doc);
            Ok(Hit {
                collection: collection.to_string(),
                id: id.to_string(),
                score: found.score,
                attrs: attrs.to_map()?,
            })
        };
        searching.found.iter().map(|found| found.iter().map(hit).collect()).collect()
    }

    /// Begins a search for each of several queries, one after the other in `vectors`. `advance_search` goes on with
    /// it.
    pub fn begin_search(&self, vectors: &[f32], query: Query<'_>) -> Result<Searching> {
        query.filter.check()?;
        let dimension = self.dimension();
        if !vectors.len().is_multiple_of(dimension) {
            fail!(
                DimensionMismatch,
                "the queries have {} numbers, no multiple of the dimension ({dimension})",
                vectors.len()
            );
        }
        let mut queries = Vec::new();
        let count = vectors.len() / dimension;
        reserve(&mut queries, count, "the queries")?;
        for vector in vectors.chunks_exact(dimension).rev() {
            queries.push(unit_query(vector, dimension)?);
        }
        let mut found = Vec::new();
        reserve(&mut found, count, "results")?;
        let scope = self.scope(query.collections)?;
        self.check_lists(&query.filter, &|collection| scope.binary_search(&collection).is_ok())?;
        let in_scope: usize =
            scope.iter().filter_map(|number| self.index.collection(*number)).map(Collection::len).sum();
        let mut searching = Searching {
            queries,
            together: Vec::new(),
            wanted: query.top_k.min(in_scope),
            least: query.min_score,
            filtered: !query.filter.is_empty(),
            filter: Rc::new(query.filter),
            scoped: Vec::new(),
            only: None,
            share: Share::ALL,
            found,
        };
        if searching.wanted == 0 {
            searching.found.resize(count, Vec::new());
            searching.queries.clear();
            return Ok(searching);
        }
        if self.index.collection_count() != scope.len() {
            let most = scope.iter().max().map_or(0, |most| *most as usize + 1);
            zeros(&mut searching.scoped, most, "the collections in scope")?;
            scope.iter().for_each(|number| searching.scoped[*number as usize] = true);
            if in_scope < self.index.rows() / 4 {
                let mut only = Bits::none(self.index.rows())?;
                for collection in scope.iter().filter_map(|number| self.index.collection(*number)) {
                    collection.docs().for_each(|doc| only.insert(self.index.doc(doc).row as usize));
                }
                searching.only = Some(Rc::new(only));
            }
        }
        let only_one = if let [one] = scope.as_slice() { Some(*one) } else { None };
        self.narrow(&mut searching, only_one)?;
        Ok(searching)
    }

    /// Finds out which rows match the filter, if that is known already or if it saves work to find it out first.
    /// Otherwise the filter is evaluated only for rows that would be among the best.
    fn narrow(&self, searching: &mut Searching, only_one: Option<u32>) -> Result<()> {
        let rows = self.index.rows();
        if searching.filter.is_empty() || rows < LOOKED_AT {
            return Ok(());
        }
        let known = self.quick.columns().known(&searching.filter, only_one).is_some();
        if !known && searching.only.as_ref().is_some_and(|only| only.ones < rows / 16) {
            return self.find_all(searching);
        }
        let attrs = |row| Some(self.index.owner(row)).filter(|doc| *doc != DEAD).map(|doc| self.index.attrs(doc));
        let now = || self.is_selective(&searching.filter, 4);
        let matching = self.quick.columns_mut().matches(&searching.filter, only_one, rows, &now, &attrs);
        if let Some(matching) = matching {
            match searching.only.as_mut().and_then(Rc::get_mut) {
                Some(only) => only.and(&matching),
                None => searching.only = Some(matching),
            }
            searching.filter = Rc::default();
        } else if self.is_selective(&searching.filter, 32) {
            return self.find_all(searching);
        }
        Ok(())
    }

    /// Finds all rows that are in scope and match the filter, and limits the search to them.
    pub(super) fn find_all(&self, searching: &mut Searching) -> Result<()> {
        let mut all = Bits::none(self.index.rows())?;
        let mut add = |row| {
            if self.document(searching, row).is_some() {
                all.insert(row);
            }
        };
        match &searching.only {
            Some(only) => only.rows(0).for_each(add),
            None => (0..self.index.rows()).for_each(&mut add),
        }
        searching.filter = Rc::default();
        searching.only = Some(Rc::new(all));
        Ok(())
    }

    /// Returns the document in a row, if it is in scope and matches.
    fn document(&self, searching: &Searching, row: usize) -> Option<u32> {
        let Searching { scoped, filter, .. } = searching;
        let doc = self.index.owner(row);
        let in_scope =
            doc != DEAD && (scoped.is_empty() || scoped.get(self.index.doc(doc).collection as usize) == Some(&true));
        (in_scope && (filter.is_empty() || filter.matches(self.index.attrs(doc)))).then_some(doc)
    }

    fn among<'a>(
        &'a self,
        searching: &'a Searching,
        document: &'a dyn Fn(usize) -> Option<u32>,
        ties: Ties<'a>,
    ) -> Among<'a> {
        let Searching { only, share, scoped, filter, .. } = searching;
        let narrowed = only.is_some() || !scoped.is_empty() || !filter.is_empty();
        Among {
            matrix: self.data.matrix(),
            codes: self.quick.codes(),
            memo: self.quick.memo(),
            rows: self.index.rows(),
            only: only.as_deref(),
            narrowed,
            document,
            ties,
            share: *share,
        }
    }

    /// Leaves the rows of the search workers to them, if this search uses codes. Returns true if it does. Then the
    /// workers' results must be [merged](Self::merge) once this search has found its own.
    #[cfg_attr(not(all(target_arch = "wasm32", feature = "bindings", feature = "whole")), allow(dead_code))]
    pub(crate) fn split_search(&self, searching: &mut Searching, mut share: Share) -> Result<bool> {
        share.dealt = share.dealt.min(self.quick.codes().rows() / self.quick.codes().chunk_rows());
        let splits = share.dealt > 0
            && self.among(searching, &|_| None, &|_, _| Ordering::Equal).splits(&searching.queries, searching.wanted);
        if splits {
            searching.share = share;
            // The workers know only rows, so this thread finds out which of them count.
            if !searching.filter.is_empty() || !searching.scoped.is_empty() || self.dead_rows() > 0 {
                self.find_all(searching)?;
            }
        }
        Ok(splits)
    }

    /// Returns which of the rows of the worker `part` count: one bit for each row, sixteen in a number, in the worker's
    /// own order of the rows. Returns None if all rows count.
    #[cfg_attr(not(all(target_arch = "wasm32", feature = "bindings", feature = "whole")), allow(dead_code))]
    pub(crate) fn rows_for(&self, searching: &Searching, part: usize) -> Result<Option<Vec<u16>>> {
        let Some(only) = &searching.only else { return Ok(None) };
        let mut groups = Vec::new();
        let rows = self.quick.codes().chunk_rows();
        for first in searching.share.runs(part, rows) {
            reserve(&mut groups, rows / GROUP, "a set of rows")?;
            groups.extend((first..first + rows).step_by(GROUP).map(|row| only.groups.get(row / GROUP).unwrap_or(&0)));
        }
        Ok(Some(groups))
    }

    /// Merges into the results what the worker `part` found for one query: numbers of rows, as the worker counts them,
    /// and their scores.
    #[cfg_attr(not(all(target_arch = "wasm32", feature = "bindings", feature = "whole")), allow(dead_code))]
    pub(crate) fn merge(
        &self,
        searching: &mut Searching,
        query: usize,
        part: usize,
        rows: &[u32],
        scores: &[f32],
    ) -> Result<()> {
        let (each, Share { parts, dealt }) = (self.quick.codes().chunk_rows(), searching.share);
        let Some(mine) = searching.found.get_mut(query).map(std::mem::take) else {
            fail!(InvalidArgument, "there is no query {query}")
        };
        let order = |a, b| self.index.order(a, b);
        let mut top = TopK::new(searching.wanted, mine.len() + rows.len(), searching.least, &order)?;
        mine.iter().for_each(|found| top.offer(found.score, found.doc));
        for (row, score) in rows.iter().zip(scores) {
            let row = (*row as usize / each * parts + part) * each + *row as usize % each;
            // This thread also searches the rows that the worker has received since. They must not count twice.
            if row < (dealt * each).min(self.index.rows())
                && let Some(doc) = self.document(searching, row)
            {
                top.offer(*score, doc);
            }
        }
        searching.found[query] = founds(&mut top.into_sorted())?;
        Ok(())
    }

    /// Goes on with a search. Returns true at its end. Returns false if rows are missing: `rows` then lists them.
    pub fn advance_search(&self, searching: &mut Searching, rows: &mut Supplied) -> Result<bool> {
        while !(searching.queries.is_empty() && searching.together.is_empty()) {
            let mut together = std::mem::take(&mut searching.together);
            let left = searching.queries.len();
            let mut next =
                if together.is_empty() { searching.queries.split_off(left - left.min(TOGETHER)) } else { Vec::new() };
            let mut done = true;
            {
                let document = |row| self.document(searching, row);
                let order = |a, b| self.index.order(a, b);
                let among = self.among(searching, &document, &order);
                if !next.is_empty() {
                    next.reverse();
                    together = among.begin(next, searching.wanted, searching.least)?;
                }
                for search in &mut together {
                    done &= among.advance(search, rows)?;
                }
            }
            if !done {
                searching.together = together;
                return Ok(false);
            }
            for search in together {
                searching.found.push(founds(&mut search.found().iter().copied())?);
            }
        }
        Ok(true)
    }

    /// Estimates from a few documents whether fewer than one in `least` match.
    fn is_selective(&self, filter: &Filter, least: usize) -> bool {
        let owners =
            (0..LOOKED_AT).map(|n| self.index.owner(n * (self.index.rows() / LOOKED_AT))).filter(|doc| *doc != DEAD);
        owners.filter(|doc| filter.matches(self.index.attrs(*doc))).count() * least < LOOKED_AT
    }

    /// Returns the numbers of the existing collections, each once, in ascending order.
    fn scope(&self, names: Option<&[&str]>) -> Result<Vec<u32>> {
        let Some(names) = names else { return Ok(self.index.collections().map(|(number, _)| number).collect()) };
        let mut scope = Vec::new();
        reserve(&mut scope, names.len(), "the collections in scope")?;
        scope.extend(names.iter().filter_map(|name| self.index.find_collection(name)));
        // Each number is kept once. Equal ones are neighbours after sorting.
        sort_by(&mut scope, &|a, b| a.cmp(&b))?;
        scope.dedup();
        Ok(scope)
    }
}

fn founds(sorted: &mut dyn ExactSizeIterator<Item = (u32, f32)>) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    reserve(&mut found, sorted.len(), "results")?;
    found.extend(sorted.map(|(doc, score)| Found { doc, score }));
    Ok(found)
}

impl Searching {
    /// Returns the documents that were found for one query, best first, for tests.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    pub(crate) fn found_docs(&self, query: usize) -> Vec<u32> {
        self.found.get(query).into_iter().flatten().map(|found| found.doc).collect()
    }

    /// Returns the results for each query, in their order, once the search is done.
    #[cfg(all(target_arch = "wasm32", feature = "bindings"))]
    pub(crate) fn found(&self) -> &[Vec<Found>] {
        &self.found
    }
}
