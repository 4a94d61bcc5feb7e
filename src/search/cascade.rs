//! The exact best of all rows, with most of the rows never read: bounds from codes, closer bounds where they do not tell, rows where those
//! do not either. A search can stop where it needs rows that memory does not hold, and goes on when they were supplied.

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

/// What is kept between searches: space, and whether bounds were of use.
#[derive(Default)]
pub struct Memo {
    upper: RefCell<Vec<Vec<f32>>>,
    /// Searches one after the other in which codes told nothing.
    useless: Cell<u32>,
    /// Searches that are still to go without codes.
    without: Cell<u32>,
}

/// So many searches in turn in which codes told nothing show that it is the rows' fault: one hard question says nothing of the next.
const USELESS: u32 = 4;
/// Then so many searches go without codes, before one tries them again.
const PAUSE: u32 = 7;
/// Rows that are asked for at once, at most.
const PIECE: usize = 1024;
/// As many rows that are known by number are scored as they are.
const FEW: usize = 64;

/// What is searched.
pub struct Among<'a> {
    pub matrix: &'a Matrix,
    pub codes: &'a Codes,
    pub memo: &'a Memo,
    pub rows: usize,
    /// No others count. (Of these, too, only those of which `document` makes something.)
    pub only: Option<&'a Bits>,
    /// Not all rows count: what codes tell of such a search says nothing of others.
    pub narrowed: bool,
    /// What a row counts as, if it does.
    pub document: &'a dyn Fn(usize) -> Option<u32>,
    pub ties: Ties<'a>,
    /// What others search; only of codes, so only where [`splits`](Self::splits).
    pub share: Share,
}

enum Stage {
    /// The nearest by their codes are to be scored; they give the limit that all others must reach.
    Nearest(Vec<u32>),
    /// Rows with their bounds, of which those before a place are done.
    Left(Vec<(u32, f32)>, usize),
}

/// One query's search.
pub struct Cascade {
    query: Vec<f32>,
    wanted: usize,
    /// The best so far, by their documents.
    found: Vec<(u32, f32)>,
    least: Option<f32>,
    bounds: Option<Bounded>,
    stage: Stage,
    /// Rows that have no codes are scored first of all.
    uncoded: Range<usize>,
}

