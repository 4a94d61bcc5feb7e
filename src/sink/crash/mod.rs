//! A medium that can lose power, for tests. Before each call it records the crash images: everything that could be left
//! if the power went out at this moment.
//!
//! What was flushed stays. Each sector of 512 bytes that was written after the last flush holds its old bytes, or any
//! bytes that it was given since, independently of other sectors. A file that grew has its old length, its new one, or
//! one in between. Sectors that were never written hold zeros. A host's `promote` has happened completely or not at
//! all.

mod file;

use std::cell::RefCell;
use std::rc::Rc;

use super::{ByteSink, ByteSource, check_cut, check_publish};
use crate::Result;
use crate::error::fail;
use file::File;

/// A small deterministic generator (xorshift64*). With the same seed it makes the same failing image again.
#[derive(Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n.max(1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Returns a hash of 128 bits that tells images apart. It is two hashes of 64 bits, each by multiplying and folding. It
/// need not resist forgery.
pub fn hash(bytes: &[u8]) -> u128 {
    let fold = |a: u64, b: u64| {
        let wide = u128::from(a) * u128::from(b);
        wide as u64 ^ (wide >> 64) as u64
    };
    let (mut one, mut two) = (0x243F_6A88_85A3_08D3 ^ bytes.len() as u64, 0x1319_8A2E_0370_7344u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        one = fold(one ^ word, 0xA409_3822_299F_31D1);
        two = fold(two ^ word.rotate_left(32), 0x082E_FA98_EC4E_6C89).wrapping_add(one);
    }
    u128::from(one) << 64 | u128::from(two)
}

#[derive(Clone)]
pub struct Image {
    pub bytes: Rc<Vec<u8>>,
    pub hash: u128,
}

/// The two files of a store after a crash: data and log.
pub type Pair = [Image; 2];

/// The way in which one call fails.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The call does nothing.
    Refused,
    /// An append writes this many bytes. Any other call does nothing.
    Short(usize),
    /// The call does all that it was asked to do, and reports a failure.
    Done,
}

/// Returns whether a pair of images was not looked at yet.
pub type IsNew = Rc<dyn Fn(&Pair) -> bool>;

/// Two pairs of files (data and log) that lose power together, and the number of the current pair.
#[derive(Clone)]
pub struct CrashMedium(Rc<RefCell<Medium>>);

struct Medium {
    pairs: [[File; 2]; 2],
    current: usize,
    /// True while a `promote` is under way. Then either pair may be the current one.
    promoting: bool,
    rng: Rng,
    most: usize,
    is_new: IsNew,
    pending: Vec<Pair>,
    /// One of all images since the last time, new or not, chosen at random.
    sample: Option<Pair>,
    /// The number of those images.
    shown: u64,
    fault: Option<(u64, Fault)>,
    /// The number of calls after which the process is killed, while the power stays on.
    kill_at: Option<u64>,
    /// A copy of all files from the moment at which the process was killed, and the number of the current pair.
    killed: Option<([[File; 2]; 2], usize)>,
}

impl CrashMedium {
    /// Makes an empty medium. At each call it makes at most `most` images of each file, or none if `most` is 0. It
    /// records the pairs of images for which `is_new` returns true.
    pub fn new(seed: u64, most: usize, is_new: IsNew) -> Self {
        Self::over([File::default(), File::default()], seed, most, is_new)
    }

    /// Makes a medium with the files that a crash has left.
    pub fn from_image(image: &Pair, seed: u64, most: usize, is_new: IsNew) -> Self {
        Self::over([File::with(&image[0].bytes), File::with(&image[1].bytes)], seed, most, is_new)
    }

    /// Returns the same medium, with another function that tells which images are new.
    pub fn watched_by(self, is_new: IsNew) -> Self {
        self.0.borrow_mut().is_new = is_new;
        self
    }

    fn over(files: [File; 2], seed: u64, most: usize, is_new: IsNew) -> Self {
        let pairs = [files, [File::default(), File::default()]];
        let medium = Medium {
            pairs,
            current: 0,
            promoting: false,
            rng: Rng::new(seed),
            most,
            is_new,
            pending: Vec::new(),
            sample: None,
            shown: 0,
            fault: None,
            kill_at: None,
            killed: None,
        };
        Self(Rc::new(RefCell::new(medium)))
    }

    fn sink(&self, pair: usize, file: usize) -> CrashSink {
        let len = self.0.borrow().pairs[pair][file].now.len();
        CrashSink { medium: self.clone(), pair, file, len }
    }

