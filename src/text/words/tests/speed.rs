//! Measures the analyzer: `NIDUS_WORDS_TEXTS=FILE cargo test --release --features text --lib speed -- --ignored
//! --nocapture`, where each line of the file is a text.

use super::properties::longest_step;
use crate::text::words::tokens;
use std::time::Instant;

#[test]
#[ignore = "it measures, and needs a file"]
fn speed() {
    let path = std::env::var_os("NIDUS_WORDS_TEXTS").expect("NIDUS_WORDS_TEXTS names a file of texts");
    let texts = std::fs::read_to_string(path).expect("the file can be read");
    let (mut count, mut best) = (0_usize, f64::MAX);
    for _ in 0..20 {
        let start = Instant::now();
        count = 0;
        for text in texts.lines() {
            tokens(text, &mut |token| count += usize::from(!token.text.is_empty()));
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    let mega = texts.len() as f64 / 1e6;
    println!("{mega:.1} MB, {count} tokens: {:.0} MB/s", mega / best);
    for piece in ["a", "aB", "a-", "1.", "東", "\u{301}", "\u{200b}", "a\u{200b}", " ", "é", "й"] {
        let (time, bytes) = longest_step(piece, 10_000_000);
        println!("10 MB of {piece:?} in steps of 64 KB: the longest took {time:?} for {bytes} bytes");
    }
}
