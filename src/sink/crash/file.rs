//! One file on a medium that can lose power, and all the states in which a crash may leave it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::{Image, Rng, hash};
use crate::sink::SECTOR;

const BYTES: usize = SECTOR as usize;
type Sector = [u8; BYTES];

/// A file: its bytes at the last flush, its bytes now, and in between all that any sector held and all lengths that the
/// file had.
#[derive(Clone, Default)]
pub struct File {
    durable: Vec<u8>,
    pub now: Vec<u8>,
    /// The same as `now`, but with the truncated bytes still behind the end. In the last sector they may come back.
    stale: Vec<u8>,
    versions: BTreeMap<usize, Vec<Sector>>,
    lengths: BTreeSet<usize>,
}

fn sector_of(bytes: &[u8], sector: usize) -> Sector {
    let mut whole = [0; BYTES];
    let part = bytes.get(sector * BYTES..).unwrap_or(&[]);
    let n = part.len().min(BYTES);
    whole[..n].copy_from_slice(&part[..n]);
    whole
}

impl File {
    pub fn with(bytes: &[u8]) -> Self {
        Self { durable: bytes.to_vec(), now: bytes.to_vec(), stale: bytes.to_vec(), ..Self::default() }
    }

    pub fn clean(&self) -> bool {
        self.versions.is_empty() && self.lengths.is_empty()
    }

    fn remember(&mut self, from: usize, to: usize) {
        for sector in from / BYTES..to.div_ceil(BYTES) {
            let versions = self.versions.entry(sector).or_default();
            for version in [sector_of(&self.now, sector), sector_of(&self.stale, sector)] {
                if !versions.contains(&version) {
                    versions.push(version);
                }
            }
            // The newest version comes last.
            let newest = sector_of(&self.now, sector);
            versions.retain(|version| *version != newest);
            versions.push(newest);
        }
    }

    pub fn write(&mut self, at: usize, bytes: &[u8], rng: &mut Rng) {
        let (before, end) = (self.now.len(), at + bytes.len());
        if bytes.is_empty() {
            return;
        }
        for all in [&mut self.now, &mut self.stale] {
            if all.len() < end {
                all.resize(end, 0);
            }
            all[at..end].copy_from_slice(bytes);
        }
        self.remember(at, end);
        if end > before {
            // The file may have grown in steps: by sectors, or to any byte if a write ended early.
            self.lengths.extend((before / BYTES + 1..end.div_ceil(BYTES)).map(|sector| sector * BYTES));
            let within = before + 1 + rng.below((end - before) as u64) as usize;
            self.lengths
                .extend([before, before + 1, before + 3, end - 1, within, end].into_iter().filter(|len| *len <= end));
        }
    }

    pub fn truncate(&mut self, len: usize) {
        if len < self.now.len() {
            self.now.truncate(len);
            self.lengths.insert(len);
            if len % BYTES > 0 {
                self.remember(len, len + 1);
            }
        }
    }

    pub fn flush(&mut self) {
        self.durable = self.now.clone();
        self.stale = self.now.clone();
        self.versions.clear();
        self.lengths.clear();
    }

    /// Returns every image that a crash may leave, each once. If there are more than `most`, returns the plain ones and
    /// a sample.
    pub fn images(&self, most: usize, rng: &mut Rng) -> Vec<Image> {
        let mut images = Images::default();
        if self.clean() {
            images.add(self.durable.clone());
            return images.all;
        }
        let old: Vec<Sector> = self.versions.keys().map(|sector| sector_of(&self.durable, *sector)).collect();
        let sectors: Vec<(usize, Vec<&Sector>)> = self
            .versions
            .iter()
            .zip(&old)
            .map(|((sector, versions), old)| {
                (*sector, std::iter::once(old).chain(versions.iter().filter(|version| *version != old)).collect())
            })
            .collect();
        let mut lengths: Vec<usize> =
            self.lengths.iter().copied().chain([self.durable.len(), self.now.len()]).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let build = |len: usize, pick: &mut dyn FnMut(usize, usize) -> usize| {
            let mut image = self.durable.clone();
            image.resize(len, 0);
            for (n, (sector, versions)) in sectors.iter().enumerate() {
                let from = sector * BYTES;
                let picked = pick(n, versions.len());
                if picked > 0 && from < len {
                    let to = (from + BYTES).min(len);
                    image[from..to].copy_from_slice(&versions[picked][..to - from]);
                }
            }
            image
        };
        let combinations = sectors
            .iter()
            .try_fold(lengths.len(), |all, (_, versions)| all.checked_mul(versions.len()).filter(|all| *all <= most));
        if let Some(combinations) = combinations {
            for number in 0..combinations {
                let mut rest = number / lengths.len();
                images.add(build(lengths[number % lengths.len()], &mut |_, of| {
                    let digit = rest % of;
                    rest /= of;
                    digit
                }));
            }
            return images.all;
        }
        // The plain images: nothing, everything, every prefix and every suffix of what was written, each with every
        // length.
        for len in &lengths {
            for cut in 0..=sectors.len() {
                images.add(build(*len, &mut |n, of| if n < cut { of - 1 } else { 0 }));
                images.add(build(*len, &mut |n, of| if n >= cut { of - 1 } else { 0 }));
            }
        }
        for _ in 0..4 * most {
            if images.all.len() >= most {
                break;
            }
            let len = lengths[rng.below(lengths.len() as u64) as usize];
            images.add(build(len, &mut |_, of| rng.below(of as u64) as usize));
        }
        images.all
    }
}

#[derive(Default)]
struct Images {
    all: Vec<Image>,
    known: HashSet<u128>,
}

impl Images {
    fn add(&mut self, bytes: Vec<u8>) {
        let hash = hash(&bytes);
        if self.known.insert(hash) {
            self.all.push(Image { bytes: Rc::new(bytes), hash });
        }
    }
}
