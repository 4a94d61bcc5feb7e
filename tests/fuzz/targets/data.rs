//! Fuzzes the data with any bytes, beside a small good log.

use std::cmp::Ordering;

use nidus_wasm::search::Filter;
use nidus_wasm::{Code, OpenOptions, Query, Store, Value, code_of};

use super::codec::{self, Op};
use super::input::Input;
use super::log::{EACH, FIXED, header, with_rows};
use super::memory;
use super::model;
use super::oracle::{self, Verdict};

/// Reads the data as SPEC 1.1 and 2.3 say: its dimension and rows, or nothing if its creation was not finished.
fn read(data: &[u8], options: OpenOptions) -> Result<Option<(usize, u64)>, Code> {
    if data.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if data.len() < 64 {
        // If a header was being written, its beginning is there, with any dimension. Other bytes belong to another
        // program.
        let mut begun = header(0);
        begun.truncate(data.len());
        for at in 8..12.min(data.len()) {
            begun[at] = data[at];
        }
        return if data == begun { Ok(None) } else { Err(Code::Corrupt) };
    }
    let dimension = u32::from_le_bytes([data[8], data[9], data[10], data[11]]) as usize;
    let rows = (data.len() - 64) as u64 / (dimension as u64 * 4).max(1);
    Err(if data[..6] != *b"NIDUS\0" {
        Code::Corrupt
    } else if data[6..8] != [1, 0] {
        Code::UnsupportedVersion
    } else if !(1..=65_536).contains(&dimension) {
        Code::Corrupt
    } else if data[12..64].iter().any(|byte| *byte != 0) {
        Code::UnsupportedVersion
    } else if options.dimension.is_some_and(|wanted| wanted != dimension) {
        Code::DimensionMismatch
    } else if options.max_vector_bytes.is_some_and(|max| rows * dimension as u64 * 4 > max) {
        Code::Capacity
    } else {
        return Ok(Some((dimension, rows)));
    })
}

fn log(upserts: usize, collections: usize) -> Vec<u8> {
    let upsert = |n: usize| {
        let attrs = vec![("n".to_string(), Value::Int(n as i64 % 3))];
        Op::Upsert(["a", "b", ""][n % collections.clamp(1, 3)].into(), format!("{}", n % 7), n as u64, attrs)
    };
    (0..upserts).flat_map(|n| codec::frame(&codec::encode(&upsert(n)))).collect()
}

/// Returns the score of SPEC 3: eight lanes, folded, and the rest added one by one.
fn score(query: &[f32], row: &[f32]) -> f32 {
    let whole = query.len() / 8 * 8;
    let mut lanes = [0.0f32; 8];
    for i in 0..whole {
        lanes[i % 8] += query[i] * row[i];
    }
    for half in [4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    (whole..query.len()).fold(lanes[0], |sum, i| sum + query[i] * row[i])
}

pub fn unit(query: &[f32]) -> Vec<f32> {
    let norm = query.iter().fold(0.0f32, |sum, x| sum + x * x).sqrt();
    if norm < 1e-12 { query.to_vec() } else { query.iter().map(|x| x * (1.0 / norm)).collect() }
}

/// Orders by score, then collection, then id. NaN comes after every number.
fn order(a: &(f32, &str, &str), b: &(f32, &str, &str)) -> Ordering {
    let scores = a.0.is_nan().cmp(&b.0.is_nan()).then_with(|| b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal));
    scores.then_with(|| a.1.as_bytes().cmp(b.1.as_bytes())).then_with(|| a.2.as_bytes().cmp(b.2.as_bytes()))
}

