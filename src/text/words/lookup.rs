//! Reads the packed tables of `tables.rs`.

use super::tables::{CHUNKS, LOWER, RANGES};

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
    let next = CHUNKS.partition_point(|&chunk| chunk >> 11 <= code);
    let Some(&chunk) = next.checked_sub(1).and_then(|chunk| CHUNKS.get(chunk)) else { return false };
    let end = CHUNKS.get(next).map_or(RANGES.len(), |&chunk| chunk as usize & 0x7ff);
    let (mut from, mut at) = (chunk >> 11, chunk as usize & 0x7ff);
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

/// Returns the lower case of a code point from U+0080 on, or the same code point.
pub(super) fn lower(code: u32) -> u32 {
    let next = LOWER.partition_point(|&run| (run & 0x1f_ffff) as u32 <= code);
    let Some(&run) = next.checked_sub(1).and_then(|run| LOWER.get(run)) else { return code };
    let (from, last, every_second) = ((run & 0x1f_ffff) as u32, (run >> 21 & 0x3ff) as u32, run >> 31 & 1 == 1);
    let beyond = code - from;
    if beyond > last || (every_second && beyond & 1 == 1) {
        return code;
    }
    // The upper half is how far the lower case is away, with its sign.
    code.wrapping_add((run >> 32) as u32)
}
