//! Changes of attributes: a map as in the log, in which a key may also be removed. They are merged with the attributes
//! that a document has, and only the result is written.

use super::op::{self, Bad, Reader};
use crate::Result;
use crate::error::reserve;

/// The variant that stands for the removal of a key. The log has no such variant.
pub const GONE: u32 = u32::MAX;

/// Reads past one value of a map of changes, and checks it. Returns whether the key stays.
pub fn skip_change(reader: &mut Reader<'_>) -> Result<bool, Bad> {
    let mut ahead = reader.clone();
    if ahead.u32()? == GONE {
        *reader = ahead;
        return Ok(false);
    }
    op::skip_value(reader)
}

/// Reads past a map of changes, and checks all of it. Returns the number of changes.
pub fn skip_changes(reader: &mut Reader<'_>) -> Result<usize, Bad> {
    let count = reader.count(12)?;
    for _ in 0..count {
        reader.str()?;
        skip_change(reader)?;
    }
    Ok(count)
}

/// Merges `count` changes into attributes. Both are encoded maps. Returns the result, with its keys ascending.
pub fn merged(mut attrs: Vec<u8>, changes: &[u8], count: usize) -> Result<Vec<u8>> {
    reserve(&mut attrs, changes.len(), "attributes")?;
    let before = Reader::new(&attrs).count(12).unwrap_or(0);
    attrs[..8].copy_from_slice(&((before + count) as u64).to_le_bytes());
    attrs.extend_from_slice(&changes[8..]);
    // If a key occurs twice, the last value counts. That is the one of the change.
    op::canonical(&attrs, skip_change)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
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
        #![proptest_config(ProptestConfig {
            cases: crate::few_or(300, 3000),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn merging_does_what_maps_do(
            before in prop::collection::btree_map("[a-f]{0,2}", values(), 0..6),
            changes in prop::collection::vec(("[a-f]{0,2}", prop::option::of(values())), 0..8),
        ) {
            let mut attrs = Vec::new();
            op::put_attrs(&mut attrs, before.iter().map(|(key, value)| (key.as_str(), value)), before.len());
            let mut batch = Batch::new();
            let list: Vec<(&str, Option<Value>)> =
                changes.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
            batch.push_changes("", &list);
            let mut reader = Reader::new(&batch.bytes()[8..]);
            let count = skip_changes(&mut reader).ok().unwrap();
            prop_assert_eq!((reader.left(), count), (0, changes.len()));
            let out = merged(attrs, &batch.bytes()[8..], count).unwrap();
            let mut model: BTreeMap<String, Value> = before;
            for (key, value) in changes {
                match value {
                    Some(value) => _ = model.insert(key, value),
                    None => _ = model.remove(&key),
                }
            }
            let mut expected = Vec::new();
            op::put_attrs(&mut expected, model.iter().map(|(key, value)| (key.as_str(), value)), model.len());
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..60),
        ) {
            let mut reader = Reader::new(&bytes);
            if let Ok(count) = skip_changes(&mut reader) {
                merged(vec![0; 8], &bytes[..reader.at()], count).unwrap();
            }
        }
    }
}
