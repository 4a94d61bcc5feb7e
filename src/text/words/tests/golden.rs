//! Generated texts with their tokens. The second implementation of the rule (in TypeScript,
//! pkg-tests/text/words-oracle.ts) is compared with the same file.

use super::examples::letter;
use super::properties::{settled_texts, texts};
use super::{Owned, all};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::fmt::Write;
use std::path::Path;

fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for unit in text.encode_utf16() {
        match unit {
            0x20..=0x7e if !matches!(unit, 0x22 | 0x5c) => json.push(char::from(unit as u8)),
            _ => {
                let _ = write!(json, "\\u{unit:04x}");
            }
        }
    }
    json.push('"');
    json
}

fn line(text: &str) -> String {
    let places = |at: usize| text.get(..at).map_or(0, |text| text.encode_utf16().count());
    let token = |token: Owned| {
        format!("[{},{},{},\"{}\"]", quoted(&token.text), places(token.from), places(token.to), letter(token.kind))
    };
    let tokens: Vec<String> = all(text).into_iter().map(token).collect();
    format!("[{},[{}]]\n", quoted(text), tokens.join(","))
}

/// Returns texts at the limits of the length of tokens and of the number of dropped characters.
fn limits() -> Vec<String> {
    let repeats = [
        ("1.", 31),
        ("1.", 32),
        ("1.", 33),
        ("v1.", 40),
        ("a.", 64),
        ("a.", 65),
        ("a_", 64),
        ("a_", 65),
        ("aB", 33),
        ("é", 64),
        ("é", 65),
        ("ﬃ", 21),
        ("ﬃ", 22),
        ("ش", 32),
        ("ش", 33),
        ("क", 22),
        ("ABab", 17),
        ("12", 33),
        ("abcdefg-", 10),
        ("Get", 30),
    ];
    let dropped = |count| "\u{200b}".repeat(count);
    let mut texts: Vec<String> = repeats.iter().map(|(piece, count)| format!("{}x", piece.repeat(*count))).collect();
    for count in [15, 16, 17, 18, 33] {
        let long = "a".repeat(70);
        let between =
            [format!("a{}b", dropped(count)), format!("a-{}b", dropped(count)), format!("東{}京", dropped(count))];
        texts.extend(between);
        texts.push(format!("{long}{}b c", dropped(count)));
        texts.push(format!("{long}_{}b c", dropped(count)));
    }
    for behind in ["_b.c", "1.2.c", "1.c", "-b", "::b", ":b", "c++", "_c#_d", "東", "\u{301}b", "'b c", "B", "bB_cC.d"]
    {
        texts.push(format!("{}{behind}", "a".repeat(64)));
        texts.push(format!("{}-{}{behind}", "x".repeat(9), "a".repeat(60)));
        texts.push(format!("{}{behind}", "XML".repeat(21)));
    }
    texts
}

/// Returns `count` lines. They are the same at each run.
fn lines(count: usize, texts: &impl Strategy<Value = String>) -> String {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[1; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let generated = (0..count).filter_map(|_| texts.new_tree(&mut runner).ok()).map(|tree| tree.current());
    limits().into_iter().chain(generated).map(|text| line(&text)).collect()
}

/// With `NIDUS_WORDS_GOLDEN` the test writes the file again. With `NIDUS_WORDS_MORE=FILE` it writes 100,000 lines for a
/// longer comparison.
#[test]
fn the_golden_tokens_are_those_of_the_analyzer() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/words.jsonl");
    let read = |path: &Path| std::fs::read_to_string(path).expect("the file can be read");
    if let Some(file) = std::env::var_os("NIDUS_WORDS_MORE") {
        std::fs::write(file, lines(100_000, &texts())).expect("the file can be written");
    }
    if std::env::var_os("NIDUS_WORDS_GOLDEN").is_some() {
        std::fs::write(&path, lines(600, &settled_texts())).expect("the file can be written");
    }
    let golden = read(&path);
    assert!(golden.lines().count() >= 500);
    for golden in golden.lines() {
        let text = text_of(golden);
        assert_eq!(line(&text).trim_end(), golden);
    }
}

/// Reads the text at the start of a line.
fn text_of(line: &str) -> String {
    let (text, _) =
        line.strip_prefix("[\"").and_then(|line| line.split_once('"')).expect("the line begins with a text");
    let mut units = Vec::new();
    let mut parts = text.split("\\u");
    units.extend(parts.next().unwrap_or_default().encode_utf16());
    for part in parts {
        let (code, rest) = part.split_at(4);
        units.push(u16::from_str_radix(code, 16).expect("a code of four digits"));
        units.extend(rest.encode_utf16());
    }
    String::from_utf16(&units).expect("pairs of surrogates are whole")
}
