use super::values::int_float;
use super::*;
use crate::attrs::Interner;
use crate::{Batch, Code};
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
    let texts = |items: &[&str]| items.iter().map(|item| item.to_string()).collect::<Vec<_>>();
    let list = |items: &[&str]| Value::List(texts(items));
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
        (Some("ab".into()), Filter::Contains(k(), "b".into()), true),
        (Some("ab".into()), Filter::Contains(k(), "B".into()), false),
        (Some("ab".into()), Filter::Contains(k(), "".into()), true),
        (Some("".into()), Filter::Contains(k(), "".into()), true),
        (Some(5.into()), Filter::Contains(k(), "".into()), false),
        (None, Filter::Contains(k(), "".into()), false),
        (Some("GRÖSSE İN ΟΔΟΣ".into()), Filter::IContains(k(), "größe".into()), false),
        (Some("GRÖSSE İN ΟΔΟΣ".into()), Filter::IContains(k(), "größe in".into()), false),
        (Some("GRÖẞE İN ΟΔΟΣ".into()), Filter::IContains(k(), "größe in οδος".into()), true),
        (Some("GRÖẞE İN ΟΔΟΣ".into()), Filter::IContains(k(), "ΔΟς".into()), true),
        (Some("e\u{301}".into()), Filter::IContains(k(), "é".into()), false),
        (Some("ab".into()), Filter::IContains(k(), "".into()), true),
        (Some(list(&["AB"])), Filter::IContains(k(), "ab".into()), false),
        (None, Filter::IContains(k(), "".into()), false),
        (Some("Straße 5".into()), Filter::StartsWith(k(), "Straß".into()), true),
        (Some("Straße 5".into()), Filter::StartsWith(k(), "straß".into()), false),
        (Some("Straße".into()), Filter::StartsWith(k(), "Straße 5".into()), false),
        (Some("[*]".into()), Filter::StartsWith(k(), "[*".into()), true),
        (Some(list(&["ab"])), Filter::StartsWith(k(), "a".into()), false),
        (None, Filter::StartsWith(k(), "".into()), false),
        (Some("SRC/Größe.RS".into()), Filter::IGlob(k(), "src/*[À-Ö]ss?*.rs".into()), false),
        (Some("SRC/Größe.RS".into()), Filter::IGlob(k(), "src/gr[À-Ö]?[A-F]*.rs".into()), true),
        (Some("Q".into()), Filter::IGlob(k(), "[!A-Z]".into()), false),
        (Some("Q".into()), Filter::IGlob(k(), "[a-z]".into()), true),
        (Some("Q".into()), Filter::Glob(k(), "[a-z]".into()), false),
        (Some(list(&["q"])), Filter::IGlob(k(), "*".into()), false),
        (None, Filter::IGlob(k(), "*".into()), false),
        (Some(list(&["a", "b"])), Filter::ContainsAny(k(), texts(&["x", "b"])), true),
        (Some(list(&["a", "b"])), Filter::ContainsAny(k(), texts(&["x", "A", "ab", ""])), false),
        (Some(list(&["a", "b"])), Filter::ContainsAny(k(), vec![]), false),
        (Some(list(&[])), Filter::ContainsAny(k(), texts(&[""])), false),
        (Some("a".into()), Filter::ContainsAny(k(), texts(&["a"])), false),
        (None, Filter::ContainsAny(k(), texts(&["a"])), false),
        (Some(list(&["a", "b"])), Filter::ContainsAll(k(), texts(&["b", "a", "b"])), true),
        (Some(list(&["a", "b"])), Filter::ContainsAll(k(), texts(&["a", "c"])), false),
        (Some(list(&[])), Filter::ContainsAll(k(), vec![]), true),
        (Some("a".into()), Filter::ContainsAll(k(), vec![]), false),
        (None, Filter::ContainsAll(k(), vec![]), false),
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
    fn ints_and_floats_compare_by_value(
        int: i64,
        float in prop_oneof![any::<f64>(), (any::<i64>(), -2i64..3).prop_map(|(i, d)| (i as f64) + d as f64 / 2.0)],
        near in -3i64..3,
    ) {
        for float in [float, int as f64, int as f64 + near as f64 / 2.0] {
            let expected = if float.is_nan() {
                None
            } else if float.abs() > 1e30 {
                Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater })
            } else {
                let whole = float.floor();
                Some((i128::from(int)).cmp(&(whole as i128)).then(if float > whole {
                    Ordering::Less
                } else {
                    Ordering::Equal
                }))
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
    let elements = |len: usize| Filter::ContainsAny("k".into(), vec![String::new(); len]);
    let part = |len: usize| Filter::IContains("k".into(), "x".repeat(len));
    let mut nested = Filter::default();
    (0..MAX_DEPTH + 1).for_each(|_| nested = Filter::Not(Box::new(std::mem::take(&mut nested))));
    for (filter, says) in [
        (Filter::Or(vec![Filter::Exists("k".into()); MAX_PARTS]), "more than 5000 expressions"),
        (glob(MAX_PATTERN + 1), "has 1025 bytes, more than 1024"),
        (part(MAX_PATTERN + 1), "has 1025 bytes, more than 1024"),
        (Filter::IGlob("k".into(), "x".repeat(MAX_PATTERN + 1)), "has 1025 bytes, more than 1024"),
        (Filter::Or(vec![glob(MAX_PATTERN); 65]), "more than 65536 bytes together"),
        (Filter::Or([vec![glob(MAX_PATTERN); 64], vec![part(1)]].concat()), "more than 65536 bytes together"),
        (Filter::Or(vec![list(MAX_VALUES - 5), elements(6)]), "more than 65536 values"),
        (Filter::ContainsAll("k".into(), vec![String::new(); MAX_VALUES + 1]), "more than 65536 values"),
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
        elements(MAX_VALUES),
        part(MAX_PATTERN),
        Filter::Contains("k".into(), "x".repeat(1 << 20)),
        Filter::StartsWith("k".into(), "x".repeat(1 << 20)),
    ] {
        filter.check().unwrap();
    }
    // The limits hold for encoded filters, too. The last filter has 4,500,005 bytes, and nothing of it is decoded.
    let wire = |count: u32| {
        [vec![1], count.to_le_bytes().to_vec(), [vec![8], 0u64.to_le_bytes().to_vec()].concat().repeat(count as usize)]
            .concat()
    };
    assert!(Filter::decode(&wire(MAX_PARTS as u32 - 1)).is_ok());
    assert!(Filter::decode(&wire(MAX_PARTS as u32)).unwrap_err().to_string().contains("more than 5000 expressions"));
    assert!(Filter::decode(&wire(500_000)).unwrap_err().to_string().contains("more than 4194304"));
}

#[test]
fn depth_is_limited() {
    let nested = |n: usize| [vec![2u8; n], vec![8], 0u64.to_le_bytes().to_vec()].concat();
    assert!(Filter::decode(&nested(MAX_DEPTH)).is_ok());
    assert!(Filter::decode(&nested(MAX_DEPTH + 1)).is_err());
    assert!(Filter::decode(&nested(1 << 20)).is_err());
}

/// A tag that no operator has is an error, whatever bytes follow it.
#[test]
fn an_unknown_tag_is_an_error() {
    for tag in 0..=u8::MAX {
        let decode = |zeros: usize| Filter::decode(&[&[tag][..], &vec![0; zeros]].concat());
        let unknown = format!("the filter has an unknown operator ({tag})");
        // Each operator can be read with an empty key and, if it has one, an empty operand after the key.
        let read = [4, 5, 8, 12, 13, 16].into_iter().any(|zeros| decode(zeros).is_ok());
        assert_eq!(read, tag <= 13, "{tag}");
        for zeros in [0, 4, 8, 12, 16, 20] {
            let says = decode(zeros).err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(says == unknown, tag > 13 && zeros >= 8, "{tag} {zeros}: {says}");
            assert!(tag <= 13 || !says.is_empty());
        }
    }
}
