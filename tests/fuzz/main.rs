//! Runs the fuzzed functions (`fuzz/`) with the inputs that reached the most code while fuzzing, and with inputs near
//! them.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::Path;

#[path = "../shared/cases.rs"]
mod cases;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../shared/random.rs"]
mod random;
mod targets;

use cases::few_or;
use random::Random;
use targets::{data, glob_filter, log, ops, segment};

/// The number of changed inputs for each input of the corpus.
const NEAR: usize = 12;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect()
}

fn replay(target: &str, run: fn(&[u8])) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target).with_extension("txt");
    let text = fs::read_to_string(path).unwrap();
    let inputs: Vec<Vec<u8>> = text.lines().filter(|line| !line.starts_with('#')).map(bytes).collect();
    assert!(inputs.len() >= 10, "{target} has no corpus");
    let mut numbers = Random(1);
    let mut random = move |n: usize| numbers.draw() % n.max(1);
    let attempt = |bytes: &[u8], what: &str| {
        if std::panic::catch_unwind(|| run(bytes)).is_err() {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            panic!("{target}: {what} fails: {hex}");
        }
    };
    for (n, bytes) in inputs.iter().enumerate() {
        attempt(bytes, &format!("input {n}"));
        for _ in 0..NEAR {
            let mut near = bytes.clone();
            for _ in 0..1 + random(3) {
                let at = random(near.len());
                match random(4) {
                    0 => near.truncate(at),
                    1 => near.insert(at, random(256) as u8),
                    _ => near.iter_mut().skip(at).take(1).for_each(|byte| *byte = random(256) as u8),
                }
            }
            attempt(&near, &format!("a change of input {n}"));
        }
    }
}

#[test]
fn logs() {
    replay("log", log::run);
}

#[test]
fn datas() {
    replay("data", data::run);
}

#[test]
fn operations() {
    replay("ops", ops::run);
}

#[test]
fn globs_and_filters() {
    replay("glob_filter", glob_filter::run);
}

/// Random filters over random attributes, rather than inputs near those of the corpus.
#[test]
fn random_filters() {
    let mut random = Random(7);
    let cases = few_or(20_000, 500_000);
    for n in 0..cases {
        // The first byte chooses a pair of texts for a glob, or attributes and a filter.
        let mut bytes: Vec<u8> = (0..120).map(|_| random.draw() as u8).collect();
        bytes[0] = if n % 4 == 0 { 1 } else { 4 };
        glob_filter::run(&bytes);
    }
}

#[test]
fn segments() {
    replay("segment", segment::run);
}
