//! How far a code's product can be from the true one.
//!
//! Let `B` be the basis, its `m` directions as columns, with `‖BᵀB − I‖ ≤ ε` measured; `p̂` the numbers that a row's codes stand for,
//! `r = v − B p̂` what they leave of the row; `a` the query's numbers in the basis and `s = q − B a` what they leave of it. Then
//!
//! ```text
//! q·v = (Bᵀq)·p̂ + (B a + s)·r,   so   |q·v − a·p̂| ≤ ‖Bᵀq − a‖‖p̂‖ + ‖a‖‖Bᵀr‖ + ‖s‖‖r‖.
//! ```
//!
//! With `p` the row's numbers in the basis as they were computed, and `δ` a bound on their distance from the exact `Bᵀv`,
//!
//! ```text
//! ‖Bᵀr‖ ≤ ‖p − p̂‖ + δ + ε‖p̂‖
//! ‖r‖²  ≤ ‖v‖² − 2 p·p̂ + 2δ‖p̂‖ + (1 + ε)‖p̂‖²
//! ```
//!
//! and likewise `‖s‖² ≤ ‖q‖² − ‖a‖² + 2δ‖a‖ + ε‖a‖²`. No second product with the basis is needed, and any basis will do. All this is
//! computed in f64 and rounded up to f32; what f64 itself rounds is covered by `TINY`. The basis may be the identity: then `p` is the
//! row itself and `δ`, `ε` and `‖s‖` are 0. The whole argument is in docs/spec/codes.md.

/// Unit roundoff of f32.
const U: f64 = 1.0 / (1u64 << 24) as f64;
/// Above what sums of squares near 1 lose in f64, even with 65,536 terms.
const TINY: f64 = 1e-9;
/// Rows and queries whose norm is not in here have no codes and are scored as they are.
pub const NORMS: std::ops::RangeInclusive<f64> = 0.999..=1.001;
/// Greatest norm of what codes stand for; with a longer one a row has none.
const LONGEST: f64 = 1.1;
/// For the f32 operations that evaluate a bound: 22 with a second layer's, of numbers below 4.5 and most of them near 1, which lose
/// 41 U at most.
const EVALUATION: f64 = 64.0 * U;

/// A number of f32 that is not below `x`.
pub fn up(x: f64) -> f32 {
    (x * (1.0 + 4.0 * U)) as f32
}

/// Of the product of two vectors of norm 1, summed in f32 in four lanes or more: how far it may be off.
pub fn product_error(dimension: usize) -> f64 {
    (dimension as f64 / 4.0 + 16.0) * U * 1.01
}

/// Of the exact score as native computes it (eight lanes), for rows and queries with norms within [`NORMS`].
fn score_error(dimension: usize) -> f64 {
    (dimension as f64 / 8.0 + 11.0) * U * 1.01
}

pub fn norm_squared(v: &[f32]) -> f64 {
    // Two sums, so that one does not wait for the other.
    let (pairs, rest) = v.as_chunks::<2>();
    let mut sums = [0.0f64; 2];
    for pair in pairs {
        sums[0] += pair[0] as f64 * pair[0] as f64;
        sums[1] += pair[1] as f64 * pair[1] as f64;
    }
    sums[0] + sums[1] + rest.iter().map(|x| *x as f64 * *x as f64).sum::<f64>()
}

/// What is known of a basis.
#[derive(Clone, Copy)]
pub struct Skew {
    /// `ε`
    pub skew: f64,
    /// `δ` for one direction.
    pub each: f64,
}

impl Skew {
    pub const NONE: Skew = Skew { skew: 0.0, each: 0.0 };

    /// `δ` over `m` directions, for a vector of a norm within [`NORMS`].
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
    pub fn add(&mut self, numbers: &[f32], codes: &[i8], scale: f32) {
        self.m += numbers.len();
        for (p, code) in numbers.iter().zip(codes) {
            let (p, coded) = (*p as f64, *code as f64 * scale as f64);
            self.lost += (p - coded) * (p - coded);
            self.product += p * coded;
            self.kept += coded * coded;
        }
    }

    /// `(‖Bᵀr‖, ‖r‖)`, rounded up. None: the row is too long or too short.
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

/// A query's side of the bound.
#[derive(Clone, Copy, Default)]
pub struct Reach {
    /// `‖a‖`, to be multiplied by a row's `‖Bᵀr‖`.
    pub along: f32,
    /// `‖s‖`, to be multiplied by a row's `‖r‖`.
    pub off: f32,
    /// What is added whatever the row.
    pub slack: f32,
}

impl Reach {
    /// `numbers` of the query in the basis; `lost`: how far, squared, the query's own codes are from them. Identity: `whole`.
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
