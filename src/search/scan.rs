use std::ops::Range;

use super::kernel;
use crate::segment::Matrix;

/// The number of rows that are scored before any of them is looked at. It is large enough to keep the kernel busy, and
/// small enough for the first cache.
const BLOCK: usize = 128;

/// Scores `rows` in their order. Calls `visit` for each row that is not below the limit. `visit` returns the new limit.
pub fn scan_rows(
    query: &[f32],
    matrix: &Matrix,
    rows: Range<usize>,
    mut limit: f32,
    visit: &mut dyn FnMut(usize, f32) -> f32,
) {
    let mut scores = [0.0f32; BLOCK];
    for (first, span) in matrix.spans(rows.start, rows.end) {
        for (n, block) in span.chunks(BLOCK * query.len()).enumerate() {
            let scores = &mut scores[..block.len() / query.len()];
            kernel::dots(query, block, scores);
            for (i, score) in scores.iter().enumerate() {
                // NaN is not below anything. This form of the condition lets it through.
                if !(*score < limit) {
                    limit = visit(first + n * BLOCK + i, *score);
                }
            }
        }
    }
}
