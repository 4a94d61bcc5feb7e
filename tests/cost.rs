//! The cost of an input is at most proportional to its size. Each test does the same for some number of things and for
//! eight times as many, and compares the processor time of its own thread. Other programs do not add to that time. A
//! proportional cost gives 8, and a quadratic one 64.

use std::time::Duration;

use nidus_wasm::Filter;
use nidus_wasm::internals::glob;
use nidus_wasm::sink::MemorySink;
use nidus_wasm::{Batch, OpenOptions, Query, Store, Value};

/// Returns the processor time that this thread has had so far.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match text.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse().ok()) {
        Some(nanoseconds) => Duration::from_nanos(nanoseconds),
        None => std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap(),
    }
}

/// Measures `work` for `least` things and for eight times as many. `make` is not measured.
fn in_proportion<T>(what: &str, least: usize, most: u32, make: impl Fn(usize) -> T, work: impl Fn(&mut T, usize)) {
    let time = |n: usize| {
        (0..3)
            .map(|_| {
                let mut made = make(n);
                let began = used();
                work(&mut made, n);
                used() - began
            })
            .min()
            .unwrap()
    };
    let (few, many) = (time(least), time(8 * least));
    println!(
        "{what}: {least} in {few:?}, {} in {many:?}: {:.1} times",
        8 * least,
        many.as_secs_f64() / few.as_secs_f64()
    );
    assert!(many < most * few.max(TICK), "{what}: {least} took {few:?}, {} took {many:?}", 8 * least);
}

/// The kernel measures processor time in ticks of its clock, so shorter times are not exact.
const TICK: Duration = Duration::from_millis(8);
/// This is far above 8, because larger inputs do not fit into the caches.
const IN_PROPORTION: u32 = 40;

fn name(n: usize) -> String {
    // The ids do not come in their order.
    format!("{:08x}", (n as u32).wrapping_mul(0x9E37_79B1))
}

/// Makes a store with `n` collections. With `filled`, each has one document.
fn with_collections(n: usize, filled: bool) -> (Store, MemorySink, MemorySink) {
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let mut store =
        Store::create(data.clone(), log.clone(), OpenOptions { dimension: Some(1), ..Default::default() }).unwrap();
    stage(&mut store, n, filled);
    store.commit().unwrap();
    (store, data, log)
}

fn stage(store: &mut Store, n: usize, filled: bool) {
    let mut batch = Batch::new();
    batch.push("id", &[]);
    for n in 0..n {
        if filled {
            store.stage_upsert(&name(n), 1, batch.bytes(), &[1.0]).unwrap();
        } else {
            store.stage_create(&name(n)).unwrap();
        }
    }
}

#[test]
fn globs() {
    // The cost is text times pattern, so 8 times as much of both gives 64. Searching the pattern again at each place of
    // the text would give 512.
    let make = |n: usize| (format!("*{}x", "[".repeat(n)), "[".repeat(2 * n));
    in_proportion("an open bracket", 256, 200, make, |(pattern, text), _| assert!(!glob(pattern, text)));
    let make = |n: usize| format!("*{}", "[".repeat(n));
    in_proportion("open brackets and short texts", 2000, IN_PROPORTION, make, |pattern, _| {
        for n in 0..2000 {
            assert!(!glob(pattern, &format!("src/[{n}/file.rs")));
        }
    });
}

#[test]
fn collections() {
    in_proportion(
        "staging new collections",
        16_000,
        IN_PROPORTION,
        |_| Store::in_memory(1).unwrap(),
        |store, n| stage(store, n, true),
    );
    in_proportion(
        "applying them",
        16_000,
        IN_PROPORTION,
        |n| {
            let mut store = Store::in_memory(1).unwrap();
            stage(&mut store, n, true);
            store
        },
        |store, _| store.commit().unwrap(),
    );
    in_proportion(
        "opening",
        16_000,
        IN_PROPORTION,
        |n| with_collections(n, true),
        |(_, data, log), n| {
            assert_eq!(Store::open(data.clone(), log.clone(), OpenOptions::default()).unwrap().collections().len(), n);
        },
    );
    in_proportion(
        "dropping all",
        16_000,
        IN_PROPORTION,
        |n| with_collections(n, true),
        |(store, ..), n| {
            (0..n).for_each(|n| assert!(store.stage_drop(&name(n)).unwrap()));
            store.commit().unwrap();
            // Their numbers are used again.
            stage(store, n, false);
            store.commit().unwrap();
        },
    );
    in_proportion(
        "compacting",
        16_000,
        IN_PROPORTION,
        |n| with_collections(n, true),
        |(store, ..), _| {
            store.compact_into(Box::new(MemorySink::new()), Box::new(MemorySink::new())).unwrap();
        },
    );
    in_proportion(
        "naming them in a search",
        4_000,
        IN_PROPORTION,
        |n| (with_collections(n, true), (0..2 * n).map(|i| name(i % n)).collect::<Vec<_>>()),
        |((store, ..), names), n| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let query = Query { collections: Some(&names), top_k: n, ..Default::default() };
            assert_eq!(store.search(&[1.0], &query).unwrap().len(), n);
        },
    );
    in_proportion(
        "metadata",
        16_000,
        IN_PROPORTION,
        |n| (Store::in_memory(1).unwrap(), (0..n).map(|n| (name(n), name(n))).collect()),
        |(store, meta), _| {
            store.stage_set_meta_map("c", meta).unwrap();
            store.commit().unwrap();
            assert_eq!(store.get_meta("c").len(), meta.len());
        },
    );
}

#[test]
fn documents() {
    let store = |n: usize, attrs: &dyn Fn(usize) -> Vec<(String, Value)>| {
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let mut store =
            Store::create(data.clone(), log.clone(), OpenOptions { dimension: Some(1), ..Default::default() }).unwrap();
        let mut batch = Batch::new();
        for n in 0..n {
            let attrs = attrs(n);
            let attrs: Vec<(&str, Value)> = attrs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
            batch.push(&name(n), &attrs);
        }
        store.stage_upsert("c", n, batch.bytes(), &vec![1.0; n]).unwrap();
        store.commit().unwrap();
        (store, data, log)
    };
    let distinct = |n: usize| vec![("k".to_string(), Value::Str(name(n)))];
    let glob = Filter::Glob("k".into(), "*7*".into());
    in_proportion(
        "a filter on distinct values",
        16_000,
        IN_PROPORTION,
        |n| store(n, &distinct),
        |(store, ..), _| {
            store.search(&[1.0], &Query { top_k: 5, filter: glob.clone(), ..Default::default() }).unwrap();
        },
    );
    in_proportion(
        "deleting what matches",
        16_000,
        IN_PROPORTION,
        |n| store(n, &distinct),
        |(store, ..), _| {
            store.stage_delete_where("c", &glob).unwrap();
            store.commit().unwrap();
        },
    );
    in_proportion(
        "compacting",
        16_000,
        IN_PROPORTION,
        |n| store(n, &distinct),
        |(store, ..), _| {
            store.compact_into(Box::new(MemorySink::new()), Box::new(MemorySink::new())).unwrap();
        },
    );
    // One document has `n` keys.
    in_proportion(
        "keys of a document",
        2_000,
        IN_PROPORTION,
        |n| n,
        |n, _| {
            let attrs: Vec<(String, Value)> = (0..*n).map(|n| (name(n), Value::Int(n as i64))).collect();
            let (_, data, log) = store(1, &|_| attrs.clone());
            let store = Store::open(data, log, OpenOptions::default()).unwrap();
            assert_eq!(store.get("c", &name(0)).unwrap().unwrap().attrs.len(), *n);
        },
    );
}
