//! Runs of scripts that are written without spaces between words. The tokens are each two neighbouring characters, and
//! the last character alone.

use super::look::{Class, Look};
use super::{Kind, MOST_DROPPED, Token};

/// One or two characters in UTF-8. They take at most eight bytes.
struct Pair {
    bytes: [u8; 8],
    len: usize,
}

impl Pair {
    fn of(first: char, second: Option<char>) -> Pair {
        let mut bytes = [0; 8];
        let mut len = 0;
        for c in [Some(first), second].into_iter().flatten() {
            if let Some(place) = bytes.get_mut(len..) {
                len += c.encode_utf8(place).len();
            }
        }
        Pair { bytes, len }
    }

    fn text(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// A character with the marks that were composed with it, and with the characters after it that are dropped.
struct Unit {
    c: char,
    to: usize,
}

/// Returns the unit at `at`, if its character is of such a script.
fn unit(text: &str, at: usize) -> Option<Unit> {
    let look = Look::at(text, at)?;
    if look.class != Class::Gram {
        return None;
    }
    let mut unit = Unit { c: full_width(text.get(at..)?.chars().next()?), to: at + look.width as usize };
    let mut dropped = 0;
    while let Some(look) = Look::at(text, unit.to) {
        match look.class {
            Class::Dropped if dropped < MOST_DROPPED => dropped += 1,
            Class::Gram => {
                let next = text.get(unit.to..).and_then(|rest| rest.chars().next());
                let Some(c) = next.and_then(|next| compose(unit.c, full_width(next))) else { break };
                unit.c = c;
                dropped = 0;
            }
            _ => break,
        }
        unit.to += look.width as usize;
    }
    Some(unit)
}

/// Calls `each` with the tokens of the run that begins at `from`. Stops at its end, or before the first character that
/// ends at `until` or later. From there the run can be continued as if it began there. Returns where it stopped.
#[inline(never)]
pub(super) fn run(text: &str, from: usize, until: usize, each: &mut dyn FnMut(Token<'_>)) -> usize {
    let Some(mut last) = unit(text, from) else { return text.len() };
    let (mut at, mut kind) = (from, Kind::Lone);
    while let Some(next) = unit(text, last.to) {
        let pair = Pair::of(last.c, Some(next.c));
        each(Token { text: pair.text(), from: at, to: next.to, kind: Kind::Gram });
        (at, last, kind) = (last.to, next, Kind::End);
        if last.to >= until && unit(text, last.to).is_some() {
            return at;
        }
    }
    each(Token { text: Pair::of(last.c, None).text(), from: at, to: last.to, kind });
    last.to
}

/// Returns the katakana of full width for one of half width.
fn full_width(c: char) -> char {
    const KATAKANA: &[u8; 56] = b"\x52\x01\x03\x05\x07\x09\x43\x45\x47\x23\x5c\x02\x04\x06\x08\x0a\x0b\x0d\x0f\x11\x13\
\x15\x17\x19\x1b\x1d\x1f\x21\x24\x26\x28\x2a\x2b\x2c\x2d\x2e\x2f\x32\x35\x38\x3b\x3e\x3f\x40\x41\x42\x44\x46\x48\x49\
\x4a\x4b\x4c\x4d\x4f\x53";
    let code = c as u32;
    match code {
        0xff66..=0xff9d => {
            let place = KATAKANA.get(code as usize - 0xff66);
            place.and_then(|&place| char::from_u32(0x30a0 + u32::from(place))).unwrap_or(c)
        }
        0xff9e => '\u{3099}',
        0xff9f => '\u{309a}',
        _ => c,
    }
}

/// Composes two characters as Unicode does, if they are a kana and a voiced or half-voiced mark, or parts of a Hangul
/// syllable.
fn compose(first: char, second: char) -> Option<char> {
    let (a, b) = (first as u32, second as u32);
    let code = match b {
        0x1161..=0x1175 if matches!(a, 0x1100..=0x1112) => 0xac00 + ((a - 0x1100) * 21 + (b - 0x1161)) * 28,
        0x11a8..=0x11c2 if matches!(a, 0xac00..=0xd7a3) && (a - 0xac00) % 28 == 0 => a + (b - 0x11a7),
        0x3099 | 0x309a if matches!(a, 0x3041..=0x30ff) => voiced(a, b - 0x3098)?,
        _ => return None,
    };
    char::from_u32(code)
}

/// Composes a kana and a mark. `by` is 1 for the voiced mark, and 2 for the half-voiced one.
fn voiced(kana: u32, by: u32) -> Option<u32> {
    let katakana = kana >= 0x30a0;
    let code = if katakana { kana - 0x60 } else { kana };
    match (code, by) {
        (0x306f | 0x3072 | 0x3075 | 0x3078 | 0x307b, _) => Some(kana + by),
        (0x304b..=0x3061, 1) if code % 2 == 1 => Some(kana + 1),
        (0x3064 | 0x3066 | 0x3068 | 0x309d, 1) => Some(kana + 1),
        (0x3046, 1) => Some(kana + 0x4e),
        // Hiragana have no composed characters of these.
        (0x308f..=0x3092, 1) if katakana => Some(kana + 8),
        _ => None,
    }
}
