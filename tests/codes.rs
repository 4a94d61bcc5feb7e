//! Searches with codes give the same ids and the same bits as a plain scan of every row, whatever the rows are.

#[path = "shared/cases.rs"]
mod cases;
#[path = "../src/search/codes/rows.rs"]
mod rows;

use std::collections::BTreeMap;

use cases::few_or;
use nidus_wasm::internals::{Tuning, kernel, tune};
use nidus_wasm::sink::MemorySink;
use nidus_wasm::{
    Batch, OpenOptions, Query, Store, Value,
    search::{Bound, Filter},
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rows::{SORTS, Sort, finish, row};

struct Case {
    sort: Sort,
    dimension: usize,
    rows: usize,
    seed: u64,
}

fn generator(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

const TUNING: fn(usize) -> Tuning =
    |dimension| Tuning { least_rows: 1, basis_rows: 100, chunk: 64 * dimension, whole: dimension % 3 != 1 };

/// Makes three collections with some documents overwritten and deleted. The rows are written directly into the data,
/// without checks, as native may have written them.
fn filled(case: &Case, rng: &mut TestRng) -> Store {
    let d = case.dimension;
    let options = || OpenOptions { dimension: Some(d), ..OpenOptions::default() };
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let mut store = Store::create(data.clone(), log.clone(), options()).unwrap();
    let mut vectors = Vec::new();
    for n in 0..case.rows {
        let mut batch = Batch::new();
        // Some ids come twice.
        batch.push(&format!("{}", if n % 9 == 0 { n / 2 } else { n }), &[("n", Value::Int((n % 50) as i64))]);
        store.stage_upsert(["a", "b", "c"][n % 7 % 3], 1, batch.bytes(), &vec![1.0; d]).unwrap();
        let mut made = row(case.sort, d, n, rng);
        finish(case.sort, n, &mut made);
        vectors.extend(made);
    }
    store.commit().unwrap();
    store.stage_delete("a", (0..case.rows / 10).map(|n| Ok(["3", "10", "17", "24"][n % 4]))).unwrap();
    store.commit().unwrap();
    let mut bytes = data.to_vec();
    bytes.truncate(64);
    bytes.extend(vectors.iter().flat_map(|x| x.to_le_bytes()));
    let mut store =
        Store::open(MemorySink::with_bytes(bytes), MemorySink::with_bytes(log.to_vec()), options()).unwrap();
    tune(&mut store, TUNING(d));
    store
}

type Scored = (u32, String, String);

fn bits(score: f32) -> u32 {
    if score.is_nan() { f32::NAN.to_bits() } else { (score + 0.0).to_bits() }
}

fn by_scan(
    store: &Store,
    query: &[f32],
    asked: &Query<'_>,
    keep: impl Fn(&BTreeMap<String, Value>) -> bool,
) -> Vec<Scored> {
    let mut unit = query.to_vec();
    kernel::normalize(&mut unit);
    let mut all = Vec::new();
    for collection in store
        .collections()
        .into_iter()
        .filter(|name| asked.collections.is_none_or(|names| names.contains(&name.as_str())))
    {
        for record in store.get_all(&collection).unwrap() {
            let score = kernel::scalar::dot(&unit, &record.vector);
            if keep(&record.attrs) && asked.min_score.is_none_or(|least| score >= least) {
                all.push((score, collection.clone(), record.id));
            }
        }
    }
    all.sort_by(|x, y| {
        let by_score = y.0.partial_cmp(&x.0).unwrap_or_else(|| x.0.is_nan().cmp(&y.0.is_nan()));
        by_score.then_with(|| (&x.1, &x.2).cmp(&(&y.1, &y.2)))
    });
    all.truncate(asked.top_k);
    all.into_iter().map(|(score, collection, id)| (bits(score), collection, id)).collect()
}

fn compare(case: &Case, store: &Store, rng: &mut TestRng) {
    let Case { sort, dimension, rows: count, .. } = *case;
    for (n, kind) in [sort, Sort::Gaussian, Sort::OneHot, sort, sort].into_iter().enumerate() {
        let mut query = row(kind, dimension, n, rng);
        if n == 3 {
            let collections = store.collections();
            query = store.get_all(&collections[0]).unwrap().last().unwrap().vector.clone();
        }
        if !query.iter().map(|x| x * x).sum::<f32>().is_finite() {
            continue;
        }
        for (top_k, min_score, collections, filter) in [
            (10, None, None, false),
            (1, None, None, false),
            (10, None, Some(&["a", "c"][..]), false),
            (5, Some(0.3), None, false),
            (3, None, None, true),
            (count, None, None, false),
        ] {
            let wanted = rng.next_u32() as i64 % 50;
            let filter_ours = if filter { Filter::Eq("n".into(), Value::Int(wanted)) } else { Filter::default() };
            let asked = Query { collections, top_k, min_score, filter: filter_ours };
            let expected =
                by_scan(store, &query, &asked, |attrs| !filter || attrs.get("n") == Some(&Value::Int(wanted)));
            let found: Vec<Scored> = store
                .search(&query, &asked)
                .unwrap()
                .into_iter()
                .map(|hit| (bits(hit.score), hit.collection, hit.id))
                .collect();
            assert_eq!(
                found, expected,
                "{sort:?} x {dimension}, {count} rows, seed {}, query {n}, top {top_k}",
                case.seed
            );
        }
    }
}

fn check(case: &Case) {
    let mut rng = generator(case.seed);
    let mut store = filled(case, &mut rng);
    compare(case, &store, &mut rng);
    for _ in 0..5 {
        store.code_step();
    }
    compare(case, &store, &mut rng);
    while !store.code_step() {}
    assert_eq!(store.footprint().coded_rows as usize, case.rows / 16 * 16);
    compare(case, &store, &mut rng);
    // Some rows come later, some go, and others take their places.
    let mut batch = Batch::new();
    let mut vectors = Vec::new();
    for n in 0..40 {
        batch.push(&format!("later {n}"), &[("n", Value::Int(n))]);
        let mut made = row(Sort::Gaussian, case.dimension, n as usize, &mut rng);
        kernel::normalize(&mut made);
        vectors.extend(made);
    }
    store.stage_upsert("a", 40, batch.bytes(), &vectors).unwrap();
    store.stage_drop("b").unwrap();
    store.commit().unwrap();
    compare(case, &store, &mut rng);
    store.compact_into(Box::new(MemorySink::new()), Box::new(MemorySink::new())).unwrap();
    compare(case, &store, &mut rng);
    while !store.code_step() {}
    compare(case, &store, &mut rng);
}

#[test]
fn every_sort_of_rows() {
    // In `npm test`, each sort has every fourth dimension, and each dimension has some sorts.
    let step = few_or(4, 1) as usize;
    for (which, sort) in SORTS.into_iter().enumerate() {
        for dimension in [1, 3, 16, 95, 96, 200, 384].into_iter().skip(which % step).step_by(step) {
            check(&Case { sort, dimension, rows: 700, seed: dimension as u64 });
        }
    }
    check(&Case { sort: Sort::Strong, dimension: 384, rows: few_or(2000, 6000) as usize, seed: 1 });
    check(&Case { sort: Sort::Wide, dimension: 4096, rows: 200, seed: 2 });
}

#[test]
fn any_rows() {
    let mut runner = TestRunner::new(Config { cases: few_or(8, 60), failure_persistence: None, ..Config::default() });
    runner
        .run(&(0..SORTS.len(), 1usize..240, 120usize..900, any::<u64>()), |(sort, dimension, rows, seed)| {
            check(&Case { sort: SORTS[sort], dimension, rows, seed });
            Ok(())
        })
        .unwrap();
}

/// Whatever is done to a store, in any order, its searches give the results of a scan. Rows are added, overwritten and
/// removed. Codes are made a step at a time in one basis and then another. Compactions go on in slices meanwhile, and
/// staged operations are rolled back.
#[test]
fn any_sequence() {
    const D: usize = 192;
    for seed in 0..u64::from(few_or(2, 8)) {
        let mut rng = generator(1000 + seed);
        let options = OpenOptions { dimension: Some(D), ..OpenOptions::default() };
        let mut store = Store::create(MemorySink::new(), MemorySink::new(), options).unwrap();
        // Each chunk has more rows than a step codes. Two chunks have no basis by the time that one is made.
        tune(&mut store, Tuning { least_rows: 1, basis_rows: 700, chunk: 320 * D, whole: seed % 2 == 0 });
        let mut compacting = None;
        for step in 0..120 {
            let what = rng.next_u32() % 16;
            match (what, compacting) {
                _ if step < 24 && step % 2 == 0 => upsert(&mut store, 80, &mut rng),
                _ if step < 24 => _ = store.code_step(),
                (0..6, None) => {
                    let count = 20 + rng.next_u32() as usize % 80;
                    upsert(&mut store, count, &mut rng);
                    if what == 5 {
                        store.unstage_all();
                    }
                }
                (6, None) => {
                    let ids: Vec<String> = (0..30).map(|_| (rng.next_u32() % 2000).to_string()).collect();
                    store.stage_delete("a", ids.iter().map(|id| Ok(id.as_str()))).unwrap();
                }
                (7, None) if rng.next_u32().is_multiple_of(4) => _ = store.stage_drop("b").unwrap(),
                (8, None) if step > 40 => {
                    store.begin_compaction(Box::new(MemorySink::new()), Box::new(MemorySink::new())).unwrap();
                    compacting = Some(false);
                }
                (0..10, Some(false)) => {
                    if store.compact_step().unwrap() {
                        store.finish_compaction().unwrap();
                        store.adopt_compaction().unwrap();
                        compacting = Some(true);
                    }
                }
                (0..10, Some(true)) => {
                    if store.adopt_step().unwrap() {
                        compacting = None;
                    }
                }
                _ => _ = store.code_step(),
            }
            if compacting.is_none() {
                store.commit().unwrap();
            }
            // The last step comes when nothing is left to do.
            if step == 119 {
                while compacting == Some(true) && !store.adopt_step().unwrap() {}
                store.abandon_compaction();
                while !store.code_step() {}
            }
            if step % 3 == 0 || compacting == Some(true) || step == 119 {
                compare_once(&store, step, seed, &mut rng);
            }
        }
    }
}

/// Upserts rows of several kinds. A few of them get no codes, some are equal, and some may have an id that exists.
fn upsert(store: &mut Store, count: usize, rng: &mut TestRng) {
    let (mut batch, mut vectors) = (Batch::new(), Vec::new());
    for n in 0..count {
        batch.push(&(rng.next_u32() % 2000).to_string(), &[("n", Value::Int((n % 50) as i64))]);
        let sort =
            [Sort::Strong, Sort::Falling, Sort::Strong, Sort::Equal, Sort::Gaussian][rng.next_u32() as usize % 5];
        vectors.extend(if n % 40 == 7 { vec![0.0; store.dimension()] } else { row(sort, store.dimension(), n, rng) });
    }
    store.stage_upsert(["a", "b", "c"][rng.next_u32() as usize % 3], count, batch.bytes(), &vectors).unwrap();
}

fn compare_once(store: &Store, step: usize, seed: u64, rng: &mut TestRng) {
    let query = row([Sort::Strong, Sort::Falling, Sort::Equal][step / 3 % 3], store.dimension(), step, rng);
    let collections = [None, Some(&["a", "b", "c"][..]), Some(&["a", "c"][..])][rng.next_u32() as usize % 3];
    let least = rng.next_u32().is_multiple_of(4).then_some(0.4);
    // There are few different filters, so that they come again after rows were added, removed or moved. Some match few
    // rows, and some match most.
    let (which, n) = (rng.next_u32() % 6, i64::from(rng.next_u32() % 3));
    let key = || "n".to_string();
    let filter = match which {
        0 => Filter::default(),
        1 => Filter::Eq(key(), n.into()),
        2 => Filter::Not(Box::new(Filter::Eq(key(), n.into()))),
        3 => Filter::Compare(key(), Bound::Less, (n as f64 * 10.0 + 0.5).into()),
        4 => Filter::In(key(), vec![n.into(), (n + 20).into()]),
        _ => Filter::And(vec![Filter::Exists(key()), Filter::Compare(key(), Bound::GreaterOrEqual, 3.into())]),
    };
    let keep = |attrs: &BTreeMap<String, Value>| match (which, &attrs["n"]) {
        (1, Value::Int(x)) => *x == n,
        (2, Value::Int(x)) => *x != n,
        (3, Value::Int(x)) => *x <= n * 10,
        (4, Value::Int(x)) => *x == n || *x == n + 20,
        (5, Value::Int(x)) => *x >= 3,
        _ => true,
    };
    let asked = Query { collections, top_k: 1 + rng.next_u32() as usize % 10, min_score: least, filter };
    let expected = by_scan(store, &query, &asked, keep);
    // After four searches in which codes were of no use, seven searches do not use codes.
    for _ in 0..13 {
        let found: Vec<Scored> = store
            .search(&query, &asked)
            .unwrap()
            .into_iter()
            .map(|hit| (bits(hit.score), hit.collection, hit.id))
            .collect();
        assert_eq!(found, expected, "seed {seed}, step {step}");
    }
}
