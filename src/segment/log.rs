//! The log's frames, `[len u32][payload][crc32 of the payload u32]`, how runs of them are published, and how a log is replayed.

use super::crc32::crc32;
use super::op::{Bad, Op};
use super::receipt::{LEN, Receipt};
use crate::error::{fail, reserve};
use crate::mutant::mutant;
use crate::sink::SECTOR;
use crate::{Code, Result, error};

/// The `len` of the first frame of a run that is not published. Native, too, takes such a frame for a torn tail and cuts it.
pub const UNPUBLISHED: [u8; 4] = [0xFF; 4];

/// Longer payloads are refused, so that no real length begins to look like [`UNPUBLISHED`].
const MAX_PAYLOAD: usize = 1 << 30;

/// Bytes that a buffer keeps for the next time, and of a tail that is cut whatever is in it.
const KEPT: usize = 1 << 20;

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

/// Frames that become visible together.
#[derive(Debug, Default)]
pub struct Run {
    bytes: Vec<u8>,
    frames: usize,
    /// Where the last frame that was pushed begins.
    last: usize,
    /// Memory that is taken along with every frame, for receipts.
    pub room: usize,
    /// The last frame holds a value that native 0.3.0 does not know.
    newer_last: bool,
    newer: bool,
}

/// A mark to take a run back to.
#[derive(Clone, Copy)]
pub struct RunMark(usize, usize, bool, bool);

impl Run {
    pub fn push(&mut self, op: &Op<'_>) -> Result<()> {
        reserve(&mut self.bytes, op.encoded_len() + 8 + self.room, "a log frame")?;
        self.last = self.bytes.len();
        put_frame(&mut self.bytes, op)?;
        self.frames += 1;
        self.newer_last = op.newer();
        self.newer |= self.newer_last;
        Ok(())
    }

    /// Native 0.3.0 refuses a log in which a frame follows one with a newer value, but silently cuts such a frame at the very end.
    /// So a run never ends with one: the creation of a collection that exists follows, which changes nothing.
    pub fn seal(&mut self, collection: &str) -> Result<()> {
        if self.newer_last { self.push(&Op::Create { collection }) } else { Ok(()) }
    }

    /// Puts receipts behind the operation pushed last. The run becomes visible as one, so any frame of a write tells of all of it.
    #[inline(never)]
    pub fn add_receipts(&mut self, receipts: &[&[Receipt]]) {
        self.bytes.truncate(self.bytes.len() - 4);
        receipts.iter().for_each(|some| some.iter().for_each(|receipt| receipt.encode(&mut self.bytes)));
        let payload = self.last + 4;
        let len = (self.bytes.len() - payload) as u32;
        self.bytes[self.last..payload].copy_from_slice(&len.to_le_bytes());
        let crc = crc32(&self.bytes[payload..]);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn frames(&self) -> usize {
        self.frames
    }

    pub fn ends_newer(&self) -> bool {
        self.newer_last
    }

    pub fn newer(&self) -> bool {
        self.newer
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn mark(&self) -> RunMark {
        RunMark(self.bytes.len(), self.frames, self.newer_last, self.newer)
    }

    pub fn back_to(&mut self, mark: RunMark) {
        self.bytes.truncate(mark.0);
        (self.frames, self.newer_last, self.newer) = (mark.1, mark.2, mark.3);
    }

    pub fn clear(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        // The buffer is used again; that of a large import would be missed elsewhere. (Not shrunk, which may take memory.)
        *self = if bytes.capacity() > KEPT { Self::default() } else { Self { bytes, ..Self::default() } };
    }

    pub fn append(&mut self, later: &Run) -> Result<()> {
        reserve(&mut self.bytes, later.bytes.len(), "log frames held back")?;
        self.bytes.extend_from_slice(&later.bytes);
        self.frames += later.frames;
        self.newer_last = later.newer_last;
        self.newer |= later.newer;
        Ok(())
    }

    /// Takes back what was appended last.
    pub fn take_back(&mut self, last: &Run) {
        self.bytes.truncate(self.bytes.len() - last.bytes.len());
        self.frames -= last.frames;
    }

    /// Whether the run, written at `at`, lands whole or not at all without a gate: one frame inside one sector. Of a write that ended
    /// early a part may be there; were a good frame inside that (a text may hold anything), it would look like damage.
    pub fn atomic_at(&self, at: u64) -> bool {
        let one_sector = at / SECTOR == (at + self.bytes.len() as u64 - 1) / SECTOR;
        mutant!(ShortcutManyFrames does { return one_sector });
        mutant!(ShortcutAcrossSectors does { return self.frames == 1 });
        self.frames == 1 && one_sector && (mutant!(ShortcutFrameInside) || decodable_frame_in(&self.bytes).is_none())
    }

    /// The run's first bytes: its first frame's length.
    pub fn first_len(&self) -> [u8; 4] {
        let mut len = [0; 4];
        len.copy_from_slice(&self.bytes[..4]);
        len
    }

    /// Closes the gate in the bytes to be written; `first_len` opens it.
    pub fn gated(&mut self) -> &[u8] {
        self.bytes[..4].copy_from_slice(&UNPUBLISHED);
        &self.bytes
    }

    pub fn ungate(&mut self, len: [u8; 4]) {
        self.bytes[..4].copy_from_slice(&len);
    }
}

/// How a log ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// Bytes that are good.
    pub keep: u64,
    /// Bytes behind them, to be cut.
    pub cut_bytes: u64,
    /// Frames, whole or begun, in the bytes to be cut; in their first MiB at least.
    pub cut_frames: u64,
}

/// Reads a log as it is fed in pieces, from the bytes alone.
pub struct Replay {
    total: u64,
    /// Offset in the log of `carry[0]`: all frames before it are good.
    offset: u64,
    /// A frame that is not complete yet; or, once a frame is bad, everything from it on.
    carry: Vec<u8>,
    bad: bool,
    /// Bytes behind `carry` that were not looked at, since all is cut from its beginning on.
    skipped: u64,
}

enum Parsed<'a> {
    /// The operation, what lies behind it, and the frame's size.
    Good(Op<'a>, &'a [u8], usize),
    NeedMore,
    BadFrame,
}

