//! Salvage of a small store that is damaged in every way that a byte allows. It returns only documents that were
//! written, in the present version or an older one. It takes at least the frames that a plain scan finds intact.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};

use nidus_wasm::sink::MemorySink;
use nidus_wasm::store::{OpenOptions, Salvage, Salvaged};
use nidus_wasm::{Batch, Code, Meta, Record, Result, Store, Value, code_of};

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "shared/random.rs"]
mod random;

use random::Random32;

const D: usize = 4;

type Docs = BTreeMap<(String, String), String>;

fn text(record: &Record) -> String {
    format!("{:?} {:?}", record.vector.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), record.attrs)
}

fn docs(store: &Store) -> Docs {
    let all =
        |name: String| store.get_all(&name).unwrap().into_iter().map(move |r| ((name.clone(), r.id.clone()), text(&r)));
    store.collections().into_iter().flat_map(all).collect()
}

/// Salvages bytes that are fed in pieces of `piece` bytes, and writes the result to new files. Returns the report, and
/// the documents that opening the new files shows.
fn salvage(data: &[u8], log: &[u8], dimension: Option<usize>, piece: usize) -> Result<(Salvaged, Docs)> {
    let mut salvage = Salvage::new(dimension, data.len() as u64, log.len() as u64)?;
    data.chunks(piece).try_for_each(|bytes| salvage.feed_data(bytes))?;
    log.chunks(piece).try_for_each(|bytes| salvage.feed_log(bytes))?;
    let (mut store, found) = salvage.finish(false)?;
    let (data, log) = (MemorySink::new(), MemorySink::new());
    store.compact_into(Box::new(data.clone()), Box::new(log.clone()))?;
    let opened = Store::open(data, log, OpenOptions::default())?;
    assert_eq!(opened.recovery(), Default::default());
    Ok((found, docs(&opened)))
}

struct Built {
    data: Vec<u8>,
    log: Vec<u8>,
    now: Docs,
    /// Every version that a document ever had.
    ever: BTreeMap<(String, String), BTreeSet<String>>,
    frames: u64,
}

fn build() -> Built {
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let options = OpenOptions { dimension: Some(D), ..OpenOptions::default() };
    let mut store = Store::create(data.clone(), log.clone(), options).unwrap();
    let mut ever: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let mut numbers = Random32(1);
    for step in 0..40 {
        let random = numbers.draw();
        let collection = ["docs", "größe"][(random >> 24) as usize % 2];
        let id = format!("id{}", (random >> 16) % 9);
        match (random >> 8) % 8 {
            0 => store.stage_delete(collection, [id.as_str()].into_iter().map(Ok)).map(drop).unwrap(),
            1 => store.stage_set_meta_map(collection, &Meta::from([("step".into(), step.to_string())])).unwrap(),
            2 if step > 30 => store.stage_drop("größe").map(drop).unwrap(),
            n => {
                let mut batch = Batch::new();
                let count = if n == 3 { 3 } else { 1 };
                for i in 0..count {
                    batch.push(
                        &format!("{id}{}", "+".repeat(i)),
                        &[("step", Value::Int(step)), ("text", Value::Str("x".repeat(random as usize % 40)))],
                    );
                }
                let vectors: Vec<f32> =
                    (0..count * D).map(|i| (random as f32 / 1e9) + (i * i) as f32 - step as f32).collect();
                store.stage_upsert(collection, count, batch.bytes(), &vectors).map(drop).unwrap();
            }
        }
        store.commit().unwrap();
        for (key, version) in docs(&store) {
            ever.entry(key).or_default().insert(version);
        }
    }
    let (now, log) = (docs(&store), log.to_vec());
    let frames = scan(&log).len() as u64;
    Built { data: data.to_vec(), log, now, ever, frames }
}

/// Finds the frames of an undamaged log. Returns their offsets and sizes.
fn scan(log: &[u8]) -> Vec<(usize, usize)> {
    let mut frames = Vec::new();
    let mut at = 0;
    while at < log.len() {
        let len = u32::from_le_bytes(log[at..at + 4].try_into().unwrap()) as usize;
        let payload = &log[at + 4..at + 4 + len];
        assert_eq!(crc32fast::hash(payload).to_le_bytes(), log[at + 4 + len..at + 8 + len]);
        frames.push((at, len + 8));
        at += len + 8;
    }
    frames
}

