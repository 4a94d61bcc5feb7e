//! How large a filter may be, and how much work and memory it takes.

use super::{Filter, glob};
use crate::error::fail;
use crate::{Result, Value};

/// The most levels of expressions within each other.
pub const MAX_DEPTH: usize = 64;
/// The most expressions in a filter, including those inside others.
pub const MAX_PARTS: usize = 5_000;
/// The most values in all the lists of a filter together.
pub const MAX_VALUES: usize = 65_536;
/// The most bytes in one glob pattern, or in one text of `IContains`. All those of a filter together have a limit, too.
pub const MAX_PATTERN: usize = 1_024;
/// The most bytes in all the glob patterns and texts of `IContains` of a filter together.
pub const MAX_PATTERNS: usize = 65_536;
/// The most bytes in an encoded filter.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The length of a text, in bytes, that is assumed where it decides how long a predicate takes.
const LONG: usize = 256;

#[derive(Default)]
struct Measure {
    parts: usize,
    values: usize,
    patterns: usize,
}

impl Filter {
    /// Checks that the filter is within the limits. Otherwise the error is `INVALID_ARGUMENT` and names the limit.
    pub fn check(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { self.measure(0, &mut Measure::default()) }
    }

    #[inline(never)] // scripts/split.mjs moves it to nidus-rest.wasm.
    fn measure(&self, depth: usize, sum: &mut Measure) -> Result<()> {
        if depth > MAX_DEPTH {
            fail!(InvalidArgument, "the filter is nested deeper than {MAX_DEPTH}");
        }
        sum.parts += 1;
        if sum.parts > MAX_PARTS {
            fail!(InvalidArgument, "the filter has more than {MAX_PARTS} expressions");
        }
        match self {
            Filter::And(parts) | Filter::Or(parts) => {
                return parts.iter().try_for_each(|part| part.measure(depth + 1, sum));
            }
            Filter::Not(part) => return part.measure(depth + 1, sum),
            Filter::In(_, values) => sum.values += values.len(),
            Filter::ContainsAny(_, elements) | Filter::ContainsAll(_, elements) => sum.values += elements.len(),
            Filter::Glob(_, pattern) | Filter::IGlob(_, pattern) | Filter::IContains(_, pattern) => {
                if pattern.len() > MAX_PATTERN {
                    fail!(
                        InvalidArgument,
                        "a pattern of the filter has {} bytes, more than {MAX_PATTERN}",
                        pattern.len()
                    );
                }
                sum.patterns += pattern.len();
            }
            _ => {}
        }
        if sum.values > MAX_VALUES {
            fail!(InvalidArgument, "the filter's lists have more than {MAX_VALUES} values");
        }
        if sum.patterns > MAX_PATTERNS {
            fail!(InvalidArgument, "the filter's patterns have more than {MAX_PATTERNS} bytes together");
        }
        Ok(())
    }

    /// Estimates the time to evaluate the filter for one row, in nanoseconds. With `by_row`, the values of a list are
    /// compared one after the other.
    pub(crate) fn work(&self, by_row: bool) -> usize {
        if self.is_empty() { 1 } else { self.work_of_parts(by_row) }
    }

    #[inline(never)] // scripts/split.mjs moves it to nidus-rest.wasm.
    fn work_of_parts(&self, by_row: bool) -> usize {
        match self {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().map(|part| part.work(by_row)).sum::<usize>() + 1,
            Filter::Not(part) => part.work(by_row) + 1,
            Filter::In(_, values) if by_row => 4 + values.len() / 4,
            // Each element is compared with some elements of a list.
            Filter::ContainsAny(_, elements) | Filter::ContainsAll(_, elements) => 4 + 4 * elements.len(),
            // After a star every place in the text may be tried. How long the texts are is not known: long ones are
            // assumed.
            Filter::Glob(_, pattern) | Filter::IGlob(_, pattern) if glob::is_slow(pattern) => 4 + LONG * pattern.len(),
            Filter::Glob(_, pattern) => 4 + pattern.len() / 8,
            Filter::IGlob(_, pattern) => 4 + 4 * (LONG + pattern.len()),
            // At most places of a text few characters are compared.
            Filter::IContains(_, part) => 4 + LONG * (4 + part.len() / 8),
            _ => 4,
        }
    }

    /// Estimates the memory that the filter takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        let value = |value: &Value| match value {
            Value::Str(text) => 32 + text.len(),
            Value::List(items) => items.iter().map(|item| 32 + item.len()).sum(),
            _ => 32,
        };
        64 + self.key().len()
            + match self {
                Filter::And(parts) | Filter::Or(parts) => parts.iter().map(Filter::size).sum(),
                Filter::Not(part) => part.size(),
                Filter::Eq(_, one) | Filter::Compare(_, _, one) => value(one),
                Filter::In(_, values) => values.iter().map(value).sum(),
                Filter::ContainsAny(_, elements) | Filter::ContainsAll(_, elements) => {
                    elements.iter().map(|element| 32 + element.len()).sum()
                }
                Filter::Glob(_, text)
                | Filter::IGlob(_, text)
                | Filter::StartsWith(_, text)
                | Filter::Contains(_, text)
                | Filter::IContains(_, text) => text.len(),
                Filter::Exists(_) => 0,
            }
    }
}
