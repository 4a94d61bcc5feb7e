//! Each fault that is put into the index or the search is found by the comparison with the oracle.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::files::load;
use super::histories::{Pair, act, asked, check, check_equal, check_many, equal_documents, saved};
use crate::few_or;
use crate::mutant::{TEXT, activate};
use crate::text::index::Origin;

/// Returns whether a history of these kinds of acts gives wrong answers.
fn histories_find(docs: u32, cases: u32) -> bool {
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let acts = prop::collection::vec(act(2, docs), 0..80);
    let questions = prop::collection::vec(asked(2), 1..6);
    let all = (acts, questions, any::<bool>(), any::<bool>(), any::<bool>());
    runner
        .run(&all, |(acts, questions, each, small, few)| {
            check(&acts, &questions, each, small, few);
            Ok(())
        })
        .is_err()
}

/// Returns whether ties are lost.
fn ties_find() -> bool {
    let config =
        ProptestConfig { cases: 300, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&equal_documents(), |(documents, every, asked)| {
            check_equal(&documents, every, &asked);
            Ok(())
        })
        .is_err()
}

/// Returns whether a file is loaded in which a word was changed after it was saved.
fn files_find() -> bool {
    let mut pair = Pair::new(1);
    pair.put(0, &vec![vec!["color".into()]]);
    let mut file = saved(&mut pair.index, &Origin::default());
    let place = file.windows(5).position(|bytes| bytes == b"color").unwrap();
    file[place] = b'd';
    load(&file, file.len()).is_ok()
}

#[test]
fn every_fault_is_found() {
    let mut missed = Vec::new();
    // `npm test` looks for every third one.
    for (fault, what) in TEXT.iter().step_by(few_or(3, 1) as usize) {
        let start = std::time::Instant::now();
        activate(Some(*fault));
        let many = || catch_unwind(AssertUnwindSafe(|| check_many(&[(1, 700), (2, 2_500)], 40))).is_err();
        let found = files_find() || ties_find() || histories_find(30, 300) || many();
        activate(None);
        println!("{what}: {} {:?}", if found { "found" } else { "missed" }, start.elapsed());
        if !found {
            missed.push(*what);
        }
    }
    assert!(missed.is_empty(), "missed: {missed:?}");
    assert!(!files_find() && !histories_find(30, 50));
}
