//! Tells for each character which class it belongs to and what it is folded to.

use super::lookup::is_word;
use super::tables::{ADDITIONAL, LATIN, PAIRS};
use crate::lower::lower;

/// The classes of characters, by which a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It separates words.
    Separator,
    /// A letter, or a mark that is kept, without a lower case of its own.
    Lower,
    /// A letter that has a lower case.
    Upper,
    /// A digit that is folded to one of `0` to `9`.
    Digit,
    /// It is dropped inside a word.
    Dropped,
    /// `-`, `.` or `:`. It may join two pieces of a compound.
    Outer,
    /// `_` or an apostrophe. It may join two parts of a piece.
    Inner,
    /// A character of a script without spaces.
    Gram,
}
use Class::{Digit, Dropped, Gram, Inner, Lower, Outer, Separator, Upper};

const fn ascii() -> [Class; 256] {
    let mut classes = [Separator; 256];
    let mut at = 0;
    while at < 128 {
        classes[at] = match at as u8 {
            b'a'..=b'z' => Lower,
            b'A'..=b'Z' => Upper,
            b'0'..=b'9' => Digit,
            b'-' | b'.' | b':' => Outer,
            b'_' | b'\'' => Inner,
            _ => Separator,
        };
        at += 1;
    }
    classes
}
static ASCII: [Class; 256] = ascii();

/// Returns the class of a byte below 128, and `Separator` for other bytes.
#[inline(always)]
pub(super) fn class_of(byte: u8) -> Class {
    ASCII[byte as usize]
}

/// One character of a text.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub class: Class,
    /// How many bytes of the text it takes.
    pub width: u8,
    len: u8,
    pub bytes: [u8; 4],
}

impl Look {
    /// Looks at the character that begins at byte `at` of the text.
    #[inline(always)]
    pub fn at(text: &str, at: usize) -> Option<Look> {
        let byte = *text.as_bytes().get(at)?;
        if byte < 128 {
            let class = class_of(byte);
            let byte = if class == Upper { byte | 32 } else { byte };
            return Some(Look { class, width: 1, len: 1, bytes: [byte, 0, 0, 0] });
        }
        Some(look(text.get(at..)?.chars().next()?))
    }

    /// Returns what the character is folded to.
    #[inline(always)]
    pub fn folded(&self) -> &[u8] {
        self.bytes.get(..self.len as usize).unwrap_or_default()
    }

    /// Returns whether the character may be in a word that is not cut into bigrams.
    pub fn in_word(&self) -> bool {
        matches!(self.class, Lower | Upper | Digit)
    }
}

/// Looks at a character that is not ASCII.
#[inline(never)]
fn look(c: char) -> Look {
    let code = c as u32;
    let width = c.len_utf8() as u8;
    let plain = |class| Look { class, width, len: 0, bytes: [0; 4] };
    // The commonest characters need no table of classes.
    if matches!(code, 0x3041..=0x3096 | 0x30a1..=0x30fa | 0x4e00..=0x9fff | 0xac00..=0xd7a3) {
        return plain(Gram);
    }
    let common = matches!(code, 0xc0..=0x24f | 0x391..=0x3a1 | 0x3a3..=0x3ce | 0x400..=0x481 | 0x48a..=0x52f
        | 0x5d0..=0x5ea | 0x620..=0x63f | 0x641..=0x64a | 0x904..=0x939)
        && !matches!(code, 0xd7 | 0xf7);
    if !common {
        match listed(code) {
            Some((DROPPED, _)) => return plain(Dropped),
            Some((INNER, _)) => return plain(Inner),
            Some((OUTER, _)) => return plain(Outer),
            Some((GRAM, _)) => return plain(if is_word(code) { Gram } else { Separator }),
            Some((zero, beyond)) => {
                return Look { class: Digit, width, len: 1, bytes: [b'0' + (zero - ZERO) as u8 + beyond, 0, 0, 0] };
            }
            None if !is_word(code) => return plain(Separator),
            None => (),
        }
    }
    let small = match code {
        0xc0..=0xde | 0x410..=0x42f => code + 0x20,
        0x400..=0x40f => code + 0x50,
        0xdf..=0xff | 0x3b1..=0x3c9 | 0x430..=0x45f | 0x5d0..=0x6ff | 0x900..=0x97f => code,
        _ => lower(code),
    };
    let mut look = plain(if small == code { Lower } else { Upper });
    match fold(small) {
        Folded::One(code) => {
            look.len = char::from_u32(code).unwrap_or(c).encode_utf8(&mut look.bytes).len() as u8;
        }
        Folded::Letters(letters) => {
            for (byte, letter) in look.bytes.iter_mut().zip(letters) {
                *byte = *letter;
                look.len += 1;
            }
        }
    }
    look
}

/// The kinds of rows in `LISTED`. A kind from `ZERO` on is `ZERO` plus the value of the row's first digit.
const DROPPED: u64 = 0;
const INNER: u64 = 1;
const OUTER: u64 = 2;
const GRAM: u64 = 3;
const ZERO: u64 = 4;

