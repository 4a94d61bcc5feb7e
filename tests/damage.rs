//! A small store with every operation in it is damaged at every byte. Each opening must give an error with a code, or a
//! recovery that cuts only trailing frames and says which. It must never panic or return a wrong record.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;

use nidus_wasm::sink::{ByteSink, MemorySink};
use nidus_wasm::store::OpenOptions;
use nidus_wasm::{Batch, Code, Meta, Query, Record, Store, Value, code_of};

#[path = "shared/crc32.rs"]
mod crc32;
#[path = "golden/mod.rs"]
mod golden;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "shared/random.rs"]
mod random;

use crc32::crc32;
use random::Random;

type State = BTreeMap<String, (Meta, Vec<Record>)>;

fn state(store: &Store) -> State {
    store
        .collections()
        .into_iter()
        .map(|name| (name.clone(), (store.get_meta(&name), store.get_all(&name).unwrap())))
        .collect()
}

fn open(data: &[u8], log: &[u8]) -> nidus_wasm::Result<Store> {
    open_sinks(&MemorySink::with_bytes(data.to_vec()), &MemorySink::with_bytes(log.to_vec()))
}

fn open_sinks(data: &MemorySink, log: &MemorySink) -> nidus_wasm::Result<Store> {
    Store::open(data.clone(), log.clone(), OpenOptions { dimension: Some(4), ..OpenOptions::default() })
}

struct Built {
    data: Vec<u8>,
    log: Vec<u8>,
    /// The end of each frame of the log, and the state if that frame is the last.
    ends: Vec<(u64, State)>,
}

/// Builds a store whose frames have one operation each, so that the state after each prefix of the log is known.
fn build() -> Built {
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let options = OpenOptions { dimension: Some(4), ..OpenOptions::default() };
    let mut store = Store::create(data.clone(), log.clone(), options).unwrap();
    let mut ends = vec![(0, State::new())];
    let mut done = |store: &mut Store| {
        store.commit().unwrap();
        ends.push((ByteSink::len(&log).unwrap(), state(store)));
    };
    let upsert = |store: &mut Store, id: &str, seed: f32, attrs: &[(&str, Value)]| {
        let mut batch = Batch::new();
        batch.push(id, attrs);
        store.stage_upsert("docs", 1, batch.bytes(), &[seed, 1.0, -2.0, 0.5]).unwrap();
    };
    store.stage_create("docs").unwrap();
    done(&mut store);
    store.stage_create("größe").unwrap();
    done(&mut store);
    store.stage_set_meta_map("docs", &Meta::from([("model".into(), "minilm".into())])).unwrap();
    done(&mut store);
    upsert(
        &mut store,
        "a",
        1.0,
        &[("s", "text".into()), ("i", Value::Int(-7)), ("n", Value::Null), ("b", Value::Bool(true))],
    );
    done(&mut store);
    upsert(&mut store, "b", 2.0, &[("l", Value::List(vec!["x".into(), "y".into()]))]);
    done(&mut store);
    upsert(&mut store, "a", 3.0, &[]);
    done(&mut store);
    store.stage_delete("docs", ["b"].into_iter().map(Ok)).unwrap();
    done(&mut store);
    store.stage_drop("größe").unwrap();
    done(&mut store);
    upsert(&mut store, "c", 4.0, &[("s", "last".into())]);
    done(&mut store);
    Built { data: data.to_vec(), log: log.to_vec(), ends }
}

/// Opens damaged bytes. If that works, the state must be that after some prefix of frames, recovery must report what
/// was cut, the files must hold exactly that prefix, and writing must go on.
fn check(built: &Built, data: &[u8], log: &[u8], what: &str) -> Result<usize, Code> {
    let sinks = (MemorySink::with_bytes(data.to_vec()), MemorySink::with_bytes(log.to_vec()));
    let mut store = match open_sinks(&sinks.0, &sinks.1) {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(
                (sinks.0.to_vec(), sinks.1.to_vec()),
                (data.to_vec(), log.to_vec()),
                "{what}: an error must change nothing"
            );
            return Err(code_of(&error));
        }
    };
    let recovery = store.recovery();
    let kept = log.len() as u64 - recovery.log_bytes;
    let frames = built
        .ends
        .iter()
        .position(|(end, _)| *end == kept)
        .unwrap_or_else(|| panic!("{what}: cut inside a frame at {kept}"));
    assert_eq!(state(&store), built.ends[frames].1, "{what}");
    assert_eq!(sinks.1.to_vec(), log[..kept as usize], "{what}");
    assert_eq!(recovery.log_frames > 0, log[kept as usize..].iter().any(|byte| *byte != 0), "{what}: {recovery:?}");
    let mut batch = Batch::new();
    batch.push("new", &[]);
    store.stage_upsert("more", 1, batch.bytes(), &[1.0; 4]).unwrap();
    store.commit().unwrap();
    let expected = state(&store);
    assert_eq!(state(&open(&sinks.0.to_vec(), &sinks.1.to_vec()).unwrap()), expected, "{what}: after a further write");
    Ok(frames)
}

