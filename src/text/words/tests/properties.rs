//! Properties that hold for every text.

use super::{Owned, all};
use crate::few_or;
use crate::text::words::look::{Class, Look};
use crate::text::words::lookup::is_word;
use crate::text::words::{Kind, LONGEST, Place, Tokenizer, tokens};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use unicode_normalization::UnicodeNormalization;

/// Pieces of texts that make words, joints and runs.
const PIECES: &[&str] = &[
    "a",
    "b",
    "C",
    "D",
    "c",
    "f",
    "v",
    "V",
    "1",
    "2",
    "URL",
    "get",
    "Élan",
    "ß",
    "İ",
    "ı",
    "й",
    "Ё",
    "ώ",
    "ς",
    "ﬃ",
    "ǅ",
    "Ａ",
    "９",
    "٣",
    "²",
    "ش",
    "أ",
    "ש",
    "क",
    "ि",
    "東",
    "京",
    "か",
    "\u{3099}",
    "ﾊ",
    "ﾟ",
    "한",
    "\u{1112}",
    "\u{1161}",
    "\u{11ab}",
    "ก",
    "า",
    "-",
    ".",
    "::",
    ":",
    "_",
    "'",
    "’",
    "‐",
    "+",
    "++",
    "#",
    " ",
    "/",
    "\u{301}",
    "\u{ad}",
    "\u{200b}",
    "ـ",
    "\u{fe0f}",
    "😀",
    "\u{fffd}",
    "internationalization",
    "aB",
    "x.y",
    "\u{64e}\u{651}",
    "𝟗",
    "𐐀",
    "Ꮿ",
    "\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}\u{30c}\u{30d}\u{30e}\u{30f}",
];

fn pieces() -> impl Strategy<Value = String> {
    let pieces = |count| prop::collection::vec(prop::sample::select(PIECES), count).prop_map(|pieces| pieces.concat());
    prop_oneof![3 => pieces(0..24), 1 => pieces(60..160)]
}

/// Generates texts of these pieces, and of any characters.
pub(super) fn texts() -> impl Strategy<Value = String> {
    prop_oneof![8 => pieces(), 1 => any::<String>()]
}

/// Generates texts of these pieces, and of characters that are the same in every version of Unicode since 10.
pub(super) fn settled_texts() -> impl Strategy<Value = String> {
    let ranges = [
        0x20..0x530,
        0x5d0..0x5eb,
        0x620..0x6d4,
        0x900..0x980,
        0xe01..0xe3b,
        0x1e00..0x2070,
        0x2100..0x2150,
        0x3041..0x3097,
        0x3099..0x3100,
        0x4e00..0x4e20,
        0xac00..0xac20,
        0xfb00..0xfb07,
        0xff01..0xffa0,
        0x1f600..0x1f610_u32,
    ];
    let letters: Vec<char> = ranges.into_iter().flatten().filter_map(char::from_u32).collect();
    let letters =
        prop::collection::vec(prop::sample::select(letters), 1..40).prop_map(|letters| letters.into_iter().collect());
    prop_oneof![4 => pieces(), 1 => letters]
}

