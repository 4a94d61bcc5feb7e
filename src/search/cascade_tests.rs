use proptest::test_runner::TestRng;

use super::super::codes::{Share, Tuning};
use super::{Among, Cascade, Codes, Memo};
use crate::search::codes::rows::{Sort, row};
use crate::search::kernel;
use crate::segment::{Matrix, Step, Supplied};

const ROWS: usize = 4096;
const DIMENSION: usize = 48;

/// Returns rows that are like those of text in all directions except the last. For a query in the last direction all
/// rows have the same score, so codes cannot rule out any row.
fn text_rows(rng: &mut TestRng) -> Matrix {
    let mut matrix = Matrix::new(DIMENSION);
    matrix.grow(ROWS).unwrap();
    for n in 0..ROWS {
        let mut made = row(Sort::Strong, DIMENSION, n, rng);
        made[DIMENSION - 1] = 0.0;
        kernel::normalize(&mut made);
        matrix.row_mut(n).copy_from_slice(&made);
    }
    matrix
}

fn search(matrix: &Matrix, codes: &Codes, memo: &Memo, query: &[f32]) {
    let document = |row: usize| Some(row as u32);
    let ties = |a: u32, b: u32| a.cmp(&b);
    let among = Among {
        matrix,
        codes,
        memo,
        rows: ROWS,
        only: None,
        narrowed: false,
        document: &document,
        ties: &ties,
        share: Share::ALL,
    };
    let mut searches: Vec<Cascade> = among.begin(vec![query.to_vec()], 10, None).unwrap();
    assert!(among.advance(&mut searches[0], &mut Supplied::default()).unwrap());
}

#[test]
fn a_hard_question_leaves_the_next_one_its_codes() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let matrix = text_rows(&mut rng);
    let mut codes = Codes::new(DIMENSION, Tuning::DEFAULT);
    while codes.step(&matrix, ROWS, &mut Supplied::default()) != Step::Done {}
    let memo = Memo::default();
    let mut hard = vec![0.0; DIMENSION];
    hard[DIMENSION - 1] = 1.0;
    let easy = matrix.row(7).to_vec();

    for _ in 0..3 {
        search(&matrix, &codes, &memo, &hard);
        assert_eq!(memo.without.get(), 0, "one hard question says nothing of the next");
    }
    search(&matrix, &codes, &memo, &easy);
    assert_eq!(memo.useless.get(), 0, "an easy question shows that codes are of use");

    for _ in 0..4 {
        search(&matrix, &codes, &memo, &hard);
    }
    assert_eq!(memo.without.get(), 7, "hard questions alone show that codes are of no use here");
}
