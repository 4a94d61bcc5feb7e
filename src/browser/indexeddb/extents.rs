//! How a file is kept as extents: what a commit changes in the database. The TypeScript host (`src/ts/hosts/extents.ts`)
//! keeps the same ones, and `tests/web_indexeddb.rs` compares the two.

use crate::Result;
use crate::error::reserve;
use crate::sink::{check_cut, check_publish};

/// The most bytes of an extent.
pub const MAX_EXTENT: usize = 1 << 20;
/// A size in bytes. A larger extent is never rewritten. Smaller ones are merged, `FAN` of them into one.
pub const SMALL: usize = 32 << 10;
const FAN: usize = 16;

/// A small extent at the end of the file. `rank` is the number of times that it was merged.
struct Small {
    at: u64,
    bytes: Vec<u8>,
    rank: u32,
}

/// Bytes that overwrite committed ones. The greater the number, the later it was published.
#[derive(Clone)]
struct Patch {
    at: u64,
    bytes: Vec<u8>,
    number: u64,
}

/// The changes that one commit makes to the extents of a file.
pub struct Plan {
    /// All extents from this place on are removed.
    pub cut_at: Option<u64>,
    /// Bytes of older extents that are overwritten: where, and by what.
    pub patches: Vec<(u64, Vec<u8>)>,
    /// The extents that were merged: they begin at the first place, at the second, or between them.
    pub merged: Option<(u64, u64)>,
    /// The new extents: where each begins, and its length. [`Extents::copy`] has their bytes.
    pub puts: Vec<(u64, usize)>,
    /// The length of the file afterwards.
    pub length: u64,
    /// True if committed bytes are cut off or overwritten. Then a reader must begin again.
    pub changes_old: bool,
    patched: u64,
    kept: usize,
    added: Option<Small>,
}

/// A file that is kept as extents. Bytes that were appended since the last commit are in memory, and so are the last
/// small extents, which the next commit may merge. While a commit is under way, everything may still be changed.
pub struct Extents {
    /// The bytes that the database has, without those that were truncated.
    base: u64,
    stored: u64,
    size: u64,
    /// The bytes behind `base`, in pieces of at most `MAX_EXTENT`.
    pieces: Vec<Vec<u8>>,
    small: Vec<Small>,
    patches: Vec<Patch>,
    patched: u64,
    /// While a commit is under way: how many bytes of what it writes still belong to the file.
    under_way: Option<u64>,
}

impl Extents {
    pub fn new(length: u64) -> Self {
        Self {
            base: length,
            stored: length,
            size: length,
            pieces: Vec::new(),
            small: Vec::new(),
            patches: Vec::new(),
            patched: 0,
            under_way: None,
        }
    }