/// Packs a row of `LISTED`: the first code point in 21 bits, the number of those after it in 21 bits, and the kind.
const fn row(first: u64, last: u64, kind: u64) -> u64 {
    first | (last - first) << 21 | kind << 42
}

/// The characters that are dropped inside words, that join them, or are digits, and the scripts without spaces.
/// Ascending.
#[rustfmt::skip]
static LISTED: [u64; 84] = [
    row(0xad, 0xad, DROPPED), row(0xb2, 0xb3, ZERO + 2), row(0xb9, 0xb9, ZERO + 1), row(0x2bc, 0x2bc, INNER),
    row(0x300, 0x36f, DROPPED), row(0x483, 0x489, DROPPED), row(0x591, 0x5bd, DROPPED), row(0x5bf, 0x5bf, DROPPED),
    row(0x5c1, 0x5c2, DROPPED), row(0x5c4, 0x5c5, DROPPED), row(0x5c7, 0x5c7, DROPPED), row(0x5f3, 0x5f4, INNER),
    row(0x610, 0x61a, DROPPED), row(0x61c, 0x61c, DROPPED), row(0x640, 0x640, DROPPED), row(0x64b, 0x65f, DROPPED),
    row(0x660, 0x669, ZERO), row(0x670, 0x670, DROPPED), row(0x6d6, 0x6dc, DROPPED), row(0x6df, 0x6e4, DROPPED),
    row(0x6e7, 0x6e8, DROPPED), row(0x6ea, 0x6ed, DROPPED), row(0x6f0, 0x6f9, ZERO), row(0x711, 0x711, DROPPED),
    row(0x730, 0x74a, DROPPED), row(0x897, 0x89f, DROPPED), row(0x8ca, 0x8e1, DROPPED), row(0x8e3, 0x8ff, DROPPED),
    row(0x966, 0x96f, ZERO), row(0x9e6, 0x9ef, ZERO), row(0xa66, 0xa6f, ZERO), row(0xae6, 0xaef, ZERO),
    row(0xb66, 0xb6f, ZERO), row(0xbe6, 0xbef, ZERO), row(0xc66, 0xc6f, ZERO), row(0xce6, 0xcef, ZERO),
    row(0xd66, 0xd6f, ZERO), row(0xde6, 0xdef, ZERO), row(0xe00, 0xe4f, GRAM), row(0xe50, 0xe59, ZERO),
    row(0xe5a, 0xecf, GRAM), row(0xed0, 0xed9, ZERO), row(0xeda, 0xeff, GRAM), row(0xf20, 0xf29, ZERO),
    row(0x1000, 0x103f, GRAM), row(0x1040, 0x1049, ZERO), row(0x104a, 0x109f, GRAM), row(0x1100, 0x11ff, GRAM),
    row(0x1780, 0x17df, GRAM), row(0x17e0, 0x17e9, ZERO), row(0x17ea, 0x17ff, GRAM), row(0x180b, 0x180f, DROPPED),
    row(0x1810, 0x1819, ZERO), row(0x1ab0, 0x1aff, DROPPED), row(0x1dc0, 0x1dff, DROPPED), row(0x200b, 0x200f, DROPPED),
    row(0x2010, 0x2011, OUTER), row(0x2019, 0x2019, INNER), row(0x202a, 0x202e, DROPPED), row(0x2060, 0x206f, DROPPED),
    row(0x2070, 0x2070, ZERO), row(0x2074, 0x2079, ZERO + 4), row(0x2080, 0x2089, ZERO), row(0x20d0, 0x20ff, DROPPED),
    row(0x2de0, 0x2dff, DROPPED), row(0x3005, 0x31ff, GRAM), row(0x3400, 0x9fff, GRAM), row(0xa66f, 0xa672, DROPPED),
    row(0xa674, 0xa67d, DROPPED), row(0xa69e, 0xa69f, DROPPED), row(0xa960, 0xa97f, GRAM), row(0xa9e0, 0xa9ff, GRAM),
    row(0xaa60, 0xaa7f, GRAM), row(0xac00, 0xd7ff, GRAM), row(0xf900, 0xfaff, GRAM), row(0xfe00, 0xfe0f, DROPPED),
    row(0xfe20, 0xfe2f, DROPPED), row(0xfeff, 0xfeff, DROPPED), row(0xff07, 0xff07, INNER), row(0xff10, 0xff19, ZERO),
    row(0xff66, 0xffdc, GRAM), row(0x1aff0, 0x1b16f, GRAM), row(0x20000, 0x3ffff, GRAM), row(0xe0000, 0xe0fff, DROPPED),
];

/// Returns the kind of a code point's row in `LISTED`, and how far the code point is from the first one of the row.
fn listed(code: u32) -> Option<(u64, u8)> {
    let next = LISTED.partition_point(|&row| (row & 0x1f_ffff) as u32 <= code);
    let row = *LISTED.get(next.checked_sub(1)?)?;
    let beyond = u64::from(code) - (row & 0x1f_ffff);
    (beyond <= row >> 21 & 0x1f_ffff).then_some((row >> 42, beyond as u8))
}

