//! The file `head` of a store in OPFS, which says which pair of files is current. It has two slots, each in a sector of
//! its own, so that a half-written slot leaves the other one whole. A slot is "NDSHEAD1", the generation as u64, and the
//! crc32 of those 16 bytes. Of the good slots the one with the higher generation counts.
//!
//! The bytes 32 to 47 of a sector are a random mark. A commit writes it into the sector that is not current, and a
//! promotion with the new slot. So a writer can tell whether the files are still the ones that it opened.

use crate::segment::crc32;

const SECTOR: usize = 512;
pub const HEAD_SIZE: usize = 2 * SECTOR;
const MARK_AT: usize = 32;
pub const MARK_SIZE: usize = 16;
/// A slot with the mark beside it.
const SLOT_SIZE: usize = MARK_AT + MARK_SIZE;
const MAGIC: &[u8; 8] = b"NDSHEAD1";

/// Returns where the slot of a generation is. Whether a generation is even or odd decides its slot and its pair of files.
pub fn slot_offset(generation: u64) -> u64 {
    generation % 2 * SECTOR as u64
}

/// Returns the place of the mark in the sector of a generation's slot.
pub fn mark_offset(generation: u64) -> u64 {
    slot_offset(generation) + MARK_AT as u64
}

/// Returns whether the head has this mark in one of its sectors.
pub fn has_mark(head: &[u8], mark: &[u8; MARK_SIZE]) -> bool {
    [0, SECTOR].iter().any(|at| head.get(at + MARK_AT..).is_some_and(|rest| rest.starts_with(mark)))
}

pub fn encode_slot(generation: u64, mark: &[u8; MARK_SIZE]) -> [u8; SLOT_SIZE] {
    let mut slot = [0; SLOT_SIZE];
    slot[MARK_AT..].copy_from_slice(mark);
    slot[..8].copy_from_slice(MAGIC);
    slot[8..16].copy_from_slice(&generation.to_le_bytes());
    let crc = crc32(&slot[..16]);
    slot[16..20].copy_from_slice(&crc.to_le_bytes());
    slot
}

/// Returns the current generation, or `None` if no slot is whole.
pub fn decode_head(head: &[u8]) -> Option<u64> {
    let slot = |at: usize| {
        let slot = head.get(at..at + 20)?;
        let generation = u64::from_le_bytes(*slot[8..].first_chunk()?);
        let whole = slot.starts_with(MAGIC) && *slot[16..].first_chunk()? == crc32(&slot[..16]).to_le_bytes();
        // Beyond 2^53 the TypeScript host cannot count.
        (whole && generation < 1 << 53 && slot_offset(generation) == at as u64).then_some(generation)
    };
    slot(0).max(slot(SECTOR))
}

/// Returns whether no slot is whole, and the bytes are not the beginning of a slot either.
pub fn is_foreign_head(head: &[u8]) -> bool {
    let begins_otherwise = |at: usize| {
        let start = head.get(at..).unwrap_or_default();
        start.iter().zip(MAGIC).any(|(byte, magic)| *byte != 0 && byte != magic)
    };
    decode_head(head).is_none() && [0, SECTOR].into_iter().any(begins_otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_whole_slot_counts() {
        let mut head = vec![0; HEAD_SIZE];
        assert_eq!(decode_head(&head), None);
        for generation in [0, 1, 2, 3, 0x1_0000_0001] {
            let at = slot_offset(generation) as usize;
            head[at..at + SLOT_SIZE].copy_from_slice(&encode_slot(generation, &[7; MARK_SIZE]));
            assert!(has_mark(&head, &[7; MARK_SIZE]) && !has_mark(&head, &[8; MARK_SIZE]));
            assert_eq!(decode_head(&head), Some(generation));
        }
        head[SECTOR + 9] ^= 1;
        assert_eq!(decode_head(&head), Some(2));
        assert_eq!(decode_head(&head[..519]), Some(2));
        head[17] ^= 1;
        assert_eq!(decode_head(&head), None);
        assert!(!is_foreign_head(&head));
    }

    #[test]
    fn a_slot_in_the_wrong_place_does_not_count() {
        let mut head = vec![0; HEAD_SIZE];
        head[..SLOT_SIZE].copy_from_slice(&encode_slot(3, &[0; MARK_SIZE]));
        assert_eq!(decode_head(&head), None);
        assert!(!is_foreign_head(&head));
        assert!(is_foreign_head(b"<html>"));
        assert!(!is_foreign_head(b"NDSH"));
        assert!(!is_foreign_head(b""));
        head[SECTOR..SECTOR + 4].copy_from_slice(b"text");
        assert!(is_foreign_head(&head));
    }
}
