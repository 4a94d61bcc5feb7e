//! Rows that are hard to bound, for the tests of codes here and in tests/.

use proptest::prelude::Rng;
use proptest::test_runner::TestRng;

/// The kinds of rows that are hard to bound.
#[derive(Clone, Copy, Debug)]
pub enum Sort {
    Gaussian,
    /// Most of the length is in a few directions, as in rows of text.
    Strong,
    /// Each direction is weaker than the one before, so much of a row is in the second layer.
    Falling,
    Equal,
    NearlyEqual,
    OneHot,
    /// The norms are around 1, or far from it.
    Odd,
    /// Numbers from 1 down to subnormal ones in the same row.
    Wide,
    /// All numbers have the same size, so every code is the greatest.
    Signs,
}

pub const SORTS: [Sort; 9] = [
    Sort::Gaussian,
    Sort::Strong,
    Sort::Falling,
    Sort::Equal,
    Sort::NearlyEqual,
    Sort::OneHot,
    Sort::Odd,
    Sort::Wide,
    Sort::Signs,
];

fn gaussian(rng: &mut TestRng) -> f32 {
    let unit = |rng: &mut TestRng| (rng.next_u32() >> 8) as f32 / (1 << 24) as f32 - 0.5;
    (0..6).map(|_| unit(rng)).sum()
}

/// Returns a row that is not scaled to unit length yet.
pub fn row(sort: Sort, dimension: usize, n: usize, rng: &mut TestRng) -> Vec<f32> {
    match sort {
        Sort::Gaussian | Sort::Odd => (0..dimension).map(|_| gaussian(rng)).collect(),
        Sort::Strong => {
            let strengths: Vec<f32> = (0..12).map(|i| gaussian(rng) * 3.0 / (i + 1) as f32).collect();
            let wave = |i: usize, k: usize| ((i * (2 * k + 1) + 7 * k) as f32 * 0.37).sin();
            (0..dimension)
                .map(|i| strengths.iter().enumerate().map(|(k, s)| s * wave(i, k)).sum::<f32>() + 0.1 * gaussian(rng))
                .collect()
        }
        Sort::Falling => (0..dimension).map(|i| gaussian(rng) / (1.0 + 6.0 * i as f32 / dimension as f32)).collect(),
        Sort::Equal => (0..dimension).map(|i| (i % 7) as f32 - 2.5).collect(),
        Sort::NearlyEqual => {
            let mut row: Vec<f32> = (0..dimension).map(|i| (i % 7) as f32 - 2.5).collect();
            let at = rng.next_u32() as usize % dimension;
            row[at] = f32::from_bits(row[at].to_bits() + rng.next_u32() % 3);
            row
        }
        Sort::OneHot => (0..dimension).map(|i| if i == n % dimension { 1.0 } else { 0.0 }).collect(),
        Sort::Signs => (0..dimension).map(|_| if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 }).collect(),
        Sort::Wide => (0..dimension).map(|i| gaussian(rng) * 10f32.powi(-((i % 45) as i32))).collect(),
    }
}

/// Scales a row to unit length. A row of the kind `Odd` is then multiplied by a factor. The result may be a row that
/// only a native store can have.
pub fn finish(sort: Sort, n: usize, row: &mut [f32]) {
    let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm >= 1e-12 {
        let inverse = 1.0 / norm;
        row.iter_mut().for_each(|x| *x *= inverse);
    }
    if matches!(sort, Sort::Odd) {
        let factor = [1.0, 1.0009, 0.9991, 0.5, 3.0, 1e-20, 0.0, f32::NAN, f32::INFINITY, -1.0, 1e30][n % 11];
        row.iter_mut().for_each(|x| *x *= factor);
    }
}