fn words(text: &str) -> Vec<(String, Kind)> {
    all(text).into_iter().map(|token| (token.text, token.kind)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(few_or(4_000, 400_000)))]

    #[test]
    fn tokens_are_short_and_their_places_ascend(text in texts()) {
        let (mut from, mut part) = (0, 0);
        for token in all(&text) {
            prop_assert!((1..=LONGEST).contains(&token.text.len()), "{token:?}");
            prop_assert!(token.from < token.to && text.get(token.from..token.to).is_some(), "{token:?}");
            if token.kind != Kind::Part {
                prop_assert!(token.from >= from, "{token:?}");
                from = token.from;
                part = from;
            } else if !token.text.starts_with(|c: char| c.is_ascii_digit()) {
                prop_assert!(token.from >= part, "{token:?}");
                part = token.from;
            }
        }
    }

    #[test]
    fn the_tokens_of_a_token_have_the_token(text in texts()) {
        for token in all(&text) {
            let again = all(&token.text);
            prop_assert!(again.iter().any(|again| again.text == token.text), "{token:?} gave {again:?}");
        }
    }

    #[test]
    fn steps_of_any_size_give_the_same_tokens(text in texts(), steps in prop::collection::vec(0..40_usize, 1..9)) {
        let mut found: Vec<Owned> = Vec::new();
        let (mut place, mut steps) = (Place::default(), steps.into_iter().cycle());
        loop {
            let mut tokenizer = Tokenizer::resume(&text, place);
            let step = steps.next().unwrap_or(1).max(1);
            let more = tokenizer.advance(step, &mut |token| found.push(token.into()));
            let next = tokenizer.place();
            prop_assert!(next.at() >= (place.at() + step).min(text.len()) || !more);
            place = next;
            if !more {
                break;
            }
        }
        prop_assert_eq!(place.at(), text.len());
        prop_assert_eq!(found, all(&text));
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same(letters in prop::collection::vec(folded_letter(), 1..12)) {
        let text: String = letters.into_iter().collect();
        let composed: String = text.nfc().collect();
        let decomposed: String = text.nfd().collect();
        prop_assert_eq!(words(&composed), words(&decomposed));
    }
}

/// Generates letters of Latin, Greek, Cyrillic and Arabic, kana and Hangul.
fn folded_letter() -> impl Strategy<Value = char> {
    let ranges = [
        0x41..0x7b,
        0xc0..0x250,
        0x370..0x400,
        0x400..0x530,
        0x620..0x6d4,
        0x1e00..0x1f00,
        0x1f00..0x2000,
        0x3041..0x3100,
        0xac00..0xd7a4_u32,
    ];
    let letters = ranges.into_iter().flatten().filter_map(char::from_u32);
    let letters: Vec<char> = letters.filter(|&c| is_word(c as u32) || c.is_ascii_alphabetic()).collect();
    prop::sample::select(letters)
}

#[test]
fn every_single_letter_of_the_folded_scripts_is_the_same_composed_and_decomposed() {
    let ranges =
        [0xc0..0x250, 0x370..0x530, 0x620..0x6d4, 0x1e00..0x2000, 0x212a..0x212c, 0x3041..0x3100, 0xac00..0xd7a4];
    for c in ranges.into_iter().flatten().filter_map(char::from_u32).filter(|&c| is_word(c as u32)) {
        let decomposed: String = c.nfd().collect();
        assert_eq!(words(&c.to_string()), words(&decomposed), "U+{:04X}", c as u32);
    }
}

#[test]
fn katakana_of_half_width_are_those_of_full_width() {
    for c in ('\u{ff66}'..='\u{ff9f}').filter(|&c| is_word(c as u32)) {
        let wide: String = c.nfkc().collect();
        assert_eq!(words(&c.to_string()), words(&wide), "U+{:04X}", c as u32);
    }
    for (narrow, wide) in [("ｳﾞ", "ヴ"), ("ﾊﾟ", "パ"), ("ﾊﾞ", "バ"), ("ﾜﾞ", "ヷ")] {
        assert_eq!(words(narrow), words(wide));
    }
}

#[test]
fn the_classes_agree_with_the_table_of_words() {
    for c in '\u{80}'..=char::MAX {
        let text = c.to_string();
        let class = Look::at(&text, 0).expect("there is a character").class;
        let word = matches!(class, Class::Lower | Class::Upper | Class::Digit | Class::Gram);
        let listed = matches!(class, Class::Dropped | Class::Inner | Class::Outer);
        assert!(listed || word == is_word(c as u32), "U+{:04X} is {class:?}", c as u32);
    }
}

