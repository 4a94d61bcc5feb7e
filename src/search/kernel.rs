//! Dot products and normalization, with native's order of additions and so native's bits.
//!
//! A dot product runs in eight lanes. Lane `i` takes the elements `i, i + 8, i + 16, ...`. The lanes are folded 8 → 4 →
//! 2 → 1, and the elements after the last eight are added one by one. The order is the same in [`scalar`] and `simd`.

/// Vectors with a shorter norm are left as they are.
const TINY: f32 = 1e-12;

/// Returns the sum of squares, added from left to right.
pub fn norm_squared(v: &[f32]) -> f32 {
    v.iter().map(|x| x * x).sum()
}

/// Computes the sum of squares of each row, added from left to right. Each addition waits for the one before, so four
/// rows are summed at the same time.
pub fn norms_squared(rows: &[f32], dimension: usize, out: &mut [f32]) {
    for (rows, out) in rows.chunks(4 * dimension).zip(out.chunks_mut(4)) {
        if rows.len() < 4 * dimension {
            rows.chunks(dimension).zip(out).for_each(|(row, sum)| *sum = norm_squared(row));
            continue;
        }
        let (front, back) = rows.split_at(2 * dimension);
        let ((a, b), (c, d)) = (front.split_at(dimension), back.split_at(dimension));
        let mut sums = [0.0; 4];
        for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
            for (sum, x) in sums.iter_mut().zip([a, b, c, d]) {
                *sum += x * x;
            }
        }
        out.copy_from_slice(&sums);
    }
}

/// Scales to unit length. A vector shorter than 1e-12, or whose squared norm is not finite, stays as it is.
pub fn normalize(v: &mut [f32]) {
    scale_to_unit(v, norm_squared(v));
}

/// Does the same as [`normalize`], for a vector whose sum of squares is known.
pub fn scale_to_unit(v: &mut [f32], norm_squared: f32) {
    let norm = norm_squared.sqrt();
    if norm >= TINY && norm.is_finite() {
        let inverse = 1.0 / norm;
        let (fours, rest) = v.as_chunks_mut::<4>();
        fours.iter_mut().for_each(|four| *four = four.map(|x| x * inverse));
        rest.iter_mut().for_each(|x| *x *= inverse);
    }
}

/// Computes the dot products of `query` with the `out.len()` rows of `rows`. Each row has `query.len()` numbers.
pub fn dots(query: &[f32], rows: &[f32], out: &mut [f32]) {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    simd::dots(query, rows, out);
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    scalar::dots(query, rows, out);
}

/// Returns the dot product of two vectors of the same length.
pub fn dot(query: &[f32], row: &[f32]) -> f32 {
    let mut out = [0.0];
    dots(query, row, &mut out);
    out[0]
}

/// The same additions in the same order, one number at a time. It runs where there is no simd, and the tests compare
/// `simd` with it.
pub mod scalar {
    /// See [`dot`](super::dot).
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        let mut lanes = [0.0f32; 8];
        let (a, a_rest) = a.as_chunks::<8>();
        let (b, b_rest) = b.as_chunks::<8>();
        for (x, y) in a.iter().zip(b) {
            for lane in 0..8 {
                lanes[lane] += x[lane] * y[lane];
            }
        }
        for half in [4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        a_rest.iter().zip(b_rest).fold(lanes[0], |sum, (x, y)| sum + x * y)
    }

    /// See [`dots`](super::dots).
    pub fn dots(query: &[f32], rows: &[f32], out: &mut [f32]) {
        for (row, score) in rows.chunks_exact(query.len().max(1)).zip(out) {
            *score = dot(query, row);
        }
    }
}

/// The same with simd128. It uses only safe constructors: building vectors from the elements of a `&[f32; 8]` compiles
/// to two loads.
///
/// Rows are read one after the other. A single stream of reads runs at the speed of memory: 100,000 rows of 384 took as
/// long as only reading them. Reading four rows at the same time took twice as long.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub mod simd {
    use core::arch::wasm32::{f32x4, f32x4_add, f32x4_extract_lane, f32x4_mul, f32x4_splat, i32x4_shuffle, v128};

    #[inline(always)]
    fn load(x: &[f32; 8]) -> (v128, v128) {
        (f32x4(x[0], x[1], x[2], x[3]), f32x4(x[4], x[5], x[6], x[7]))
    }

    #[inline(always)]
    fn fold(low: v128, high: v128) -> f32 {
        let four = f32x4_add(low, high);
        let two = f32x4_add(four, i32x4_shuffle::<2, 3, 2, 3>(four, four));
        f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
    }

    #[inline(always)]
    fn dot(query: &[f32], row: &[f32]) -> f32 {
        let (q, q_rest) = query.as_chunks::<8>();
        let (x, x_rest) = row.as_chunks::<8>();
        let (mut low, mut high) = (f32x4_splat(0.0), f32x4_splat(0.0));
        for (q, x) in q.iter().zip(x) {
            let ((q_low, q_high), (x_low, x_high)) = (load(q), load(x));
            low = f32x4_add(low, f32x4_mul(q_low, x_low));
            high = f32x4_add(high, f32x4_mul(q_high, x_high));
        }
        q_rest.iter().zip(x_rest).fold(fold(low, high), |sum, (q, x)| sum + q * x)
    }

    /// See [`dots`](super::dots).
    #[inline(never)]
    pub fn dots(query: &[f32], rows: &[f32], out: &mut [f32]) {
        for (row, score) in rows.chunks_exact(query.len().max(1)).zip(out) {
            *score = dot(query, row);
        }
    }
}
