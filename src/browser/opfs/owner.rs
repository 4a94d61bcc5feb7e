//! To whom a file belongs, judged by its first bytes. This is checked before anything is made, cut or replaced. The rules
//! are those of the TypeScript package (`src/ts/format/ownership.ts`).

use crate::segment::{HEADER_LEN, crc32};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Nothing,
    /// Zeros, or the beginning of bytes that a store would write. An interrupted write leaves such a file, but the file
    /// may as well belong to another program.
    Begun,
    Ours,
    Foreign,
}

#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub size: u64,
    pub look: Look,
}

pub const NOTHING: Seen = Seen { size: 0, look: Look::Nothing };

/// "NIDUS", zero.
const MAGIC: &[u8; 6] = b"NIDUS\0";
/// The most bytes of a first frame whose checksum is checked.
const MOST: u64 = 1 << 20;

/// Judges a data file. `head` has at least its first 64 bytes, or all of it if it is shorter.
pub fn look_at_data(head: &[u8], size: u64) -> Seen {
    let start = &head[..head.len().min(HEADER_LEN as usize)];
    let look = if size == 0 {
        Look::Nothing
    } else if start.iter().zip(MAGIC).all(|(byte, magic)| byte == magic) {
        if size < HEADER_LEN { Look::Begun } else { Look::Ours }
    } else if start.iter().all(|byte| *byte == 0) {
        Look::Begun
    } else {
        Look::Foreign
    };
    Seen { size, look }
}

fn number_at(bytes: &[u8], at: usize) -> u64 {
    (0..4).map(|n| u64::from(bytes.get(at + n).copied().unwrap_or(0)) << (8 * n)).sum()
}

/// Judges a log by its first bytes.
pub fn look_at_log(head: &[u8], size: u64) -> Seen {
    let (length, variant, name) = (number_at(head, 0), number_at(head, 4), number_at(head, 8));
    let end = 4 + length;
    let whole = length >= 4
        && end + 4 <= head.len() as u64
        && u64::from(crc32(&head[4..end as usize])) == number_at(head, end as usize);
    // The core cuts an end that looks like this and is no whole frame. It reports anything else as damage.
    let length_begun = length <= if size < 8 { MOST } else { 1 << 30 }
        || head.get(3) == Some(&255)
        || head.iter().take(4).all(|byte| *byte == 255);
    let begun = length_begun && variant < 16 && name <= MOST && number_at(head, 12) == 0;
    let look = match (size, whole, begun) {
        (0, ..) => Look::Nothing,
        (_, true, _) => Look::Ours,
        (_, _, true) => Look::Begun,
        _ => Look::Foreign,
    };
    Seen { size, look }
}

/// Returns which of the two files belongs to another program, if one does. A file that is ours shows that a begun file
/// beside it is ours, too. If neither is ours, only a data file that is no longer than a header can be an unfinished
/// creation.
pub fn foreign_of(data: Seen, log: Seen) -> Option<&'static str> {
    if data.look == Look::Foreign {
        Some("data")
    } else if log.look == Look::Foreign {
        Some("log")
    } else if data.look == Look::Ours || log.look == Look::Ours {
        None
    } else if log.look == Look::Begun {
        Some("log")
    } else {
        (data.size > HEADER_LEN).then_some("data")
    }
}

/// Returns which file is missing, if the other one shows that it was there. A data file with a header and no rows does
/// not show that: it is a creation that was not finished.
pub fn missing_of(data: Option<Seen>, log: Option<Seen>) -> Option<&'static str> {
    match (data, log) {
        (Some(data), None) if data.size > HEADER_LEN => Some("log"),
        (None, Some(log)) if log.size > 0 => Some("data"),
        _ => None,
    }
}

/// Turns any name of a store into one path segment. Different names give different segments.
pub fn encode_name(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            out.push(byte as char);
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        let mut header = vec![0; 64];
        header[..6].copy_from_slice(MAGIC);
        assert_eq!(look_at_data(&header, 64).look, Look::Ours);
        assert_eq!(look_at_data(&header[..40], 40).look, Look::Begun);
        assert_eq!(look_at_data(&[0; 64], 9000).look, Look::Begun);
        assert_eq!(look_at_data(b"PK\x03\x04", 4).look, Look::Foreign);
        assert_eq!(look_at_data(b"", 0).look, Look::Nothing);

        let mut frame = vec![12, 0, 0, 0];
        frame.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend_from_slice(&crc32(&frame[4..16]).to_le_bytes());
        assert_eq!(look_at_log(&frame, 20).look, Look::Ours);
        frame[17] ^= 1;
        assert_eq!(look_at_log(&frame, 20).look, Look::Begun);
        assert_eq!(look_at_log(&[255; 4], 4).look, Look::Begun);
        assert_eq!(look_at_log(b"a text of another program", 25).look, Look::Foreign);
    }

    #[test]
    fn a_pair_is_judged_together() {
        let seen = |look, size| Seen { look, size };
        assert_eq!(foreign_of(seen(Look::Ours, 64), seen(Look::Begun, 9)), None);
        assert_eq!(foreign_of(seen(Look::Begun, 64), NOTHING), None);
        assert_eq!(foreign_of(seen(Look::Begun, 65), NOTHING), Some("data"));
        assert_eq!(foreign_of(NOTHING, seen(Look::Begun, 9)), Some("log"));
        assert_eq!(foreign_of(seen(Look::Ours, 64), seen(Look::Foreign, 9)), Some("log"));
        assert_eq!(missing_of(Some(seen(Look::Ours, 64)), None), None);
        assert_eq!(missing_of(Some(seen(Look::Ours, 68)), None), Some("log"));
        assert_eq!(missing_of(None, Some(seen(Look::Ours, 9))), Some("data"));
        assert_eq!(missing_of(None, None), None);
    }

    #[test]
    fn names_become_one_segment() {
        assert_eq!(encode_name("notes-1_a"), "notes-1_a");
        assert_eq!(encode_name("../a b"), "%2E%2E%2Fa%20b");
        assert_eq!(encode_name("ü~*'()!"), "%C3%BC%7E%2A%27%28%29%21");
    }
}
