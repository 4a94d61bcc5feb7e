//! Predicates on attributes, evaluated on their encoded form.
//!
//! An absent key fails every predicate except [`Filter::Not`]. Numbers compare by value, whether `Int` or `Float`;
//! otherwise values of different types are unequal and have no order. Text orders by UTF-8 bytes, lists element by
//! element, `false` before `true`.

use std::cmp::Ordering;

use super::glob;
use crate::attrs::{Packed, value};
use crate::error::{error, fail, reserve};
use crate::segment::op::{Bad, Reader, ValueRef, list};
use crate::{Code, Result, Value};

/// The most levels of expressions within each other.
pub const MAX_DEPTH: usize = 64;
/// The most expressions in a filter, including those inside others.
pub const MAX_PARTS: usize = 5_000;
/// The most values in all the lists of a filter together.
pub const MAX_VALUES: usize = 65_536;
/// The most bytes in one glob pattern. All the patterns of a filter together have a limit, too.
pub const MAX_PATTERN: usize = 1_024;
/// The most bytes in all the glob patterns of a filter together.
pub const MAX_PATTERNS: usize = 65_536;
/// The most bytes in an encoded filter.
const MAX_BYTES: usize = 4 << 20;

/// An expression over attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Matches if all of these match. An empty list matches everything.
    And(Vec<Filter>),
    /// Matches if any of these matches. An empty list matches nothing.
    Or(Vec<Filter>),
    /// Matches if this does not match.
    Not(Box<Filter>),
    /// Matches if the attribute of this key equals the value.
    Eq(String, Value),
    /// Matches if the attribute of this key equals any of the values.
    In(String, Vec<Value>),
    /// Matches if the attribute of this key is on this side of the value.
    Compare(String, Bound, Value),
    /// Matches a string that fits a glob pattern.
    Glob(String, String),
    /// Matches a list that contains this element.
    Contains(String, String),
    /// Matches if there is an attribute of this key, even if it is null.
    Exists(String),
}

/// The side of a bound, and whether the bound itself is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Greater than the value.
    Greater,
    /// Greater than the value, or equal to it.
    GreaterOrEqual,
    /// Less than the value.
    Less,
    /// Less than the value, or equal to it.
    LessOrEqual,
}

impl Default for Filter {
    /// Matches everything.
    fn default() -> Self {
        Filter::And(Vec::new())
    }
}

impl Filter {
    /// Returns whether this is the filter without conditions, which matches everything.
    pub fn is_empty(&self) -> bool {
        matches!(self, Filter::And(all) if all.is_empty())
    }

    pub(crate) fn matches(&self, attrs: Packed<'_>) -> bool {
        match self {
            Filter::And(all) => all.iter().all(|filter| filter.matches(attrs)),
            Filter::Or(any) => any.iter().any(|filter| filter.matches(attrs)),
            Filter::Not(filter) => !filter.matches(attrs),
            _ => attrs.get(self.key()).is_some_and(|found| self.holds(value(found))),
        }
    }

    /// Returns the key that a predicate looks at.
    pub(crate) fn key(&self) -> &str {
        match self {
            Filter::And(_) | Filter::Or(_) | Filter::Not(_) => "",
            Filter::Eq(key, _)
            | Filter::In(key, _)
            | Filter::Compare(key, ..)
            | Filter::Glob(key, _)
            | Filter::Contains(key, _)
            | Filter::Exists(key) => key,
        }
    }

    /// Returns whether a predicate holds for the value under its key.
    pub(crate) fn holds(&self, found: ValueRef<'_>) -> bool {
        match self {
            Filter::And(_) | Filter::Or(_) | Filter::Not(_) => false,
            Filter::Eq(_, value) => equal(found, value),
            Filter::In(_, values) => values.iter().any(|value| equal(found, value)),
            Filter::Compare(_, bound, value) => order(found, value).is_some_and(|order| match bound {
                Bound::Greater => order == Ordering::Greater,
                Bound::GreaterOrEqual => order != Ordering::Less,
                Bound::Less => order == Ordering::Less,
                Bound::LessOrEqual => order != Ordering::Greater,
            }),
            Filter::Glob(_, pattern) => matches!(found, ValueRef::Str(text) if glob::matches(pattern, text)),
            Filter::Contains(_, element) => {
                matches!(found, ValueRef::List(items) if list(items).any(|item| item == element))
            }
            Filter::Exists(_) => true,
        }
    }

