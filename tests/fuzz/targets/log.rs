//! Fuzzes the log with any bytes, beside good data, and compares with a second implementation of SPEC 2.3.

use nidus_wasm::{Code, OpenOptions, Store, Value, code_of};

use super::codec::{self, Op};
use super::input::Input;
use super::memory;
use super::model::{self, State};
use super::oracle::{self, Rows, Verdict};

const DIMENSION: usize = 2;

/// Makes data with `rows` rows that all differ.
pub fn rows(dimension: usize, rows: usize) -> Vec<u8> {
    let mut data = header(dimension as u32);
    data.extend((0..rows * dimension).flat_map(|n| (n as f32 - 3.5).to_le_bytes()));
    data
}

pub fn header(dimension: u32) -> Vec<u8> {
    let mut header = b"NIDUS\0\x01\0".to_vec();
    header.extend(dimension.to_le_bytes());
    header.resize(64, 0);
    header
}

fn name(n: u8) -> String {
    match n % 8 {
        0 => String::new(),
        7 => format!("größe-{}", "x".repeat(usize::from(n))),
        n => "abcdef"[..usize::from(n)].to_string(),
    }
}

fn value(input: &mut Input<'_>) -> Value {
    match input.u8() % 8 {
        0 => Value::Null,
        1 => Value::Str(name(input.u8())),
        2 => Value::Int(input.u64() as i64),
        3 => Value::Bool(input.u8() & 1 == 1),
        4 => Value::List((0..input.below(4)).map(|_| name(input.u8())).collect()),
        5 => Value::Float(f64::from_bits(input.u64())),
        6 => Value::DateTime(input.u64() as i64),
        _ => Value::Str("y".repeat(input.u8().into())),
    }
}

fn op(input: &mut Input<'_>, rows: usize) -> Op {
    let (kind, collection) = (input.u8(), name(input.u8() % 6));
    match kind % 8 {
        0 => Op::Create(collection),
        1 => Op::Drop(collection),
        2 => Op::SetMeta(collection, (0..input.below(4)).map(|_| (name(input.u8()), name(input.u8()))).collect()),
        3 => Op::Delete(collection, name(input.u8())),
        _ => {
            let row = input.below(rows + 1 + usize::from(kind >> 7)) as u64;
            Op::Upsert(
                collection,
                name(input.u8()),
                row,
                (0..input.below(4)).map(|_| (name(input.u8()), value(input))).collect(),
            )
        }
    }
}

/// Makes frames of operations. Some are of another version, and some have more bytes after the operation.
fn frames(input: &mut Input<'_>, rows: usize) -> Vec<u8> {
    let mut log = Vec::new();
    while !input.is_empty() && log.len() < 1 << 14 {
        let mut payload = codec::encode(&op(input, rows));
        match input.u8() {
            0xFE => payload[0] = input.u8(),
            0xFD => payload.extend(input.u64().to_le_bytes()),
            _ => {}
        }
        log.extend(codec::frame(&payload));
    }
    log
}

/// Corrects the checksum of every frame whose length is right.
fn right_checksums(log: &mut [u8]) {
    let mut at = 0;
    while let Some(len) = log.get(at..at + 4) {
        let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize;
        let Some(payload) = log.get(at + 4..at + 4 + len) else { break };
        let crc = codec::crc32(payload).to_le_bytes();
        let Some(place) = log.get_mut(at + 4 + len..at + 8 + len) else { break };
        place.copy_from_slice(&crc);
        at += len + 8;
    }
}

fn edit(log: &mut Vec<u8>, kind: u8, at: usize, byte: u8) {
    let at = at % (log.len() + 1);
    let few = usize::from(byte) % 32;
    match kind % 8 {
        0 => log.truncate(at),
        1 => log.iter_mut().skip(at).take(1).for_each(|b| *b ^= byte.max(1)),
        2 => log.iter_mut().skip(at).take(4).for_each(|b| *b = 0xFF),
        3 => log.iter_mut().skip(at / 512 * 512).take(512).for_each(|b| *b = 0),
        4 => log.resize(log.len() + usize::from(byte) * 3, 0),
        5 => log.extend_from_within(at..),
        6 => drop(log.drain(at..(at + few).min(log.len()))),
        _ => log.iter_mut().skip(at).take(few).for_each(|b| *b = 0),
    }
}

