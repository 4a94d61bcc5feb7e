//! Reads a log from its bytes alone: the operations that it holds, and where it ends.

use super::crc32::crc32;
use super::frame::{
    MAX_PAYLOAD, UNPUBLISHED, cut_whatever_follows, decodable_frame_in, frames_after_mark, unpublished,
    zeros_to_sector_end,
};
use super::log::LogMark;
use super::op::{Bad, Op};
use crate::error::{fail, reserve};
use crate::mutant::mutant;
use crate::{Code, Result, error};

/// The bytes that are kept of a tail that is cut off whatever it holds. What comes behind them is only counted.
const KEPT: usize = 1 << 20;

/// How a log ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// The number of good bytes.
    pub keep: u64,
    pub mark: LogMark,
    /// The number of bytes behind them, which must be cut off.
    pub cut_bytes: u64,
    /// The number of frames, complete or not, within the bytes to be cut off, or at least within their first MiB.
    pub cut_frames: u64,
}

/// Reads a log that is fed in pieces, from its bytes alone.
pub struct Replay {
    total: u64,
    /// The place in the log of `carry[0]`. All frames before it are good.
    mark: LogMark,
    /// A frame that is not complete yet. Once a frame is bad, everything from that frame on.
    carry: Vec<u8>,
    bad: bool,
    /// The number of bytes behind `carry` that were not looked at, because everything from its beginning on is cut off.
    skipped: u64,
}

enum Parsed<'a> {
    /// The operation, the bytes behind it, the frame's size and its checksum.
    Good(Op<'a>, &'a [u8], usize, u32),
    NeedMore,
    BadFrame,
}

impl Replay {
    pub fn new(total: u64) -> Self {
        Self { total, mark: LogMark::default(), carry: Vec::new(), bad: false, skipped: 0 }
    }

    /// Takes the next bytes. Calls `apply` for each operation that they complete, with the bytes behind it in its
    /// frame.
    pub fn feed(&mut self, bytes: &[u8], apply: &mut dyn FnMut(Op<'_>, &[u8]) -> Result<()>) -> Result<()> {
        let known = self.mark.len + self.carry.len() as u64 + self.skipped;
        if bytes.len() as u64 > self.total.saturating_sub(known) {
            fail!(StorageFailed, "the log was said to have {} bytes and has more", self.total);
        }
        if self.carry.is_empty() && !self.bad {
            let used = self.parse(bytes, apply)?;
            reserve(&mut self.carry, bytes.len() - used, "reading the log")?;
            self.carry.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        // A crash within a large import leaves a long tail of this kind, so not all of it is kept.
        if self.bad && self.carry.len() >= KEPT && cut_whatever_follows(&self.carry, self.mark.len) {
            self.skipped += bytes.len() as u64;
            return Ok(());
        }
        reserve(&mut self.carry, bytes.len(), "reading the log")?;
        self.carry.extend_from_slice(bytes);
        if !self.bad {
            let carry = std::mem::take(&mut self.carry);
            let used = self.parse(&carry, apply)?;
            self.carry = carry;
            self.carry.drain(..used);
        }
        Ok(())
    }

    fn parse(&mut self, bytes: &[u8], apply: &mut dyn FnMut(Op<'_>, &[u8]) -> Result<()>) -> Result<usize> {
        let mut at = 0;
        while !self.bad {
            match self.frame(&bytes[at..])? {
                Parsed::Good(op, behind, size, crc) => {
                    apply(op, behind)?;
                    at += size;
                    self.mark.note(size, crc);
                }
                Parsed::NeedMore => break,
                Parsed::BadFrame => self.bad = true,
            }
        }
        Ok(at)
    }

    fn frame<'a>(&self, bytes: &'a [u8]) -> Result<Parsed<'a>> {
        let Some(len) = bytes.first_chunk::<4>() else { return Ok(Parsed::NeedMore) };
        let marked = *len == UNPUBLISHED;
        let len = u32::from_le_bytes(*len) as u64;
        if len == 0 || marked || len + 8 > self.total - self.mark.len {
            return Ok(Parsed::BadFrame);
        }
        let Ok(size) = usize::try_from(len + 8) else { return Ok(Parsed::BadFrame) };
        let Some(frame) = bytes.get(..size) else { return Ok(Parsed::NeedMore) };
        let payload = &frame[4..size - 4];
        let crc = crc32(payload);
        if crc.to_le_bytes() != frame[size - 4..] {
            return Ok(Parsed::BadFrame);
        }
        match Op::decode(payload) {
            Ok((op, used)) => Ok(Parsed::Good(op, &payload[used..], size, crc)),
            Err(Bad::Unknown) => fail!(
                UnsupportedVersion,
                "the log has at offset {} what this version does not know, {}; nothing was changed",
                self.mark.len,
                Op::unknown(payload)
            ),
            Err(Bad::Malformed) => {
                fail!(
                    Corrupt,
                    "the log is damaged at offset {}: a frame with a right checksum is no operation",
                    self.mark.len
                )
            }
        }
    }

    /// Ends the reading. Returns how the log ends. Fails with `CORRUPT` if no crash can have left it so.
    pub fn finish(self) -> Result<LogEnd> {
        let tail = &self.carry;
        let cut_bytes = tail.len() as u64 + self.skipped;
        if self.mark.len + cut_bytes != self.total {
            fail!(StorageFailed, "the log was said to have {} bytes and has fewer", self.total);
        }
        let end = |cut_frames| Ok(LogEnd { keep: self.mark.len, mark: self.mark, cut_bytes, cut_frames });
        if tail.is_empty() {
            return end(0);
        }
        if self.mark.len == 0 && !begins_log(tail) {
            fail!(
                Corrupt,
                "the log has {} bytes, and they are not those of a nidus log; nothing was changed",
                self.total
            );
        }
        if zeros_to_sector_end(tail, self.mark.len) {
            return end(frames_after_mark(tail).saturating_sub(1));
        }
        if unpublished(tail, self.mark.len) {
            return end(frames_after_mark(tail));
        }
        mutant!(HalfWrittenEndIsDamage does { fail!(Corrupt, "a half-written end") });
        match decodable_frame_in(tail) {
            None => end(1),
            Some(at) => Err(error(
                Code::Corrupt,
                format!(
                    "the log is damaged at offset {}: what is there is no frame, yet a good one follows at \
                     offset {}; nothing was changed",
                    self.mark.len,
                    self.mark.len + at as u64
                ),
            )),
        }
    }
}

/// Returns whether a crash can have left these bytes of a log whose first frame is not good: bytes that were not
/// written are zeros or missing. Without this check, the file of another program would count as a half-written end, and
/// would be cut to nothing.
fn begins_log(tail: &[u8]) -> bool {
    let number = |from: usize| {
        let there = tail.get(from..).unwrap_or(&[]);
        (0..4).fold(0, |number, i| number | u32::from(there.get(i).copied().unwrap_or(0)) << (8 * i))
    };
    let (len, variant, name) = (number(0), number(4), number(8));
    let most = if tail.len() < 8 { 1 << 20 } else { MAX_PAYLOAD as u32 };
    (len <= most || unpublished(tail, 0)) && variant < 16 && name <= 1 << 20 && number(12) == 0
}