#[test]
fn every_truncation_of_the_log() {
    let built = build();
    for len in 0..=built.log.len() {
        let whole = built.ends.iter().rposition(|(end, _)| *end <= len as u64).unwrap();
        assert_eq!(check(&built, &built.data, &built.log[..len], &format!("log cut at {len}")), Ok(whole));
    }
}

#[test]
fn every_truncation_of_the_data() {
    let built = build();
    for len in 0..built.data.len() {
        // The log names each row, so all rows must be there.
        assert_eq!(check(&built, &built.data[..len], &built.log, &format!("data cut at {len}")), Err(Code::Corrupt));
    }
    for len in 1..64 {
        let store = open(&built.data[..len], &[]).unwrap();
        assert!(store.recovery().created, "an unfinished creation of {len} bytes");
    }
    assert!(open(&[0; 200], &[]).unwrap().recovery().created);
    let mut blank = built.data.clone();
    blank[..64].fill(0);
    assert_eq!(open(&blank, &[]).map(|_| ()).map_err(|error| code_of(&error)), Err(Code::Corrupt));
}

#[test]
fn every_partial_row_is_cut() {
    let built = build();
    for more in 1..16 {
        let mut data = built.data.clone();
        data.extend(std::iter::repeat_n(0xAB, more));
        let sinks = (MemorySink::with_bytes(data), MemorySink::with_bytes(built.log.clone()));
        let store = open_sinks(&sinks.0, &sinks.1).unwrap();
        assert_eq!(store.recovery().data_bytes, more as u64);
        assert_eq!(sinks.0.to_vec(), built.data);
    }
}

#[test]
fn every_flipped_bit_of_the_log() {
    let built = build();
    let last = built.ends[built.ends.len() - 2].0 as usize;
    let (mut cut, mut refused) = (0, 0);
    for at in 0..built.log.len() {
        for bit in 0..8 {
            let mut log = built.log.clone();
            log[at] ^= 1 << bit;
            match check(&built, &built.data, &log, &format!("bit {bit} of log byte {at}")) {
                // A damaged last frame looks like a half-written one.
                Ok(frames) => {
                    assert_eq!(frames, built.ends.len() - 2, "bit {bit} of byte {at}");
                    assert!(at >= last, "bit {bit} of byte {at} of an inner frame was cut");
                    cut += 1;
                }
                Err(code) => {
                    assert_eq!(code, Code::Corrupt, "bit {bit} of byte {at}");
                    refused += 1;
                }
            }
        }
    }
    assert!(cut > 500 && refused > 2000, "{cut} {refused}");
}

#[test]
fn every_flipped_bit_of_the_header() {
    let built = build();
    for at in 0..64 {
        for bit in 0..8 {
            let mut data = built.data.clone();
            data[at] ^= 1 << bit;
            let code = check(&built, &data, &built.log, &format!("bit {bit} of header byte {at}"));
            let expected = match at {
                0..=5 => Err(Code::Corrupt),
                6..=7 => Err(Code::UnsupportedVersion),
                8..=11 => Err(if code == Err(Code::Corrupt) { Code::Corrupt } else { Code::DimensionMismatch }),
                // Later versions of native store other metrics there.
                _ => Err(Code::UnsupportedVersion),
            };
            assert_eq!(code, expected, "bit {bit} of header byte {at}");
        }
    }
}

