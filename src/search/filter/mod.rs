//! Predicates on attributes, evaluated on their encoded form.
//!
//! An absent key fails every predicate except [`Filter::Not`]. Numbers compare by value, whether `Int` or `Float`;
//! otherwise values of different types are unequal and have no order. Text orders by UTF-8 bytes, lists element by
//! element, `false` before `true`.

mod any_case;
mod decode;
pub(crate) mod glob;
mod limits;
mod part;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
mod values;

use std::cmp::Ordering;

use crate::attrs::{Packed, value};
use crate::segment::op::{ValueRef, list};
use crate::{Result, Value};

pub use limits::{MAX_DEPTH, MAX_PARTS, MAX_PATTERN, MAX_PATTERNS, MAX_VALUES};

pub(crate) use values::equal;
use values::order;

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
    ///
    /// A call fails with `INVALID_ARGUMENT` if there are texts and no lists among the values, and a document that the
    /// call is about has a list under the key: then [`ContainsAny`](Self::ContainsAny) is meant.
    /// (Native's `In` never fails. Several [`Eq`](Self::Eq) in an [`Or`](Self::Or) do not, either.)
    In(String, Vec<Value>),
    /// Matches if the attribute of this key is on this side of the value.
    Compare(String, Bound, Value),
    /// Matches a text that fits a glob pattern.
    Glob(String, String),
    /// Matches a text that fits a glob pattern, both in lower case.
    IGlob(String, String),
    /// Matches a text that begins with this one.
    StartsWith(String, String),
    /// Matches a list that has this element, and a text that has this part.
    Contains(String, String),
    /// Matches a text that has this part, both in lower case.
    IContains(String, String),
    /// Matches a list that has any of these elements.
    ContainsAny(String, Vec<String>),
    /// Matches a list that has all of these elements.
    ContainsAll(String, Vec<String>),
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
        self.is_empty() || self.matches_parts(attrs)
    }

    #[inline(never)] // scripts/split.mjs moves it to nidus-rest.wasm.
    fn matches_parts(&self, attrs: Packed<'_>) -> bool {
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
            | Filter::IGlob(key, _)
            | Filter::StartsWith(key, _)
            | Filter::Contains(key, _)
            | Filter::IContains(key, _)
            | Filter::ContainsAny(key, _)
            | Filter::ContainsAll(key, _)
            | Filter::Exists(key) => key,
        }
    }

    /// Returns whether a predicate holds for the value under its key.
    pub(crate) fn holds(&self, found: ValueRef<'_>) -> bool {
        match self {
            Filter::And(_) | Filter::Or(_) | Filter::Not(_) => false,
            Filter::Exists(_) => true,
            Filter::Eq(_, value) => equal(found, value),
            Filter::In(_, values) => values.iter().any(|value| equal(found, value)),
            Filter::Compare(_, bound, value) => order(found, value).is_some_and(|order| match bound {
                Bound::Greater => order == Ordering::Greater,
                Bound::GreaterOrEqual => order != Ordering::Less,
                Bound::Less => order == Ordering::Less,
                Bound::LessOrEqual => order != Ordering::Greater,
            }),
            _ => match found {
                ValueRef::Str(text) => self.holds_for_text(text),
                ValueRef::List(items) => self.holds_for_list(items),
                _ => false,
            },
        }
    }

    fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Filter::Glob(_, pattern) => glob::matches(pattern, text),
            Filter::IGlob(_, pattern) => glob::matches_any_case(pattern, text),
            Filter::StartsWith(_, part) => text.as_bytes().starts_with(part.as_bytes()),
            Filter::Contains(_, part) => part::contains(text.as_bytes(), part.as_bytes()),
            Filter::IContains(_, part) => any_case::contains(text, part),
            _ => false,
        }
    }

    fn holds_for_list(&self, items: &[u8]) -> bool {
        let has: &dyn Fn(&String) -> bool = &|element| list(items).any(|item| item == element);
        match self {
            Filter::Contains(_, element) => has(element),
            Filter::ContainsAny(_, elements) => elements.iter().any(has),
            Filter::ContainsAll(_, elements) => elements.iter().all(has),
            _ => false,
        }
    }

    /// Calls `each` with the keys under which texts are wanted and a list would never match.
    pub(crate) fn keys_without_lists(&self, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        if self.is_empty() { Ok(()) } else { self.keys_of_parts(each) }
    }

    #[inline(never)] // scripts/split.mjs moves it to nidus-rest.wasm.
    fn keys_of_parts(&self, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        match self {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| part.keys_without_lists(each)),
            Filter::Not(part) => part.keys_without_lists(each),
            Filter::In(key, values)
                if values.iter().any(|value| matches!(value, Value::Str(_)))
                    && !values.iter().any(|value| matches!(value, Value::List(_))) =>
            {
                each(key)
            }
            _ => Ok(()),
        }
    }
}
