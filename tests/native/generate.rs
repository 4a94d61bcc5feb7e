//! Generators for the tests with generated cases.

use nidus::{Filter, Predicate, Record, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use crate::pair::Attrs;

/// Returns a configuration with which the cases are the same each time. For other cases, set PROPTEST_RNG_SEED to a
/// number, and PROPTEST_CASES to the number of cases.
pub fn config(cases: u32) -> ProptestConfig {
    let from_env = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect(name));
    let rng_seed = RngSeed::Fixed(from_env("PROPTEST_RNG_SEED").unwrap_or(1));
    let cases = from_env("PROPTEST_CASES").map_or(cases, |cases| cases as u32);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

pub const COLLECTIONS: [&str; 5] = ["docs", "", "b", "ünï/коd", "😀"];
const KEYS: [&str; 4] = ["k", "", "путь", "tag"];

/// Generates texts of characters that have a meaning in a glob pattern, a few letters, and characters of two and four
/// bytes.
fn nasty(most: usize) -> impl Strategy<Value = String> {
    let chars = select("[]!^-*?ab/éü😀".chars().collect::<Vec<_>>());
    vec(chars, 0..most).prop_map(String::from_iter)
}

pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => nasty(5),
        2 => vec(any::<char>(), 0..6).prop_map(String::from_iter),
        // Some are long enough for frames that cross sectors.
        1 => (1usize..700).prop_map(|n| "long ".repeat(n / 5)),
    ]
}

pub fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => nasty(3),
        2 => nasty(4).prop_map(|class| format!("[{class}]")),
        1 => nasty(4).prop_map(|class| format!("[!{class}]")),
        1 => select(vec![
            "[a-b]", "[^a-b]", "[!-]", "[é-😀]", "[]", "[!]", "[a-", "[b-a]", "[a-]", "[--]", "*", "**", "?", "[[]",
        ])
        .prop_map(String::from),
    ];
    vec(part, 0..4).prop_map(|parts| parts.concat())
}

pub fn id() -> impl Strategy<Value = String> {
    prop_oneof![6 => select(vec!["a", "b", "c", "d", "é", "e\0", "", "😀", "f"]).prop_map(String::from), 1 => text()]
}

pub fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        4 => text().prop_map(Value::Str),
        2 => prop_oneof![-2i64..3, any::<i64>()].prop_map(Value::Int),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => vec(nasty(3), 0..3).prop_map(Value::List),
    ]
}

pub fn attrs() -> impl Strategy<Value = Attrs> {
    btree_map(select(KEYS.to_vec()).prop_map(String::from), value(), 0..4)
}

/// Generates finite numbers that are so small that no sum of 40 squares overflows.
pub fn number() -> impl Strategy<Value = f32> {
    let hostile =
        vec![0.0, -0.0, 1.0, -1.0, 1e-45, -1e-39, f32::MIN_POSITIVE, 1e-12, 3e-13, -1e-20, 1e18, -2.5e18, f32::EPSILON];
    prop_oneof![8 => -1.0f32..1.0, 1 => select(hostile)]
}

pub fn vector(dimension: usize) -> impl Strategy<Value = Vec<f32>> {
    let tiny = (vec(number(), dimension), select(vec![1.0f32, 1.0, 1.0, 1e-6, 1e-12, 1e-20, 1e-30]));
    tiny.prop_map(|(numbers, scale)| numbers.into_iter().map(|x| x * scale).collect())
}

/// Generates records. Some have equal vectors, so that some scores are equal.
pub fn record(dimension: usize) -> impl Strategy<Value = Record> {
    let unit =
        (0..dimension).prop_map(move |n| (0..dimension).map(|i| f32::from(u8::from(i == n))).collect::<Vec<_>>());
    let vector = prop_oneof![3 => vector(dimension), 1 => unit];
    (id(), vector, attrs()).prop_map(|(id, vector, attrs)| Record { id, vector, attrs })
}

pub fn filter() -> impl Strategy<Value = Filter> {
    let key = || select(vec!["k", "", "путь", "tag", "absent"]).prop_map(String::from);
    let predicate = prop_oneof![
        (key(), value()).prop_map(|(key, value)| Predicate::Eq(key, value)),
        (key(), pattern()).prop_map(|(key, pattern)| Predicate::Glob(key, pattern)),
        (key(), vec(value(), 0..4)).prop_map(|(key, values)| Predicate::In(key, values)),
    ];
    prop_oneof![2 => Just(Filter::default()), 3 => vec(predicate, 1..3).prop_map(Filter)]
}

pub fn collection() -> impl Strategy<Value = String> {
    select(COLLECTIONS.to_vec()).prop_map(String::from)
}
