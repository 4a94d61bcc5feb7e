//! Reads a damaged log: its good frames in order, without the damaged ones.

use super::crc32::crc32;
use super::frame::{UNPUBLISHED, cut_whatever_follows, frames_after_mark, good_frame, unframed};
use super::op::{Bad, Op};
use crate::Result;
use crate::error::{fail, reserve};

/// The number of places of damage that are reported. Further ones are only counted.
const PLACES: usize = 64;

/// Counts of what was read of a log, and of what could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogDamage {
    /// The number of frames whose operations were taken.
    pub frames: u64,
    /// The number of frames that were skipped: damaged ones, as far as they can be told apart, and those that are
    /// unknown or not published.
    pub skipped: u64,
    /// The number of bytes from which nothing could be taken.
    pub bytes: u64,
    /// The number of damaged places.
    pub damages: u64,
    /// The offset and the length of the first of these places.
    pub places: Vec<[u64; 2]>,
    /// The number of complete frames with an operation or a value of another version. They are no damage.
    pub foreign: u64,
    /// The offset and the length of the first of these frames.
    pub foreign_places: Vec<[u64; 2]>,
}

/// Reads a log in pieces, from its bytes alone. From the first damage on, everything is kept until the end is known.
pub struct Rescue {
    total: u64,
    /// The offset in the log of `carry[0]`.
    offset: u64,
    carry: Vec<u8>,
    bad: bool,
    found: LogDamage,
}

impl Rescue {
    pub fn new(total: u64) -> Self {
        Self { total, offset: 0, carry: Vec::new(), bad: false, found: LogDamage::default() }
    }

    pub fn feed(&mut self, bytes: &[u8], apply: &mut dyn FnMut(Op<'_>) -> Result<()>) -> Result<()> {
        reserve(&mut self.carry, bytes.len(), "reading the log")?;
        self.carry.extend_from_slice(bytes);
        if self.offset + self.carry.len() as u64 > self.total {
            fail!(StorageFailed, "the log was said to have {} bytes and has more", self.total);
        }
        if self.bad { Ok(()) } else { self.read(false, apply) }
    }

    pub fn finish(mut self, apply: &mut dyn FnMut(Op<'_>) -> Result<()>) -> Result<LogDamage> {
        if self.offset + self.carry.len() as u64 != self.total {
            fail!(StorageFailed, "the log was said to have {} bytes and has fewer", self.total);
        }
        self.read(true, apply)?;
        Ok(self.found)
    }

    /// Takes frames from `carry`. If `carry` does not reach the end of the log, it stops at the first frame that is not
    /// good or not complete.
    fn read(&mut self, to_end: bool, apply: &mut dyn FnMut(Op<'_>) -> Result<()>) -> Result<()> {
        let bytes = std::mem::take(&mut self.carry);
        let mut budget = (1u64 << 28) + 16 * bytes.len() as u64;
        let start = self.offset;
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            self.offset = start + at as u64;
            match whole(rest) {
                Some(size) => {
                    match Op::decode(&rest[4..size - 4]) {
                        Ok((op, _)) => {
                            apply(op)?;
                            self.found.frames += 1;
                        }
                        Err(Bad::Unknown) => {
                            let found = &mut self.found;
                            found.skipped += 1;
                            found.bytes += size as u64;
                            found.foreign += 1;
                            if found.foreign_places.len() < PLACES {
                                found.foreign_places.push([self.offset, size as u64]);
                            }
                        }
                        Err(Bad::Malformed) => self.lost(size, 1),
                    }
                    at += size;
                }
                None if to_end => at += self.pass(rest, &mut budget, apply)?,
                None => {
                    let len = rest.first_chunk::<4>().map(|len| u32::from_le_bytes(*len) as u64);
                    let incomplete =
                        len.is_none_or(|len| len + 8 > rest.len() as u64 && len + 8 <= self.total - self.offset);
                    self.bad = !incomplete;
                    break;
                }
            }
        }
        self.offset = start + at as u64;
        self.carry = bytes;
        self.carry.drain(..at);
        Ok(())
    }

    /// Passes a frame that is not good, and returns how many bytes to go on. The frame is at the beginning of `rest`,
    /// which reaches the end of the log. If only the frame's length is damaged, its operation is applied.
    fn pass(&mut self, rest: &[u8], budget: &mut u64, apply: &mut dyn FnMut(Op<'_>) -> Result<()>) -> Result<usize> {
        // Every opening cuts this off. What follows was never acknowledged.
        if cut_whatever_follows(rest, self.offset) {
            self.found.skipped += frames_after_mark(rest);
            self.found.bytes += rest.len() as u64;
            return Ok(rest.len());
        }
        // Only the length is damaged.
        if let Some((op, size)) = behind_length(rest) {
            apply(op)?;
            self.found.frames += 1;
            self.place(4);
            return Ok(size);
        }
        // Only this frame is skipped. If bytes within it look like a frame, they belong to a value.
        let size =
            rest.first_chunk::<4>().map_or(usize::MAX, |len| (u32::from_le_bytes(*len) as usize).saturating_add(8));
        let fits = rest.get(size..).is_some_and(|next| {
            next.is_empty()
                || cut_whatever_follows(next, self.offset + size as u64)
                || good_frame(next, budget).is_some()
        });
        let next = if fits {
            size
        } else {
            let begins = |at: &usize| {
                let next = &rest[*at..];
                *budget == 0
                    || good_frame(next, budget).is_some()
                    || (next.starts_with(&UNPUBLISHED) && behind_length(next).is_some())
            };
            (1..rest.len()).find(begins).filter(|_| *budget > 0).unwrap_or(rest.len())
        };
        self.lost(next, 1);
        Ok(next)
    }

    fn lost(&mut self, bytes: usize, frames: u64) {
        self.found.skipped += frames;
        self.found.bytes += bytes as u64;
        self.place(bytes);
    }

    fn place(&mut self, bytes: usize) {
        self.found.damages += 1;
        if self.found.places.len() < PLACES {
            self.found.places.push([self.offset, bytes as u64]);
        }
    }
}

/// Returns the size of the frame at the beginning of `bytes`, if it is complete and its checksum is right.
fn whole(bytes: &[u8]) -> Option<usize> {
    let size = (u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize).checked_add(8)?;
    let frame = bytes.get(..size).filter(|_| size > 8)?;
    (crc32(&frame[4..size - 4]).to_le_bytes() == frame[size - 4..]).then_some(size)
}

/// Returns the operation of a frame whose length may be wrong, and the frame's size, if the right checksum follows the
/// operation.
fn behind_length(bytes: &[u8]) -> Option<(Op<'_>, usize)> {
    let (op, payload) = unframed(bytes.get(4..)?)?;
    let crc = bytes.get(4 + payload..)?.first_chunk::<4>()?;
    (crc32(&bytes[4..4 + payload]).to_le_bytes() == *crc).then_some((op, payload + 8))
}
