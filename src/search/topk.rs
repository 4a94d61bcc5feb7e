use std::cmp::Ordering;

use crate::Result;
use crate::error::reserve;

/// The best `k` of what is offered: higher scores first, equal ones by a rule of the caller's, NaN behind every number.
///
/// Candidates gather in a buffer of twice `k`; when it is full the better half stays. The limit for new ones is that of the last halving.
pub struct TopK<T, F> {
    k: usize,
    entries: Vec<(i32, T)>,
    limit: f32,
    numbers_only: bool,
    ties: F,
}

/// An integer that orders as the scores do: NaN lowest, the two zeros equal.
fn key(score: f32) -> i32 {
    if score.is_nan() {
        return i32::MIN;
    }
    let bits = (score + 0.0).to_bits() as i32;
    if bits < 0 { bits ^ i32::MAX } else { bits }
}

fn score_of(key: i32) -> f32 {
    f32::from_bits(if key < 0 { key ^ i32::MAX } else { key } as u32)
}

impl<T: Copy, F: Fn(T, T) -> Ordering> TopK<T, F> {
    /// At most `offers` will be offered. Only scores of at least `least` count, where there is one; NaN is not.
    pub fn new(k: usize, offers: usize, least: Option<f32>, ties: F) -> Result<Self> {
        let k = k.min(offers);
        let mut entries = Vec::new();
        reserve(&mut entries, k.saturating_mul(2).max(k + 32).min(offers.max(1)), "search results")?;
        Ok(Self { k, entries, limit: least.unwrap_or(f32::NEG_INFINITY), numbers_only: least.is_some(), ties })
    }

    /// Scores below it need not be offered. (NaN is not below anything.)
    pub fn limit(&self) -> f32 {
        self.limit
    }

    pub fn offer(&mut self, score: f32, item: T) {
        if self.k == 0 || score < self.limit || (score.is_nan() && self.numbers_only) {
            return;
        }
        if self.entries.len() == self.entries.capacity() {
            self.halve();
        }
        self.entries.push((key(score), item));
    }

    fn order(ties: &F, a: &(i32, T), b: &(i32, T)) -> Ordering {
        b.0.cmp(&a.0).then_with(|| ties(a.1, b.1))
    }

    fn halve(&mut self) {
        if self.entries.len() > self.k {
            let ties = &self.ties;
            self.entries.select_nth_unstable_by(self.k - 1, |a, b| Self::order(ties, a, b));
            self.entries.truncate(self.k);
            let worst = self.entries[self.k - 1].0;
            if worst != i32::MIN {
                self.limit = self.limit.max(score_of(worst));
            }
        }
    }

    /// The best first.
    pub fn into_sorted(mut self) -> Vec<T> {
        self.halve();
        let ties = &self.ties;
        self.entries.sort_unstable_by(|a, b| Self::order(ties, a, b));
        self.entries.into_iter().map(|(_, item)| item).collect()
    }
}


#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn score() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => -1.0f32..1.0,
            2 => prop::sample::select(vec![0.0f32, -0.0, 0.5, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE]),
        ]
    }

    proptest! {
        #[test]
        fn equals_a_full_sort(scores in prop::collection::vec(score(), 0..200), k in 0usize..60, least in prop::option::of(-1.0f32..1.0)) {
            let mut top = TopK::new(k, scores.len(), least, |a: usize, b: usize| a.cmp(&b)).unwrap();
            for (i, score) in scores.iter().enumerate() {
                if !(*score < top.limit()) {
                    top.offer(*score, i);
                }
            }
            let mut all: Vec<usize> = (0..scores.len()).filter(|i| least.is_none_or(|least| scores[*i] >= least)).collect();
            all.sort_by(|a, b| {
                let (x, y) = (scores[*a], scores[*b]);
                y.partial_cmp(&x).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan())).then(a.cmp(b))
            });
            all.truncate(k);
            prop_assert_eq!(top.into_sorted(), all);
        }

        #[test]
        fn key_is_reversible(score in score()) {
            prop_assert!(score.is_nan() || score_of(key(score)) == score);
        }
    }
}
