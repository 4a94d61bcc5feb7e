use super::*;
use crate::Batch;
use proptest::prelude::*;

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![
            any::<i64>(),
            -300i64..300,
            (0u32..64, -1i64..2).prop_map(|(bit, more)| (1i64 << bit).wrapping_add(more))
        ]
        .prop_map(Value::Int),
        any::<i64>().prop_map(Value::DateTime),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        prop_oneof!["[a-c]{0,4}", "\\PC{0,300}", "a{250,260}"].prop_map(Value::Str),
        prop::collection::vec("[ab]{0,3}", 0..4).prop_map(Value::List),
    ]
}

/// Encodes a map as the log has it.
fn encoded(attrs: &BTreeMap<String, Value>) -> Vec<u8> {
    let attrs: Vec<(&str, Value)> = attrs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let mut batch = Batch::new();
    batch.push("", &attrs);
    batch.bytes()[8..].to_vec()
}

fn back(packed: Packed<'_>) -> Vec<u8> {
    let mut bytes = vec![9];
    packed.write(&mut bytes).unwrap();
    assert_eq!(bytes.remove(0), 9);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::few_or(100, 400),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever was packed before, the same attributes give the same bytes for the log, and each key has its own
    /// value.
    #[test]
    fn comes_back_as_it_was(
        pool in prop::collection::vec(values(), 1..12),
        documents in prop::collection::vec(
            prop::collection::btree_map(prop_oneof!["[a-d]", "\\PC{0,300}"], any::<prop::sample::Index>(), 0..6),
            1..60,
        ),
    ) {
        let mut interner = Interner::default();
        let documents: Vec<BTreeMap<String, Value>> = documents
            .into_iter()
            .map(|keys| keys.into_iter().map(|(key, value)| (key, value.get(&pool).clone())).collect())
            .collect();
        let all: Vec<Vec<u8>> = documents
            .iter()
            .map(|attrs| {
                let mut packed = Vec::new();
                interner.pack(&encoded(attrs), &mut packed).unwrap();
                packed
            })
            .collect();
        for (attrs, bytes) in documents.iter().zip(&all) {
            let packed = Packed::new(bytes, &interner);
            prop_assert_eq!(back(packed), encoded(attrs));
            prop_assert_eq!(format!("{:?}", packed.to_map().unwrap()), format!("{attrs:?}"));
            for key in ["", "a", "b", "c", "d", "e"].into_iter().chain(attrs.keys().map(String::as_str)) {
                let found = packed.get(key).map(|bytes| format!("{:?}", value(bytes).to_value().unwrap()));
                prop_assert_eq!(found, attrs.get(key).map(|value| format!("{value:?}")));
            }
        }
        let values: Vec<(Option<Vec<u8>>, Option<String>)> = documents
            .iter()
            .map(|attrs| {
                let mut packed = Vec::new();
                interner.pack(&encoded(attrs), &mut packed).unwrap();
                (
                    Packed::new(&packed, &interner).get("a").map(<[u8]>::to_vec),
                    attrs.get("a").map(|value| format!("{value:?}")),
                )
            })
            .collect();
        for (x, a) in &values {
            for (y, b) in &values {
                // Columns rely on this: two packed values have equal bytes exactly if the values are equal.
                prop_assert_eq!(x == y, a == b);
            }
        }
    }
}

#[test]
fn what_comes_again_is_kept_once() {
    let mut interner = Interner::default();
    let attrs: Vec<_> = (0..3000)
        .map(|n| {
            encoded(&BTreeMap::from([
                ("language".to_string(), Value::Str(format!("language {}", n % 7))),
                ("title".to_string(), Value::Str(format!("title {n}"))),
            ]))
        })
        .collect();
    let sizes: Vec<usize> = attrs
        .iter()
        .map(|attrs| {
            let mut packed = Vec::new();
            interner.pack(attrs, &mut packed).unwrap();
            packed.len()
        })
        .collect();
    assert_eq!(interner.ends.len(), 2 + 7);
    assert!(sizes[100..].iter().all(|size| *size <= 3 + 1 + 1 + "title 2999".len() + 1), "{sizes:?}");
}

#[test]
fn a_key_that_had_a_list_is_remembered() {
    let mut interner = Interner::default();
    let pack = |interner: &mut Interner, key: &str, value: Value| {
        interner.pack(&encoded(&BTreeMap::from([(key.to_string(), value)])), &mut Vec::new()).unwrap();
    };
    let list = || Value::List(vec!["x".into()]);
    for n in 0..KEYS_WITH_LISTS * 7 {
        pack(&mut interner, &format!("key {n}"), if n % 7 == 3 { list() } else { "x".into() });
        pack(&mut interner, "key 3", if n == 3 { list() } else { "x".into() });
    }
    for n in 0..400 {
        let expected = n % 7 == 3 && n < KEYS_WITH_LISTS * 7;
        assert_eq!(interner.may_have_list(&format!("key {n}")), expected, "{n}");
    }
    let mut more = Interner::default();
    (0..=KEYS_WITH_LISTS).for_each(|n| pack(&mut more, &format!("key {n}"), list()));
    assert!(more.may_have_list(&format!("key {KEYS_WITH_LISTS}")) && more.may_have_list("never seen"));
    // A key that is not in the table cannot be remembered. If it had a list, any key may have had one.
    pack(&mut interner, &"k".repeat(300), list());
    assert!(interner.may_have_list(&"k".repeat(300)) && interner.may_have_list("never seen"));
}

#[test]
fn without_room_for_more_words_they_stand_where_they_are() {
    let mut interner = Interner::default();
    let attrs = |n: usize| {
        encoded(&BTreeMap::from([
            (format!("{n:0>256}"), Value::Null),
            ("z".repeat(n % 300), Value::Str(format!("{n:x>250}"))),
        ]))
    };
    let count = MOST_BYTES / 256 + 500;
    let all: Vec<Vec<u8>> = (0..count)
        .map(|n| {
            let mut packed = Vec::new();
            interner.pack(&attrs(n), &mut packed).unwrap();
            packed
        })
        .collect();
    assert!(interner.bytes.len() <= MOST_BYTES && interner.bytes.len() > MOST_BYTES - 600);
    for n in (0..count).step_by(97).chain(count - 5..count) {
        assert_eq!(back(Packed::new(&all[n], &interner)), attrs(n));
    }
}
