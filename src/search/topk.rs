use std::collections::BinaryHeap;

use crate::Result;
use crate::order::{Ranked, Ties, heap};

/// The best `k` of the numbers that are offered. Higher scores come first. The caller's rule orders equal scores. NaN
/// comes after every number.
pub struct TopK<'a> {
    k: usize,
    /// The worst is on top.
    heap: BinaryHeap<Ranked<'a>>,
    limit: f32,
    numbers_only: bool,
    ties: Ties<'a>,
}

/// Returns an integer that has the same order as the scores: NaN is lowest, and the two zeros are equal.
fn key(score: f32) -> i32 {
    if score.is_nan() {
        return i32::MIN;
    }
    let bits = (score + 0.0).to_bits() as i32;
    if bits < 0 { bits ^ i32::MAX } else { bits }
}

/// Returns the score of a key. NaN comes back as a NaN and −0 as 0. No dot product is −0, because its sums begin with
/// 0.
fn score_of(key: i32) -> f32 {
    if key == i32::MIN {
        return f32::NAN;
    }
    f32::from_bits(if key < 0 { key ^ i32::MAX } else { key } as u32)
}

impl<'a> TopK<'a> {
    /// Begins with an empty list. At most `offers` numbers will be offered. With `least`, only scores of at least that
    /// count, so NaN does not.
    pub fn new(k: usize, offers: usize, least: Option<f32>, ties: Ties<'a>) -> Result<Self> {
        let k = k.min(offers);
        Ok(Self { k, heap: heap(k)?, limit: least.unwrap_or(f32::NEG_INFINITY), numbers_only: least.is_some(), ties })
    }

    /// Returns the limit. Scores below it need not be offered. NaN is not below anything.
    pub fn limit(&self) -> f32 {
        self.limit
    }

    #[inline(never)]
    pub fn offer(&mut self, score: f32, number: u32) {
        if score < self.limit || (score.is_nan() && self.numbers_only) {
            return;
        }
        let offered = Ranked { rank: key(score), number, ties: self.ties };
        if self.heap.len() < self.k {
            self.heap.push(offered);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && offered < *worst
        {
            *worst = offered;
        }
        if self.heap.len() == self.k
            && let Some(worst) = self.heap.peek()
            && worst.rank != i32::MIN
        {
            self.limit = self.limit.max(score_of(worst.rank));
        }
    }

    /// Returns the worst of the best, once there are `k` of them.
    pub fn last_of_all(&self) -> Option<u32> {
        self.heap.peek().filter(|_| self.heap.len() == self.k).map(|worst| worst.number)
    }

    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Returns the numbers with their scores, the best first.
    pub fn into_sorted(self) -> impl ExactSizeIterator<Item = (u32, f32)> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| (ranked.number, score_of(ranked.rank)))
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn score() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => -1.0f32..1.0,
            2 => prop::sample::select(vec![
                0.0f32, -0.0, 0.5, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE,
            ]),
        ]
    }

    proptest! {
        #[test]
        fn equals_a_full_sort(
            scores in prop::collection::vec(score(), 0..200),
            k in 0usize..60,
            least in prop::option::of(-1.0f32..1.0),
        ) {
            let mut top = TopK::new(k, scores.len(), least, &|a, b| a.cmp(&b)).unwrap();
            for (i, score) in scores.iter().enumerate() {
                if !(*score < top.limit()) {
                    top.offer(*score, i as u32);
                }
            }
            let mut all: Vec<usize> =
                (0..scores.len()).filter(|i| least.is_none_or(|least| scores[*i] >= least)).collect();
            all.sort_by(|a, b| {
                let (x, y) = (scores[*a], scores[*b]);
                y.partial_cmp(&x).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan())).then(a.cmp(b))
            });
            all.truncate(k);
            let found: Vec<(u32, f32)> = top.into_sorted().collect();
            prop_assert_eq!(found.iter().map(|(i, _)| *i as usize).collect::<Vec<_>>(), all);
            for (i, score) in found {
                prop_assert!(score == scores[i as usize] || score.is_nan() && scores[i as usize].is_nan());
            }
        }
    }
}
