//! The exact best of all rows, with most of the rows never read: bounds from codes, closer bounds where they do not tell, rows where those
//! do not either.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use super::codes::kernel::{GROUP, at_least, ones};
use super::codes::{Bounded, Codes};
use super::{TopK, kernel, scan_rows};
use crate::Result;
use crate::error::reserve;
use crate::segment::Matrix;

/// What is kept between searches: space, and whether bounds were of use.
#[derive(Default)]
pub struct Memo {
    upper: RefCell<Vec<f32>>,
    /// Searches to go without codes, since they told nothing lately.
    without: Cell<u32>,
}

/// Searches without codes after one in which they told nothing.
const PAUSE: u32 = 7;

/// Offers to `top` every row below `rows` that may be among its best, by its document: what `document` makes of a row, none for a row that does not count.
pub fn search(query: &[f32], matrix: &Matrix, codes: &Codes, memo: &Memo, rows: usize, wanted: usize, top: &mut TopK<'_>, document: &dyn Fn(usize) -> Option<u32>) -> Result<()> {
    let mut coded = codes.rows().min(rows);
    // Finding the nearest by their codes is for few of many.
    if wanted.max(32) > coded / 16 {
        coded = 0;
    }
    if memo.without.get() > 0 {
        memo.without.set(memo.without.get() - 1);
        coded = 0;
    }
    if coded > 0 && !bounded(query, matrix, codes, memo, wanted, top, document)? {
        coded = 0;
    }
    scan(query, matrix, coded..rows, top, document);
    Ok(())
}

fn scan(query: &[f32], matrix: &Matrix, rows: Range<usize>, top: &mut TopK<'_>, document: &dyn Fn(usize) -> Option<u32>) {
    let limit = top.limit();
    scan_rows(query, matrix, rows, limit, &mut |row, score| {
        if let Some(doc) = document(row) {
            top.offer(score, doc);
        }
        top.limit()
    });
}

/// The rows that have codes, or (false) none of them, where codes are of no use.
fn bounded(query: &[f32], matrix: &Matrix, codes: &Codes, memo: &Memo, wanted: usize, top: &mut TopK<'_>, document: &dyn Fn(usize) -> Option<u32>) -> Result<bool> {
    let mut own = Vec::new();
    let mut kept = memo.upper.try_borrow_mut();
    let upper = kept.as_deref_mut().unwrap_or(&mut own);
    let more = codes.rows().saturating_sub(upper.len());
    reserve(upper, more, "bounds")?;
    // What is in it from the search before is written over.
    upper.resize(codes.rows(), 0.0);

    // Those that look nearest give the limit that all others must reach.
    let mut nearest = TopK::new((3 * wanted).max(32), codes.rows(), None, &|a, b| a.cmp(&b))?;
    let bounds = codes.bound_all(query, upper, nearest.limit(), &mut |row, near| {
        if !codes.is_exception(row) && document(row).is_some() {
            nearest.offer(near, row as u32);
        }
        nearest.limit()
    })?;
    let Some(bounds) = bounds else { return Ok(false) };
    let offer = |row: usize, top: &mut TopK<'_>| {
        let score = kernel::dot(query, matrix.row(row));
        if !(score < top.limit())
            && let Some(doc) = document(row)
        {
            top.offer(score, doc);
        }
    };
    const DONE: f32 = f32::NEG_INFINITY;
    for (row, _) in nearest.into_sorted() {
        offer(row as usize, top);
        upper[row as usize] = DONE;
    }
    for row in codes.exceptions() {
        offer(*row as usize, top);
        upper[*row as usize] = DONE;
    }
    let limit = top.limit();
    let left: usize = upper.as_chunks().0.iter().map(|group| at_least(group, limit).count_ones() as usize).sum();
    let mut survivors = Vec::new();
    if left * 2 <= upper.len() {
        survivors = closer(&bounds, upper, limit, left)?;
    }
    // A scan in order costs less than most rows out of order.
    if left * 2 > upper.len() || survivors.len() * 4 > upper.len() {
        memo.without.set(PAUSE);
        scan(query, matrix, 0..upper.len(), top, &|row| if upper[row] == DONE { None } else { document(row) });
        return Ok(true);
    }
    for (row, bound) in survivors {
        if bound >= top.limit() {
            offer(row as usize, top);
        }
    }
    Ok(true)
}

/// The rows whose closer bound reaches the limit, with that bound. `left` rows' first bound does.
fn closer(bounds: &Bounded<'_>, upper: &[f32], limit: f32, left: usize) -> Result<Vec<(u32, f32)>> {
    let mut survivors = Vec::new();
    reserve(&mut survivors, left, "candidates")?;
    for (n, group) in upper.as_chunks::<GROUP>().0.iter().enumerate() {
        for i in ones(at_least(group, limit)) {
            let row = n * GROUP + i;
            let bound = bounds.closer(row, group[i]);
            if bound >= limit {
                survivors.push((row as u32, bound));
            }
        }
    }
    Ok(survivors)
}