impl Built {
    fn check(&self, found: &Docs, what: &str) {
        for (key, version) in found {
            assert!(
                self.ever.get(key).is_some_and(|ever| ever.contains(version)),
                "{what}: {key:?} was never {version}"
            );
        }
    }
}

#[test]
fn salvage_of_a_healthy_store_takes_everything() {
    let built = build();
    for piece in [1, 7, 100_000] {
        let (found, docs) = salvage(&built.data, &built.log, None, piece).unwrap();
        assert_eq!(docs, built.now);
        assert_eq!((found.log.frames, found.log.skipped, found.log.bytes, found.log.damages), (built.frames, 0, 0, 0));
    }
}

#[test]
fn salvage_of_a_log_with_one_changed_byte_loses_at_most_one_frame() {
    let built = build();
    let frames = scan(&built.log);
    for at in 0..built.log.len() {
        let (frame, size) = *frames.iter().rev().find(|(begin, _)| *begin <= at).unwrap();
        for flip in [1, 0x10, 0x80, 0xFF] {
            let mut log = built.log.clone();
            log[at] ^= flip;
            let what = format!("byte {at} ^ {flip}");
            let (found, docs) = salvage(&built.data, &log, None, 64).unwrap();
            built.check(&docs, &what);
            // A length that ends in FF stands for a run that was not published, as it does in every opening.
            if log[frame + 3] == 0xFF {
                assert_eq!(found.log.bytes, (log.len() - frame) as u64, "{what}");
                continue;
            }
            let whole =
                found.log.frames == built.frames && found.log.places == [[frame as u64, 4]] && docs == built.now;
            let lost = found.log.frames == built.frames - 1 && found.log.places == [[frame as u64, size as u64]];
            assert!(if at < frame + 4 { whole } else { lost }, "{what}: {found:?}");
        }
    }
}

#[test]
fn salvage_of_a_log_damaged_in_two_places_takes_all_complete_frames_around_them() {
    let built = build();
    let frames = scan(&built.log);
    for (a, b) in (0..built.log.len()).step_by(5).zip((0..built.log.len()).cycle().skip(400).step_by(11)) {
        let (first, last) = (a.min(b), (a.max(b) + 9).min(built.log.len()));
        let mut log = built.log.clone();
        // Two short runs of noise.
        for range in [first..(first + 9).min(log.len()), last.saturating_sub(9)..last] {
            log[range].iter_mut().enumerate().for_each(|(i, byte)| *byte ^= 0x55 + i as u8);
        }
        let (found, docs) = salvage(&built.data, &log, None, 1000).unwrap();
        built.check(&docs, &format!("{first} and {last}"));
        let same = frames.iter().filter(|(at, size)| log[*at..at + size] == built.log[*at..at + size]).count() as u64;
        assert_eq!(found.log.frames, same, "{first} and {last}");
    }
}

#[test]
fn salvage_of_a_log_cut_anywhere_takes_the_frames_before_the_cut() {
    let built = build();
    for end in 0..built.log.len() {
        let (found, docs) = salvage(&built.data, &built.log[..end], None, 50).unwrap();
        built.check(&docs, &format!("cut at {end}"));
        assert_eq!(found.log.frames, scan(&built.log).iter().filter(|(at, size)| at + size <= end).count() as u64);
    }
}

#[test]
fn salvage_never_takes_frames_of_a_run_that_was_not_published() {
    let built = build();
    let frames = scan(&built.log);
    for n in 1..frames.len() {
        let mark = frames[n].0;
        let before = frames[n - 1].0;
        let mut log = built.log.clone();
        log[mark..mark + 4].fill(0xFF);
        assert_eq!(salvage(&built.data, &log, None, 64).unwrap().0.log.frames, n as u64);
        // Damage in the frame before must not lead past a run that is not published.
        log[before + 6] ^= 0x40;
        assert_eq!(salvage(&built.data, &log, None, 64).unwrap().0.log.frames, n as u64 - 1, "run {n}");
        log[before] ^= 0x40;
        assert_eq!(
            salvage(&built.data, &log, None, 64).unwrap().0.log.frames,
            n as u64 - 1,
            "run {n}, and the length before it"
        );
    }
}

