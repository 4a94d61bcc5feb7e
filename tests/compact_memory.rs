//! A store that keeps codes instead of rows gives the same answers, to the bit, and the same bytes as one that keeps
//! everything.

#[path = "shared/cases.rs"]
mod cases;
#[path = "../src/search/codes/rows.rs"]
mod rows;

use cases::few_or;
use nidus_wasm::Filter;
use nidus_wasm::internals::{Tuning, kernel, tune};
use nidus_wasm::segment::{Step, Supplied};
use nidus_wasm::sink::MemorySink;
use nidus_wasm::{Batch, Hit, OpenOptions, Query, Store, Value};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rows::{SORTS, Sort, finish, row};

struct Kept {
    store: Store,
    data: MemorySink,
    log: MemorySink,
}

impl Kept {
    fn open(data: Vec<u8>, log: Vec<u8>, compact: bool, tuning: Tuning) -> Self {
        let (data, log) = (MemorySink::with_bytes(data), MemorySink::with_bytes(log));
        let mut store =
            Store::open(data.clone(), log.clone(), OpenOptions { compact, ..OpenOptions::default() }).unwrap();
        tune(&mut store, tuning);
        Self { store, data, log }
    }

    fn supply(data: &MemorySink, rows: &mut Supplied, dimension: usize) -> usize {
        let bytes = data.to_vec();
        let at = |row: &u32| 64 + *row as usize * dimension * 4;
        let vectors: Vec<f32> = rows
            .wanted()
            .unwrap()
            .iter()
            .flat_map(|row| bytes[at(row)..][..dimension * 4].as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)))
            .collect();
        rows.space(vectors.len(), dimension).unwrap().copy_from_slice(&vectors);
        vectors.len() / dimension
    }

    fn search(&self, vectors: &[f32], query: &Query<'_>) -> Vec<Vec<Hit>> {
        let mut searching = self.store.begin_search(vectors, query.clone()).unwrap();
        let mut rows = Supplied::default();
        while !self.store.advance_search(&mut searching, &mut rows).unwrap() {
            assert!(Self::supply(&self.data, &mut rows, self.store.dimension()) > 0);
        }
        self.store.hits(&searching).unwrap()
    }

    /// Makes at most `most` steps.
    fn code(&mut self, most: usize) {
        let mut rows = Supplied::default();
        for _ in 0..most {
            match self.store.code_step_with(&mut rows) {
                Step::More => {}
                Step::Done => break,
                Step::Wanting => assert!(Self::supply(&self.data, &mut rows, self.store.dimension()) > 0),
            }
        }
    }

    fn compact(&mut self) {
        let (data, log) = (MemorySink::new(), MemorySink::new());
        self.store.begin_compaction(Box::new(data.clone()), Box::new(log.clone())).unwrap();
        let mut rows = Supplied::default();
        loop {
            match self.store.compact_step_with(&mut rows).unwrap() {
                Step::More => {}
                Step::Done => break,
                Step::Wanting => assert!(Self::supply(&self.data, &mut rows, self.store.dimension()) > 0),
            }
        }
        self.store.finish_compaction().unwrap();
        self.store.adopt_compaction().unwrap();
        while !self.store.adopt_step().unwrap() {}
        (self.data, self.log) = (data, log);
    }

    fn upsert(&mut self, count: usize, batch: &Batch, vectors: &[f32]) {
        self.store.stage_upsert("a", count, batch.bytes(), vectors).unwrap();
        self.store.commit().unwrap();
    }
}

