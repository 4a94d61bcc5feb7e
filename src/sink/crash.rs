//! A medium that can lose power, for tests: before each call it shows what could be left if the power went out just then.
//!
//! What a flush has put down stays. Of what came after the last flush each sector of 512 bytes is old or new, whatever its neighbours
//! are; a file that grew has its old length, its new one, or ends at any sector between, and sectors that were never written are zeros.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::{ByteSink, ByteSource, SECTOR};
use crate::Result;
use crate::error::fail;

/// A small deterministic generator (xorshift64*), so that a failing image can be had again from its seed.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n.max(1)
    }
}

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    now: Vec<u8>,
    dirty: BTreeSet<u64>,
}

impl File {
    fn touch(&mut self, from: u64, to: u64) {
        if from < to {
            self.dirty.extend(from / SECTOR..=(to - 1) / SECTOR);
        }
    }

    fn image(&self, rng: &mut Rng, kind: u64) -> Vec<u8> {
        let (old, new) = (self.durable.len() as u64, self.now.len() as u64);
        let len = match kind {
            0 => old,
            1 => new,
            _ => {
                let ends: Vec<u64> = (old.min(new) / SECTOR..=old.max(new) / SECTOR).map(|sector| sector * SECTOR).collect();
                let end = ends[rng.below(ends.len() as u64) as usize].clamp(old.min(new), old.max(new));
                [old, new, end][rng.below(3) as usize]
            }
        } as usize;
        let mut image = self.durable.clone();
        image.resize(len, 0);
        let prefix = rng.below(self.dirty.len() as u64 + 1);
        for (n, sector) in self.dirty.iter().enumerate() {
            let written = match kind {
                0 => false,
                1 => true,
                2 => (n as u64) < prefix,
                3 => (n as u64) >= prefix,
                _ => rng.below(2) == 1,
            };
            let from = (sector * SECTOR) as usize;
            let to = (from + SECTOR as usize).min(len).min(self.now.len());
            if written && from < to {
                image[from..to].copy_from_slice(&self.now[from..to]);
            }
        }
        image
    }
}

/// Two files, data and log, that lose power together.
#[derive(Clone)]
pub struct CrashMedium(Rc<RefCell<Medium>>);

struct Medium {
    files: [File; 2],
    rng: Rng,
    /// Images taken before each call.
    per_call: u64,
    images: Vec<[Vec<u8>; 2]>,
}

impl CrashMedium {
    pub fn new(seed: u64, per_call: u64) -> Self {
        let files = [File::default(), File::default()];
        Self(Rc::new(RefCell::new(Medium { files, rng: Rng::new(seed), per_call, images: Vec::new() })))
    }

    pub fn sink(&self, file: usize) -> CrashSink {
        CrashSink { medium: self.clone(), file }
    }

    pub fn data(&self) -> CrashSink {
        self.sink(0)
    }

    pub fn log(&self) -> CrashSink {
        self.sink(1)
    }

    /// What could be left now.
    pub fn snapshot(&self) {
        let Medium { files, rng, per_call, images } = &mut *self.0.borrow_mut();
        for n in 0..*per_call {
            // The first few are the plain cases for both files; then each file goes its own way.
            let kinds = if n < 4 { (n, n) } else { (rng.below(5), rng.below(5)) };
            let image = [files[0].image(rng, kinds.0), files[1].image(rng, kinds.1)];
            images.push(image);
        }
    }

    /// The images taken since the last call, each once.
    pub fn take_images(&self) -> Vec<[Vec<u8>; 2]> {
        let mut images = std::mem::take(&mut self.0.borrow_mut().images);
        images.sort();
        images.dedup();
        images
    }
}

/// One file of a [`CrashMedium`].
pub struct CrashSink {
    medium: CrashMedium,
    file: usize,
}

impl CrashSink {
    fn change<T>(&self, change: impl FnOnce(&mut File) -> T) -> T {
        self.medium.snapshot();
        change(&mut self.medium.0.borrow_mut().files[self.file])
    }
}

impl ByteSink for CrashSink {
    fn len(&self) -> Result<u64> {
        Ok(self.medium.0.borrow().files[self.file].now.len() as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.change(|file| {
            let from = file.now.len() as u64;
            file.now.extend_from_slice(bytes);
            file.touch(from, file.now.len() as u64);
        });
        Ok(())
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        self.change(|file| {
            let end = at.saturating_add(4);
            let Some(place) = file.now.get_mut(at as usize..end as usize) else { fail!(StorageFailed, "publish outside") };
            place.copy_from_slice(&length);
            file.touch(at, at + 4);
            Ok(())
        })
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        self.change(|file| {
            if len > file.now.len() as u64 {
                fail!(StorageFailed, "truncate would grow");
            }
            file.now.truncate(len as usize);
            Ok(())
        })
    }

    fn flush(&mut self) -> Result<()> {
        self.change(|file| {
            file.durable = file.now.clone();
            file.dirty.clear();
        });
        Ok(())
    }
}

impl ByteSource for CrashSink {
    fn len(&self) -> Result<u64> {
        ByteSink::len(self)
    }

    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        match self.medium.0.borrow().files[self.file].now.get(at as usize..at as usize + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => fail!(StorageFailed, "read outside"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        let medium = CrashMedium::new(1, 0);
        super::super::conformance::check(|| Ok(medium.data())).unwrap();
    }

    #[test]
    fn flushed_bytes_are_in_every_image_and_others_are_not() {
        let medium = CrashMedium::new(7, 40);
        let mut data = medium.data();
        data.append(&[1; 700]).unwrap();
        data.flush().unwrap();
        medium.take_images();
        data.append(&[2; 2000]).unwrap();
        medium.take_images();
        medium.snapshot();
        let images = medium.take_images();
        assert!(images.iter().all(|[data, _]| data.len() >= 700 && data[..700].iter().all(|byte| *byte == 1)));
        let with_new = images.iter().filter(|[data, _]| data.contains(&2)).count();
        let zeros = images.iter().filter(|[data, _]| data[700..].contains(&0)).count();
        assert!(with_new > 5 && with_new < images.len() && zeros > 5, "{with_new} {zeros} of {}", images.len());
    }
}