fn search(store: &Store, input: &mut Input<'_>) {
    let query: Vec<f32> = (0..store.dimension()).map(|_| f32::from(input.u8() as i8) / 4.0).collect();
    let names = [&["a"][..], &["b", "b", "x"], &["", "a"]];
    let pick = input.below(4);
    let collections = names.get(pick).copied();
    let filter =
        if input.u8() & 1 == 1 { Filter::Eq("n".into(), Value::Int(input.below(4) as i64)) } else { Filter::default() };
    let min_score = (input.u8() & 1 == 1).then(|| f32::from(input.u8() as i8) / 64.0);
    let top_k = input.below(12);
    let hits = store.search(&query, &Query { collections, top_k, min_score, filter: filter.clone() }).unwrap();

    let unit = unit(&query);
    let mut records = Vec::new();
    for name in
        store.collections().into_iter().filter(|name| collections.is_none_or(|names| names.contains(&name.as_str())))
    {
        records.extend(store.get_all(&name).unwrap().into_iter().map(|record| (name.clone(), record)));
    }
    let matches = |value: Option<&Value>| match &filter {
        Filter::Eq(_, wanted) => value == Some(wanted),
        _ => true,
    };
    let mut expected: Vec<(f32, &str, &str)> = records
        .iter()
        .filter(|(_, record)| matches(record.attrs.get("n")))
        .map(|(name, record)| (score(&unit, &record.vector), name.as_str(), record.id.as_str()))
        .filter(|(score, ..)| min_score.is_none_or(|least| *score >= least))
        .collect();
    expected.sort_by(order);
    expected.truncate(top_k);
    assert_eq!(hits.len(), expected.len());
    for (hit, (score, name, id)) in hits.iter().zip(expected) {
        assert_eq!((hit.collection.as_str(), hit.id.as_str()), (name, id));
        assert!(hit.score == score || hit.score.is_nan() && score.is_nan(), "{} is not {score}", hit.score);
    }
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, asked, upserts, queries) = (input.u8(), input.u8(), input.below(24), input.bytes(16));
    let dimension = match asked % 8 {
        0 => None,
        7 => Some(usize::from(asked) * 300),
        n => Some(usize::from(n)),
    };
    let max_vector_bytes = (flags & 4 == 4).then_some(u64::from(asked) * 4);
    let options = OpenOptions { dimension, max_vector_bytes, ..OpenOptions::default() };
    let mut data = match flags & 3 {
        0 => Vec::new(),
        1 => vec![0; usize::from(asked)],
        _ => header(dimension.unwrap_or(3) as u32),
    };
    if flags & 3 == 3 {
        for _ in 0..flags >> 6 {
            let at = usize::from(input.u8()) % data.len();
            data[at] = input.u8();
        }
    }
    data.extend(input.rest());
    let log = log(upserts, usize::from(flags >> 3) % 4);
    let expected = match dimension {
        Some(dimension) if !(1..=65_536).contains(&dimension) => Err(Code::InvalidArgument),
        _ => read(&data, options),
    };
    let expected = match (expected, dimension) {
        (Ok(None), _) if !log.is_empty() => Err(Code::Corrupt),
        (Ok(None), None) => Err(Code::InvalidArgument),
        (expected, _) => expected,
    };
    let (opened, media) = memory::within(data.len() + log.len(), FIXED, EACH, || model::open(&data, &log, options));
    let (reader, unchanged) = model::open(&data, &log, OpenOptions { read_only: true, ..options });
    assert!(unchanged[0].to_vec() == data && unchanged[1].to_vec() == log);
    let fed = model::open_fed(&data, &log, options, usize::from(flags >> 4) + 1, flags & 8 == 8);
    let code = |opened: nidus_wasm::Result<Store>| opened.map(|_| ()).map_err(|error| code_of(&error));
    let refused = |expected: Code, opened: nidus_wasm::Result<Store>| {
        assert_eq!(code(opened), Err(expected));
        assert!(media[0].to_vec() == data && media[1].to_vec() == log, "a refusal changed bytes");
    };
    match expected {
        Err(expected) => {
            refused(expected, opened);
            let absent = matches!(expected, Code::InvalidArgument)
                && read(&data, OpenOptions::default()) == Ok(None)
                && log.is_empty()
                && dimension.is_none();
            assert_eq!(code(reader), Err(if absent { Code::NotFound } else { expected }));
            // The log alone can show that data of this length does not have its rows.
            assert!(matches!(code(fed), Err(code) if code == expected || code == Code::Corrupt));
        }
        Ok(None) => {
            let store = opened.unwrap();
            assert!(store.recovery().created && model::state(&store).is_empty());
            assert_eq!(code(reader), Err(Code::NotFound));
            assert!(fed.unwrap().recovery().created);
            model::lives_on(store, media, flags & 32 == 32 && max_vector_bytes.is_none());
        }
        Ok(Some((dimension, rows))) => match oracle::read(&log, rows) {
            Verdict::Refused(expected) => {
                refused(expected, opened);
                assert_eq!((code(reader), code(fed)), (Err(expected), Err(expected)));
            }
            Verdict::Opens(_, read_back) => {
                let store = opened.unwrap();
                let state = with_rows(&read_back, &data, dimension);
                let cut = (data.len() - 64) % (dimension * 4);
                assert_eq!(store.recovery(), nidus_wasm::Recovery { data_bytes: cut as u64, ..Default::default() });
                assert!(media[0].to_vec() == data[..data.len() - cut] && media[1].to_vec() == log);
                for opened in [&store, &reader.unwrap(), &fed.unwrap()] {
                    assert_eq!(model::state(opened), state);
                    assert_eq!((opened.dimension(), opened.footprint().rows), (dimension, rows));
                    search(opened, &mut Input::new(queries));
                }
                model::lives_on(store, media, flags & 32 == 32 && max_vector_bytes.is_none());
            }
        },
    }
}