fn generator(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// Returns the bytes of a store with rows as native may have written them: not all have unit length.
fn bytes_of(sort: Sort, d: usize, count: usize, rng: &mut TestRng) -> (Vec<u8>, Vec<u8>) {
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let mut store =
        Store::create(data.clone(), log.clone(), OpenOptions { dimension: Some(d), ..OpenOptions::default() }).unwrap();
    let mut vectors = Vec::new();
    for n in 0..count {
        let mut batch = Batch::new();
        batch.push(&format!("{}", if n % 9 == 0 { n / 2 } else { n }), &[("n", Value::Int((n % 50) as i64))]);
        store.stage_upsert(["a", "b", "c"][n % 7 % 3], 1, batch.bytes(), &vec![1.0; d]).unwrap();
        let mut made = row(sort, d, n, rng);
        finish(sort, n, &mut made);
        vectors.extend(made);
    }
    store.commit().unwrap();
    store.stage_delete("a", (0..count / 10).map(|n| Ok(["3", "10", "17", "24"][n % 4]))).unwrap();
    store.commit().unwrap();
    let mut bytes = data.to_vec();
    bytes.truncate(64);
    bytes.extend(vectors.iter().flat_map(|x| x.to_le_bytes()));
    (bytes, log.to_vec())
}

fn same(full: &Store, compact: &Kept, sort: Sort, what: &str, rng: &mut TestRng) {
    let d = full.dimension();
    let mut queries = Vec::new();
    for q in 0..11 {
        let mut query = row([sort, Sort::Gaussian, Sort::OneHot][q % 3], d, q, rng);
        if q == 5 {
            query.fill(0.0);
        }
        kernel::normalize(&mut query);
        queries.extend(query);
    }
    let few = Filter::Eq("n".into(), Value::Int(7));
    let asked = [
        (10, None, None, Filter::default()),
        (3, Some(0.3), Some(&["a", "c"][..]), Filter::default()),
        (5, None, Some(&["b"][..]), few.clone()),
        (4, None, None, few),
        (10_000, None, None, Filter::default()),
    ];
    for (top_k, min_score, collections, filter) in asked {
        let query = Query { collections, top_k, min_score, filter };
        let bits = |found: Vec<Vec<Hit>>| -> Vec<Vec<(u32, String, String)>> {
            found
                .into_iter()
                .map(|hits| hits.into_iter().map(|hit| (hit.score.to_bits(), hit.collection, hit.id)).collect())
                .collect()
        };
        let expected = bits(full.search_many(&queries, &query).unwrap());
        assert!(bits(compact.search(&queries, &query)) == expected, "{what}, {sort:?} x {d}, top {top_k}");
        assert!(bits(compact.search(&queries[..d], &query)) == expected[..1], "{what}, {sort:?} x {d}, top {top_k}");
    }
}

#[test]
fn answers_and_bytes_are_those_of_full_memory() {
    // `npm test` has every second sort.
    let step = few_or(2, 1) as usize;
    for sort in SORTS.into_iter().step_by(step) {
        for d in if matches!(sort, Sort::Strong | Sort::Odd) { &[96, 200][..] } else { &[200] } {
            let d = *d;
            let mut rng = generator(d as u64);
            // There are more rows than a chunk of the matrix has, so that some are removed from memory. The basis comes
            // so late that codes are made twice.
            let tuning = Tuning { least_rows: 1, basis_rows: 900, chunk: 64 * d, whole: d == 96 };
            let count = if d == 96 { 4000 } else { 2400 };
            let (data, log) = bytes_of(sort, d, count, &mut rng);
            let mut full = Kept::open(data.clone(), log.clone(), false, tuning);
            let mut compact = Kept::open(data, log, true, tuning);
            compact.code(3);
            same(&full.store, &compact, sort, "a few codes", &mut rng);
            compact.code(usize::MAX);
            assert!(compact.store.rows().gone() * 3 > count, "{} of {count}", compact.store.rows().gone());
            same(&full.store, &compact, sort, "codes", &mut rng);

            let (mut batch, mut vectors) = (Batch::new(), Vec::new());
            for n in 0..700 {
                batch.push(&format!("{}", n * 5), &[("n", Value::Int(n % 60))]);
                let mut made = row([sort, Sort::Falling][n as usize % 2], d, n as usize, &mut rng);
                kernel::normalize(&mut made);
                vectors.extend(made.iter().map(|x| if x.is_finite() { *x } else { 0.5 }));
            }
            for kept in [&mut full, &mut compact] {
                kept.upsert(700, &batch, &vectors);
            }
            same(&full.store, &compact, sort, "rows that came later", &mut rng);
            compact.code(rng.next_u32() as usize % 30);
            for kept in [&mut full, &mut compact] {
                kept.compact();
            }
            assert!(
                full.data.to_vec() == compact.data.to_vec() && full.log.to_vec() == compact.log.to_vec(),
                "{sort:?} x {d}"
            );
            same(&full.store, &compact, sort, "compacted", &mut rng);
            compact.code(usize::MAX);
            same(&full.store, &compact, sort, "codes again", &mut rng);
        }
    }
}
