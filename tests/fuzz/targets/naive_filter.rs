//! A second implementation of globs and filters, from SPEC 3.2: over decoded attributes, with sets and exact
//! arithmetic.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use nidus_wasm::Value;
use nidus_wasm::search::{Bound, Filter};

use super::codec::{self, Attrs};

enum Part {
    Run,
    Any,
    Is(char),
    /// Whether it is negated, and its ranges.
    Class(bool, Vec<(char, char)>),
}

/// Returns the class that begins after a `[`, and its length in characters, including its `]`.
fn class(pattern: &[char]) -> Option<(Part, usize)> {
    let negated = matches!(pattern.first(), Some('!' | '^'));
    let mut at = usize::from(negated);
    let mut ranges = Vec::new();
    while *pattern.get(at)? != ']' {
        match pattern.get(at..at + 3) {
            Some([low, '-', high]) if *high != ']' => {
                ranges.push((*low, *high));
                at += 3;
            }
            _ => {
                ranges.push((pattern[at], pattern[at]));
                at += 1;
            }
        }
    }
    Some((Part::Class(negated, ranges), at + 1))
}

fn parts(pattern: &str) -> Vec<Part> {
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < pattern.len() {
        let c = pattern[at];
        at += 1;
        parts.push(match c {
            '*' => Part::Run,
            '?' => Part::Any,
            '[' => match class(&pattern[at..]) {
                Some((class, size)) => {
                    at += size;
                    class
                }
                None => Part::Is('['),
            },
            c => Part::Is(c),
        });
    }
    parts
}

/// Computes all places of the text that each further part of the pattern can reach.
pub fn glob(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut places = BTreeSet::from([0]);
    for part in parts(pattern) {
        let one = |wanted: &dyn Fn(char) -> bool| {
            places.iter().filter(|at| text.get(**at).is_some_and(|c| wanted(*c))).map(|at| at + 1).collect()
        };
        places = match part {
            Part::Run => places.first().map_or(BTreeSet::new(), |first| (*first..=text.len()).collect()),
            Part::Any => one(&|_| true),
            Part::Is(wanted) => one(&|c| c == wanted),
            Part::Class(negated, ranges) => {
                one(&|c| ranges.iter().any(|(low, high)| *low <= c && c <= *high) != negated)
            }
        };
    }
    places.contains(&text.len())
}