#[test]
fn folding_twice_is_folding_once() {
    for c in '\u{80}'..=char::MAX {
        let text = c.to_string();
        let look = Look::at(&text, 0).expect("there is a character");
        if !look.in_word() {
            continue;
        }
        let folded = std::str::from_utf8(look.folded()).expect("it is a text");
        let mut again = Vec::new();
        let mut at = 0;
        while let Some(look) = Look::at(folded, at) {
            assert!(look.in_word() && look.class != Class::Upper, "U+{:04X}", c as u32);
            again.extend_from_slice(look.folded());
            at += look.width as usize;
        }
        assert_eq!(look.folded(), again, "U+{:04X}", c as u32);
    }
}

/// Analyzes a text that repeats `piece`, in steps. Returns the longest time of a step, and the most bytes of a step.
pub(super) fn longest_step(piece: &str, bytes: usize) -> (Duration, usize) {
    let text = piece.repeat(bytes / piece.len());
    let mut tokenizer = Tokenizer::new(&text);
    let (mut longest, mut most, mut count) = (Duration::ZERO, 0, 0);
    loop {
        let (start, from) = (Instant::now(), tokenizer.place().at());
        let more = tokenizer.advance(1 << 16, &mut |_| count += 1);
        longest = longest.max(start.elapsed());
        most = most.max(tokenizer.place().at() - from);
        if !more {
            assert!(count <= text.len());
            return (longest, most);
        }
    }
}

#[test]
fn a_text_of_one_class_is_analyzed_in_short_steps() {
    let bytes = few_or(1_000_000, 10_000_000) as usize;
    let pieces = [
        "a",
        "A",
        "aB",
        "a-",
        "a_",
        "1.",
        "v1.",
        "a'",
        "c++",
        "c#",
        "a::",
        "a:",
        "é",
        "É",
        "東",
        "ก",
        "か\u{3099}",
        "\u{1112}\u{1161}",
        "\u{301}",
        "\u{200b}",
        "a\u{301}",
        "a-\u{200b}",
        "-",
        " ",
        "ا",
        "أ",
        "क\u{93f}",
        "ﬃ",
        "😀",
        "東\u{fe0f}",
        "aB-",
        "a\u{200b}\u{200b}",
    ];
    for piece in pieces {
        let (_, most) = longest_step(piece, bytes);
        // A step must end soon after the bytes that it was given, so that it is not as long as the text.
        assert!(most <= (1 << 16) + 8192, "{piece:?}: a step of {most} bytes");
    }
    // A single word with as many dropped characters as possible.
    let text = format!("a{}b", "\u{200b}".repeat(bytes / 3));
    let mut count = 0;
    tokens(&text, &mut |_| count += 1);
    assert_eq!(count, 2);
}

/// Returns what a letter of five blocks of Unicode is folded to by the general rule of docs/spec/words.md, without its
/// rules for single letters.
fn decomposed(c: char) -> char {
    let lower = if c == 'İ' { 'i' } else { c.to_lowercase().next().unwrap_or(c) };
    let blocks = [0xdf..0x250, 0x370..0x400, 0x400..0x500, 0x1e00..0x1f00, 0x1f00..0x2000_u32];
    if blocks.iter().any(|block| block.contains(&(lower as u32))) { lower.nfd().next().unwrap_or(lower) } else { lower }
}

#[test]
fn letters_are_folded_by_their_decomposition() {
    let ranges =
        [0xc0..0x250, 0x370..0x590, 0x10a0..0x1100, 0x13a0..0x1400, 0x1c80..0x1cc0, 0x1e00..0x2000, 0x2c00..0x2d30];
    for c in ranges.into_iter().flatten().filter_map(char::from_u32) {
        let text = c.to_string();
        let look = Look::at(&text, 0).expect("there is a character");
        let own = "ßæœøþðđħıłŀŧŋŉſĳǆǳǉǌẚς";
        if look.in_word() && !own.contains(decomposed(c)) {
            assert_eq!(std::str::from_utf8(look.folded()), Ok(&*decomposed(c).to_string()), "U+{:04X}", c as u32);
        }
    }
}
