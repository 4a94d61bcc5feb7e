//! Runs of log frames that become visible together.

use super::crc32::crc32;
use super::frame::{UNPUBLISHED, decodable_frame_in, put_frame};
use super::op::Op;
use super::receipt::Receipt;
use crate::Result;
use crate::error::reserve;
use crate::mutant::mutant;
use crate::sink::SECTOR;

/// A buffer that is larger is not kept for the next run.
const KEPT: usize = 1 << 20;

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
