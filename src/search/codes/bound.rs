//! How far a product of codes can be from the true one.
//!
//! Let `B` be the basis with its `m` directions as columns, and let `ε` be measured so that `‖BᵀB − I‖ ≤ ε`. `p̂` are
//! the numbers that a row's codes stand for, and `r = v − B p̂` is the remainder of the row. `a` are the query's
//! numbers in the basis, and `s = q − B a` is the remainder of the query. Then
//!
//! ```text
//! q·v = (Bᵀq)·p̂ + (B a + s)·r,   so   |q·v − a·p̂| ≤ ‖Bᵀq − a‖‖p̂‖ + ‖a‖‖Bᵀr‖ + ‖s‖‖r‖.
//! ```
//!
//! Let `p` be the row's numbers in the basis as they were computed, and `δ` a bound on their distance from the exact
//! `Bᵀv`. Then
//!
//! ```text
//! ‖Bᵀr‖ ≤ ‖p − p̂‖ + δ + ε‖p̂‖
//! ‖r‖²  ≤ ‖v‖² − 2 p·p̂ + 2δ‖p̂‖ + (1 + ε)‖p̂‖²
//! ```
//!
//! and likewise `‖s‖² ≤ ‖q‖² − ‖a‖² + 2δ‖a‖ + ε‖a‖²`. This needs no second product with the basis, and any basis will
//! do. Everything is computed in f64 and rounded up to f32. `TINY` covers the rounding of f64 itself. The basis may be
//! the identity: then `p` is the row itself, and `δ`, `ε` and `‖s‖` are 0. docs/spec/codes.md has the whole argument.

/// The unit roundoff of f32.
const U: f64 = 1.0 / (1u64 << 24) as f64;
/// More than the rounding error in f64 of a sum of squares near 1, even with 65,536 terms.
const TINY: f64 = 1e-9;
/// Rows and queries whose norm is outside of this range have no codes and are scored without them.
pub const NORMS: std::ops::RangeInclusive<f64> = 0.999..=1.001;
/// The greatest norm of the numbers that codes stand for. If it is greater, the row has no codes.
const LONGEST: f64 = 1.1;
/// Covers the f32 operations that evaluate a bound. There are 22 with the second layer's, on numbers below 4.5, most of
/// them near 1. Together they lose at most 41 U.
const EVALUATION: f64 = 64.0 * U;

/// Returns a number of f32 that is not below `x`.
pub fn up(x: f64) -> f32 {
    (x * (1.0 + 4.0 * U)) as f32
}

/// Bounds the error of the product of two vectors of norm 1, if it is summed in f32 in four lanes or more.
pub fn product_error(dimension: usize) -> f64 {
    (dimension as f64 / 4.0 + 16.0) * U * 1.01
}

/// Bounds the error of the exact score as native computes it (in eight lanes), for rows and queries whose norms are
/// within [`NORMS`].
fn score_error(dimension: usize) -> f64 {
    (dimension as f64 / 8.0 + 11.0) * U * 1.01
}

pub fn norm_squared(v: &[f32]) -> f64 {
    // There are two sums, so that one need not wait for the other.
    let (pairs, rest) = v.as_chunks::<2>();
    let mut sums = [0.0f64; 2];
    for pair in pairs {
        sums[0] += pair[0] as f64 * pair[0] as f64;
        sums[1] += pair[1] as f64 * pair[1] as f64;
    }
    sums[0] + sums[1] + rest.iter().map(|x| *x as f64 * *x as f64).sum::<f64>()
}

/// The errors of a basis.
#[derive(Clone, Copy)]
pub struct Skew {
    /// `ε`
    pub skew: f64,
    /// `δ` for one direction.
    pub each: f64,
}

impl Skew {
    pub const NONE: Skew = Skew { skew: 0.0, each: 0.0 };

    /// Returns `δ` over `m` directions, for a vector whose norm is within [`NORMS`].
    fn distance(&self, m: usize) -> f64 {
        self.each * (m as f64).sqrt() * 1.002 * (1.0 + self.skew)
    }
}

/// Sums over the numbers of a row in the basis, from the first direction on.
#[derive(Clone, Copy, Default)]
pub struct Sums {
    pub m: usize,
    /// `‖p − p̂‖²`
    pub lost: f64,
    /// `p·p̂`
    pub product: f64,
    /// `‖p̂‖²`
    pub kept: f64,
}

impl Sums {
    #[inline(never)]
    pub fn add(&mut self, numbers: &[f32], codes: &[i8], scale: f32) {
        self.m += numbers.len();
        for (p, code) in numbers.iter().zip(codes) {
            let (p, coded) = (*p as f64, *code as f64 * scale as f64);
            self.lost += (p - coded) * (p - coded);
            self.product += p * coded;
            self.kept += coded * coded;
        }
    }

    /// Returns `(‖Bᵀr‖, ‖r‖)`, rounded up, or None if the row is too long or too short.
    #[inline(never)]
    pub fn bounds(&self, norm_squared: f64, basis: Skew) -> Option<(f32, f32)> {
        let kept = self.kept.sqrt();
        if !NORMS.contains(&norm_squared.sqrt()) || !(kept <= LONGEST) {
            return None;
        }
        let distance = basis.distance(self.m);
        let inside = (self.lost + TINY * TINY).sqrt() + distance + basis.skew * kept;
        let rest = norm_squared - 2.0 * self.product + 2.0 * distance * kept + (1.0 + basis.skew) * self.kept + TINY;
        Some((up(inside), up(rest.max(0.0).sqrt())))
    }
}

/// The query's part of the bound.
#[derive(Clone, Copy, Default)]
pub struct Reach {
    /// `‖a‖`, to be multiplied by a row's `‖Bᵀr‖`.
    pub along: f32,
    /// `‖s‖`, to be multiplied by a row's `‖r‖`.
    pub off: f32,
    /// Added for every row.
    pub slack: f32,
}

impl Reach {
    /// Computes the query's part of the bound. `numbers` are those of the query in the basis. `lost` is the squared
    /// distance of the query's own codes from them. `whole` says that the basis is the identity.
    #[inline(never)]
    pub fn new(query: &[f32], numbers: &[f32], lost: f64, basis: Skew, whole: bool) -> Self {
        let along = norm_squared(numbers);
        let distance = basis.distance(numbers.len());
        let norm = norm_squared(query);
        let off = norm - along + 2.0 * distance * along.sqrt() + basis.skew * along + TINY;
        Self {
            along: up(along.sqrt()),
            off: if whole { 0.0 } else { up(off.max(0.0).sqrt()) },
            slack: up(LONGEST * (lost.sqrt() + TINY + distance) + score_error(query.len()) + EVALUATION),
        }
    }
}
