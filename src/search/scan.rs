use std::ops::Range;

use super::kernel;
use crate::segment::Matrix;

/// Rows scored before any of them is looked at: enough to keep the kernel going, few enough to stay in the first cache.
const BLOCK: usize = 128;

/// Scores `rows` in their order and shows those that are not below a limit to `visit`, which returns the limit from then on.
pub fn scan_rows(query: &[f32], matrix: &Matrix, rows: Range<usize>, mut limit: f32, visit: &mut dyn FnMut(usize, f32) -> f32) {
    let mut scores = [0.0f32; BLOCK];
    for (first, span) in matrix.spans(rows.start, rows.end) {
        for (n, block) in span.chunks(BLOCK * query.len()).enumerate() {
            let scores = &mut scores[..block.len() / query.len()];
            kernel::dots(query, block, scores);
            for (i, score) in scores.iter().enumerate() {
                // Written so that NaN, which is below nothing, gets through.
                if !(*score < limit) {
                    limit = visit(first + n * BLOCK + i, *score);
                }
            }
        }
    }
}
