//! Runs of log frames that are published together.

use super::crc32::crc32;
use super::frame::{UNPUBLISHED, decodable_frame_in, put_frame};
use super::op::Op;
use super::receipt::Receipt;
use crate::Result;
use crate::error::reserve;
use crate::mutant::mutant;
use crate::sink::SECTOR;

/// A buffer of more bytes than this is not kept for the next run.
const KEPT: usize = 1 << 20;

/// Frames that are published together.
#[derive(Debug, Default)]
pub struct Run {
    bytes: Vec<u8>,
    frames: usize,
    /// The place at which the last frame begins.
    last: usize,
    /// The bytes of memory for receipts that are taken along with every frame.
    pub room: usize,
    /// True if the last frame holds a value that native 0.3.0 does not know.
    newer_last: bool,
    newer: bool,
}

/// A mark that a run can be cut back to.
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

    /// Adds a frame if the last one has a newer value: the creation of `collection`, which exists, so that it changes
    /// nothing. Native 0.3.0 refuses a log in which a frame follows one with a newer value. At the very end it silently
    /// cuts off such a frame. So a run never ends with one.
    pub fn seal(&mut self, collection: &str) -> Result<()> {
        if self.newer_last { self.push(&Op::Create { collection }) } else { Ok(()) }
    }

    /// Puts receipts behind the operation that was pushed last. The frames of a run are published together, so any
    /// frame of a write can have its receipt.
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

    /// Returns whether the run needs no commit mark if it is written at `at`. That is so for one frame within one
    /// sector, because a disk writes a sector completely or not at all. A write that ends early may still leave a part
    /// of the frame. If that part has a good frame in it, for instance in a text, it looks like damage. So such a run
    /// needs a commit mark.
    pub fn atomic_at(&self, at: u64) -> bool {
        let one_sector = at / SECTOR == (at + self.bytes.len() as u64 - 1) / SECTOR;
        mutant!(ShortcutManyFrames does { return one_sector });
        mutant!(ShortcutAcrossSectors does { return self.frames == 1 });
        self.frames == 1 && one_sector && (mutant!(ShortcutFrameInside) || decodable_frame_in(&self.bytes).is_none())
    }

    /// Returns the first bytes of the run, which are the length of its first frame.
    pub fn first_len(&self) -> [u8; 4] {
        let mut len = [0; 4];
        len.copy_from_slice(&self.bytes[..4]);
        len
    }

    /// Puts the commit mark in place of the first length, and returns the bytes to be written.
    pub fn marked(&mut self) -> &[u8] {
        self.bytes[..4].copy_from_slice(&UNPUBLISHED);
        &self.bytes
    }

    /// Puts the first length in place of the commit mark.
    pub fn unmark(&mut self, len: [u8; 4]) {
        self.bytes[..4].copy_from_slice(&len);
    }
}
