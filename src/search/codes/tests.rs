use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::kernel::GROUP;
use super::rows::{SORTS, Sort, finish, row};
use super::{Bounded, Codes, Tuning};
use crate::search::kernel;
use crate::segment::{Matrix, Step, Supplied};

fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| *x as f64 * *y as f64).sum()
}

fn filled(sort: Sort, dimension: usize, count: usize, rng: &mut TestRng) -> Matrix {
    let mut matrix = Matrix::new(dimension);
    matrix.grow(count).unwrap();
    for n in 0..count {
        let mut made = row(sort, dimension, n, rng);
        finish(sort, n, &mut made);
        matrix.row_mut(n).copy_from_slice(&made);
    }
    matrix
}

/// Returns how much of its bound the worst row used. 1 would be all of it.
fn nearest_to_bound(sort: Sort, dimension: usize, count: usize, rng: &mut TestRng) -> Result<f64, TestCaseError> {
    let matrix = filled(sort, dimension, count, rng);
    let mut codes = Codes::new(
        dimension,
        Tuning { least_rows: 1, basis_rows: 64, chunk: 64 * dimension, whole: count.is_multiple_of(2) },
    );
    while codes.step(&matrix, count, &mut Supplied::default()) != Step::Done {}
    prop_assert_eq!(codes.rows(), count / GROUP * GROUP);
    nearest_in(&codes, &matrix, sort, rng)
}

/// Returns the bounds of a row by the early directions of the second layer and by all.
fn closer(codes: &Codes, query: &Bounded, row: usize) -> [f32; 2] {
    // With no limit above it, the bound is that of all directions. Otherwise it is that of the early ones.
    [f32::INFINITY, f32::NEG_INFINITY].map(|limit| {
        let mut close = f32::NAN;
        codes.closer(query, row / GROUP, 1 << (row % GROUP), limit, |_, bound| close = bound);
        close
    })
}

