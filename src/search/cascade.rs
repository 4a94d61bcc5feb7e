//! The exact best of all rows, found without reading most of them. Codes give each row an upper bound of its score. If
//! that bound does not rule out a row, a closer bound is computed. If that does not rule it out either, the row itself
//! is scored. A search stops if it needs rows that are not in memory. It goes on once they are supplied.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use super::codes::kernel::{GROUP, at_least};
use super::codes::{Bounded, Codes, NEVER, Share, has_codes};
use super::{Bits, TopK, kernel, scan_rows};
use crate::Result;
use crate::error::reserve;
use crate::order::Ties;
use crate::segment::{Matrix, Supplied};

#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "cascade_tests.rs"]
mod tests;

/// Data that is kept between searches: memory to use again, and whether codes were of use.
#[derive(Default)]
pub struct Memo {
    upper: RefCell<Vec<Vec<f32>>>,
    /// The number of consecutive searches in which codes were of no use.
    useless: Cell<u32>,
    /// The number of next searches that do not use codes.
    without: Cell<u32>,
}

/// If codes were of no use in this many consecutive searches, the reason is taken to be the rows. A single hard query
/// says nothing about the next query.
const USELESS: u32 = 4;
/// After that, this many searches do not use codes before one tries them again.
const PAUSE: u32 = 7;
/// The number of rows that are asked for at once, at most.
const PIECE: usize = 1024;
/// If a search is limited to at most this many rows, they are scored without looking at their codes.
const FEW: usize = 64;

/// The rows that are searched, and all that a search needs to know of them.
pub struct Among<'a> {
    pub matrix: &'a Matrix,
    pub codes: &'a Codes,
    pub memo: &'a Memo,
    pub rows: usize,
    /// Only these rows are searched. A row among them counts only if `document` returns something for it.
    pub only: Option<&'a Bits>,
    /// True if not all rows count. Whether codes are of use in such a search says nothing about other searches.
    pub narrowed: bool,
    /// Returns the document of a row, if the row counts.
    pub document: &'a dyn Fn(usize) -> Option<u32>,
    pub ties: Ties<'a>,
    /// The part that other threads search. They search by codes only, so it is used only if [`splits`](Self::splits) is
    /// true.
    pub share: Share,
}

enum Stage {
    /// These rows are nearest by their codes and are scored next. Their scores give the limit that all others must
    /// reach.
    Nearest(Vec<u32>),
    /// The remaining rows with their bounds. Those before this place are done.
    Left(Vec<(u32, f32)>, usize),
}

/// The search for one query.
pub struct Cascade {
    query: Vec<f32>,
    wanted: usize,
    /// The best documents so far, with their scores.
    found: Vec<(u32, f32)>,
    least: Option<f32>,
    bounds: Option<Bounded>,
    stage: Stage,
    /// Rows that have no codes. They are scored before all others.
    uncoded: Range<usize>,
}

