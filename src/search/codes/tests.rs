use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::kernel::GROUP;
use super::rows::{SORTS, Sort, finish, row};
use super::{Codes, Tuning};
use crate::search::kernel;
use crate::segment::Matrix;

fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| *x as f64 * *y as f64).sum()
}

/// How near the worst row came to its bound: 1 would be at it.
fn nearest_to_bound(sort: Sort, dimension: usize, count: usize, rng: &mut TestRng) -> Result<f64, TestCaseError> {
    let mut matrix = Matrix::new(dimension);
    matrix.grow(count).unwrap();
    for n in 0..count {
        let mut made = row(sort, dimension, n, rng);
        finish(sort, n, &mut made);
        matrix.row_mut(n).copy_from_slice(&made);
    }
    let mut codes = Codes::new(dimension, Tuning { least_rows: 1, basis_rows: 64, chunk: 64 * dimension });
    while !codes.step(&matrix, count) {}
    prop_assert_eq!(codes.rows(), count / GROUP * GROUP);
    let mut most = 0.0f64;
    for q in 0..4 {
        let mut query = row([sort, Sort::Gaussian, Sort::OneHot, sort][q], dimension, q, rng);
        kernel::normalize(&mut query);
        if q == 3 {
            query.copy_from_slice(matrix.row(rng.next_u32() as usize % count));
        }
        let mut upper = vec![0.0; codes.rows()];
        let mut near = vec![f32::NAN; codes.rows()];
        let Some(bounded) = codes.bound_all(&query, &mut upper, f32::NEG_INFINITY, &mut |row, score| {
            near[row] = score;
            f32::NEG_INFINITY
        }).unwrap() else { continue };
        for (n, (upper, near)) in upper.iter().zip(&near).enumerate() {
            if codes.is_exception(n) {
                prop_assert!(codes.exceptions().contains(&(n as u32)));
                continue;
            }
            let (exact, score) = (product(&query, matrix.row(n)), kernel::dot(&query, matrix.row(n)));
            let close = bounded.closer(n, *upper);
            for upper in [*upper, close] {
                prop_assert!(upper >= score, "{sort:?} x {dimension}, row {n}: score {score:e}, bound {upper:e}");
            }
            let room = (upper - near) as f64;
            let used = (exact - *near as f64).abs() / room;
            prop_assert!(used <= 1.0, "{sort:?} x {dimension}, row {n}: off by {used} of the bound");
            most = most.max(used);
        }
    }
    Ok(most)
}

#[test]
fn no_score_is_above_its_bound() {
    let mut most = 0.0f64;
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    for sort in SORTS {
        for dimension in [1, 2, 3, 15, 16, 17, 63, 95, 96, 97, 128, 200, 384, 768, 1025] {
            let used = nearest_to_bound(sort, dimension, 150, &mut rng).unwrap();
            most = most.max(used);
        }
    }
    nearest_to_bound(Sort::Strong, 384, 5000, &mut rng).unwrap();
    nearest_to_bound(Sort::Gaussian, 4096, 70, &mut rng).unwrap();
    println!("the worst row used {most:.3} of its bound");
    // Were it never near, the bound would be needlessly wide, or this test blind.
    assert!(most > 0.5, "{most}");
}

#[test]
fn bounds_hold_for_any_rows() {
    let mut runner = TestRunner::new(Config::with_cases(300));
    runner
        .run(&(0usize..7, 1usize..300, 16usize..300, any::<u64>()), |(sort, dimension, count, seed)| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            let mut rng = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &bytes);
            nearest_to_bound(SORTS[sort], dimension, count, &mut rng).map(|_| ())
        })
        .unwrap();
}