/// Makes a log from an input. Returns it with the number of rows in the data and the flags.
fn build(bytes: &[u8]) -> (Vec<u8>, usize, u8) {
    let mut input = Input::new(bytes);
    let (flags, rows) = (input.u8(), input.below(9));
    if flags & 3 < 2 {
        let mut log = input.rest().to_vec();
        if flags & 3 == 1 {
            right_checksums(&mut log);
        }
        return (log, rows, flags);
    }
    let edits: Vec<(u8, usize, u8)> =
        (0..flags >> 5).map(|_| (input.u8(), usize::from(input.u16()), input.u8())).collect();
    let mut log = frames(&mut input, rows);
    for (kind, at, byte) in edits {
        edit(&mut log, kind, at, byte);
    }
    if flags & 3 == 3 {
        right_checksums(&mut log);
    }
    (log, rows, flags)
}

/// Adds the rows to what the oracle read.
pub fn with_rows(read: &Rows, data: &[u8], dimension: usize) -> State {
    let vector = |row: u64| -> Vec<u32> {
        let at = 64 + row as usize * dimension * 4;
        data[at..at + dimension * 4]
            .chunks(4)
            .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect()
    };
    let docs = |docs: &std::collections::BTreeMap<String, (u64, codec::Attrs)>| {
        docs.iter().map(|(id, (row, attrs))| (id.clone(), (vector(*row), codec::canonical(attrs)))).collect()
    };
    read.iter().map(|(name, (meta, of))| (name.clone(), (meta.clone(), docs(of)))).collect()
}

fn code(opened: nidus_wasm::Result<Store>) -> Result<Store, Code> {
    opened.map_err(|error| {
        assert!(!format!("{error:#}").is_empty());
        code_of(&error)
    })
}

/// The memory that opening takes besides its input: a chunk of rows and a chunk of ids.
pub const FIXED: i64 = 2 << 20;
pub const EACH: i64 = 40;

pub fn run(bytes: &[u8]) {
    let (log, rows, flags) = build(bytes);
    let data = self::rows(DIMENSION, rows);
    let verdict = oracle::read(&log, rows as u64);
    let read_only = OpenOptions { read_only: true, ..OpenOptions::default() };
    let (read, unchanged) = model::open(&data, &log, read_only);
    assert!(unchanged[0].to_vec() == data && unchanged[1].to_vec() == log);
    let (opened, media) =
        memory::within(data.len() + log.len(), FIXED, EACH, || model::open(&data, &log, OpenOptions::default()));
    let (piece, log_first) = (usize::from(flags >> 2) % 7 + 1, flags & 4 == 4);
    let fed = code(model::open_fed(&data, &log, OpenOptions::default(), piece, log_first));
    match (verdict, code(opened)) {
        (Verdict::Opens(keep, read_back), Ok(store)) => {
            let expected = with_rows(&read_back, &data, DIMENSION);
            assert_eq!(model::state(&store), expected);
            let recovery = store.recovery();
            assert_eq!(
                (recovery.log_bytes, recovery.data_bytes, recovery.created),
                ((log.len() - keep) as u64, 0, false)
            );
            assert!(recovery.log_frames <= recovery.log_bytes.div_ceil(8));
            assert!(recovery.log_frames == 0 || log[keep..].iter().any(|byte| *byte != 0));
            assert!(media[0].to_vec() == data && media[1].to_vec() == log[..keep]);
            for other in [code(read), fed] {
                let other = other.unwrap();
                assert_eq!((model::state(&other), other.recovery()), (expected.clone(), recovery));
            }
            model::lives_on(store, media, flags & 16 == 16);
        }
        (Verdict::Refused(expected), Err(found)) => {
            assert_eq!(found, expected);
            assert!(media[0].to_vec() == data && media[1].to_vec() == log, "a refusal changed bytes");
            assert_eq!(code(read).err(), Some(expected));
            // Before the data is read, a row beyond it is noticed only at the end.
            let fed = fed.err();
            assert!(
                fed == Some(expected) || log_first && matches!(fed, Some(Code::Corrupt | Code::UnsupportedVersion)),
                "{fed:?}"
            );
        }
        (verdict, found) => panic!("{verdict:?}, yet {:?}", found.map(|store| model::state(&store))),
    }
}
