//! Sorting, always by a heap. Each other way of sorting would add kilobytes to the wasm.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::Result;
use crate::error::out_of_memory;

/// A rule that orders numbers.
pub type Ties<'a> = &'a dyn Fn(u32, u32) -> Ordering;

/// A number with a rank. It comes before others of lower rank, and at equal rank the rule decides. What comes later
/// counts as greater, so a heap has it on top.
#[derive(Clone, Copy)]
pub struct Ranked<'a> {
    pub rank: i32,
    pub number: u32,
    pub ties: Ties<'a>,
}

impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.cmp(&self.rank).then_with(|| (self.ties)(self.number, other.number))
    }
}

impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked<'_> {}

/// Returns an empty heap with room for `count` numbers.
pub fn heap<'a>(count: usize) -> Result<BinaryHeap<Ranked<'a>>> {
    let mut heap = BinaryHeap::new();
    heap.try_reserve(count).map_err(|_| out_of_memory("sorting", count.saturating_mul(size_of::<Ranked<'_>>())))?;
    Ok(heap)
}

/// Sorts numbers by a rule. Fails with `OUT_OF_MEMORY`.
pub fn sort_by(numbers: &mut [u32], ties: Ties<'_>) -> Result<()> {
    let mut heap = heap(numbers.len())?;
    heap.extend(numbers.iter().map(|number| Ranked { rank: 0, number: *number, ties }));
    for (sorted, number) in heap.into_sorted_vec().iter().zip(numbers) {
        *number = sorted.number;
    }
    Ok(())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_by_a_rule(mut numbers in prop::collection::vec(any::<u32>(), 0..100)) {
            let mut sorted = numbers.clone();
            super::sort_by(&mut sorted, &|a, b| b.cmp(&a)).unwrap();
            numbers.sort_by(|a, b| b.cmp(a));
            prop_assert_eq!(sorted, numbers);
        }
    }
}