fn nearest_in(codes: &Codes, matrix: &Matrix, sort: Sort, rng: &mut TestRng) -> Result<f64, TestCaseError> {
    let dimension = matrix.dimension();
    let mut most = 0.0f64;
    for q in 0..4 {
        let mut query = row([sort, Sort::Gaussian, Sort::OneHot, sort][q], dimension, q, rng);
        kernel::normalize(&mut query);
        if q == 3 {
            query.copy_from_slice(matrix.row(rng.next_u32() as usize % matrix.len()));
        }
        let mut near = vec![f32::NAN; codes.rows()];
        let Some(bounded) = codes.query(&query).unwrap() else { continue };
        let mut bounded = [bounded];
        codes
            .bound_all(&mut bounded, None, super::Share::ALL, &mut |_, row, score| {
                near[row] = score;
                f32::NEG_INFINITY
            })
            .unwrap();
        for (n, (upper, near)) in bounded[0].upper.iter().zip(&near).enumerate() {
            if codes.is_exception(n) {
                prop_assert!(codes.exceptions().contains(&(n as u32)));
                continue;
            }
            let (exact, score) = (product(&query, matrix.row(n)), kernel::dot(&query, matrix.row(n)));
            let [early, all] = closer(codes, &bounded[0], n);
            for upper in [*upper, early, all] {
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
    // In `npm test`, each sort has every fourth of the dimensions that take long, and each dimension has some sorts.
    let step = crate::few_or(4, 1) as usize;
    for (which, sort) in SORTS.into_iter().enumerate() {
        for (n, dimension) in [1, 2, 3, 15, 16, 17, 63, 95, 96, 97, 128, 200, 384, 768, 1025].into_iter().enumerate() {
            if dimension > 97 && !(n + which).is_multiple_of(step) {
                continue;
            }
            let used = nearest_to_bound(sort, dimension, 150, &mut rng).unwrap();
            most = most.max(used);
        }
    }
    nearest_to_bound(Sort::Strong, 384, crate::few_or(1000, 5000) as usize, &mut rng).unwrap();
    nearest_to_bound(Sort::Falling, 96, 1000, &mut rng).unwrap();
    nearest_to_bound(Sort::Gaussian, 4096, crate::few_or(20, 70) as usize, &mut rng).unwrap();
    // Sums reach the ends of i32: around the dimension from which the query's codes have fewer bits, and at the
    // greatest dimension.
    for dimension in [515, 516, 517, 518, 520, 65_536] {
        nearest_to_bound(Sort::Signs, dimension, 32, &mut rng).unwrap();
    }
    println!("the worst row used {most:.3} of its bound");
    // If no row ever came near its bound, the bound would be too wide, or this test would see nothing.
    assert!(most > 0.5, "{most}");
}

/// The bound of each layer allows for what its codes lose. It is tight for a query that points to just that, and to
/// nothing else.
#[test]
fn bounds_of_all_layers_are_tight() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    for (dimension, whole) in [(96, true), (192, true), (192, false), (384, true)] {
        let mut matrix = filled(Sort::Strong, dimension, 640, &mut rng);
        let mut codes = Codes::new(dimension, Tuning { least_rows: 1, basis_rows: 64, chunk: 128 * dimension, whole });
        while codes.step(&matrix, 640, &mut Supplied::default()) != Step::Done {}
        let directions: Vec<Vec<f64>> = codes.chunks[0]
            .basis()
            .unwrap()
            .directions()
            .chunks_exact(dimension)
            .map(|direction| direction.iter().map(|x| *x as f64).collect())
            .collect();
        let sum = |numbers: &[f64]| {
            let mut sum = vec![0.0; dimension];
            for (number, direction) in numbers.iter().zip(&directions) {
                sum.iter_mut().zip(direction).for_each(|(sum, x)| *sum += number * x);
            }
            sum
        };
        let unit = |numbers: &[f64]| {
            let mut unit: Vec<f32> = sum(numbers).iter().map(|x| *x as f32).collect();
            kernel::normalize(&mut unit);
            unit
        };
        // These rows have as much in the early directions as in those of the first layer, and nothing else.
        let lengths = codes.chunks[0].numbers(0).map(|numbers| numbers.len());
        matrix.grow(64).unwrap();
        for n in 640..704 {
            let numbers = row(Sort::Gaussian, lengths[0] + lengths[1], n, &mut rng);
            matrix.row_mut(n).copy_from_slice(&unit(&numbers.iter().map(|x| *x as f64).collect::<Vec<_>>()));
        }
        while codes.step(&matrix, 704, &mut Supplied::default()) != Step::Done {}

        let mut most = [[0.0f64; 2]; 3];
        for n in (0..704).step_by(9).filter(|n| !codes.is_exception(*n)) {
            let row: Vec<f64> = matrix.row(n).iter().map(|x| *x as f64).collect();
            let mut numbers = Vec::new();
            for (layer, more) in codes.chunks[n / codes.chunk_rows].numbers(n % codes.chunk_rows).iter().enumerate() {
                numbers.extend(more);
                let lost: Vec<f64> = row.iter().zip(sum(&numbers)).map(|(x, y)| x - y).collect();
                let inside: Vec<f64> = directions[..numbers.len()]
                    .iter()
                    .map(|direction| direction.iter().zip(&lost).map(|(x, y)| x * y).sum())
                    .collect();
                let mut whole: Vec<f32> = lost.iter().map(|x| *x as f32).collect();
                kernel::normalize(&mut whole);
                for (kind, query) in [whole, unit(&inside)].into_iter().enumerate() {
                    let Some(bounded) = codes.query(&query).unwrap() else { continue };
                    let mut bounded = [bounded];
                    codes.bound_all(&mut bounded, None, super::Share::ALL, &mut |_, _, _| f32::NEG_INFINITY).unwrap();
                    let [early, all] = closer(&codes, &bounded[0], n);
                    let bound = [bounded[0].upper[n], early, all][layer] as f64;
                    let by_codes = |(x, direction): (&f64, &Vec<f64>)| -> f64 {
                        x * direction.iter().zip(&query).map(|(x, y)| x * *y as f64).sum::<f64>()
                    };
                    let near: f64 = numbers.iter().zip(&directions).map(by_codes).sum();
                    let used = (product(&query, matrix.row(n)) - near) / (bound - near);
                    assert!(used <= 1.0, "dimension {dimension}, row {n}, layer {layer}: {used} of the bound");
                    most[layer][kind] = most[layer][kind].max(used);
                }
            }
        }
        println!("dimension {dimension}: {most:.3?}");
        assert!(most.as_flattened().iter().all(|used| *used > 0.9), "dimension {dimension}: {most:?}");
    }
}

#[test]
fn bounds_hold_for_any_rows() {
    let mut runner = TestRunner::new(Config::with_cases(crate::few_or(15, 300)));
    runner
        .run(&(0..SORTS.len(), 1usize..300, 16usize..300, any::<u64>()), |(sort, dimension, count, seed)| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            let mut rng = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &bytes);
            nearest_to_bound(SORTS[sort], dimension, count, &mut rng).map(|_| ())
        })
        .unwrap();
}