    /// Checks that the filter is within the limits. Otherwise the error is `INVALID_ARGUMENT` and names the limit.
    pub fn check(&self) -> Result<()> {
        self.measure(0, &mut Measure::default())
    }

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
            Filter::Glob(_, pattern) => {
                if pattern.len() > MAX_PATTERN {
                    fail!(
                        InvalidArgument,
                        "a glob pattern of the filter has {} bytes, more than {MAX_PATTERN}",
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
            fail!(InvalidArgument, "the filter's glob patterns have more than {MAX_PATTERNS} bytes together");
        }
        Ok(())
    }

    /// Estimates the time to evaluate the filter for one row, in nanoseconds. With `by_row`, the values of a list are
    /// compared one after the other.
    pub(crate) fn work(&self, by_row: bool) -> usize {
        match self {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().map(|part| part.work(by_row)).sum::<usize>() + 1,
            Filter::Not(part) => part.work(by_row) + 1,
            Filter::In(_, values) if by_row => 4 + values.len() / 4,
            // Behind a star every place in the text may be tried. How long the texts are is not known: long ones are
            // assumed.
            Filter::Glob(_, pattern) if glob::is_slow(pattern) => 4 + 256 * pattern.len(),
            Filter::Glob(_, pattern) => 4 + pattern.len() / 8,
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
                Filter::Glob(_, text) | Filter::Contains(_, text) => text.len(),
                Filter::Exists(_) => 0,
            }
    }

    /// Reads the prefix form that the TypeScript wrapper writes: a tag byte, then its parts. No bytes mean no filter.
    pub fn decode(bytes: &[u8]) -> Result<Filter> {
        if bytes.is_empty() {
            return Ok(Filter::default());
        }
        if bytes.len() > MAX_BYTES {
            fail!(InvalidArgument, "the filter takes {} bytes, more than {MAX_BYTES}", bytes.len());
        }
        let mut reader = Reader::new(bytes);
        let filter = expression(&mut reader, 0)?;
        filter.check()?;
        if reader.left() > 0 {
            fail!(InvalidArgument, "{} bytes too many behind the filter", reader.left());
        }
        Ok(filter)
    }
}

#[derive(Default)]
struct Measure {
    parts: usize,
    values: usize,
    patterns: usize,
}

fn malformed(_: Bad) -> crate::Error {
    error(Code::InvalidArgument, "the filter's encoding is malformed")
}

fn expression(reader: &mut Reader<'_>, depth: usize) -> Result<Filter> {
    if depth > MAX_DEPTH {
        fail!(InvalidArgument, "the filter is nested deeper than {MAX_DEPTH}");
    }
    let tag = reader.u8().map_err(malformed)?;
    match tag {
        0 | 1 => {
            let parts = many(reader, |reader| expression(reader, depth + 1))?;
            return Ok(if tag == 0 { Filter::And(parts) } else { Filter::Or(parts) });
        }
        2 => return Ok(Filter::Not(Box::new(expression(reader, depth + 1)?))),
        3..=8 => {}
        _ => fail!(InvalidArgument, "the filter has an unknown operator ({tag})"),
    }
    let key = reader.str().map_err(malformed)?.to_string();
    let value = |reader: &mut Reader<'_>| reader.value().map_err(malformed)?.to_value();
    Ok(match tag {
        3 => Filter::Eq(key, value(reader)?),
        4 => Filter::In(key, many(reader, value)?),
        5 => {
            let bound = match reader.u8().map_err(malformed)? {
                0 => Bound::Greater,
                1 => Bound::GreaterOrEqual,
                2 => Bound::Less,
                3 => Bound::LessOrEqual,
                other => fail!(InvalidArgument, "the filter has an unknown comparison ({other})"),
            };
            Filter::Compare(key, bound, value(reader)?)
        }
        6 => Filter::Glob(key, reader.str().map_err(malformed)?.to_string()),
        7 => Filter::Contains(key, reader.str().map_err(malformed)?.to_string()),
        _ => Filter::Exists(key),
    })
}

fn many<T>(reader: &mut Reader<'_>, mut one: impl FnMut(&mut Reader<'_>) -> Result<T>) -> Result<Vec<T>> {
    let count = reader.u32().map_err(malformed)? as usize;
    if count > reader.left() {
        fail!(InvalidArgument, "the filter's encoding is cut short");
    }
    // Memory is taken as parts arrive. Nested counts that claim to be large could otherwise ask for many times the
    // input's size.
    let mut parts = Vec::new();
    for _ in 0..count {
        reserve(&mut parts, 1, "a filter")?;
        parts.push(one(reader)?);
    }
    Ok(parts)
}

/// Returns whether a stored value equals the one that is asked for.
pub(crate) fn equal(found: ValueRef<'_>, value: &Value) -> bool {
    match (found, value) {
        (ValueRef::Null, Value::Null) => true,
        _ => order(found, value) == Some(Ordering::Equal),
    }
}

