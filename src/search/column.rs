//! The column of a key: for each row the number of its value among the distinct values.

use hashbrown::HashTable;

use super::Filter;
use super::codes::kernel::GROUP;
use super::columns::AttrsOf;
use super::filter::{Bound, equal};
use crate::Value;
use crate::attrs;
use crate::error::{reserve, zeros};
use crate::hash::{Hasher, hash};
use crate::segment::op::{Reader, ValueRef, put_value};

/// Every integer up to this one is a float, too.
const EXACT: u64 = 1 << 53;

/// The values under one key.
#[derive(Default)]
pub struct Column {
    pub key: String,
    /// True if the values did not fit into memory.
    pub failed: bool,
    /// The number of each row's value, or 0 if the key is absent.
    pub ids: Vec<u32>,
    table: HashTable<u32>,
    /// The distinct values, packed, one after the other. Value n lies between `ends[n - 1]` and `ends[n]`.
    values: Vec<u8>,
    ends: Vec<u32>,
    /// The value as a float if that is exact, else NaN.
    numbers: Vec<f64>,
}

fn value<'a>(values: &'a [u8], ends: &[u32], id: u32) -> &'a [u8] {
    &values[ends[id as usize - 1] as usize..ends[id as usize] as usize]
}

impl Column {
    pub fn new(key: String, failed: bool) -> Self {
        Self { key, failed, ..Self::default() }
    }

    pub fn bytes(&self) -> usize {
        self.ids.len() * 4 + self.values.len() + self.ends.len() * 24
    }

    /// Adds the values of all rows up to `rows`. The column may take `room` bytes. Returns None if it needs more.
    pub fn extend(&mut self, rows: usize, room: usize, attrs: AttrsOf<'_>) -> Option<()> {
        if self.failed {
            return None;
        }
        let from = self.ids.len();
        reserve(&mut self.ids, rows.saturating_sub(from), "").ok()?;
        for row in from..rows {
            let id = match attrs(row).and_then(|attrs| attrs.get(&self.key)) {
                Some(value) => self.id(value, room)?,
                None => 0,
            };
            self.ids.push(id);
        }
        Some(())
    }

    fn find(&self, encoded: &[u8]) -> Option<u32> {
        self.table.find(hash(encoded), |id| value(&self.values, &self.ends, *id) == encoded).copied()
    }

    fn id(&mut self, encoded: &[u8], room: usize) -> Option<u32> {
        if let Some(id) = self.find(encoded) {
            return Some(id);
        }
        if self.bytes() + encoded.len() + 256 > room {
            return None;
        }
        reserve(&mut self.values, encoded.len(), "").ok()?;
        reserve(&mut self.ends, 2, "").ok()?;
        reserve(&mut self.numbers, 2, "").ok()?;
        if self.ends.is_empty() {
            self.ends.push(0);
            self.numbers.push(f64::NAN);
        }
        let Self { table, values, ends, numbers, .. } = self;
        let hasher: Hasher<'_> = &|id| hash(value(values, ends, *id));
        table.try_reserve(1, hasher).ok()?;
        let id = ends.len() as u32;
        values.extend_from_slice(encoded);
        ends.push(values.len() as u32);
        numbers.push(match attrs::value(encoded) {
            ValueRef::Int(int) => exact(&Value::Int(int)),
            ValueRef::Float(float) => float,
            _ => f64::NAN,
        });
        let hasher: Hasher<'_> = &|id| hash(value(values, ends, *id));
        table.insert_unique(hash(encoded), id, hasher);
        Some(id)
    }

    /// Returns which of the first `rows` rows match a filter on this key, sixteen rows in a number. Returns None if
    /// memory is short.
    pub fn select(&self, filter: &Filter, rows: usize) -> Option<Vec<u16>> {
        let (mut verdicts, mut groups) = (Vec::new(), Vec::new());
        zeros(&mut verdicts, self.ends.len().max(1), "").ok()?;
        let holds = |id: usize| filter.holds(attrs::value(value(&self.values, &self.ends, id as u32)));
        match filter {
            Filter::Eq(_, value) => self.mark(value, &mut verdicts),
            Filter::In(_, values) => values.iter().for_each(|value| self.mark(value, &mut verdicts)),
            Filter::Compare(_, bound, value) if !exact(value).is_nan() => {
                let x = exact(value);
                for (id, (verdict, number)) in verdicts.iter_mut().zip(&self.numbers).enumerate().skip(1) {
                    *verdict = u8::from(match bound {
                        _ if number.is_nan() => holds(id),
                        Bound::Greater => *number > x,
                        Bound::GreaterOrEqual => *number >= x,
                        Bound::Less => *number < x,
                        Bound::LessOrEqual => *number <= x,
                    });
                }
            }
            _ => verdicts.iter_mut().enumerate().skip(1).for_each(|(id, verdict)| *verdict = u8::from(holds(id))),
        }
        reserve(&mut groups, rows.div_ceil(GROUP), "").ok()?;
        groups.extend(self.ids.get(..rows)?.chunks(GROUP).map(|ids| {
            let bit = |bits: u16, (i, id): (usize, &u32)| bits | u16::from(verdicts[*id as usize]) << i;
            ids.iter().enumerate().fold(0, bit)
        }));
        Some(groups)
    }

    /// Marks all values that equal the wanted one. A number can be stored as integer or as float, and zero has two
    /// signs.
    fn mark(&self, wanted: &Value, verdicts: &mut [u8]) {
        let mut try_one = |candidate: &Value| {
            let (mut encoded, mut packed) = (Vec::new(), Vec::new());
            put_value(&mut encoded, candidate);
            if let Ok((variant, bytes)) = Reader::new(&encoded).raw_value()
                && reserve(&mut packed, bytes.len() + 1, "").is_ok()
            {
                attrs::put_value(&mut packed, variant, bytes);
                if let Some(id) = self.find(&packed)
                    && equal(attrs::value(&packed), wanted)
                {
                    verdicts[id as usize] = 1;
                }
            }
        };
        try_one(wanted);
        let (int, float) = match wanted {
            Value::Int(int) => (*int, *int as f64),
            Value::Float(float) => (*float as i64, *float),
            _ => return,
        };
        [Value::Int(int), Value::Float(float), Value::Float(-float)].iter().for_each(try_one);
    }
}

/// Returns the value as a float, or NaN if no float equals it.
fn exact(value: &Value) -> f64 {
    match value {
        Value::Int(int) if int.unsigned_abs() <= EXACT => *int as f64,
        Value::Float(float) => *float,
        _ => f64::NAN,
    }
}
