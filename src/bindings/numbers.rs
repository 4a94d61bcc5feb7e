//! Checks numbers from JavaScript, and copies vectors once.

use js_sys::Float32Array;

use crate::Result as Fallible;
use crate::error::fail;
#[cfg(feature = "whole")]
use crate::segment::Matrix;

/// Copies vectors, row by row, into the rows from `first` on.
#[cfg(feature = "whole")]
pub fn copy_rows(vectors: &Float32Array, matrix: &mut Matrix, first: usize) {
    let (mut at, end, dimension) = (first, matrix.len(), matrix.dimension());
    let mut from = 0;
    while at < end {
        let span = matrix.span_mut(at, end);
        copy_floats(vectors, from, span);
        at += span.len() / dimension;
        from += span.len();
    }
}

/// Copies the numbers from a place on.
pub fn copy_floats(vectors: &Float32Array, from: usize, into: &mut [f32]) {
    vectors.subarray(from as u32, (from + into.len()) as u32).copy_to(into);
}

pub fn size(value: f64, what: &str) -> Fallible<u64> {
    if !(value >= 0.0 && value <= 9_007_199_254_740_992.0 && value.fract() == 0.0) {
        fail!(InvalidArgument, "{what} is no whole number from 0 up");
    }
    Ok(value as u64)
}
