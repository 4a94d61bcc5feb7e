//! Reads the packed tables of `tables.rs`.

use super::tables::{RANGES, SECTIONS};

/// Reads one number of one to three bytes, seven bits in each. The high bit says that another byte follows.
fn number(at: &mut usize) -> Option<u32> {
    let mut value = 0;
    for shift in [0, 7, 14] {
        let byte = u32::from(*RANGES.get(*at)?);
        *at += 1;
        value |= (byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    Some(value)
}

/// Returns whether a code point from U+0080 on belongs to words: letters, numbers and marks of Unicode 17. A code point
/// that is not assigned there counts as the assigned one before it.
pub(super) fn is_word(code: u32) -> bool {
    let next = SECTIONS.partition_point(|&section| section >> 11 <= code);
    let Some(&section) = next.checked_sub(1).and_then(|section| SECTIONS.get(section)) else { return false };
    let end = SECTIONS.get(next).map_or(RANGES.len(), |&section| section as usize & 0x7ff);
    let (mut from, mut at) = (section >> 11, section as usize & 0x7ff);
    // Lengths alternate: code points of words, then others.
    let mut word = true;
    while at < end {
        let Some(length) = number(&mut at) else { return false };
        from += length;
        if code < from {
            return word;
        }
        word = !word;
    }
    false
}
