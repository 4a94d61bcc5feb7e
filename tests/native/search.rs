//! Every search gives native's scores, to the bit, and native's documents in our order.

use std::cmp::Ordering;

use nidus::{Nidus, Record, Scope, SearchOpts, Value};
use nidus_wasm::internals::glob;
use nidus_wasm::{Code, Query, Store, code_of};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::generate::{self, COLLECTIONS, config};
use crate::pair::{batch, ours, with_filter};
use crate::random::Random32;

#[derive(Clone, Debug)]
pub struct Asked {
    vector: Vec<f32>,
    /// None means all collections. Some of the names do not exist.
    scope: Option<Vec<&'static str>>,
    filter: nidus::Filter,
    top_k: Index,
    /// One of the scores that occur, or any number.
    min_score: Option<Result<Index, f32>>,
}

pub fn asked(dimension: usize) -> impl Strategy<Value = Asked> {
    let scope = prop::option::of(subsequence(COLLECTIONS.to_vec(), 0..COLLECTIONS.len()));
    let min_score = prop::option::of(prop_oneof![any::<Index>().prop_map(Ok), (-1.0f32..1.0).prop_map(Err)]);
    (generate::vector(dimension), scope, generate::filter(), any::<Index>(), min_score)
        .prop_map(|(vector, scope, filter, top_k, min_score)| Asked { vector, scope, filter, top_k, min_score })
}

type Scored = (String, String, u32, std::collections::BTreeMap<String, nidus_wasm::Value>);

