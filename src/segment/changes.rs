//! Changes of attributes: a map as in the log, in which a key may also go away. They are merged with the attributes
//! that a document has, and only the result is written.

use super::op::{Bad, Reader};
use crate::error::reserve;
use crate::{Code, Result};

/// The variant of a key that goes away. The log has no such variant.
pub const GONE: u32 = u32::MAX;

/// Reads past one value of a map of changes, and checks it. Returns whether the key stays.
fn change(reader: &mut Reader<'_>) -> Result<bool, Bad> {
    let mut ahead = reader.clone();
    if ahead.u32()? == GONE {
        *reader = ahead;
        return Ok(false);
    }
    reader.value().map(|_| true)
}

/// Reads past one value of a map of changes.
pub fn skip_change(reader: &mut Reader<'_>) -> Result<(), Bad> {
    change(reader).map(|_| ())
}

/// Reads past a map of changes, and checks all of it. Returns whether its keys ascend.
pub fn skip_changes(reader: &mut Reader<'_>) -> Result<bool, Bad> {
    let (mut ascend, mut before) = (true, None);
    for _ in 0..reader.count(12)? {
        let key = reader.str()?;
        ascend &= before.is_none_or(|before| before < key);
        before = Some(key);
        change(reader)?;
    }
    Ok(ascend)
}

/// One entry of a map: its key, its bytes, and whether the key stays.
type Entry<'a> = (&'a [u8], &'a [u8], bool);

struct Entries<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Entries<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, Bad> {
        let mut reader = Reader::new(bytes);
        let left = reader.count(12)?;
        Ok(Self { bytes, reader, left })
    }

    fn next(&mut self) -> Result<Option<Entry<'a>>, Bad> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let start = self.reader.at();
        let key = self.reader.raw_str()?;
        let stays = change(&mut self.reader)?;
        Ok(Some((key, &self.bytes[start..self.reader.at()], stays)))
    }
}

/// Merges changes into an encoded map, and puts the result into `out`. In both, the keys ascend.
pub fn merge(attrs: &[u8], changes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    reserve(out, attrs.len() + changes.len(), "attributes")?;
    merged(attrs, changes, out).map_err(|bad| bad.error(Code::Corrupt, "an attribute"))
}

fn merged(attrs: &[u8], changes: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    let (mut olds, mut news) = (Entries::new(attrs)?, Entries::new(changes)?);
    let (mut old, mut new) = (olds.next()?, news.next()?);
    let mut count = 0u64;
    while old.is_some() || new.is_some() {
        let before = match (&old, &new) {
            (Some((old, ..)), Some((new, ..))) => old.cmp(new),
            (Some(_), None) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        let taken = if before.is_lt() { old } else { new };
        if let Some((_, bytes, true)) = taken {
            out.extend_from_slice(bytes);
            count += 1;
        }
        if before.is_le() {
            old = olds.next()?;
        }
        if before.is_ge() {
            new = news.next()?;
        }
    }
    out[start..start + 8].copy_from_slice(&count.to_le_bytes());
    Ok(())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::segment::op;
    use crate::{Batch, Value};
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<i32>().prop_map(|n| Value::Float(f64::from(n) / 3.0)),
            "[ab]{0,3}".prop_map(Value::Str),
            prop::collection::vec("[ab]{0,2}", 0..3).prop_map(Value::List),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: crate::few_or(300, 3000), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn merging_does_what_maps_do(
            before in prop::collection::btree_map("[a-f]{0,2}", values(), 0..6),
            changes in prop::collection::vec(("[a-f]{0,2}", prop::option::of(values())), 0..8),
        ) {
            let mut attrs = Vec::new();
            op::put_attrs(&mut attrs, before.iter().map(|(key, value)| (key.as_str(), value)), before.len());
            let mut batch = Batch::new();
            let list: Vec<(&str, Option<Value>)> = changes.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
            batch.push_changes("", &list);
            let mut reader = Reader::new(&batch.bytes()[8..]);
            let ascend = skip_changes(&mut reader).ok().unwrap();
            prop_assert_eq!(reader.left(), 0);
            prop_assert_eq!(ascend, changes.windows(2).all(|pair| pair[0].0 < pair[1].0));
            let sorted = op::canonical(&batch.bytes()[8..], skip_change).unwrap();
            let mut out = vec![7];
            merge(&attrs, &sorted, &mut out).unwrap();
            let mut model: BTreeMap<String, Value> = before;
            for (key, value) in changes {
                match value {
                    Some(value) => _ = model.insert(key, value),
                    None => _ = model.remove(&key),
                }
            }
            let mut expected = vec![7];
            op::put_attrs(&mut expected, model.iter().map(|(key, value)| (key.as_str(), value)), model.len());
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..60)) {
            let mut out = Vec::new();
            let _ = skip_changes(&mut Reader::new(&bytes));
            let _ = merge(&[0; 8], &bytes, &mut out);
        }
    }
}