enum Folded {
    One(u32),
    Letters(&'static [u8]),
}
use Folded::{Letters, One};

/// Folds a letter that is in lower case.
fn fold(code: u32) -> Folded {
    match code {
        // This is the only letter of the range below whose base letter is not in ASCII.
        0x1ef => One(0x292),
        0xdf..=0x24f => latin(&LATIN, code, 0xdf),
        0x1e00..=0x1eff => latin(&ADDITIONAL, code, 0x1e00),
        0x370..=0x3ff | 0x1f00..=0x1fff => One(greek(code)),
        0x400..=0x438 | 0x43a..=0x44f => One(code),
        0x439 | 0x450..=0x4ff => One(cyrillic(code)),
        0x600..=0x6ff => One(arabic(code)),
        0xfb00..=0xfb06 => {
            const LIGATURES: [&[u8]; 7] = [b"ff", b"fi", b"fl", b"ffi", b"ffl", b"st", b"st"];
            LIGATURES.get(code as usize - 0xfb00).map_or(One(code), |&letters| Letters(letters))
        }
        // Full width.
        0xff41..=0xff5a => One(code - 0xff41 + 0x61),
        _ => One(code),
    }
}

fn latin(table: &'static [u8], code: u32, first: u32) -> Folded {
    match table.get((code - first) as usize) {
        None | Some(0) => One(code),
        Some(&letter @ b'a'..) => One(u32::from(letter)),
        Some(&pair) => PAIRS.get(pair as usize - 1).map_or(One(code), |pair| Letters(pair)),
    }
}

/// Folds letters that Unicode decomposes into a Greek letter and marks, and the final sigma.
fn greek(code: u32) -> u32 {
    // In the block from U+1F00 on, each row of 16 has the variants of one letter. Two rows have more than one letter.
    const ROWS: [char; 16] = ['α', 'ε', 'η', 'ι', 'ο', 'υ', 'ω', '\0', 'α', 'η', 'ω', 'α', 'η', 'ι', 'υ', 'ω'];
    const GRAVES: [char; 7] = ['α', 'ε', 'η', 'ι', 'ο', 'υ', 'ω'];
    // Unicode does not assign these.
    let unassigned = matches!(
        code & 0xff,
        0x16 | 0x17
            | 0x1e
            | 0x1f
            | 0x46
            | 0x47
            | 0x4e
            | 0x4f
            | 0x58
            | 0x5a
            | 0x5c
            | 0x5e
            | 0x7e
            | 0x7f
            | 0xb5
            | 0xc5
            | 0xd4
            | 0xd5
            | 0xdc
            | 0xf0
            | 0xf1
            | 0xf5
    );
    let letter = match code {
        0x1f00.. if unassigned => return code,
        0x374 => 'ʹ',
        0x3ac => 'α',
        0x3ad => 'ε',
        0x3ae => 'η',
        0x390 | 0x3af | 0x3ca | 0x1fbe => 'ι',
        0x3cc => 'ο',
        0x3b0 | 0x3cb | 0x3cd => 'υ',
        0x3ce => 'ω',
        0x3c2 => 'σ',
        0x3d3 | 0x3d4 => 'ϒ',
        0x1fe4 | 0x1fe5 => 'ρ',
        0x1f70..=0x1f7d => GRAVES[((code - 0x1f70) / 2) as usize % 7],
        0x1f00..=0x1fff => ROWS[(code >> 4 & 15) as usize],
        _ => return code,
    };
    letter as u32
}

/// Folds letters that Unicode decomposes into a Cyrillic letter and a mark.
fn cyrillic(code: u32) -> u32 {
    let letter = match code {
        0x439 | 0x45d | 0x4e3 | 0x4e5 => 'и',
        0x450 | 0x451 | 0x4d7 => 'е',
        0x453 => 'г',
        0x457 => 'і',
        0x45c => 'к',
        0x45e | 0x4ef | 0x4f1 | 0x4f3 => 'у',
        0x477 => 'ѵ',
        0x4c2 | 0x4dd => 'ж',
        0x4d1 | 0x4d3 => 'а',
        0x4db => 'ә',
        0x4df => 'з',
        0x4e7 => 'о',
        0x4eb => 'ө',
        0x4ed => 'э',
        0x4f5 => 'ч',
        0x4f9 => 'ы',
        _ => return code,
    };
    letter as u32
}

/// Folds letters of Arabic that differ by a hamza or a madda, and those that people type for one another.
fn arabic(code: u32) -> u32 {
    match code {
        0x622 | 0x623 | 0x625 | 0x671 => 0x627,
        0x624 => 0x648,
        0x626 | 0x649 | 0x6cc => 0x64a,
        0x629 | 0x6c0 | 0x6c1 | 0x6c2 | 0x6d5 => 0x647,
        0x6a9 => 0x643,
        0x6d3 => 0x6d2,
        _ => code,
    }
}