impl Replay {
    pub fn new(total: u64) -> Self {
        Self { total, offset: 0, carry: Vec::new(), bad: false, skipped: 0 }
    }

    /// Takes the next bytes and hands each operation that they complete to `apply`, with what lies behind it in its frame.
    pub fn feed(&mut self, bytes: &[u8], apply: &mut dyn FnMut(Op<'_>, &[u8]) -> Result<()>) -> Result<()> {
        let known = self.offset + self.carry.len() as u64 + self.skipped;
        if bytes.len() as u64 > self.total.saturating_sub(known) {
            fail!(StorageFailed, "the log was said to have {} bytes and has more", self.total);
        }
        if self.carry.is_empty() && !self.bad {
            let used = self.parse(bytes, apply)?;
            reserve(&mut self.carry, bytes.len() - used, "reading the log")?;
            self.carry.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        // A crash within a large import leaves much of it.
        if self.bad && self.carry.len() >= KEPT && cut_whatever_follows(&self.carry, self.offset) {
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
                Parsed::Good(op, behind, size) => {
                    apply(op, behind)?;
                    at += size;
                    self.offset += size as u64;
                }
                Parsed::NeedMore => break,
                Parsed::BadFrame => self.bad = true,
            }
        }
        Ok(at)
    }

    fn frame<'a>(&self, bytes: &'a [u8]) -> Result<Parsed<'a>> {
        let Some(len) = bytes.first_chunk::<4>() else { return Ok(Parsed::NeedMore) };
        let gate = *len == UNPUBLISHED;
        let len = u32::from_le_bytes(*len) as u64;
        if len == 0 || gate || len + 8 > self.total - self.offset {
            return Ok(Parsed::BadFrame);
        }
        let Ok(size) = usize::try_from(len + 8) else { return Ok(Parsed::BadFrame) };
        let Some(frame) = bytes.get(..size) else { return Ok(Parsed::NeedMore) };
        let payload = &frame[4..size - 4];
        if crc32(payload).to_le_bytes() != frame[size - 4..] {
            return Ok(Parsed::BadFrame);
        }
        match Op::decode(payload) {
            Ok((op, used)) => Ok(Parsed::Good(op, &payload[used..], size)),
            Err(Bad::Unknown) => fail!(
                UnsupportedVersion,
                "the log has at offset {} what this version does not know, {}; nothing was changed",
                self.offset,
                Op::unknown(payload)
            ),
            Err(Bad::Malformed) => {
                fail!(Corrupt, "the log is damaged at offset {}: a frame with a right checksum is no operation", self.offset)
            }
        }
    }

    /// The end was reached: what is good, what is to be cut, or `CORRUPT`.
    pub fn finish(self) -> Result<LogEnd> {
        let tail = &self.carry;
        let cut_bytes = tail.len() as u64 + self.skipped;
        if self.offset + cut_bytes != self.total {
            fail!(StorageFailed, "the log was said to have {} bytes and has fewer", self.total);
        }
        let end = |cut_frames| Ok(LogEnd { keep: self.offset, cut_bytes, cut_frames });
        if tail.is_empty() {
            return end(0);
        }
        if self.offset == 0 && !begins_log(tail) {
            fail!(Corrupt, "the log has {} bytes, and they are not those of a nidus log; nothing was changed", self.total);
        }
        if zeros_to_sector_end(tail, self.offset) {
            return end(frames_after_gate(tail).saturating_sub(1));
        }
        if unpublished(tail, self.offset) {
            return end(frames_after_gate(tail));
        }
        mutant!(TornTailIsDamage does { fail!(Corrupt, "a torn tail") });
        match decodable_frame_in(tail) {
            None => end(1),
            Some(at) => Err(error(
                Code::Corrupt,
                format!(
                    "the log is damaged at offset {}: what is there is no frame, yet a good one follows at offset {}; nothing was changed",
                    self.offset,
                    self.offset + at as u64
                ),
            )),
        }
    }
}

