//! The frames of a log, `[len u32][payload][crc32 of the payload u32]`: how a frame is written, and how it is found
//! among damaged or half-written bytes.

use super::crc32::crc32;
use super::op::{Bad, Op};
use super::receipt::{LEN, Receipt};
use crate::Result;
use crate::error::{fail, reserve};
use crate::mutant::mutant;
use crate::sink::SECTOR;

/// The closed commit mark. It stands in place of the length of a run's first frame until the run is published. Native,
/// too, takes such a frame for a half-written end, and cuts it off.
pub const UNPUBLISHED: [u8; 4] = [0xFF; 4];

/// Longer payloads are refused, so that no real length looks like the beginning of [`UNPUBLISHED`].
pub(super) const MAX_PAYLOAD: usize = 1 << 30;

/// Appends one frame.
#[inline(never)]
pub fn put_frame(out: &mut Vec<u8>, op: &Op<'_>) -> Result<()> {
    let payload = op.encoded_len();
    if payload > MAX_PAYLOAD {
        fail!(InvalidArgument, "one operation takes {payload} bytes, more than {MAX_PAYLOAD}");
    }
    reserve(out, payload + 8, "a log frame")?;
    out.extend_from_slice(&(payload as u32).to_le_bytes());
    let start = out.len();
    op.encode(out);
    let crc = crc32(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    Ok(())
}

pub(super) fn cut_whatever_follows(tail: &[u8], offset: u64) -> bool {
    zeros_to_sector_end(tail, offset) || unpublished(tail, offset)
}

/// Returns whether zeros follow, to the end of the sector in which the length ends: the file grew into a sector that
/// was never written. (If that sector has other bytes behind a length of 0, there is another reason.)
pub(super) fn zeros_to_sector_end(tail: &[u8], offset: u64) -> bool {
    let len_end = offset + 4;
    let sector_end = len_end.div_ceil(SECTOR) * SECTOR;
    let there = usize::try_from(sector_end - offset).unwrap_or(usize::MAX).min(tail.len());
    tail[..there].iter().all(|byte| *byte == 0) && !mutant!(ZerosAreDamage)
}

/// Returns whether the bytes begin a run that was never published, or was published only in part. If the write of the
/// length ended early, its last byte is still `FF`, which no allowed length has. If its 4 bytes lie in two sectors,
/// perhaps only one of them was written.
pub(super) fn unpublished(tail: &[u8], offset: u64) -> bool {
    let mark = &tail[..tail.len().min(4)];
    let within = (SECTOR - offset % SECTOR) as usize;
    let (before, after) = mark.split_at(within.min(mark.len()));
    let all = |part: &[u8], byte: u8| !part.is_empty() && part.iter().all(|b| *b == byte);
    mutant!(MarkIsDamage does { return false });
    mutant!(StraddleIsDamage does { return within >= 4 && all(mark, 0xFF) });
    all(mark, 0xFF) || mark.get(3) == Some(&0xFF) || (within < 4 && (all(before, 0xFF) || all(after, 0xFF)))
}

/// Counts the frames of an unpublished run. The first one is found by its operation, because its length is missing, and
/// the others by their lengths.
pub(super) fn frames_after_mark(tail: &[u8]) -> u64 {
    let mut frames = 1;
    let Some((_, payload)) = tail.get(4..).and_then(unframed) else { return frames };
    let mut at = payload + 8;
    while let Some(rest) = tail.get(at..).filter(|rest| !rest.is_empty() && rest.iter().any(|byte| *byte != 0)) {
        frames += 1;
        match good_frame(rest, &mut { u64::MAX }) {
            Some(size) => at += size,
            None => break,
        }
    }
    frames
}

/// Returns the operation of a frame whose length is missing, and the bytes that it takes with its receipts.
#[inline(never)]
pub(super) fn unframed(payload: &[u8]) -> Option<(Op<'_>, usize)> {
    let (op, mut used) = Op::decode(payload).ok()?;
    while Receipt::decode(&payload[used..]).is_some() {
        used += LEN;
    }
    Some((op, used))
}

/// The operations of all versions have numbers below this. To check that first saves computing a checksum at every
/// offset.
const VARIANTS: u32 = 256;

/// Returns the size of the good frame at the beginning of `bytes`. A frame that only another version understands
/// counts, too. Subtracts the length of the payload from `budget`, which limits the work.
pub(super) fn good_frame(bytes: &[u8], budget: &mut u64) -> Option<usize> {
    let len = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
    let size = len.checked_add(8)?;
    let frame = bytes.get(..size)?;
    let payload = &frame[4..size - 4];
    if payload.first_chunk::<4>().is_none_or(|variant| u32::from_le_bytes(*variant) >= VARIANTS) {
        return None;
    }
    *budget = budget.saturating_sub(payload.len() as u64);
    if matches!(Op::decode(payload), Err(Bad::Malformed)) {
        return None;
    }
    (crc32(payload).to_le_bytes() == frame[size - 4..]).then_some(size)
}

/// Returns the offset of a good frame behind the first byte. Looks at every offset, because the length of a bad frame
/// does not tell where the next one begins. Bytes can be made so that this would take quadratic time. Then it gives up,
/// and returns an offset as if it had found a frame. The log then counts as damaged, and its bytes stay. As a
/// half-written end they would be cut off.
pub(super) fn decodable_frame_in(tail: &[u8]) -> Option<usize> {
    let mut budget = (1u64 << 28) + 16 * tail.len() as u64;
    (1..tail.len()).find(|at| good_frame(&tail[*at..], &mut budget).is_some() || budget == 0)
}
