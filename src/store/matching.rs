//! Filters that take long to evaluate. The rows that match are found in slices, and other work has its turn in between.
//! After the last slice they are known, and later calls use them.

use std::rc::Rc;

use super::Store;
use super::index::DEAD;
use crate::Result;
use crate::search::{Bits, Filter};

/// The longest time, in nanoseconds, for which a filter may hold up everything else. A filter that takes longer is
/// evaluated in slices.
const SLOW: usize = 1 << 26;
/// The approximate time of one slice, in nanoseconds.
const SLICE: usize = 1 << 20;

/// A filter that is being evaluated.
pub struct Matching {
    filter: Rc<Filter>,
    scope: Option<u32>,
    /// The rows before this one are done.
    at: usize,
    rows: usize,
    each: usize,
    bits: Bits,
    changes: u32,
}

impl Store {
    /// Begins to evaluate a filter for the documents of one collection or, with None, of all. Returns None if that
    /// takes little time, or if it is known already which rows match. `by_row` says that the filter will be evaluated
    /// row by row, and not by distinct values as in searches.
    pub fn begin_matching(&self, collection: Option<&str>, filter: Filter, by_row: bool) -> Result<Option<Matching>> {
        let scope = collection.and_then(|name| self.index.find_collection(name));
        let documents = match (collection, scope.and_then(|number| self.index.collection(number))) {
            (None, _) => self.index.live(),
            (_, found) => found.map_or(0, super::index::Collection::len),
        };
        if filter.work(by_row).saturating_mul(documents) <= SLOW || self.quick.columns().known(&filter, scope).is_some()
        {
            return Ok(None);
        }
        let each = (SLICE / filter.work(true)).max(1);
        let (filter, bits, changes) = (Rc::new(filter), Bits::none(0)?, self.quick.columns().changes);
        Ok(Some(Matching { filter, scope, at: 0, rows: self.index.rows(), each, bits, changes }))
    }

    /// Begins to evaluate a filter in slices of `each` rows, whether it takes long or not.
    #[cfg(test)]
    pub(super) fn begin_slow_matching(
        &self,
        collection: Option<&str>,
        filter: Filter,
        each: usize,
    ) -> Result<Option<Matching>> {
        let scope = collection.and_then(|name| self.index.find_collection(name));
        if self.quick.columns().known(&filter, scope).is_some() {
            return Ok(None);
        }
        let (filter, bits, changes) = (Rc::new(filter), Bits::none(0)?, self.quick.columns().changes);
        Ok(Some(Matching { filter, scope, at: 0, rows: self.index.rows(), each, bits, changes }))
    }

    /// Evaluates a slice. Returns true once it is known which rows match. Rows that are added meanwhile are not
    /// evaluated: a call that needs them evaluates them itself. If the attributes of rows change meanwhile, the
    /// evaluation begins again.
    pub fn match_step(&self, matching: &mut Matching) -> Result<bool> {
        let mut columns = self.quick.columns_mut();
        if matching.changes != columns.changes {
            // If it began again and again in slices of the same size, it might never end.
            (matching.at, matching.bits, matching.changes, matching.rows, matching.each) =
                (0, Bits::none(0)?, columns.changes, self.index.rows(), matching.each.saturating_mul(2));
        }
        let Matching { filter, scope, at, rows, each, bits, .. } = matching;
        bits.grow(*rows)?;
        let mut left = *each;
        while *at < *rows && left > 0 {
            let doc = self.index.owner(*at);
            if doc != DEAD && scope.is_none_or(|scope| self.index.doc(doc).collection == scope) {
                left -= 1;
                if filter.matches(self.index.attrs(doc)) {
                    bits.insert(*at);
                }
            }
            *at += 1;
        }
        if at < rows {
            return Ok(false);
        }
        columns.found_out(filter.clone(), *scope, *rows, std::mem::replace(bits, Bits::none(0)?));
        Ok(true)
    }

    /// Returns a function that tells whether a document of the collection matches: by what is known already, or else by
    /// its attributes.
    pub(super) fn matches<'a>(&'a self, filter: &'a Filter, collection: Option<u32>) -> impl Fn(u32) -> bool + 'a {
        let known = self.quick.columns().known(filter, collection);
        move |doc| match &known {
            Some((bits, rows)) if (self.index.doc(doc).row as usize) < *rows => {
                bits.contains(self.index.doc(doc).row as usize)
            }
            _ => filter.matches(self.index.attrs(doc)),
        }
    }
}