/// Returns codes for which a basis was looked for twice. At the second time the first basis had several chunks, each
/// with more rows than a step codes.
fn while_made_again(matrix: &Matrix, count: usize) -> Codes {
    let dimension = matrix.dimension();
    let mut codes =
        Codes::new(dimension, Tuning { least_rows: 1, basis_rows: 64, chunk: 320 * dimension, whole: true });
    while codes.step(matrix, count / 4, &mut Supplied::default()) != Step::Done {}
    while codes.again.as_ref().is_none_or(|(at, _)| *at == 0) {
        assert!(codes.step(matrix, count, &mut Supplied::default()) != Step::Done, "no chunk was made again");
    }
    codes
}

#[test]
fn bounds_hold_in_two_bases_at_once() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    for sort in [Sort::Strong, Sort::Falling] {
        let matrix = filled(sort, 192, 2800, &mut rng);
        let mut codes = while_made_again(&matrix, 2800);
        let others = |codes: &Codes| {
            codes.chunks.iter().filter(|chunk| !super::same(chunk.basis(), codes.basis.as_ref())).count()
        };
        assert!((1..codes.chunks.len()).contains(&others(&codes)), "{} of {}", others(&codes), codes.chunks.len());
        loop {
            nearest_in(&codes, &matrix, sort, &mut rng).unwrap();
            if codes.step(&matrix, 2800, &mut Supplied::default()) == Step::Done {
                break;
            }
        }
        assert_eq!(others(&codes), 0);
    }
}

#[test]
fn nothing_is_left_of_rows_that_have_moved() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let mut matrix = filled(Sort::Strong, 192, 2800, &mut rng);
    let mut codes = while_made_again(&matrix, 2800);
    for n in 0..1400 {
        matrix.swap(n, 2799 - n);
    }
    codes.clear();
    assert!(codes.rows() == 0 && codes.exceptions().is_empty());
    while codes.step(&matrix, 2800, &mut Supplied::default()) != Step::Done {}
    nearest_in(&codes, &matrix, Sort::Strong, &mut rng).unwrap();
}

/// There are rows of two kinds, and every basis leaves more of one of them. A basis is looked for again when the rows
/// have grown by a certain part. It is not looked for every few thousand rows, nor because of rows that were there at
/// the last look.
#[test]
fn a_basis_is_not_looked_for_without_end() {
    let (dimension, half) = (96, 40_000);
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let plain = filled(Sort::Strong, dimension, 500, &mut rng);
    let mut noisy = filled(Sort::Strong, dimension, 500, &mut rng);
    for n in 0..500 {
        let noise = row(Sort::Gaussian, dimension, n, &mut rng);
        noisy.row_mut(n).iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.07 * noise);
        kernel::normalize(noisy.row_mut(n));
    }
    let one_after_the_other = |first: &Matrix, second: &Matrix| {
        let mut matrix = Matrix::new(dimension);
        matrix.grow(2 * half).unwrap();
        for n in 0..2 * half {
            matrix.row_mut(n).copy_from_slice(if n < half { first } else { second }.row(n % 500));
        }
        matrix
    };
    let looks = |codes: &mut Codes, matrix: &Matrix, rows: usize| {
        let mut looks = 0;
        loop {
            let looking = codes.builder.is_some();
            let done = codes.step(matrix, rows, &mut Supplied::default()) == Step::Done;
            looks += usize::from(!looking && codes.builder.is_some());
            if done {
                return looks;
            }
        }
    };
    let matrix = one_after_the_other(&noisy, &plain);
    let mut codes = Codes::new(dimension, Tuning::default());
    assert_eq!(looks(&mut codes, &matrix, 2 * half), 1);
    codes.clear();
    assert_eq!(looks(&mut codes, &matrix, 2 * half), 0);
    let matrix = one_after_the_other(&plain, &noisy);
    let mut codes = Codes::new(dimension, Tuning::default());
    let looked: usize = (half..=2 * half).step_by(2000).map(|rows| looks(&mut codes, &matrix, rows)).sum();
    assert!((2..=4).contains(&looked), "{looked}");
    assert!(codes.basis.is_some());
}