impl Among<'_> {
    /// Returns whether the rows are scored without looking at their codes. That is quicker for few rows. If all rows
    /// are in memory, it is also quicker for somewhat more of them.
    fn is_direct(&self) -> bool {
        self.only.is_some_and(|only| only.ones <= FEW || self.matrix.gone() == 0 && only.ones < self.rows / 256)
    }

    /// Returns whether codes would not help. They only help to find few rows among many.
    fn is_useless(&self, wanted: usize) -> bool {
        wanted.max(32) > self.codes.rows().min(self.rows) / 16 || !self.narrowed && self.memo.without.get() > 0
    }

    /// Returns whether a search goes by codes, so that other threads can search a part of them.
    pub fn splits(&self, queries: &[Vec<f32>], wanted: usize) -> bool {
        !self.is_direct() && !self.is_useless(wanted) && queries.iter().all(|query| has_codes(query))
    }

    /// Begins the searches for the `wanted` best of each query, and does all that needs no rows.
    pub fn begin(&self, queries: Vec<Vec<f32>>, wanted: usize, least: Option<f32>) -> Result<Vec<Cascade>> {
        let Self { matrix, codes, memo, rows, only, share, .. } = *self;
        let direct = self.is_direct();
        let mut coded = codes.rows().min(rows);
        if self.is_useless(wanted) && matrix.gone() == 0 && share.dealt == 0 {
            memo.without.set(memo.without.get().saturating_sub(1));
            coded = 0;
        }
        let mut searches = Vec::new();
        reserve(&mut searches, queries.len(), "the searches")?;
        for query in queries {
            let stage = Stage::Left(Vec::new(), 0);
            searches.push(Cascade { query, wanted, found: Vec::new(), least, bounds: None, stage, uncoded: 0..0 });
        }
        if !direct && coded > 0 {
            self.bound(&mut searches, coded)?;
        }
        // Without codes, some rows are listed by number: those the search is limited to, or those that are not in
        // memory. All other rows are scanned in order.
        let end = if direct { rows } else { matrix.gone() };
        for search in searches.iter_mut().filter(|search| matches!(search.stage, Stage::Left(..))) {
            search.stage = match only {
                Some(only) => listed(&mut only.rows(0).take_while(|row| *row < end))?,
                None => listed(&mut (0..end))?,
            };
            search.uncoded = end..rows;
        }
        Ok(searches)
    }

    /// Gives the first `coded` rows their bounds, and finds the rows that are nearest by them. Searches whose queries
    /// can have no codes stay as they are.
    #[inline(never)]
    fn bound(&self, searches: &mut [Cascade], coded: usize) -> Result<()> {
        let Self { codes, memo, rows, only, document, share, .. } = *self;
        let (mut bounds, mut nearest) = (Vec::new(), Vec::new());
        reserve(&mut bounds, searches.len(), "the searches")?;
        reserve(&mut nearest, searches.len(), "the searches")?;
        for search in &mut *searches {
            if let Some(mut bounded) = codes.query(&search.query)? {
                bounded.upper = memo.upper.borrow_mut().pop().unwrap_or_default();
                bounds.push(bounded);
                nearest.push(TopK::new((3 * search.wanted).max(32), coded, None, &|a, b| a.cmp(&b))?);
                (search.stage, search.uncoded) = (Stage::Nearest(Vec::new()), coded..rows);
            }
        }
        codes.bound_all(&mut bounds, only.map(|only| only.groups.as_slice()), share, &mut |query, row, near| {
            if !codes.is_exception(row) && document(row).is_some() {
                nearest[query].offer(near, row as u32);
            }
            nearest[query].limit()
        })?;
        let with_bounds = searches.iter_mut().filter(|search| matches!(search.stage, Stage::Nearest(_)));
        for ((search, bounds), nearest) in with_bounds.zip(bounds).zip(nearest) {
            let mut rows = Vec::new();
            reserve(&mut rows, nearest.len(), "the nearest rows")?;
            rows.extend(nearest.into_sorted().map(|(row, _)| row));
            (search.bounds, search.stage) = (Some(bounds), Stage::Nearest(rows));
        }
        Ok(())
    }

    /// Goes on with a search. Returns true at its end. Returns false if rows are missing: `rows` then lists them.
    pub fn advance(&self, search: &mut Cascade, rows: &mut Supplied) -> Result<bool> {
        let mut top = TopK::new(search.wanted, self.rows, search.least, self.ties)?;
        for (doc, score) in search.found.drain(..) {
            top.offer(score, doc);
        }
        let uncoded = std::mem::take(&mut search.uncoded);
        self.scan(&search.query, uncoded, &mut top);
        let done = self.go_on(search, rows, &mut top);
        reserve(&mut search.found, top.len(), "results")?;
        search.found.extend(top.into_sorted());
        done
    }

    fn go_on(&self, search: &mut Cascade, rows: &mut Supplied, top: &mut TopK<'_>) -> Result<bool> {
        let Self { matrix, memo, .. } = *self;
        if matches!(search.stage, Stage::Nearest(_)) && !self.look_closer(search, rows, top)? {
            return Ok(false);
        }
        if let Some(bounds) = search.bounds.take() {
            let mut kept = memo.upper.borrow_mut();
            if kept.len() < TOGETHER {
                kept.push(bounds.upper);
            }
        }
        let Stage::Left(left, at) = &mut search.stage else { return Ok(true) };
        while *at < left.len() {
            let limit = top.limit();
            let piece = if matrix.gone() == 0 { left.len() } else { (*at + PIECE).min(left.len()) };
            let mut reaching =
                left[*at..piece].iter().filter(|(_, bound)| *bound >= limit).map(|(row, _)| *row as usize);
            if !rows.want(matrix, &mut reaching)? {
                return Ok(false);
            }
            for (row, bound) in &left[*at..piece] {
                if *bound >= top.limit() {
                    self.offer(&search.query, *row as usize, rows, top);
                }
            }
            *at = piece;
        }
        Ok(true)
    }

    /// Scores the rows that are nearest by their codes, and finds the rows whose closer bounds reach the limit that
    /// these scores give. Returns false if rows are missing.
    #[inline(never)]
    fn look_closer(&self, search: &mut Cascade, rows: &mut Supplied, top: &mut TopK<'_>) -> Result<bool> {
        let Self { matrix, codes, memo, .. } = *self;
        let (Stage::Nearest(nearest), Some(bounds)) = (&mut search.stage, &mut search.bounds) else { return Ok(true) };
        if !rows.want(matrix, &mut nearest.iter().map(|row| *row as usize))? {
            return Ok(false);
        }
        for row in &*nearest {
            self.offer(&search.query, *row as usize, rows, top);
            bounds.upper[*row as usize] = NEVER;
        }
        let limit = top.limit();
        let mut survivors = Vec::new();
        reserve(&mut survivors, codes.exceptions().len(), "candidates")?;
        for row in codes.exceptions() {
            bounds.upper[*row as usize] = NEVER;
            if self.only.is_none_or(|only| only.contains(*row as usize)) {
                survivors.push((*row, f32::INFINITY));
            }
        }
        self.closer(bounds, limit, &mut survivors)?;
        // Scanning all rows in order costs less than scoring a quarter of them out of order.
        let most = bounds.upper.len();
        let useless = survivors.len() * 4 > most;
        if !self.narrowed {
            memo.useless.set(if useless { memo.useless.get() + 1 } else { 0 });
            memo.without.set(if memo.useless.get() >= USELESS { PAUSE } else { 0 });
        }
        if useless && matrix.gone() == 0 {
            for row in codes.exceptions() {
                bounds.upper[*row as usize] = f32::INFINITY;
            }
            let document = |row: usize| if bounds.upper[row] == NEVER { None } else { (self.document)(row) };
            Among { document: &document, ..*self }.scan(&search.query, 0..most, top);
            survivors.clear();
        }
        search.stage = Stage::Left(survivors, 0);
        Ok(true)
    }

    fn offer(&self, query: &[f32], row: usize, rows: &Supplied, top: &mut TopK<'_>) {
        if let Some(vector) = rows.get(self.matrix, row) {
            let score = kernel::dot(query, vector);
            if !(score < top.limit())
                && let Some(doc) = (self.document)(row)
            {
                top.offer(score, doc);
            }
        }
    }

    /// Scores rows in order. All of them must be in memory.
    fn scan(&self, query: &[f32], rows: Range<usize>, top: &mut TopK<'_>) {
        if let Some(only) = self.only.filter(|only| only.ones < rows.len() / 2) {
            let nothing = Supplied::default();
            for row in only.rows(rows.start).take_while(|row| *row < rows.end) {
                self.offer(query, row, &nothing, top);
            }
            return;
        }
        let limit = top.limit();
        scan_rows(query, self.matrix, rows, limit, &mut |row, score| {
            if self.only.is_none_or(|only| only.contains(row))
                && let Some(doc) = (self.document)(row)
            {
                top.offer(score, doc);
            }
            top.limit()
        });
    }

    /// Returns the groups of rows, with a bit for each row whose bound reaches the limit.
    fn reaching<'b>(&'b self, bounds: &'b Bounded, limit: f32) -> impl Iterator<Item = (usize, u32)> + 'b {
        // Rows that are done have the lowest bound. They must not be found again, even if there is no limit.
        let limit = limit.max(f32::MIN);
        let all = bounds.upper.as_chunks::<GROUP>().0.iter().enumerate();
        all.filter_map(move |(n, group)| {
            let among = self.only.map_or(u32::MAX, |only| u32::from(*only.groups.get(n).unwrap_or(&0)));
            let bits = if among == 0 { 0 } else { at_least(group, limit) & among };
            (bits > 0).then_some((n, bits))
        })
    }

    /// Adds the rows whose closer bound reaches the limit, with that bound.
    fn closer(&self, bounds: &Bounded, limit: f32, survivors: &mut Vec<(u32, f32)>) -> Result<()> {
        for (n, bits) in self.reaching(bounds, limit) {
            reserve(survivors, GROUP, "candidates")?;
            self.codes.closer(bounds, n, bits, limit, |row, bound| {
                if bound >= limit {
                    survivors.push((row as u32, bound));
                }
            });
        }
        Ok(())
    }
}

/// The number of queries that share one pass, at most.
pub const TOGETHER: usize = 8;

impl Cascade {
    /// Returns the documents that were found and their scores, the best first.
    pub fn found(&self) -> &[(u32, f32)] {
        &self.found
    }
}

/// Lists rows to be scored, whatever their codes say.
fn listed(rows: &mut dyn Iterator<Item = usize>) -> Result<Stage> {
    let mut list = Vec::new();
    for row in rows {
        reserve(&mut list, 1, "candidates")?;
        list.push((row as u32, f32::INFINITY));
    }
    Ok(Stage::Left(list, 0))
}