/// Orders by descending score. NaN comes after every number.
fn by_score(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn score_bits(score: f32) -> u32 {
    if score.is_nan() { f32::NAN.to_bits() } else { score.to_bits() }
}

fn native_hits(native: &Nidus, asked: &Asked, top_k: usize, min_score: Option<f32>) -> Vec<(f32, Scored)> {
    let opts = SearchOpts { top_k, filter: asked.filter.clone(), min_score };
    let hits = match asked.scope.as_deref() {
        None => native.search(Scope::All, &asked.vector, &opts),
        Some([one]) => native.search(*one, &asked.vector, &opts),
        Some(some) => native.search(some, &asked.vector, &opts),
    };
    let attrs = |attrs: crate::pair::Attrs| attrs.into_iter().map(|(key, value)| (key, ours(&value))).collect();
    hits.unwrap()
        .into_iter()
        .map(|hit| (hit.score, (hit.collection, hit.id, score_bits(hit.score), attrs(hit.attrs))))
        .collect()
}

pub fn assert_same_search(native: &Nidus, store: &Store, asked: &Asked) {
    let documents = store.footprint().doc_count;
    let most = documents + 3;
    let every = native_hits(native, asked, most, None);
    let min_score = match asked.min_score {
        Some(Ok(index)) if !every.is_empty() => Some(every[index.index(every.len())].0),
        Some(Err(score)) => Some(score),
        _ => None,
    };
    let top_k = asked.top_k.index(most + 1);

    // The expected hits are all that native finds, in our order. Native leaves the order of equal scores open.
    let mut expected = native_hits(native, asked, most, min_score);
    expected.sort_by(|(a, x), (b, y)| by_score(*a, *b).then_with(|| (&x.0, &x.1).cmp(&(&y.0, &y.1))));
    expected.truncate(top_k);
    let expected: Vec<Scored> = expected.into_iter().map(|(_, hit)| hit).collect();

    let found = with_filter(&asked.filter, &mut |filter| {
        store.search(&asked.vector, &Query { collections: asked.scope.as_deref(), top_k, min_score, filter })
    });
    let found: Vec<Scored> =
        found.into_iter().map(|hit| (hit.collection, hit.id, score_bits(hit.score), hit.attrs)).collect();
    assert_eq!(found, expected, "{asked:?} top {top_k} of {documents}, at least {min_score:?}");

    // Native's own answer of that size must have the same scores, and the same documents above the last score.
    let native: Vec<Scored> = native_hits(native, asked, top_k, min_score).into_iter().map(|(_, hit)| hit).collect();
    let scores = |hits: &[Scored]| hits.iter().map(|hit| hit.2).collect::<Vec<_>>();
    assert_eq!(scores(&native), scores(&found));
    let above = |hits: Vec<Scored>| {
        let last = hits.last().map(|hit| hit.2);
        let mut above: Vec<_> = hits.into_iter().filter(|hit| Some(hit.2) != last).map(|hit| (hit.0, hit.1)).collect();
        above.sort();
        above
    };
    assert_eq!(above(native), above(found));
}

/// Puts the same documents into two stores in memory. The row numbers of the collections are mixed.
fn fill(records: &[(String, Record)], dimension: usize) -> (Nidus, Store) {
    let mut native = Nidus::open_in_memory(dimension).unwrap();
    let mut store = Store::in_memory(dimension).unwrap();
    for (collection, record) in records {
        native.upsert(collection, std::slice::from_ref(record)).unwrap();
        let (batch, vectors) = batch(std::slice::from_ref(record));
        store.stage_upsert(collection, 1, batch.bytes(), &vectors).unwrap();
    }
    store.commit().unwrap();
    (native, store)
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn searches_agree(
        (dimension, records, asked) in (1usize..40).prop_flat_map(|dimension| {
            let records = vec((generate::collection(), generate::record(dimension)), 0..120);
            (Just(dimension), records, vec(asked(dimension), 8))
        }),
    ) {
        let (native, store) = fill(&records, dimension);
        for asked in &asked {
            assert_same_search(&native, &store, asked);
        }
    }

    /// Compares each pattern on many texts. Native's matcher is reached through a search.
    #[test]
    fn globs_agree(patterns in vec(generate::pattern(), 40), texts in btree_map(generate::text(), Just(()), 1..40)) {
        let mut native = Nidus::open_in_memory(1).unwrap();
        let record = |text: &String| Record {
            id: text.clone(),
            vector: vec![1.0],
            attrs: [("t".into(), Value::Str(text.clone()))].into(),
        };
        native.upsert("c", &texts.keys().map(record).collect::<Vec<_>>()).unwrap();
        for pattern in patterns {
            let filter = nidus::Filter(vec![nidus::Predicate::Glob("t".into(), pattern.clone())]);
            let opts = SearchOpts { top_k: texts.len(), filter, min_score: None };
            let mut matched: Vec<String> =
                native.search("c", &[1.0], &opts).unwrap().into_iter().map(|hit| hit.id).collect();
            matched.sort();
            let ours: Vec<String> = texts.keys().filter(|text| glob(&pattern, text)).cloned().collect();
            prop_assert_eq!(ours, matched, "{:?}", pattern);
        }
    }
}

/// This is large enough for blocks, for chunks, and for a collection of few rows among many.
#[test]
fn searches_agree_in_a_larger_store() {
    let mut numbers = Random32(1);
    let mut random = || (numbers.draw() >> 8) as f32 / (1 << 23) as f32 - 1.0;
    let dimension = 19;
    let records: Vec<(String, Record)> = (0..3000)
        .map(|n| {
            let vector = (0..dimension).map(|_| (random() * 4.0).round()).collect();
            let collection = COLLECTIONS[if n % 50 == 0 { 1 } else { 0 }];
            (collection.into(), Record { id: format!("{}", n % 2900), vector, attrs: Default::default() })
        })
        .collect();
    let (native, mut store) = fill(&records, dimension);
    let mut runner = TestRunner::deterministic();
    // The codes are missing, partly made, and complete.
    for _ in 0..3 {
        for _ in 0..40 {
            let asked = asked(dimension).new_tree(&mut runner).unwrap().current();
            assert_same_search(&native, &store, &Asked { filter: Default::default(), ..asked });
        }
        if store.footprint().coded_rows > 0 {
            while !store.code_step() {}
        } else {
            assert!(!store.code_step());
        }
    }
    assert!(store.footprint().coded_rows > 2900);
}

/// Native takes vectors that have no direction, and leaves them as they are. We refuse them, but we read them in
/// native's stores.
#[test]
fn vectors_without_a_direction_are_read_and_refused() {
    let dir = tempfile::tempdir().unwrap();
    let nan = f32::NAN;
    let odd: [[f32; 3]; 6] = [
        [nan, 0.0, 1.0],
        [f32::INFINITY, 0.0, 1.0],
        [1.0, f32::NEG_INFINITY, 0.0],
        [3e38, 3e38, 0.0],
        [2e19, 0.0, 0.0],
        [0.0; 3],
    ];
    let mut native = crate::pair::open_native(dir.path(), 3, false).unwrap();
    for (n, vector) in odd.iter().enumerate() {
        native
            .upsert("docs", &[Record { id: format!("{n}"), vector: vector.to_vec(), attrs: Default::default() }])
            .unwrap();
    }
    native
        .upsert("docs", &[Record { id: "plain".into(), vector: vec![1.0, 2.0, 3.0], attrs: Default::default() }])
        .unwrap();
    let mut store = crate::pair::open_ours(dir.path(), Default::default()).unwrap();
    crate::pair::assert_same_documents(&native, &store);
    for vector in [[1.0, 0.0, 0.0], [0.0, -1.0, 0.5], [0.0; 3]] {
        for top_k in 0..9 {
            let opts = SearchOpts { top_k, ..Default::default() };
            let scores = |hits: Vec<f32>| hits.into_iter().map(score_bits).collect::<Vec<_>>();
            let expected = native.search("docs", &vector, &opts).unwrap().iter().map(|hit| hit.score).collect();
            let found = store
                .search(&vector, &Query { top_k, ..Default::default() })
                .unwrap()
                .iter()
                .map(|hit| hit.score)
                .collect();
            assert_eq!(scores(found), scores(expected));
        }
    }
    for vector in &odd[..5] {
        let (batch, vectors) =
            batch(&[Record { id: "new".into(), vector: vector.to_vec(), attrs: Default::default() }]);
        let error = store.stage_upsert("docs", 1, batch.bytes(), &vectors).unwrap_err();
        assert_eq!(code_of(&error), Code::InvalidArgument);
        let error = store.search(vector, &Query { top_k: 1, ..Default::default() }).unwrap_err();
        assert_eq!(code_of(&error), Code::InvalidArgument);
    }
    for vector in [&[][..], &[1.0], &[1.0; 4]] {
        assert_eq!(
            code_of(&store.search(vector, &Query { top_k: 1, ..Default::default() }).unwrap_err()),
            Code::DimensionMismatch
        );
    }
    // NaN is not at least anything. With `min_score` we leave it out, and native keeps it.
    let min_score = Some(-1.0);
    let native =
        native.search("docs", &[1.0, 0.0, 0.0], &SearchOpts { top_k: 9, min_score, ..Default::default() }).unwrap();
    let found = store.search(&[1.0, 0.0, 0.0], &Query { top_k: 9, min_score, ..Default::default() }).unwrap();
    assert!(native.iter().any(|hit| hit.score.is_nan()) && found.iter().all(|hit| hit.score >= -1.0));
}

/// If a collection is named twice, native counts it twice. We do not.
#[test]
fn a_collection_named_twice_counts_once() {
    let record = Record { id: "a".into(), vector: vec![1.0], attrs: Default::default() };
    let (native, store) = fill(&[("docs".into(), record)], 1);
    let twice: &[&str] = &["docs", "docs"];
    assert_eq!(native.search(twice, &[1.0], &SearchOpts { top_k: 5, ..Default::default() }).unwrap().len(), 2);
    assert_eq!(
        store.search(&[1.0], &Query { collections: Some(twice), top_k: 5, ..Default::default() }).unwrap().len(),
        1
    );
}