    /// Returns sinks for the data and the log of the current pair, as they are now.
    pub fn sinks(&self) -> [CrashSink; 2] {
        let current = self.0.borrow().current;
        [self.sink(current, 0), self.sink(current, 1)]
    }

    /// Does what a host's `create` does: empties the other pair and returns it.
    pub fn create(&self) -> [CrashSink; 2] {
        let other = {
            let mut medium = self.0.borrow_mut();
            let other = 1 - medium.current;
            medium.pairs[other].iter_mut().for_each(|file| file.truncate(0));
            other
        };
        [self.sink(other, 0), self.sink(other, 1)]
    }

    /// Does what a host's `promote` does. While it runs, either pair may be the current one.
    pub fn promote(&self) {
        self.snapshot();
        self.0.borrow_mut().promoting = true;
        self.snapshot();
        let mut medium = self.0.borrow_mut();
        medium.promoting = false;
        medium.current = 1 - medium.current;
    }

    pub fn fail_at(&self, calls: u64, fault: Fault) {
        self.0.borrow_mut().fault = Some((calls, fault));
    }

    pub fn clear_fault(&self) {
        self.0.borrow_mut().fault = None;
    }

    /// Kills the process before the call with this number, counted from now.
    pub fn kill_at(&self, calls: u64) {
        self.0.borrow_mut().kill_at = Some(calls);
    }

    /// Returns the medium as the killed process left it. The next process sees all that was written, but a loss of
    /// power still takes what was not flushed.
    pub fn take_killed(&self, seed: u64) -> Option<Self> {
        let mut medium = self.0.borrow_mut();
        medium.kill_at = None;
        let (pairs, current) = medium.killed.take()?;
        let (most, is_new) = (medium.most, medium.is_new.clone());
        let killed = Self::over([File::default(), File::default()], seed, most, is_new);
        {
            let mut other = killed.0.borrow_mut();
            (other.pairs, other.current) = (pairs, current);
        }
        Some(killed)
    }

    /// Records the images that a crash could leave now.
    pub fn snapshot(&self) {
        let Medium { pairs, current, promoting, rng, most, is_new, pending, sample, shown, .. } =
            &mut *self.0.borrow_mut();
        if *most == 0 {
            return;
        }
        let mut lot = rng.clone();
        rng.below(2);
        for pair in [*current, 1 - *current].into_iter().take(1 + usize::from(*promoting)) {
            let [data, log] = [0, 1].map(|file| pairs[pair][file].images(*most, rng));
            let mut look = |a: usize, b: usize| {
                let image = [data[a].clone(), log[b].clone()];
                *shown += 1;
                if lot.one_in(*shown) {
                    *sample = Some(image.clone());
                }
                if is_new(&image) {
                    pending.push(image);
                }
            };
            if data.len() * log.len() <= 2 * *most {
                (0..data.len()).for_each(|a| (0..log.len()).for_each(|b| look(a, b)));
                continue;
            }
            // Takes each image of either file at least twice, and then more pairs at random.
            for _ in 0..2 {
                (0..data.len()).for_each(|a| look(a, rng.below(log.len() as u64) as usize));
                (0..log.len()).for_each(|b| look(rng.below(data.len() as u64) as usize, b));
            }
            (0..*most).for_each(|_| look(rng.below(data.len() as u64) as usize, rng.below(log.len() as u64) as usize));
        }
    }

    /// Returns the images that were recorded since the last time.
    pub fn take_images(&self) -> Vec<Pair> {
        std::mem::take(&mut self.0.borrow_mut().pending)
    }

    pub fn take_sample(&self) -> Option<Pair> {
        let mut medium = self.0.borrow_mut();
        medium.shown = 0;
        medium.sample.take()
    }

    fn begin_call(&self) -> Option<Fault> {
        self.snapshot();
        let medium = &mut *self.0.borrow_mut();
        if medium.kill_at == Some(0) {
            medium.killed = Some((medium.pairs.clone(), medium.current));
        }
        medium.kill_at = medium.kill_at.and_then(|n| n.checked_sub(1));
        match medium.fault {
            Some((0, fault)) => {
                medium.fault = None;
                Some(fault)
            }
            Some((n, fault)) => {
                medium.fault = Some((n - 1, fault));
                None
            }
            None => None,
        }
    }
}

/// One file of a [`CrashMedium`].
pub struct CrashSink {
    medium: CrashMedium,
    pair: usize,
    file: usize,
    /// The length without the bytes of a failed append, which lie behind it.
    len: usize,
}