/// Whether a log can begin so although its first frame is not good: what was not written is zeros, or not there. Another program's file
/// would be cut to nothing as a torn end.
fn begins_log(tail: &[u8]) -> bool {
    let number = |from: usize| {
        let there = tail.get(from..).unwrap_or(&[]);
        (0..4).fold(0, |number, i| number | u32::from(there.get(i).copied().unwrap_or(0)) << (8 * i))
    };
    let (len, variant, name) = (number(0), number(4), number(8));
    let most = if tail.len() < 8 { 1 << 20 } else { MAX_PAYLOAD as u32 };
    (len <= most || unpublished(tail, 0)) && variant < 16 && name <= 1 << 20 && number(12) == 0
}

pub(super) fn cut_whatever_follows(tail: &[u8], offset: u64) -> bool {
    zeros_to_sector_end(tail, offset) || unpublished(tail, offset)
}

/// A file that grew, into a sector that was never written. (A `len` of 0 with other bytes behind it in the same sector is no such thing.)
fn zeros_to_sector_end(tail: &[u8], offset: u64) -> bool {
    let len_end = offset + 4;
    let sector_end = len_end.div_ceil(SECTOR) * SECTOR;
    let there = usize::try_from(sector_end - offset).unwrap_or(usize::MAX).min(tail.len());
    tail[..there].iter().all(|byte| *byte == 0) && !mutant!(ZerosAreDamage)
}

/// A run whose gate was never opened, or opened by half: its last byte is still shut (no length that is allowed has it so; a write can
/// end early), or the 4 bytes lie across two sectors, of which only one was written.
fn unpublished(tail: &[u8], offset: u64) -> bool {
    let gate = &tail[..tail.len().min(4)];
    let within = (SECTOR - offset % SECTOR) as usize;
    let (before, after) = gate.split_at(within.min(gate.len()));
    let all = |part: &[u8], byte: u8| !part.is_empty() && part.iter().all(|b| *b == byte);
    mutant!(GateIsDamage does { return false });
    mutant!(StraddleIsDamage does { return within >= 4 && all(gate, 0xFF) });
    all(gate, 0xFF) || gate.get(3) == Some(&0xFF) || (within < 4 && (all(before, 0xFF) || all(after, 0xFF)))
}

/// How many frames an unpublished run has: the first by its operation, as its length is not there, the others by theirs.
pub(super) fn frames_after_gate(tail: &[u8]) -> u64 {
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

/// The operation of a frame whose length is not there, and its bytes with those of its receipts.
#[inline(never)]
pub(super) fn unframed(payload: &[u8]) -> Option<(Op<'_>, usize)> {
    let (op, mut used) = Op::decode(payload).ok()?;
    while Receipt::decode(&payload[used..]).is_some() {
        used += LEN;
    }
    Some((op, used))
}

/// Operations of other versions have numbers below this; it is here so that not every offset has its checksum taken.
const VARIANTS: u32 = 256;

/// The size of the good frame at the beginning of `bytes`, one that only another version understands included. What it costs is taken
/// from `budget`.
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

/// Where a good frame lies behind the first byte, at any offset: a bad frame's length says nothing about where the next one begins.
/// On bytes made to cost quadratic time it gives up, as if it had found one: damage leaves the bytes alone, a torn tail does not.
fn decodable_frame_in(tail: &[u8]) -> Option<usize> {
    let mut budget = (1u64 << 28) + 16 * tail.len() as u64;
    (1..tail.len()).find(|at| good_frame(&tail[*at..], &mut budget).is_some() || budget == 0)
}