    /// Takes over the small extents that were found at the end of the file, in order.
    pub fn adopt(&mut self, found: Vec<(u64, Vec<u8>)>) {
        // Their ranks are not stored. A rank by size keeps them from being merged too often, or never.
        let rank = |bytes: &[u8]| u32::from(bytes.len() >= SMALL / FAN);
        self.small = found.into_iter().map(|(at, bytes)| Small { at, rank: rank(&bytes), bytes }).collect();
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The number of bytes that are read from the database.
    pub fn committed(&self) -> u64 {
        self.base
    }

    /// The number of bytes that wait for a commit.
    pub fn pending(&self) -> u64 {
        self.size - self.base
    }

    pub fn is_dirty(&self) -> bool {
        self.base < self.stored || self.size > self.base || !self.patches.is_empty()
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        // All memory is taken first, so that a failure leaves no part of the bytes behind.
        let room = self.pieces.last().map_or(0, |last| MAX_EXTENT - last.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        let mut new = Vec::new();
        reserve(&mut new, rest.len().div_ceil(MAX_EXTENT), "what waits for a commit")?;
        for chunk in rest.chunks(MAX_EXTENT) {
            let mut piece = Vec::new();
            reserve(&mut piece, chunk.len(), "what waits for a commit")?;
            piece.extend_from_slice(chunk);
            new.push(piece);
        }
        reserve(&mut self.pieces, new.len(), "what waits for a commit")?;
        if let Some(last) = self.pieces.last_mut() {
            reserve(last, first.len(), "what waits for a commit")?;
            last.extend_from_slice(first);
        }
        self.pieces.append(&mut new);
        self.size += bytes.len() as u64;
        Ok(())
    }

    pub fn publish(&mut self, at: u64, bytes: [u8; 4]) -> Result<()> {
        check_publish(at, self.size)?;
        // What a commit under way writes cannot be changed any more, so the next commit patches it.
        let old = self.under_way.unwrap_or(0).max(self.base).min(at + 4).saturating_sub(at) as usize;
        if old > 0 {
            self.patched += 1;
            self.patches.push(Patch { at, bytes: bytes[..old].to_vec(), number: self.patched });
        }
        for (place, byte) in (at..).zip(bytes) {
            if let Some(found) = place.checked_sub(self.base).and_then(|place| self.pending_byte(place)) {
                *found = byte;
            }
        }
        Ok(())
    }

    fn pending_byte(&mut self, mut place: u64) -> Option<&mut u8> {
        for piece in &mut self.pieces {
            if place < piece.len() as u64 {
                return piece.get_mut(place as usize);
            }
            place -= piece.len() as u64;
        }
        None
    }

    pub fn truncate(&mut self, size: u64) -> Result<()> {
        check_cut(size, self.size)?;
        if let Some(kept) = &mut self.under_way {
            *kept = (*kept).min(size);
        }
        self.patches.retain_mut(|patch| {
            patch.bytes.truncate(size.saturating_sub(patch.at).min(4) as usize);
            !patch.bytes.is_empty()
        });
        let mut left = size.saturating_sub(self.base);
        self.pieces.retain_mut(|piece| {
            piece.truncate(left.min(piece.len() as u64) as usize);
            left -= piece.len() as u64;
            !piece.is_empty()
        });
        self.base = self.base.min(size);
        self.size = size;
        Ok(())
    }

    /// Passes the bytes from `at` on to `each`, in slices. They lie in the small extents at the end, or wait for a
    /// commit.
    pub fn copy(&self, at: u64, len: usize, each: &mut dyn FnMut(&[u8])) {
        let end = at + len as u64;
        let mut pass = |begins: u64, bytes: &[u8]| {
            let from = at.saturating_sub(begins).min(bytes.len() as u64) as usize;
            let to = end.saturating_sub(begins).min(bytes.len() as u64) as usize;
            if from < to {
                each(&bytes[from..to]);
            }
        };
        for small in self.small.iter().filter(|small| small.at + small.bytes.len() as u64 <= self.base) {
            pass(small.at, &small.bytes);
        }
        let mut begins = self.base;
        for piece in &self.pieces {
            pass(begins, piece);
            begins += piece.len() as u64;
        }
    }

    /// Returns the bytes from `at` to `end` that the database has otherwise: each with its place, the latest one last.
    pub fn patches_in(&self, at: u64, end: u64) -> Vec<(u64, u8)> {
        let bytes = self.patches.iter().flat_map(|patch| (patch.at..).zip(patch.bytes.iter().copied()));
        bytes.filter(|(place, _)| (at..end).contains(place)).collect()
    }

    /// Returns the changes that a commit has to make now. Until [`done`](Self::done) or [`failed`](Self::failed) is
    /// called, the commit is under way.
    pub fn plan(&mut self) -> Result<Plan> {
        let base = self.base;
        let old = |patch: &Patch| (base.saturating_sub(patch.at)).min(patch.bytes.len() as u64) as usize;
        let patches = self.patches.iter().filter(|patch| old(patch) > 0);
        let patches: Vec<_> = patches.map(|patch| (patch.at, patch.bytes[..old(patch)].to_vec())).collect();
        // The rest of an extent that was cut is not in this list, and neighbours alone may be merged. An extent that is
        // patched is not known here any more.
        let whole = self.small.iter().take_while(|small| small.at + small.bytes.len() as u64 <= base).count();
        let ends_here = whole > 0 && self.small[whole - 1].at + self.small[whole - 1].bytes.len() as u64 == base;
        let usable = if ends_here && patches.is_empty() { whole } else { 0 };
        let mut plan = Plan {
            cut_at: (base < self.stored).then_some(base),
            changes_old: base < self.stored || !patches.is_empty(),
            patches,
            merged: None,
            puts: Vec::new(),
            length: self.size,
            patched: self.patched,
            kept: usable,
            added: None,
        };
        if self.pending() > 0 {
            self.plan_puts(&mut plan)?;
        }
        self.under_way = Some(self.size);
        Ok(plan)
    }

    fn plan_puts(&self, plan: &mut Plan) -> Result<()> {
        let (base, pending) = (self.base, self.pending());
        let count = pending.div_ceil(MAX_EXTENT as u64);
        let each = pending.div_ceil(count);
        reserve(&mut plan.puts, count as usize, "a commit")?;
        plan.puts.extend((0..count).map(|n| (base + n * each, each.min(pending - n * each) as usize)));
        if count > 1 || each > SMALL as u64 {
            plan.kept = 0;
            return Ok(());
        }
        // Merges `FAN` extents of a rank, or of lower ones, at the end into one of the next rank, as often as possible.
        let mut ends: Vec<(u64, usize, u32)> =
            self.small[..plan.kept].iter().map(|small| (small.at, small.bytes.len(), small.rank)).collect();
        ends.push((base, pending as usize, 0));
        for rank in 0.. {
            let first = ends.iter().rposition(|(_, _, other)| *other > rank).map_or(0, |before| before + 1);
            if ends.len() - first < FAN {
                break;
            }
            let (at, length) = (ends[first].0, ends[first..].iter().map(|(_, length, _)| length).sum());
            ends.truncate(first);
            ends.push((at, length, rank + 1));
            plan.merged = Some((at, base));
            plan.puts = vec![(at, length)];
            if length > SMALL {
                ends.clear();
                break;
            }
        }
        plan.kept = ends.len().saturating_sub(1);
        if let Some((at, length, rank)) = ends.pop() {
            let mut bytes = Vec::new();
            reserve(&mut bytes, length, "a commit")?;
            self.copy(at, length, &mut |slice| bytes.extend_from_slice(slice));
            plan.added = Some(Small { at, bytes, rank });
        }
        Ok(())
    }

    /// The database has the changes of the plan.
    pub fn done(&mut self, plan: Plan) {
        let kept = self.under_way.take().unwrap_or(plan.length);
        self.stored = plan.length;
        // Bytes that were cut off since the plan are in the database now, and the next commit removes them there.
        let mut written = kept.saturating_sub(self.base);
        self.pieces.retain_mut(|piece| {
            let part = written.min(piece.len() as u64);
            written -= part;
            piece.drain(..part as usize);
            !piece.is_empty()
        });
        self.base = kept;
        self.small.truncate(plan.kept);
        self.small.extend(plan.added);
        self.patches.retain(|patch| patch.number > plan.patched);
    }

    /// The database has none of the changes of the plan.
    pub fn failed(&mut self) {
        self.under_way = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What a database has of a file.
    #[derive(Clone, Default)]
    struct Stored(BTreeMap<u64, Vec<u8>>);

    impl Stored {
        /// Does what `put` does in a transaction.
        fn apply(&mut self, plan: &Plan, puts: Vec<(u64, Vec<u8>)>) {
            for (at, bytes) in &plan.patches {
                for (place, byte) in (*at..).zip(bytes) {
                    let (begins, old) = self.0.range_mut(..=place).next_back().unwrap();
                    old[(place - begins) as usize] = *byte;
                }
            }
            if let Some(cut) = plan.cut_at {
                self.0.retain(|at, _| *at < cut);
                if let Some((at, bytes)) = self.0.iter_mut().next_back() {
                    bytes.truncate((cut - at) as usize);
                }
            }
            if let Some((first, last)) = plan.merged {
                self.0.retain(|at, _| !(first..=last).contains(at));
            }
            self.0.extend(puts);
            assert_eq!(self.bytes().len() as u64, plan.length);
        }

        fn bytes(&self) -> Vec<u8> {
            let mut all = Vec::new();
            for (at, bytes) in &self.0 {
                assert_eq!(*at, all.len() as u64, "an extent begins where the one before ends");
                assert!((1..=MAX_EXTENT).contains(&bytes.len()));
                all.extend_from_slice(bytes);
            }
            all
        }

        fn read(&self, of: &Extents) -> Vec<u8> {
            let mut all = self.bytes();
            all.truncate(of.committed() as usize);
            for (place, byte) in of.patches_in(0, of.committed()) {
                all[place as usize] = byte;
            }
            of.copy(of.committed(), of.pending() as usize, &mut |slice| all.extend_from_slice(slice));
            all
        }
    }

    fn puts_of(of: &Extents, plan: &Plan) -> Vec<(u64, Vec<u8>)> {
        let bytes = |at, len| {
            let mut bytes = Vec::new();
            of.copy(at, len, &mut |slice| bytes.extend_from_slice(slice));
            assert_eq!(bytes.len(), len);
            bytes
        };
        plan.puts.iter().map(|(at, len)| (*at, bytes(*at, *len))).collect()
    }

    /// Writes, cuts and overwrites at every moment, also while a commit is under way, which may succeed or fail.
    #[test]
    fn the_bytes_are_right_at_every_moment() {
        let mut random = 7u32;
        let mut next = |below: u32| {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random % below
        };
        let (mut of, mut stored, mut model) = (Extents::new(0), Stored::default(), Vec::<u8>::new());
        let mut under_way = None;
        let mut merges = 0;
        for round in 0..20_000 {
            match next(12) {
                0..=4 => {
                    let size = if next(400) == 0 { 2_500_000 } else { next(600) };
                    let bytes: Vec<u8> = (0..size).map(|i| (i + round) as u8).collect();
                    of.append(&bytes).unwrap();
                    model.extend_from_slice(&bytes);
                }
                5 if next(4) == 0 => {
                    let to = model.len() - next(2000).min(model.len() as u32) as usize;
                    of.truncate(to as u64).unwrap();
                    model.truncate(to);
                    assert!(of.truncate(to as u64 + 1).is_err());
                }
                6 if next(10) == 0 && model.len() >= 4 => {
                    let back = next(3000).min(model.len() as u32 - 4) as usize;
                    let at = model.len() - 4 - back;
                    of.publish(at as u64, [round as u8; 4]).unwrap();
                    model[at..at + 4].copy_from_slice(&[round as u8; 4]);
                    assert!(of.publish(model.len() as u64 - 3, [0; 4]).is_err());
                }
                7..=9 if under_way.is_none() && of.is_dirty() => {
                    let plan = of.plan().unwrap();
                    merges += usize::from(plan.merged.is_some());
                    let puts = puts_of(&of, &plan);
                    under_way = Some((plan, puts));
                }
                10.. => match under_way.take() {
                    Some((plan, puts)) if next(5) > 0 => {
                        stored.apply(&plan, puts);
                        of.done(plan);
                    }
                    Some(_) => of.failed(),
                    None => {}
                },
                _ => {}
            }
            if round % 50 == 0 {
                assert!(stored.read(&of) == model, "round {round}");
                assert_eq!(of.size(), model.len() as u64);
            }
            if model.len() > 8_000_000 {
                of.truncate(10).unwrap();
                model.truncate(10);
            }
        }
        assert!(merges > 20, "{merges}");
    }
}