/// This uses rows and logs that several versions of native wrote, and that compactions wrote. A flipped bit of the log
/// is refused, or cuts only the last frame. A flipped bit of a row changes that number and nothing else, because a row
/// has no checksum.
#[test]
fn every_flipped_bit_of_the_golden_stores() {
    let golden = [
        include_str!("golden/operations.txt"),
        include_str!("golden/compacted.txt"),
        include_str!("golden/values.txt"),
        include_str!("golden/newer.txt"),
        include_str!("golden/newer-native-0.52.0.txt"),
    ];
    for (n, (data, log)) in golden.into_iter().map(golden::parse).enumerate() {
        let dimension = data[8] as usize;
        let open = |data: &[u8], log: &[u8]| {
            let sinks = [data, log].map(|bytes| MemorySink::with_bytes(bytes.to_vec()));
            let options = OpenOptions { dimension: Some(dimension), ..OpenOptions::default() };
            let opened = Store::open(sinks[0].clone(), sinks[1].clone(), options);
            assert!(
                opened.is_ok() || [sinks[0].to_vec(), sinks[1].to_vec()] == [data, log],
                "golden {n}: an error must change nothing"
            );
            opened.map(|store| (state(&store), store.recovery().log_bytes)).map_err(|error| code_of(&error))
        };
        let flipped = |bytes: &[u8], at: usize, bit: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1 << bit;
            bytes
        };
        let frame = |at: usize| u32::from_le_bytes(log[at..at + 4].try_into().unwrap()) as usize + 8;
        let mut last = 0;
        while last + frame(last) < log.len() {
            last += frame(last);
        }
        let (whole, before_last) = (open(&data, &log).unwrap().0, open(&data, &log[..last]).unwrap().0);
        for (at, bit) in (0..log.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            match open(&data, &flipped(&log, at, bit)) {
                Err(code) => {
                    assert!(at < last && code == Code::Corrupt, "golden {n}: {code:?} for bit {bit} of log byte {at}")
                }
                Ok(opened) => {
                    assert!(at >= last, "golden {n}: bit {bit} of log byte {at} of an inner frame was cut");
                    // They are compared as text, because NaN equals nothing.
                    assert_eq!(
                        format!("{opened:?}"),
                        format!("{:?}", (&before_last, log.len() - last)),
                        "golden {n}: bit {bit} of log byte {at}"
                    );
                }
            }
        }
        let mut changed = 0;
        for (at, bit) in (0..data.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let opened = open(&flipped(&data, at, bit), &log);
            if at < 64 {
                assert!(opened.is_err(), "golden {n}: bit {bit} of header byte {at}");
                continue;
            }
            let mut expected = whole.clone();
            let (found, cut) = opened.unwrap();
            for (was, is) in expected
                .values_mut()
                .flat_map(|(_, records)| records)
                .zip(found.values().flat_map(|(_, records)| records))
            {
                let number = (at - 64) / 4 % dimension;
                let flip = 1u32 << (at % 4 * 8 + bit);
                if was.vector[number].to_bits() ^ flip == is.vector[number].to_bits() {
                    was.vector[number] = is.vector[number];
                    changed += 1;
                }
            }
            assert_eq!(
                (format!("{found:?}"), cut),
                (format!("{expected:?}"), 0),
                "golden {n}: bit {bit} of data byte {at}"
            );
        }
        let live: usize = whole.values().map(|(_, records)| records.len()).sum();
        assert_eq!(changed, live * dimension * 32, "golden {n}");
    }
}

#[test]
fn zeros_behind_the_log_are_cut() {
    let built = build();
    for zeros in [1, 3, 4, 7, 8, 9, 12, 511, 512, 5000] {
        let mut log = built.log.clone();
        log.resize(log.len() + zeros, 0);
        assert_eq!(check(&built, &built.data, &log, &format!("{zeros} zeros")), Ok(built.ends.len() - 1));
    }
}

#[test]
fn unpublished_runs_are_cut_whatever_follows() {
    let built = build();
    let run = &built.log[built.ends[3].0 as usize..built.ends[6].0 as usize];
    for mark in [[0xFF; 4], [run[0], 0xFF, 0xFF, 0xFF], [run[0], run[1], run[2], 0xFF], [0; 4]] {
        let mut log = built.log.clone();
        let at = log.len();
        log.extend_from_slice(run);
        if mark == [0; 4] {
            // A sector was never written, and later ones were.
            let sector = (at / 512 + 1) * 512;
            log.resize(sector, 0);
            log[at..].fill(0);
            log.extend_from_slice(run);
        } else {
            log[at..at + 4].copy_from_slice(&mark);
        }
        let store = open(&built.data, &log).unwrap();
        assert_eq!(store.recovery().log_bytes, (log.len() - at) as u64);
        if mark[3] == 0xFF {
            assert_eq!(store.recovery().log_frames, 3);
        }
    }
}

