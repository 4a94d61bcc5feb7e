//! Runs of log frames that become visible together.

use super::crc32::crc32;
use super::frame::{UNPUBLISHED, decodable_frame_in, put_frame};
use super::op::Op;
use super::receipt::Receipt;
use crate::Result;
use crate::error::reserve;
use crate::mutant::mutant;
use crate::sink::SECTOR;

/// A larger buffer is not kept for the next run.
const KEPT: usize = 1 << 20;

/// Frames that become visible together.
#[derive(Debug, Default)]
pub struct Run {
    bytes: Vec<u8>,
    frames: usize,
    /// The place at which the last frame begins.
    last: usize,
    /// Memory for receipts, which is taken along with every frame.
    pub room: usize,
    /// True if the last frame holds a value that native 0.3.0 does not know.
    newer_last: bool,
    newer: bool,
}

/// A mark to return a run to.
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

    /// Native 0.3.0 refuses a log in which a frame follows one with a newer value. At the very end it silently cuts off
    /// such a frame. So a run never ends with one: the creation of a collection that exists follows, which changes
    /// nothing.
    pub fn seal(&mut self, collection: &str) -> Result<()> {
        if self.newer_last { self.push(&Op::Create { collection }) } else { Ok(()) }
    }

    /// Puts receipts behind the operation that was pushed last. The run becomes visible as a whole, so any frame of a
    /// write can have its receipt.
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
        // The buffer is used again, unless a large import made it so large that its memory is needed elsewhere. It is
        // not shrunk, because shrinking may take memory.
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

    /// Removes the run that was appended last.
    pub fn take_back(&mut self, last: &Run) {
        self.bytes.truncate(self.bytes.len() - last.bytes.len());
        self.frames -= last.frames;
    }

    /// Returns whether the run, written at `at`, is there completely or not at all without a gate: it is one frame
    /// inside one sector. If the write ends early, a part of it may be there. A good frame within that part (a text may
    /// hold anything) would look like damage, so such a run needs a gate.
    pub fn atomic_at(&self, at: u64) -> bool {
        let one_sector = at / SECTOR == (at + self.bytes.len() as u64 - 1) / SECTOR;
        mutant!(ShortcutManyFrames does { return one_sector });
        mutant!(ShortcutAcrossSectors does { return self.frames == 1 });
        self.frames == 1 && one_sector && (mutant!(ShortcutFrameInside) || decodable_frame_in(&self.bytes).is_none())
    }

    /// The first bytes of the run, which are the length of its first frame.
    pub fn first_len(&self) -> [u8; 4] {
        let mut len = [0; 4];
        len.copy_from_slice(&self.bytes[..4]);
        len
    }

    /// Closes the gate in the bytes to be written. `first_len` opens it.
    pub fn gated(&mut self) -> &[u8] {
        self.bytes[..4].copy_from_slice(&UNPUBLISHED);
        &self.bytes
    }

    pub fn ungate(&mut self, len: [u8; 4]) {
        self.bytes[..4].copy_from_slice(&len);
    }
}