#[test]
fn salvage_of_data_with_one_changed_byte_gives_no_vector_whose_length_is_wrong() {
    let built = build();
    for at in 0..built.data.len() {
        for flip in [1, 0x40, 0x80] {
            let mut data = built.data.clone();
            data[at] ^= flip;
            match salvage(&data, &built.log, None, 100) {
                Ok((found, docs)) => {
                    assert!(at >= 8, "byte {at} ^ {flip}");
                    let wrong = docs.iter().filter(|(key, version)| !built.ever[*key].contains(*version)).count();
                    // The length of a row does not show a changed sign, nor a change of a number's last bits.
                    let untold = (at - 64.min(at)) % 4 < 2 || flip != 0x40;
                    assert!(at < 64 || wrong == 0 || untold && wrong == 1, "byte {at} ^ {flip}: {wrong}, {found:?}");
                    // With another dimension, hardly any row has unit length.
                    if at < 12 {
                        assert!(
                            docs.len() <= 1 && found.damaged_rows + found.missing_rows > 5,
                            "byte {at} ^ {flip}: {found:?}"
                        );
                    }
                }
                Err(error) => {
                    assert!(
                        at < 64 && matches!(code_of(&error), Code::Corrupt | Code::UnsupportedVersion),
                        "byte {at} ^ {flip}: {error}"
                    )
                }
            }
        }
    }
}

#[test]
fn salvage_with_a_dimension_needs_no_header_and_no_complete_data() {
    let built = build();
    let mut data = built.data.clone();
    data[..64].fill(0xAA);
    assert_eq!(code_of(&salvage(&data, &built.log, None, 64).unwrap_err()), Code::Corrupt);
    assert_eq!(salvage(&data, &built.log, Some(D), 64).unwrap().1, built.now);
    data[..64].fill(0);
    assert_eq!(salvage(&data, &built.log, Some(D), 64).unwrap().1, built.now);
    for end in 0..built.data.len() {
        let (found, docs) = salvage(&data[..end], &built.log, Some(D), 33).unwrap();
        built.check(&docs, &format!("data cut at {end}"));
        let rows = end.saturating_sub(64) / (D * 4);
        assert_eq!(found.missing_rows as usize, (built.data.len() - 64) / (D * 4) - rows);
        assert_eq!(found.data_bytes as usize, end.saturating_sub(64) % (D * 4));
    }
}

#[test]
fn salvage_takes_the_later_of_two_documents_in_one_row_and_skips_unknown_operations() {
    let built = build();
    let frame = |payload: &[u8]| {
        [&(payload.len() as u32).to_le_bytes()[..], payload, &crc32fast::hash(payload).to_le_bytes()].concat()
    };
    let mut again = 3u32.to_le_bytes().to_vec();
    for text in ["docs", "later"] {
        again.extend((text.len() as u64).to_le_bytes());
        again.extend(text.as_bytes());
    }
    let rows = ((built.data.len() - 64) / (D * 4)) as u64;
    let last = rows - 1;
    again.extend(last.to_le_bytes());
    again.extend(0u64.to_le_bytes());
    let unknown = [&11u32.to_le_bytes()[..], b"something"].concat();
    let log = [&built.log[..], &frame(&unknown), &frame(&again)].concat();
    let (found, docs) = salvage(&built.data, &log, None, 64).unwrap();
    // These frames are skipped and reported as what they are: no damage.
    assert_eq!(
        (found.log.frames, found.log.skipped, found.log.damages, found.log.foreign),
        (built.frames + 1, 1, 0, 1)
    );
    assert!(docs.contains_key(&("docs".into(), "later".into())));
    let there = |docs: &Docs| docs.len() as u64;
    assert_eq!(there(&docs), there(&built.now) + 1 - found.damaged_rows);
}
