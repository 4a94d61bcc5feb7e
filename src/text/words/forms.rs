//! English word forms. They are used only in questions: a word of a question stands for every token with the same stem.
//!
//! A stem is not stored. [`range_en`] gives the letters with which all forms of a word begin. A search reads the tokens
//! of its sorted dictionary that begin with them, and takes those with the same [`stem_en`]:
//!
//! ```
//! use nidus_wasm::text::words::forms::{range_en, stem_en};
//!
//! let dictionary = ["run", "rune", "runner", "running", "runs", "rust"];
//! let in_range = dictionary.into_iter().filter(|token| token.starts_with(range_en("running")));
//! let found: Vec<_> = in_range.filter(|token| stem_en(token) == stem_en("running")).collect();
//! assert_eq!(found, ["run", "running", "runs"]);
//! ```
//!
//! The forms are those of grammar: the plural, the third person, `-ing` and `-ed`. A doubled consonant, a dropped `e`
//! and an `ie` instead of `y` are known. Words that are derived from one another (`run` and `runner`) stay different
//! words. Irregular forms (`ran`) are not known.

/// The stem of a token: its first letters and, perhaps, one letter that the word has without its ending.
#[derive(Clone, Copy, Debug)]
pub struct Stem<'a> {
    start: &'a str,
    last: &'static str,
}

impl PartialEq for Stem<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.start.bytes().chain(self.last.bytes()).eq(other.start.bytes().chain(other.last.bytes()))
    }
}
impl Eq for Stem<'_> {}

/// Returns the stem of a token. A token that is too short to have an ending, or has other characters than `a` to `z`,
/// is its own stem.
pub fn stem_en(token: &str) -> Stem<'_> {
    if token.len() < 3 || !token.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Stem { start: token, last: "" };
    }
    let mut word = token;
    if let Some(singular) = token.strip_suffix('s').filter(|word| !word.ends_with(['s', 'u', 'i'])) {
        word = match singular.strip_suffix('e') {
            Some(start) if start.ends_with("ss") || start.ends_with('x') || start.ends_with("zz") => start,
            Some(start) if start.ends_with("ch") || start.ends_with("sh") => start,
            _ if singular.len() < 3 => token,
            _ => singular,
        };
    }
    // `flies` and `fly`, `tried` and `try`, but `ties` and `tie`.
    let long = if word.len() < token.len() { word.strip_suffix("ie") } else { word.strip_suffix("ied") };
    if let Some(start) = long.filter(|start| start.len() > 1) {
        return Stem { start, last: "y" };
    }
    // Without this, `embed` would be a form of `emb`.
    if word == "embed" {
        return Stem { start: word, last: "" };
    }
    if word.len() == 4 && word.ends_with("ied") {
        return Stem { start: word.strip_suffix('d').unwrap_or(word), last: "" };
    }
    let ending = word.strip_suffix("ing").or_else(|| word.strip_suffix("ed").filter(|start| !start.ends_with('e')));
    if let Some(start) = ending.filter(|start| start.len() > 1 && syllables(start) > 0) {
        let single = undoubled(start);
        if single.len() < start.len() {
            return Stem { start: single, last: "" };
        }
        let last = if is_short(start) { "e" } else { "" };
        return Stem { start: if last.is_empty() { reduced(start) } else { start }, last };
    }
    Stem { start: reduced(word), last: "" }
}

/// Returns the letters with which every form of the token's word begins.
pub fn range_en(token: &str) -> &str {
    let Stem { start, last } = stem_en(token);
    if last.is_empty() { start.strip_suffix(['e', 'y']).unwrap_or(start) } else { start }
}

/// Returns whether the letter at `at` is a vowel. `y` is a vowel after a consonant.
fn is_vowel(word: &[u8], at: usize) -> bool {
    match word.get(at) {
        Some(b'a' | b'e' | b'i' | b'o' | b'u') => true,
        Some(b'y') => at > 0 && !is_vowel(word, at - 1),
        _ => false,
    }
}

/// Counts the groups of neighbouring vowels.
fn syllables(word: &str) -> usize {
    let word = word.as_bytes();
    (0..word.len()).filter(|&at| is_vowel(word, at) && (at == 0 || !is_vowel(word, at - 1))).count()
}

/// Returns whether a word of one syllable ends like `mak`, so that an `e` follows it.
fn is_short(word: &str) -> bool {
    let (bytes, last) = (word.as_bytes(), word.len().saturating_sub(1));
    let open = last == 1 || (last > 1 && !is_vowel(bytes, last - 2));
    last > 0
        && open
        && is_vowel(bytes, last - 1)
        && !is_vowel(bytes, last)
        && !word.ends_with(['w', 'x', 'y'])
        && syllables(word) == 1
}

/// Returns the word with one of its two last letters if an ending has doubled it: `running`, but not `falling`.
fn undoubled(word: &str) -> &str {
    match (word.as_bytes(), word.split_at_checked(word.len().saturating_sub(1))) {
        ([_, _, .., a, b], Some((single, _))) if a == b && !matches!(a, b'a' | b'e' | b'l' | b'o' | b's' | b'z') => {
            single
        }
        _ => word,
    }
}

/// Returns the word without a silent `e`, or without the second `l` of `controll`.
fn reduced(word: &str) -> &str {
    let ended = match word.strip_suffix('e') {
        Some(start) if start.len() > 2 && !is_short(start) && syllables(start) > 0 => start,
        _ => word,
    };
    match ended.strip_suffix('l') {
        Some(start) if start.ends_with('l') && syllables(start) > 1 => start,
        _ => ended,
    }
}
