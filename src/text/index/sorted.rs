//! The only sort of the text module.

use std::cmp::Ordering;

/// Sorts by the first number. If the first numbers are equal, `rule` compares the second ones.
#[inline(never)]
pub fn sort(items: &mut [(u64, u32)], rule: &dyn Fn(u32, u32) -> Ordering) {
    items.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| rule(a.1, b.1)));
}
