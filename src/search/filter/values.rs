//! Compares stored values with those of a filter.

use std::cmp::Ordering;

use crate::Value;
use crate::segment::op::{ValueRef, list};

/// Returns whether a stored value equals the one that is asked for.
pub fn equal(found: ValueRef<'_>, value: &Value) -> bool {
    match (found, value) {
        (ValueRef::Null, Value::Null) => true,
        _ => order(found, value) == Some(Ordering::Equal),
    }
}

/// Returns the order of a stored value and the one that is asked for, or None if they have no order.
pub(super) fn order(found: ValueRef<'_>, value: &Value) -> Option<Ordering> {
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

/// Compares an integer with a float by value, without rounding the integer. Returns None for NaN.
pub(super) fn int_float(int: i64, float: f64) -> Option<Ordering> {
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
