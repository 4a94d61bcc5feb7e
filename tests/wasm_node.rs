//! The core as WebAssembly, in Node: the simd kernel, native's golden bytes, and a sink over a JavaScript object.
#![cfg(target_arch = "wasm32")]

#[path = "golden/mod.rs"]
mod golden;
mod wasm;

use js_sys::{Array, Function, Object, Reflect, Uint8Array};
use nidus_wasm::internals::{codes, kernel};
use nidus_wasm::sink::{ByteSink, ByteSource, HandleSink, MemorySink, conformance};
use nidus_wasm::{Batch, Code, OpenOptions, Query, Store, Value, code_of};
use wasm::{Random, exercise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::FileSystemSyncAccessHandle;

fn assert_same_bits(simd: &[f32], scalar: &[f32], what: &str) {
    for (row, (a, b)) in simd.iter().zip(scalar).enumerate() {
        assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{what}, row {row}: {a:e} and {b:e}");
    }
}

#[wasm_bindgen_test]
fn simd_equals_scalar() {
    let mut random = Random(1);
    type Number = fn(&mut Random) -> f32;
    let kinds: [(&str, Number); 5] = [
        ("plain", |random| random.number()),
        ("of all magnitudes", |random| f32::from_bits(random.bits() & 0xBFFF_FFFF)),
        ("subnormal", |random| f32::from_bits(random.bits() & 0x807F_FFFF)),
        ("with infinities", |random| {
            if random.bits() % 16 == 0 { f32::INFINITY.copysign(random.number()) } else { random.number() }
        }),
        ("any bits", |random| f32::from_bits(random.bits())),
    ];
    for dimension in (1..=80).chain([384, 768]) {
        for (kind, number) in kinds {
            let query: Vec<f32> = (0..dimension).map(|_| number(&mut random)).collect();
            let rows: Vec<f32> = (0..9 * dimension).map(|_| number(&mut random)).collect();
            for count in 1..=9 {
                let (mut simd, mut scalar) = ([0.5; 9], [0.5; 9]);
                let rows = &rows[..count * dimension];
                kernel::simd::dots(&query, rows, &mut simd[..count]);
                kernel::scalar::dots(&query, rows, &mut scalar[..count]);
                assert_same_bits(&simd, &scalar, &format!("{kind}, dimension {dimension}, {count} rows"));
                let mut used = [0.5; 9];
                kernel::dots(&query, rows, &mut used[..count]);
                assert_same_bits(&used, &simd, "what is used");
                assert_same_bits(&[kernel::dot(&query, &rows[..dimension])], &simd[..1], "one row");
            }
        }
    }
}

/// Returns the sum of squares. It is added in such a way that the compiler cannot combine additions.
fn norm_squared(vector: &[f32]) -> f32 {
    vector.iter().fold(0.0, |sum, x| std::hint::black_box(sum + std::hint::black_box(x * x)))
}

#[wasm_bindgen_test]
fn normalization() {
    let mut random = Random(2);
    for dimension in (1..=40).chain([384, 4096]) {
        for scale in [1.0f32, 1e-30, 1e-12, 1e-13, 1e15, 3e18] {
            let vector: Vec<f32> = random.vector(dimension).iter().map(|x| x * scale).collect();
            let norm = norm_squared(&vector).sqrt();
            let mut ours = vector.clone();
            kernel::normalize(&mut ours);
            let inverse = 1.0 / norm;
            let expected: Vec<f32> =
                vector.iter().map(|x| if norm < 1e-12 || !norm.is_finite() { *x } else { x * inverse }).collect();
            assert_same_bits(&ours, &expected, &format!("{dimension} x {scale:e}"));
            let rows: Vec<f32> = random.vector(7 * dimension).iter().map(|x| x * scale).collect();
            let mut sums = [0.5; 7];
            kernel::norms_squared(&rows, dimension, &mut sums);
            let alone: Vec<f32> = rows.chunks(dimension).map(norm_squared).collect();
            assert_same_bits(&sums, &alone, &format!("seven rows, {dimension} x {scale:e}"));
        }
    }
}

#[wasm_bindgen_test]
fn search_equals_a_scan_in_f64() {
    let mut random = Random(3);
    for (dimension, count) in [(96, 500), (7, 300), (384, 130)] {
        let mut db = Store::in_memory(dimension).unwrap();
        let mut batch = Batch::new();
        let vectors = random.vector(dimension * count);
        (0..count).for_each(|n| batch.push(&n.to_string(), &[]));
        db.stage_upsert("c", count, batch.bytes(), &vectors).unwrap();
        db.commit().unwrap();
        let query = random.vector(dimension);
        let cosine = |id: &str| {
            let n: usize = id.parse().unwrap();
            let row = &vectors[n * dimension..(n + 1) * dimension];
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
            dot(&query, row) / (dot(&query, &query) * dot(row, row)).sqrt()
        };
        let hits = db.search(&query, &Query { top_k: count, ..Default::default() }).unwrap();
        assert_eq!(hits.len(), count);
        for pair in hits.windows(2) {
            assert!((f64::from(pair[0].score) - cosine(&pair[0].id)).abs() < 1e-6);
            assert!(cosine(&pair[0].id) > cosine(&pair[1].id) - 1e-6, "{pair:?}");
        }
        for top_k in [0, 1, 10, count - 1] {
            assert!(db.search(&query, &Query { top_k, ..Default::default() }).unwrap() == hits[..top_k]);
        }
    }
}

const GOLDEN: [&str; 5] = [
    include_str!("golden/operations.txt"),
    include_str!("golden/compacted.txt"),
    include_str!("golden/values.txt"),
    include_str!("golden/newer.txt"),
    include_str!("golden/newer-native-0.52.0.txt"),
];

/// A store that native wrote is read here, too. Every record of it, written back, gives the same frames. It also gives
/// the same rows, except that rows of length one are rounded once more.
#[wasm_bindgen_test]
fn golden_files() {
    for text in GOLDEN {
        let (data, log) = golden::parse(text);
        let sink = |bytes: &[u8]| MemorySink::with_bytes(bytes.to_vec());
        let (data_sink, log_sink) = (sink(&data), sink(&log));
        let mut db = Store::open(data_sink.clone(), log_sink.clone(), OpenOptions::default()).unwrap();
        assert_eq!(db.recovery(), Default::default());
        assert!(data_sink.to_vec() == data && log_sink.to_vec() == log);
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let names = db.collections();
        let all: Vec<_> = names.iter().map(|name| db.get_all(name).unwrap()).collect();
        db.compact_into(Box::new(data.clone()), Box::new(log.clone())).unwrap();
        let again = (MemorySink::new(), MemorySink::new());
        let options = OpenOptions { dimension: Some(db.dimension()), ..Default::default() };
        let mut copy = Store::create(again.0.clone(), again.1.clone(), options).unwrap();
        for (name, records) in names.iter().zip(&all) {
            copy.stage_create(name).unwrap();
            let meta = db.get_meta(name);
            if !meta.is_empty() {
                copy.stage_set_meta_map(name, &meta).unwrap();
            }
            for record in records {
                let mut batch = Batch::new();
                let attrs: Vec<(&str, Value)> =
                    record.attrs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
                batch.push(&record.id, &attrs);
                copy.stage_upsert(name, 1, batch.bytes(), &record.vector).unwrap();
            }
        }
        copy.commit().unwrap();
        assert!(again.1.to_vec() == log.to_vec());
        let rows = |sink: &MemorySink| {
            sink.to_vec()[64..].chunks(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect::<Vec<_>>()
        };
        assert!(rows(&again.0).iter().zip(&rows(&data)).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

#[wasm_bindgen_test]
fn store_in_memory() {
    let sinks = std::cell::RefCell::new(std::collections::HashMap::<String, MemorySink>::new());
    exercise(|name| sinks.borrow_mut().entry(name.into()).or_default().clone());
}

/// Returns a handle as a user might write one, over a plain array. It keeps the arrays that it is given, to see whether
/// they change.
fn handle() -> FileSystemSyncAccessHandle {
    let make = Function::new_no_args(
        "const bytes = [], kept = [], copies = []
        return {
            bytes, kept, copies,
            read(buffer, { at }) {
                let n = 0
                while (n < buffer.length && at + n < bytes.length) { buffer[n] = bytes[at + n]; n++ }
                return n
            },
            write(buffer, { at }) {
                kept.push(buffer)
                copies.push([...buffer])
                for (let i = 0; i < buffer.length; i++) bytes[at + i] = buffer[i]
                return buffer.length
            },
            truncate(size) { bytes.length = size },
            flush() {},
            getSize() { return bytes.length },
            close() {},
        }",
    );
    make.call0(&JsValue::NULL).unwrap().unchecked_into()
}

fn get<T: JsCast>(handle: &FileSystemSyncAccessHandle, property: &str) -> T {
    Reflect::get(handle, &property.into()).unwrap().unchecked_into()
}

fn set(handle: &FileSystemSyncAccessHandle, property: &str, args: &str, body: &str) {
    Reflect::set(handle, &property.into(), &Function::new_with_args(args, body)).unwrap();
}

fn bytes(handle: &FileSystemSyncAccessHandle) -> Vec<u8> {
    Uint8Array::new(&get::<Array>(handle, "bytes")).to_vec()
}

#[wasm_bindgen_test]
fn a_handle_conforms() {
    for lend_views in [false, true] {
        let handle = handle();
        conformance::check(|| HandleSink::new(handle.clone(), lend_views)).unwrap();
    }
}

/// Returns a database to which handles can be opened. It has IndexedDB's buffer, which `scripts/suites.mjs` bundles
/// from `tests/wasm/idb-buffer.ts`.
fn idb_database() -> Object {
    let code = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/target/nidus-wasm/idb-buffer.js"));
    Function::new_no_args(&format!("{code}; return idb.database()")).call0(&JsValue::NULL).unwrap().unchecked_into()
}

fn call(database: &Object, method: &str) -> JsValue {
    Reflect::get(database, &method.into()).unwrap().unchecked_into::<Function>().call0(database).unwrap()
}

#[wasm_bindgen_test]
fn the_buffer_of_indexeddb_conforms() {
    let database = idb_database();
    // It keeps the arrays that it is given, so it must get copies.
    conformance::check(|| HandleSink::new(call(&database, "open").unchecked_into(), false)).unwrap();
    assert!(call(&database, "commits").as_f64().unwrap() >= 2.0);
}

#[wasm_bindgen_test]
fn the_buffer_of_indexeddb_has_what_a_sink_in_memory_has() {
    let database = idb_database();
    let open = || HandleSink::new(call(&database, "open").unchecked_into(), false).unwrap();
    let (mut sink, mut memory) = (open(), MemorySink::new());
    let mut random = Random(11);
    for round in 0..600 {
        let len = ByteSink::len(&memory).unwrap();
        match random.bits() % 20 {
            // Many small commits in a row are merged; a few are large.
            0..=15 => {
                let bytes: Vec<u8> = (0..random.bits() % 90).map(|i| (i + round) as u8).collect();
                sink.append(&bytes).unwrap();
                memory.append(&bytes).unwrap();
            }
            16 if round % 5 == 0 => {
                let bytes = vec![round as u8; 40_000 + random.bits() as usize % 9000];
                sink.append(&bytes).unwrap();
                memory.append(&bytes).unwrap();
            }
            17 => {
                let to = len - len.min(u64::from(random.bits() % 300));
                sink.truncate_to(to).unwrap();
                memory.truncate_to(to).unwrap();
            }
            18 => sink = open_after_flush(sink, open),
            _ => {}
        }
        if random.bits() % 3 > 0 {
            sink.flush().unwrap();
        }
        if round % 7 == 0 {
            assert!(read_all(&mut sink) == memory.to_vec(), "after {round} rounds");
        }
    }
    assert!(read_all(&mut open_after_flush(sink, open)) == memory.to_vec());
    assert!(call(&database, "merges").as_f64().unwrap() > 5.0);
}

fn read_all(sink: &mut HandleSink) -> Vec<u8> {
    let mut all = vec![0; ByteSource::len(sink).unwrap() as usize];
    sink.read_exact_at(0, &mut all).unwrap();
    all
}

fn open_after_flush(mut sink: HandleSink, open: impl Fn() -> HandleSink) -> HandleSink {
    sink.flush().unwrap();
    open()
}

#[wasm_bindgen_test]
fn store_over_handles() {
    let memory = std::cell::RefCell::new(std::collections::HashMap::<String, MemorySink>::new());
    let expected = exercise(|name| memory.borrow_mut().entry(name.into()).or_default().clone());
    for lend_views in [false, true] {
        let handles = std::cell::RefCell::new(std::collections::HashMap::new());
        let open = |name: &str| handles.borrow_mut().entry(name.to_string()).or_insert_with(handle).clone();
        let found = exercise(|name| HandleSink::new(open(name), lend_views).unwrap());
        assert!(found == expected);
        assert!((bytes(&open("data.1")), bytes(&open("log.1"))) == expected);
        if !lend_views {
            // Without `lend_views`, a handle gets only copies: bytes that do not change later.
            for handle in handles.borrow().values() {
                let (kept, copies) = (get::<Array>(handle, "kept"), get::<Array>(handle, "copies"));
                assert!(kept.length() > 0);
                for (kept, copy) in kept.iter().zip(copies.iter()) {
                    assert_eq!(Uint8Array::new(&kept).to_vec(), Uint8Array::new(&copy).to_vec());
                    let memory: JsValue = wasm_bindgen::memory();
                    let memory = Reflect::get(&memory, &"buffer".into()).unwrap();
                    assert!(!Object::is(&kept.unchecked_ref::<Uint8Array>().buffer(), &memory));
                }
            }
        }
    }
}

#[wasm_bindgen_test]
fn a_handle_that_misbehaves() {
    let code = |handle: &FileSystemSyncAccessHandle| {
        let mut sink = HandleSink::new(handle.clone(), false).unwrap();
        sink.append(b"kept").unwrap();
        let error = sink.append(b"lost").unwrap_err();
        assert_eq!(ByteSink::len(&sink).unwrap(), 4, "3: after a failed append, len is unchanged");
        let size: Function = get(handle, "truncate");
        size.call1(handle, &JsValue::from(4)).unwrap();
        code_of(&error)
    };
    let failing = |body: &str| {
        let handle = handle();
        // The second write returns something wrong.
        let write: JsValue = get(&handle, "write");
        Reflect::set(&handle, &"plain".into(), &write).unwrap();
        set(
            &handle,
            "write",
            "buffer, options",
            &format!("if (!this.calls) {{ this.calls = 1; return this.plain(buffer, options) }} {body}"),
        );
        handle
    };
    assert_eq!(code(&failing("return this.plain(buffer.subarray(0, 2), options)")), Code::StorageFailed);
    assert_eq!(code(&failing("return undefined")), Code::StorageFailed);
    assert_eq!(code(&failing("return NaN")), Code::StorageFailed);
    assert_eq!(code(&failing("return buffer.length + 1")), Code::StorageFailed);
    assert_eq!(code(&failing("throw 'a text'")), Code::StorageFailed);
    assert_eq!(code(&failing("throw null")), Code::StorageFailed);
    assert_eq!(code(&failing("throw new DOMException('full', 'QuotaExceededError')")), Code::QuotaExceeded);
    assert_eq!(code(&failing("throw Object.assign(new Error('full'), { code: 'ENOSPC' })")), Code::QuotaExceeded);
    assert_eq!(code(&failing("throw Object.assign(new Error('lock'), { code: 'FAILED' })")), Code::Failed);

    for size in ["NaN", "-1", "0.5", "Infinity", "'text'"] {
        let handle = handle();
        set(&handle, "getSize", "", &format!("return {size}"));
        assert!(HandleSink::new(handle, false).is_err(), "{size}");
    }
    let handle = handle();
    HandleSink::new(handle.clone(), false).unwrap().append(b"bytes").unwrap();
    for lend_views in [false, true] {
        set(&handle, "read", "buffer", "return buffer.length - 1");
        let mut sink = HandleSink::new(handle.clone(), lend_views).unwrap();
        assert_eq!(code_of(&sink.read_exact_at(0, &mut [0; 3]).unwrap_err()), Code::StorageFailed);
    }
    Reflect::delete_property(&handle, &"read".into()).unwrap();
    let mut sink = HandleSink::new(handle, false).unwrap();
    assert_eq!(code_of(&sink.read_exact_at(0, &mut [0; 3]).unwrap_err()), Code::Unsupported);
}

#[wasm_bindgen_test]
fn codes_in_simd_equal_scalar_codes() {
    use codes::kernel::{Base, GROUP, QUAD, at_least, base, group_sums, pairs, row_sum, scalar, simd};
    let mut random = Random(11);
    for width in (4..=64).step_by(4).chain([128, 384, 1024, 2064]) {
        let codes: Vec<i8> =
            (0..width * GROUP).map(|_| (random.bits() % 255) as i8).map(|code| code.max(-127)).collect();
        let most = (i32::MAX / (128 * width as i32)).min(if cfg!(feature = "relaxed-simd") { 8191 } else { 100 });
        let numbers: Vec<i16> =
            (0..width).map(|_| ((random.bits() % (2 * most as u32 + 1)) as i32 - most) as i16).collect();
        for (numbers, codes) in [
            (numbers, codes),
            (vec![most as i16; width], vec![-127; width * GROUP]),
            (vec![-most as i16; width], vec![127; width * GROUP]),
        ] {
            let mut query = vec![[0; 2]; width / QUAD];
            let begin = pairs(&numbers, &mut query);
            let base: Base = base(&codes, width);
            let mut laid = vec![0; width * GROUP];
            for (row, own) in codes.chunks_exact(width).enumerate() {
                for (at, code) in own.iter().enumerate() {
                    let (to, code) = codes::kernel::place(at, width, *code);
                    laid[(to / QUAD * GROUP + row) * QUAD + to % QUAD] = code;
                }
            }
            let exact: Vec<i32> = codes
                .chunks_exact(width)
                .map(|row| row.iter().zip(&numbers).map(|(code, q)| *code as i32 * *q as i32).sum())
                .collect();
            assert_eq!(group_sums(&laid, &query, begin, &base).to_vec(), exact, "{width}");
            #[cfg(feature = "relaxed-simd")]
            assert_eq!(codes::relaxed::scalar(&laid, &query, &base).to_vec(), exact);
            // The kernel of the other build. In this build it is compared only with its own scalar version.
            assert_eq!(simd::group_sums(&laid, &query, begin), scalar::group_sums(&laid, &query, begin));
            let whole = width / GROUP * GROUP;
            assert_eq!(
                simd::row_sum(&codes[..whole], &numbers[..whole]),
                scalar::row_sum(&codes[..whole], &numbers[..whole]),
                "{width}"
            );
            assert_eq!(
                row_sum(&codes[..whole], &numbers[..whole]),
                scalar::row_sum(&codes[..whole], &numbers[..whole])
            );
        }
    }
    for _ in 0..1000 {
        let mut group: [f32; GROUP] = std::array::from_fn(|_| random.number());
        let limit = [group[random.bits() as usize % GROUP], 0.0, f32::NEG_INFINITY][random.bits() as usize % 3];
        group[random.bits() as usize % GROUP] =
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0][random.bits() as usize % 4];
        assert_eq!(simd::at_least(&group, limit), scalar::at_least(&group, limit), "{group:?} {limit}");
        assert_eq!(at_least(&group, limit), scalar::at_least(&group, limit));
    }
}

/// Searches with codes and without give the same documents and the same bits.
#[wasm_bindgen_test]
fn searches_with_codes_equal_a_scan() {
    let mut random = Random(12);
    for (dimension, count, strong) in [(384, 5000, true), (384, 3000, false), (100, 5003, true), (33, 2000, false)] {
        let mut db = Store::in_memory(dimension).unwrap();
        let mut batch = Batch::new();
        let mut vectors = Vec::new();
        let axes: Vec<Vec<f32>> = (0..20).map(|_| random.vector(dimension)).collect();
        let row = |random: &mut Random| {
            let mut row: Vec<f32> =
                random.vector(dimension).iter().map(|x| x * if strong { 0.2 } else { 1.0 }).collect();
            for axis in axes.iter().filter(|_| strong) {
                let by = random.number();
                row.iter_mut().zip(axis).for_each(|(x, y)| *x += by * y);
            }
            row
        };
        for n in 0..count {
            batch.push(&format!("{n}"), &[]);
            vectors.extend(row(&mut random));
        }
        db.stage_upsert("docs", count, batch.bytes(), &vectors).unwrap();
        db.commit().unwrap();
        let queries: Vec<Vec<f32>> = (0..20).map(|_| row(&mut random)).collect();
        let search = |db: &Store| -> Vec<Vec<(String, u32)>> {
            let query = Query { top_k: 10, ..Query::default() };
            queries
                .iter()
                .map(|q| db.search(q, &query).unwrap().into_iter().map(|hit| (hit.id, hit.score.to_bits())).collect())
                .collect()
        };
        let scanned = search(&db);
        while !db.code_step() {
            assert_eq!(search(&db)[..2], scanned[..2], "{dimension}, while codes are made");
        }
        assert_eq!(db.footprint().coded_rows as usize, count / 16 * 16);
        assert_eq!(search(&db), scanned, "{dimension}");
    }
}