impl Among<'_> {
    /// Rows in memory are as good as read, those by themselves at some cost; others are better told by their codes, but for a few.
    fn is_direct(&self) -> bool {
        self.only.is_some_and(|only| only.ones <= FEW || self.matrix.gone() == 0 && only.ones < self.rows / 256)
    }

    /// Finding the nearest by their codes is for few of many.
    fn is_useless(&self, wanted: usize) -> bool {
        wanted.max(32) > self.codes.rows().min(self.rows) / 16 || !self.narrowed && self.memo.without.get() > 0
    }

    /// Whether a search goes by codes, so that others may search a part of them.
    pub fn splits(&self, queries: &[Vec<f32>], wanted: usize) -> bool {
        !self.is_direct() && !self.is_useless(wanted) && queries.iter().all(|query| has_codes(query))
    }

    /// Searches for the `wanted` best of each query; whatever can be told without reading rows is done.
    pub fn begin(&self, queries: Vec<Vec<f32>>, wanted: usize, least: Option<f32>) -> Result<Vec<Cascade>> {
        let Self { matrix, codes, memo, rows, only, document, share, .. } = *self;
        let direct = self.is_direct();
        let mut coded = codes.rows().min(rows);
        if self.is_useless(wanted) && matrix.gone() == 0 && share.dealt == 0 {
            memo.without.set(memo.without.get().saturating_sub(1));
            coded = 0;
        }
        let (mut searches, mut bounds) = (Vec::new(), Vec::new());
        reserve(&mut searches, queries.len(), "the searches")?;
        reserve(&mut bounds, queries.len(), "the searches")?;
        for query in queries {
            let mut search = Cascade { query, wanted, found: Vec::new(), least, bounds: None, stage: Stage::Left(Vec::new(), 0), uncoded: 0..0 };
            let bounded = if !direct && coded > 0 { codes.query(&search.query)? } else { None };
            if let Some(mut bounded) = bounded {
                bounded.upper = memo.upper.borrow_mut().pop().unwrap_or_default();
                bounds.push(bounded);
                (search.stage, search.uncoded) = (Stage::Nearest(Vec::new()), coded..rows);
            } else {
                // Without codes: what is known by number, or what memory does not hold, by itself, the rest in order.
                let end = if direct { rows } else { matrix.gone() };
                search.stage = match only {
                    Some(only) => listed(&mut only.rows(0).take_while(|row| *row < end))?,
                    None => listed(&mut (0..end))?,
                };
                search.uncoded = end..rows;
            }
            searches.push(search);
        }
        // Those that look nearest.
        let mut nearest = Vec::new();
        reserve(&mut nearest, bounds.len(), "the searches")?;
        for _ in &bounds {
            nearest.push(TopK::new((3 * wanted).max(32), coded, None, &|a, b| a.cmp(&b))?);
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
        Ok(searches)
    }

    /// Goes on; true: to the end. False: `rows` has been told what is missing.
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
        let Self { matrix, codes, memo, .. } = *self;
        if let (Stage::Nearest(nearest), Some(bounds)) = (&mut search.stage, &mut search.bounds) {
            if !rows.want(matrix, &mut nearest.iter().map(|row| *row as usize))? {
                return Ok(false);
            }
            for row in &*nearest {
                self.offer(&search.query, *row as usize, rows, top);
                bounds.upper[*row as usize] = NEVER;
            }
            let limit = top.limit();
            let left: usize = self.reaching(bounds, limit).map(|(_, bits)| bits.count_ones() as usize).sum();
            let mut survivors = Vec::new();
            reserve(&mut survivors, codes.exceptions().len(), "candidates")?;
            for row in codes.exceptions() {
                bounds.upper[*row as usize] = NEVER;
                if self.only.is_none_or(|only| only.contains(*row as usize)) {
                    survivors.push((*row, f32::INFINITY));
                }
            }
            self.closer(bounds, limit, left, &mut survivors)?;
            // A scan in order costs less than a quarter of the rows out of order.
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
            let mut reaching = left[*at..piece].iter().filter(|(_, bound)| *bound >= limit).map(|(row, _)| *row as usize);
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

    /// All in memory.
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

    /// Groups of rows, with a bit for each whose bound reaches the limit.
    fn reaching<'b>(&'b self, bounds: &'b Bounded, limit: f32) -> impl Iterator<Item = (usize, u32)> + 'b {
        // Without a limit, too, what is done is done.
        let limit = limit.max(f32::MIN);
        let all = bounds.upper.as_chunks::<GROUP>().0.iter().enumerate();
        all.filter_map(move |(n, group)| {
            let among = self.only.map_or(u32::MAX, |only| u32::from(*only.groups.get(n).unwrap_or(&0)));
            let bits = if among == 0 { 0 } else { at_least(group, limit) & among };
            (bits > 0).then_some((n, bits))
        })
    }

    /// Adds the rows whose closer bound reaches the limit, with that bound. `left` rows' first bound does.
    fn closer(&self, bounds: &Bounded, limit: f32, left: usize, survivors: &mut Vec<(u32, f32)>) -> Result<()> {
        reserve(survivors, left, "candidates")?;
        for (n, bits) in self.reaching(bounds, limit) {
            self.codes.closer(bounds, n, bits, |row, bound| {
                if bound >= limit {
                    survivors.push((row as u32, bound));
                }
            });
        }
        Ok(())
    }
}

/// Queries that are searched for together, at most.
pub const TOGETHER: usize = 8;

impl Cascade {
    /// Documents and scores, the best first.
    pub fn found(&self) -> &[(u32, f32)] {
        &self.found
    }
}

/// These rows, whatever their codes say.
fn listed(rows: &mut dyn Iterator<Item = usize>) -> Result<Stage> {
    let mut list = Vec::new();
    for row in rows {
        reserve(&mut list, 1, "candidates")?;
        list.push((row as u32, f32::INFINITY));
    }
    Ok(Stage::Left(list, 0))
}