impl CrashSink {
    fn change(&mut self, change: impl FnOnce(&mut Self, &mut File, &mut Rng, Option<Fault>)) -> Result<()> {
        let fault = self.medium.begin_call();
        let medium = self.medium.clone();
        let Medium { pairs, rng, .. } = &mut *medium.0.borrow_mut();
        if !matches!(fault, Some(Fault::Refused)) {
            change(self, &mut pairs[self.pair][self.file], rng, fault);
        }
        if fault.is_some() {
            fail!(StorageFailed, "a fault");
        }
        Ok(())
    }
}

impl ByteSink for CrashSink {
    fn len(&self) -> Result<u64> {
        Ok(self.len as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.change(|sink, file, rng, fault| match fault {
            None => {
                file.write(sink.len, bytes, rng);
                sink.len += bytes.len();
            }
            Some(Fault::Short(n)) => file.write(sink.len, &bytes[..n.min(bytes.len())], rng),
            Some(_) => file.write(sink.len, bytes, rng),
        })
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        check_publish(at, self.len as u64)?;
        self.change(|_, file, rng, fault| {
            if !matches!(fault, Some(Fault::Short(_))) {
                file.write(at as usize, &length, rng);
            }
        })
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        check_cut(len, self.len as u64)?;
        self.change(|sink, file, _, fault| {
            if !matches!(fault, Some(Fault::Short(_))) {
                file.truncate(len as usize);
                sink.len = len as usize;
            }
        })
    }

    fn flush(&mut self) -> Result<()> {
        self.change(|_, file, _, fault| {
            if !matches!(fault, Some(Fault::Short(_))) {
                file.flush();
            }
        })
    }
}

impl ByteSource for CrashSink {
    fn len(&self) -> Result<u64> {
        ByteSink::len(self)
    }

    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        match self.medium.0.borrow().pairs[self.pair][self.file].now.get(at as usize..at as usize + out.len()) {
            Some(bytes) if at as usize + out.len() <= self.len => out.copy_from_slice(bytes),
            _ => fail!(StorageFailed, "read outside"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all(medium: &CrashMedium) -> Vec<Pair> {
        medium.take_images();
        medium.snapshot();
        medium.take_images()
    }

    #[test]
    fn conforms() {
        let medium = CrashMedium::new(1, 0, Rc::new(|_| false));
        super::super::conformance::check(|| Ok(medium.sink(0, 0))).unwrap();
    }

    #[test]
    fn flushed_bytes_are_in_every_image_and_others_in_some() {
        let medium = CrashMedium::new(7, 1000, Rc::new(|_| true));
        let [mut data, _] = medium.sinks();
        data.append(&[1; 700]).unwrap();
        data.flush().unwrap();
        data.append(&[2; 900]).unwrap();
        let images: Vec<Vec<u8>> = all(&medium).into_iter().map(|[data, _]| data.bytes.to_vec()).collect();
        assert!(images.iter().all(|data| data.len() >= 700 && data[..700].iter().all(|byte| *byte == 1)));
        // 324 bytes of the second sector, the third sector, and 64 bytes of the fourth are each written or not.
        let whole: BTreeSet<[bool; 3]> = images
            .iter()
            .filter(|data| data.len() == 1600)
            .map(|data| [data[700] == 2, data[1024] == 2, data[1536] == 2])
            .collect();
        assert_eq!(whole.len(), 8);
        let lengths: BTreeSet<usize> = images.iter().map(Vec::len).collect();
        assert!(
            lengths.is_superset(&[700, 701, 703, 1024, 1536, 1599, 1600].into()) && lengths.len() <= 8,
            "{lengths:?}"
        );
        data.flush().unwrap();
        assert_eq!(all(&medium).len(), 1);
    }

    #[test]
    fn a_sector_may_keep_anything_that_it_was_given_and_a_cut_may_be_lost() {
        let medium = CrashMedium::new(7, 1000, Rc::new(|_| true));
        let [mut data, _] = medium.sinks();
        data.append(b"oldest").unwrap();
        data.flush().unwrap();
        data.truncate_to(2).unwrap();
        data.append(b"X").unwrap();
        data.publish(0, *b"WXYZ").unwrap_err();
        data.append(b"Y").unwrap();
        data.publish(0, *b"1234").unwrap();
        let images: BTreeSet<Vec<u8>> = all(&medium).into_iter().map(|[data, _]| data.bytes.to_vec()).collect();
        for wanted in [&b"oldest"[..], b"ol", b"olXest", b"olX", b"olXYst", b"olXY", b"1234", b"1234st", b"ol\0\0\0\0"]
        {
            assert!(images.contains(wanted), "{} is not in {images:?}", String::from_utf8_lossy(wanted));
        }
    }
}