/// Returns None if the two have no order.
fn order(found: ValueRef<'_>, value: &Value) -> Option<Ordering> {
    match (found, value) {
        (ValueRef::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (ValueRef::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (ValueRef::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (ValueRef::Int(a), Value::Float(b)) => int_float(a, *b),
        (ValueRef::Float(a), Value::Int(b)) => int_float(*b, a).map(Ordering::reverse),
        (ValueRef::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (ValueRef::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (ValueRef::List(a), Value::List(b)) => Some(list(a).cmp(b.iter().map(String::as_str))),
        _ => None,
    }
}

/// Compares by value, without rounding the integer.
fn int_float(int: i64, float: f64) -> Option<Ordering> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= TWO_63 {
        return Some(Ordering::Less);
    }
    if float < -TWO_63 {
        return Some(Ordering::Greater);
    }
    let whole = float.trunc();
    Some(int.cmp(&(whole as i64)).then_with(|| 0.0f64.total_cmp(&((float - whole) + 0.0))))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::Batch;
    use crate::attrs::Interner;
    use proptest::prelude::*;

    fn encoded(attrs: &[(&str, Value)]) -> Vec<u8> {
        let mut batch = Batch::new();
        batch.push("", attrs);
        crate::segment::op::canonical(&batch.bytes()[8..], crate::segment::op::skip_value).unwrap()
    }

    /// The truth table of docs/spec/filters.md, one line each: the value under `k`, the filter, the answer.
    #[test]
    fn truth_table() {
        use Bound::*;
        let k = || "k".to_string();
        let eq = |value: Value| Filter::Eq(k(), value);
        let compare = |bound, value: Value| Filter::Compare(k(), bound, value);
        let not = |filter| Filter::Not(Box::new(filter));
        let list = |items: &[&str]| Value::List(items.iter().map(|item| item.to_string()).collect());
        let table: Vec<(Option<Value>, Filter, bool)> = vec![
            (None, eq(Value::Null), false),
            (None, not(eq(Value::Null)), true),
            (None, Filter::Exists(k()), false),
            (None, not(Filter::Exists(k())), true),
            (None, Filter::In(k(), vec![Value::Null]), false),
            (None, compare(LessOrEqual, 5.into()), false),
            (None, Filter::Glob(k(), "*".into()), false),
            (Some(Value::Null), eq(Value::Null), true),
            (Some(Value::Null), Filter::Exists(k()), true),
            (Some(Value::Null), compare(LessOrEqual, Value::Null), false),
            (Some(5.into()), eq(5.into()), true),
            (Some(5.into()), eq(5.0.into()), true),
            (Some(5.0.into()), eq(5.into()), true),
            (Some(5.5.into()), compare(Greater, 5.into()), true),
            (Some(5.into()), compare(Less, 5.5.into()), true),
            (Some((-5).into()), compare(Greater, (-5.5).into()), true),
            (Some(0.into()), eq((-0.0).into()), true),
            (Some(5.into()), eq("5".into()), false),
            (Some(5.into()), compare(GreaterOrEqual, "4".into()), false),
            (Some(i64::MAX.into()), eq(9_223_372_036_854_775_808.0.into()), false),
            (Some(i64::MAX.into()), compare(Less, 9_223_372_036_854_775_808.0.into()), true),
            (Some(i64::MIN.into()), eq((-9_223_372_036_854_775_808.0).into()), true),
            (Some(f64::NAN.into()), eq(f64::NAN.into()), false),
            (Some(f64::NAN.into()), compare(LessOrEqual, f64::INFINITY.into()), false),
            (Some("b".into()), compare(Greater, "a".into()), true),
            (Some("\u{FFFF}".into()), compare(Less, "\u{1F600}".into()), true),
            (Some(true.into()), compare(Greater, false.into()), true),
            (Some(Value::DateTime(5)), compare(GreaterOrEqual, Value::DateTime(5)), true),
            (Some(Value::DateTime(5)), eq(5.into()), false),
            (Some(list(&["a", "b"])), eq(list(&["a", "b"])), true),
            (Some(list(&["a", "b"])), eq(list(&["b", "a"])), false),
            (Some(list(&["a", "b"])), compare(Less, list(&["a", "c"])), true),
            (Some(list(&["a", "b"])), Filter::Contains(k(), "b".into()), true),
            (Some(list(&["a", "b"])), Filter::Contains(k(), "ab".into()), false),
            (Some("ab".into()), Filter::Contains(k(), "a".into()), false),
            (Some("src/x".into()), Filter::Glob(k(), "src/*".into()), true),
            (Some(list(&["src/x"])), Filter::Glob(k(), "src/*".into()), false),
            (Some(7.into()), Filter::In(k(), vec!["7".into(), 7.0.into()]), true),
            (Some(7.into()), Filter::And(vec![]), true),
            (Some(7.into()), Filter::Or(vec![]), false),
        ];
        for (value, filter, expected) in table {
            let attrs: Vec<(&str, Value)> =
                [("a", 1.into()), ("z", "zz".into())].into_iter().chain(value.clone().map(|v| ("k", v))).collect();
            let (mut interner, mut packed) = (Interner::default(), Vec::new());
            interner.pack(&encoded(&attrs), &mut packed).unwrap();
            assert_eq!(filter.matches(Packed::new(&packed, &interner)), expected, "{value:?} {filter:?}");
        }
    }

    proptest! {
        /// The expected order is computed in 128-bit integers, with the float's fraction separate.
        #[test]
        fn ints_and_floats_compare_by_value(int: i64, float in prop_oneof![any::<f64>(), (any::<i64>(), -2i64..3).prop_map(|(i, d)| (i as f64) + d as f64 / 2.0)], near in -3i64..3) {
            for float in [float, int as f64, int as f64 + near as f64 / 2.0] {
                let expected = if float.is_nan() { None } else if float.abs() > 1e30 { Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater }) } else {
                    let whole = float.floor();
                    Some((i128::from(int)).cmp(&(whole as i128)).then(if float > whole { Ordering::Less } else { Ordering::Equal }))
                };
                prop_assert_eq!(int_float(int, float), expected, "{} {}", int, float);
            }
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Err(error) = Filter::decode(&bytes) {
                prop_assert_eq!(crate::code_of(&error), Code::InvalidArgument);
            }
        }
    }

    #[test]
    fn the_work_is_limited() {
        let glob = |len: usize| Filter::Glob("k".into(), "x".repeat(len));
        let list = |len: usize| Filter::In("k".into(), vec![Value::Null; len]);
        let mut nested = Filter::default();
        (0..MAX_DEPTH + 1).for_each(|_| nested = Filter::Not(Box::new(std::mem::take(&mut nested))));
        for (filter, says) in [
            (Filter::Or(vec![Filter::Exists("k".into()); MAX_PARTS]), "more than 5000 expressions"),
            (glob(MAX_PATTERN + 1), "has 1025 bytes, more than 1024"),
            (Filter::Or(vec![glob(MAX_PATTERN); 65]), "more than 65536 bytes together"),
            (Filter::And(vec![list(MAX_VALUES), list(1)]), "more than 65536 values"),
            (nested, "nested deeper than 64"),
        ] {
            let error = filter.check().unwrap_err();
            assert_eq!(crate::code_of(&error), Code::InvalidArgument);
            assert!(error.to_string().contains(says), "{error}");
            let mut store = crate::Store::in_memory(1).unwrap();
            assert!(store.search(&[1.0], &crate::Query { filter: filter.clone(), ..Default::default() }).is_err());
            assert!(store.records("c", &filter, None, 1).is_err());
            assert!(store.stage_delete_where("c", &filter).is_err());
        }
        for filter in [
            Filter::Or(vec![Filter::Exists("k".into()); MAX_PARTS - 1]),
            glob(MAX_PATTERN),
            Filter::Or(vec![glob(MAX_PATTERN); 64]),
            list(MAX_VALUES),
        ] {
            filter.check().unwrap();
        }
        // The limits hold for encoded filters, too: this one is three bytes short of four million, and none of it is
        // decoded.
        let wire = |count: u32| {
            [
                vec![1],
                count.to_le_bytes().to_vec(),
                [vec![8], 0u64.to_le_bytes().to_vec()].concat().repeat(count as usize),
            ]
            .concat()
        };
        assert!(Filter::decode(&wire(MAX_PARTS as u32 - 1)).is_ok());
        assert!(
            Filter::decode(&wire(MAX_PARTS as u32)).unwrap_err().to_string().contains("more than 5000 expressions")
        );
        assert!(Filter::decode(&wire(500_000)).unwrap_err().to_string().contains("more than 4194304"));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |n: usize| [vec![2u8; n], vec![8], 0u64.to_le_bytes().to_vec()].concat();
        assert!(Filter::decode(&nested(MAX_DEPTH)).is_ok());
        assert!(Filter::decode(&nested(MAX_DEPTH + 1)).is_err());
        assert!(Filter::decode(&nested(1 << 20)).is_err());
    }
}
