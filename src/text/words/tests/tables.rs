//! The tables are those of Unicode 17. If they differ, the test prints the file that they should be.

use std::fmt::Write;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

const FIRST: u32 = 0x80;

fn is_word(c: char) -> bool {
    use GeneralCategoryGroup::{Letter, Mark, Number};
    c.is_alphabetic() || matches!(c.general_category_group(), Letter | Mark | Number)
}

/// Yields each code point from U+0080 on, and whether it belongs to words. A code point that is not assigned counts as
/// the one before it. Surrogates are left out, because no text has them.
fn words() -> impl Iterator<Item = (u32, bool)> {
    let mut before = false;
    (FIRST..0x11_0000).map(move |code| {
        match char::from_u32(code) {
            Some(c) if c.general_category() == GeneralCategory::Unassigned => (),
            Some(c) => before = is_word(c),
            None => before = false,
        }
        (code, before)
    })
}

/// Returns the simple lower case: one code point for each.
fn simple_lower(c: char) -> char {
    // The standard library returns two code points for it: `i` and a dot above.
    if c == 'İ' { 'i' } else { c.to_lowercase().next().unwrap_or(c) }
}

fn push_number(bytes: &mut Vec<u8>, mut value: u32) {
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn ranges() -> (Vec<u32>, Vec<u8>) {
    let mut edges = Vec::new();
    let mut before = false;
    for (code, word) in words() {
        if word != before {
            edges.push(code);
            before = word;
        }
    }
    assert!(edges.len() % 2 == 0);
    let (mut sections, mut bytes) = (Vec::new(), Vec::new());
    for section in edges.chunks(16) {
        sections.push(section[0] << 11 | bytes.len() as u32);
        section.windows(2).for_each(|pair| push_number(&mut bytes, pair[1] - pair[0]));
    }
    assert!(bytes.len() < 2048);
    (sections, bytes)
}

/// Returns the folded form of Latin letters that Unicode does not decompose.
fn apart(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'þ' => "th",
        'ð' | 'đ' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'ŧ' => "t",
        'ŋ' => "n",
        'ſ' => "s",
        _ => return None,
    })
}

/// Returns the letters of ASCII that a lower-case letter of Latin becomes, or nothing if it stays.
fn latin(c: char) -> Option<String> {
    if simple_lower(c) != c {
        return None;
    }
    let mut folded = String::new();
    for c in c.nfkd().filter(|&c| c.general_category_group() != GeneralCategoryGroup::Mark) {
        match apart(c) {
            Some(letters) => folded.push_str(letters),
            None if matches!(c, 'ʾ' | 'ʼ' | '·') => (),
            None if c.is_ascii_lowercase() => folded.push(c),
            None => return None,
        }
    }
    (!folded.is_empty()).then_some(folded)
}

fn fold(from: u32, to: u32, pairs: &mut Vec<String>) -> Vec<u8> {
    let byte = |code| {
        let folded = char::from_u32(code).and_then(latin).unwrap_or_default();
        match folded.len() {
            0 => 0,
            1 => folded.as_bytes()[0],
            2 => {
                let at = pairs.iter().position(|pair| *pair == folded).unwrap_or_else(|| {
                    pairs.push(folded);
                    pairs.len() - 1
                });
                at as u8 + 1
            }
            _ => panic!("{folded} for U+{code:04X}"),
        }
    };
    (from..to).map(byte).collect()
}

/// Writes a table as rustfmt would.
fn table<T: std::fmt::Debug>(out: &mut String, doc: &str, name: &str, kind: &str, values: &[T]) {
    let _ = writeln!(out, "\n/// {doc}\n#[rustfmt::skip]\npub(super) static {name}: [{kind}; {}] = [", values.len());
    let mut line = String::from("   ");
    for value in values {
        let word = format!(" {value:?},");
        if line.len() + word.len() > 120 {
            let _ = writeln!(out, "{line}");
            line = String::from("   ");
        }
        line += &word;
    }
    let _ = writeln!(out, "{line}\n];");
}

#[test]
fn the_tables_are_those_of_unicode_17() {
    assert_eq!(char::UNICODE_VERSION, (17, 0, 0));
    assert_eq!(unicode_normalization::UNICODE_VERSION, (17, 0, 0));
    assert_eq!(unicode_properties::UNICODE_VERSION, (17, 0, 0));
    let (sections, bytes) = ranges();
    let mut pairs = Vec::new();
    let (latin, additional) = (fold(0xdf, 0x250, &mut pairs), fold(0x1e00, 0x1f00, &mut pairs));
    let pairs: Vec<[u8; 2]> = pairs.iter().filter_map(|pair| pair.as_bytes().try_into().ok()).collect();
    let mut out = String::from(
        "//! Tables of Unicode 17. `tests/tables.rs` makes them: if they are not as they should be, it prints this file.\n",
    );
    let doc = "Where each section of `RANGES` begins: a code point, and 11 bits for its place in `RANGES`.";
    table(&mut out, doc, "SECTIONS", "u32", &sections);
    table(&mut out, "How many code points belong to words, how many then do not, and so on.", "RANGES", "u8", &bytes);
    let doc = "For U+00DF to U+024F a letter, 1 + a place in `PAIRS`, or 0 for what stays.";
    table(&mut out, doc, "LATIN", "u8", &latin);
    table(&mut out, "The same for U+1E00 to U+1EFF.", "ADDITIONAL", "u8", &additional);
    table(&mut out, "Two letters for one.", "PAIRS", "[u8; 2]", &pairs);
    assert!(out == include_str!("../tables.rs"), "tables.rs should be:\n{out}");
}

#[test]
fn the_packed_tables_say_what_unicode_says() {
    for (code, word) in words() {
        assert_eq!(super::super::lookup::is_word(code), word, "U+{code:04X}");
    }
}