#[test]
fn hostile_lengths_take_no_memory() {
    let built = build();
    let frame = |payload: &[u8]| {
        let mut frame = (payload.len() as u32).to_le_bytes().to_vec();
        frame.extend_from_slice(payload);
        frame.extend_from_slice(&crc32(payload).to_le_bytes());
        frame
    };
    let huge = u64::MAX.to_le_bytes();
    let cases: Vec<(Vec<u8>, Code)> = vec![
        // The length of a collection's name, and that of an attribute map, claim to be endless.
        ([&[0u8, 0, 0, 0][..], &huge].concat(), Code::Corrupt),
        (
            [&[3u8, 0, 0, 0][..], &1u64.to_le_bytes(), b"c", &1u64.to_le_bytes(), b"i", &[0; 8], &huge].concat(),
            Code::Corrupt,
        ),
        // The row is beyond all data.
        (
            [&[3u8, 0, 0, 0][..], &1u64.to_le_bytes(), b"c", &1u64.to_le_bytes(), b"i", &huge, &[0; 8]].concat(),
            Code::Corrupt,
        ),
        (
            [
                &[3u8, 0, 0, 0][..],
                &1u64.to_le_bytes(),
                b"c",
                &1u64.to_le_bytes(),
                b"i",
                &[3, 0, 0, 0, 0, 0, 0, 0],
                &[0; 8],
            ]
            .concat(),
            Code::Corrupt,
        ),
        // Two documents have the same row.
        (
            [
                &[3u8, 0, 0, 0][..],
                &1u64.to_le_bytes(),
                b"c",
                &1u64.to_le_bytes(),
                b"i",
                &[2, 0, 0, 0, 0, 0, 0, 0],
                &[0; 8],
            ]
            .concat(),
            Code::Corrupt,
        ),
        // Operations and values of later versions.
        ([&[9u8, 0, 0, 0][..], &1u64.to_le_bytes(), b"c"].concat(), Code::UnsupportedVersion),
        (
            [
                &[3u8, 0, 0, 0][..],
                &1u64.to_le_bytes(),
                b"c",
                &1u64.to_le_bytes(),
                b"i",
                &[0; 8],
                &1u64.to_le_bytes(),
                &1u64.to_le_bytes(),
                b"k",
                &[7, 0, 0, 0],
            ]
            .concat(),
            Code::UnsupportedVersion,
        ),
        // The payload is no operation, and its checksum is right.
        (b"abc".to_vec(), Code::Corrupt),
    ];
    for (payload, code) in cases {
        let log = [&built.log[..], &frame(&payload)].concat();
        assert_eq!(check(&built, &built.data, &log, &format!("{payload:?}")), Err(code), "{payload:?}");
        assert_eq!(
            check(&built, &built.data, &[&log[..], &frame(&[0; 13])].concat(), "with a frame behind"),
            Err(code)
        );
    }
    // Bytes after an operation are accepted, as native accepts them.
    let log = [&built.log[..], &frame(&[&[0u8, 0, 0, 0][..], &1u64.to_le_bytes(), b"c", b"more"].concat())].concat();
    assert_eq!(open(&built.data, &log).unwrap().collections(), ["c", "docs"]);
    let endless = [&built.log[..], &0xFFFF_FFF0u32.to_le_bytes(), &[7; 20]].concat();
    assert_eq!(check(&built, &built.data, &endless, "a frame of 4 GiB"), Ok(built.ends.len() - 1));
}

/// Fuzzing found this: frames that only a later version understands did not count as good. So if a frame before them
/// was damaged, all of them were cut off.
#[test]
fn frames_of_a_later_version_behind_damage_are_not_cut() {
    let built = build();
    let name = [&1u64.to_le_bytes()[..], b"c"].concat();
    let operation = [&[10u8, 0, 0, 0][..], &name, b"whatever"].concat();
    let value = [&[3u8, 0, 0, 0][..], &name, &name, &[0; 8], &1u64.to_le_bytes(), &name, &[7, 0, 0, 0]].concat();
    for payload in [operation, value] {
        let mut log = built.log[..built.ends[1].0 as usize].to_vec();
        log[14] ^= 1;
        log.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        log.extend_from_slice(&payload);
        log.extend_from_slice(&crc32(&payload).to_le_bytes());
        assert_eq!(check(&built, &built.data, &log, "behind damage"), Err(Code::Corrupt));
    }
}

#[test]
fn a_store_of_any_bytes_never_panics() {
    let built = build();
    let mut numbers = Random(1);
    let mut random = move || numbers.draw();
    for _ in 0..4000 {
        let (mut data, mut log) = (built.data.clone(), built.log.clone());
        for _ in 0..1 + random() % 6 {
            let target = if random() % 3 == 0 { &mut data } else { &mut log };
            let at = random() % target.len().max(1);
            match random() % 4 {
                0 => target.truncate(at),
                1 => target.insert(at.min(target.len()), random() as u8),
                2 => target.extend_from_within(at.min(target.len())..),
                _ if at < target.len() => target[at] = random() as u8,
                _ => {}
            }
        }
        if let Ok(store) = open(&data, &log) {
            let hits = store.search(&[1.0, 0.0, 0.0, 0.0], &Query { top_k: 99, ..Query::default() }).unwrap();
            assert_eq!(hits.len(), store.footprint().doc_count);
        }
    }
}