/// Returns a number as an integer and a remainder. Very large numbers become integers just beyond those of i64.
fn exact(value: &Value) -> Option<(i128, f64)> {
    match value {
        Value::Int(int) => Some((i128::from(*int), 0.0)),
        Value::Float(float) if float.is_nan() => None,
        Value::Float(float) => {
            Some((float.floor() as i128, if float.is_finite() { float - float.floor() } else { 0.0 }))
        }
        _ => None,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    Some(match (a, b) {
        (Value::Float(a), Value::Float(b)) => return a.partial_cmp(b),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            let (a, b) = (exact(a)?, exact(b)?);
            a.0.cmp(&b.0).then(a.1.partial_cmp(&b.1)?)
        }
        (Value::Str(a), Value::Str(b)) => a.bytes().cmp(b.bytes()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => a.cmp(b),
        _ => return None,
    })
}

fn equal(a: &Value, b: &Value) -> bool {
    (a, b) == (&Value::Null, &Value::Null) || order(a, b) == Some(Ordering::Equal)
}

/// Returns a text in lower case, with one character for each of its characters.
pub fn lower(text: &str) -> String {
    let lower = |c: char| match c {
        'İ' => 'i',
        'ς' => 'σ',
        _ => c.to_lowercase().next().unwrap(),
    };
    text.chars().map(lower).collect()
}

fn starts(text: &[u8], part: &[u8]) -> bool {
    text.iter().zip(part).filter(|(a, b)| a == b).count() == part.len()
}

/// Returns whether `part` is in `text`. It tries every place.
fn contains(text: &str, part: &str) -> bool {
    (0..=text.len()).any(|at| starts(&text.as_bytes()[at..], part.as_bytes()))
}

fn set(items: &[String]) -> BTreeSet<&String> {
    items.iter().collect()
}

pub fn matches(filter: &Filter, attrs: &Attrs) -> bool {
    let text = |key: &String| match attrs.get(key) {
        Some(Value::Str(text)) => Some(text),
        _ => None,
    };
    let list = |key: &String| match attrs.get(key) {
        Some(Value::List(items)) => Some(items),
        _ => None,
    };
    match filter {
        Filter::And(all) => !all.iter().any(|filter| !matches(filter, attrs)),
        Filter::Or(any) => any.iter().any(|filter| matches(filter, attrs)),
        Filter::Not(filter) => !matches(filter, attrs),
        Filter::Exists(key) => attrs.contains_key(key),
        Filter::Eq(key, value) => attrs.get(key).is_some_and(|found| equal(found, value)),
        Filter::In(key, values) => attrs.get(key).is_some_and(|found| values.iter().any(|value| equal(found, value))),
        Filter::Glob(key, pattern) => text(key).is_some_and(|text| glob(pattern, text)),
        Filter::IGlob(key, pattern) => text(key).is_some_and(|text| glob(&lower(pattern), &lower(text))),
        Filter::StartsWith(key, part) => text(key).is_some_and(|text| starts(text.as_bytes(), part.as_bytes())),
        Filter::IContains(key, part) => text(key).is_some_and(|text| contains(&lower(text), &lower(part))),
        Filter::Contains(key, part) => {
            text(key).is_some_and(|text| contains(text, part)) || list(key).is_some_and(|items| items.contains(part))
        }
        Filter::ContainsAny(key, wanted) => list(key).is_some_and(|items| !set(items).is_disjoint(&set(wanted))),
        Filter::ContainsAll(key, wanted) => list(key).is_some_and(|items| set(items).is_superset(&set(wanted))),
        Filter::Compare(key, bound, value) => {
            let order = attrs.get(key).and_then(|found| order(found, value));
            match bound {
                Bound::Greater => order == Some(Ordering::Greater),
                Bound::Less => order == Some(Ordering::Less),
                Bound::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
                Bound::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            }
        }
    }
}

/// Writes the wire form: a tag, then the parts.
pub fn encode(filter: &Filter, out: &mut Vec<u8>) {
    fn many<T>(out: &mut Vec<u8>, parts: &[T], one: impl Fn(&T, &mut Vec<u8>)) {
        out.extend((parts.len() as u32).to_le_bytes());
        parts.iter().for_each(|part| one(part, out));
    }
    let keyed = |out: &mut Vec<u8>, tag: u8, key: &str| {
        out.push(tag);
        codec::text(out, key);
    };
    match filter {
        Filter::And(parts) => {
            out.push(0);
            many(out, parts, encode);
        }
        Filter::Or(parts) => {
            out.push(1);
            many(out, parts, encode);
        }
        Filter::Not(inside) => {
            out.push(2);
            encode(inside, out);
        }
        Filter::Eq(key, value) => {
            keyed(out, 3, key);
            codec::value(out, value);
        }
        Filter::In(key, values) => {
            keyed(out, 4, key);
            many(out, values, |value, out| codec::value(out, value));
        }
        Filter::Compare(key, bound, value) => {
            keyed(out, 5, key);
            out.push(match bound {
                Bound::Greater => 0,
                Bound::GreaterOrEqual => 1,
                Bound::Less => 2,
                Bound::LessOrEqual => 3,
            });
            codec::value(out, value);
        }
        Filter::Glob(key, text)
        | Filter::Contains(key, text)
        | Filter::IGlob(key, text)
        | Filter::StartsWith(key, text)
        | Filter::IContains(key, text) => {
            let tag = match filter {
                Filter::Glob(..) => 6,
                Filter::Contains(..) => 7,
                Filter::IGlob(..) => 9,
                Filter::StartsWith(..) => 10,
                _ => 11,
            };
            keyed(out, tag, key);
            codec::text(out, text);
        }
        Filter::ContainsAny(key, elements) | Filter::ContainsAll(key, elements) => {
            keyed(out, if matches!(filter, Filter::ContainsAny(..)) { 12 } else { 13 }, key);
            many(out, elements, |element, out| codec::text(out, element));
        }
        Filter::Exists(key) => keyed(out, 8, key),
    }
}
