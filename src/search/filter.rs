//! Predicates on attributes, evaluated on their encoded form.
//!
//! An absent key fails every predicate except [`Filter::Not`]. Numbers compare by value, whether `Int` or `Float`; otherwise values of
//! different types are unequal and have no order. Text orders by UTF-8 bytes, lists element by element, `false` before `true`.

use std::cmp::Ordering;

use super::glob;
use crate::error::{error, fail, reserve};
use crate::segment::op::{Attrs, Bad, Reader, ValueRef, list};
use crate::{Code, Result, Value};

const MAX_DEPTH: usize = 64;

/// An expression over attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Eq(String, Value),
    In(String, Vec<Value>),
    Compare(String, Bound, Value),
    /// A text that matches a glob pattern.
    Glob(String, String),
    /// A list with this element.
    Contains(String, String),
    Exists(String),
}

/// Which side of a bound, and whether the bound itself is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Default for Filter {
    /// Matches everything.
    fn default() -> Self {
        Filter::And(Vec::new())
    }
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        matches!(self, Filter::And(all) if all.is_empty())
    }

    /// Whether an encoded attribute map, its keys ascending, matches.
    pub fn matches(&self, attrs: &[u8]) -> bool {
        let get = |key: &str| Attrs::get(attrs, key);
        match self {
            Filter::And(all) => all.iter().all(|filter| filter.matches(attrs)),
            Filter::Or(any) => any.iter().any(|filter| filter.matches(attrs)),
            Filter::Not(filter) => !filter.matches(attrs),
            Filter::Eq(key, value) => get(key).is_some_and(|found| equal(found, value)),
            Filter::In(key, values) => get(key).is_some_and(|found| values.iter().any(|value| equal(found, value))),
            Filter::Compare(key, bound, value) => get(key).and_then(|found| order(found, value)).is_some_and(|order| match bound {
                Bound::Greater => order == Ordering::Greater,
                Bound::GreaterOrEqual => order != Ordering::Less,
                Bound::Less => order == Ordering::Less,
                Bound::LessOrEqual => order != Ordering::Greater,
            }),
            Filter::Glob(key, pattern) => matches!(get(key), Some(ValueRef::Str(text)) if glob::matches(pattern, text)),
            Filter::Contains(key, element) => matches!(get(key), Some(ValueRef::List(items)) if list(items).any(|item| item == element)),
            Filter::Exists(key) => get(key).is_some(),
        }
    }

    /// Reads the prefix form that the TypeScript wrapper writes: a tag byte, then its parts. No bytes are no filter.
    pub fn decode(bytes: &[u8]) -> Result<Filter> {
        if bytes.is_empty() {
            return Ok(Filter::default());
        }
        let mut reader = Reader::new(bytes);
        let filter = expression(&mut reader, 0)?;
        if reader.left() > 0 {
            fail!(InvalidArgument, "{} bytes too many behind the filter", reader.left());
        }
        Ok(filter)
    }
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
    let mut parts = Vec::new();
    reserve(&mut parts, count, "a filter")?;
    for _ in 0..count {
        parts.push(one(reader)?);
    }
    Ok(parts)
}

fn equal(found: ValueRef<'_>, value: &Value) -> bool {
    match (found, value) {
        (ValueRef::Null, Value::Null) => true,
        _ => order(found, value) == Some(Ordering::Equal),
    }
}

/// None where the two have no order.
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

/// By value, without rounding the integer.
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
