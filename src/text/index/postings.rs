//! The list of one word in one sub-index: in which documents it is, and how often.
//!
//! A posting is encoded as the distance from the document before it, and the count if it is not 1. A list of at least
//! [`BLOCK`] postings begins with its bounds and with one entry for each block, so that a search can skip blocks.

use crate::Result;
use crate::error::reserve;
use crate::mutant::mutant;

/// The number of postings in a block.
pub const BLOCK: usize = 128;

/// The bytes of one entry of the table of blocks: the last document, and where the block begins.
const SKIP: usize = 8;

/// The most bytes that a varint of 32 bits takes.
pub const VARINT: usize = 5;

/// The ordinal of a document and how often the word is in it.
pub type Posting = (u32, u32);

/// Appends a number, seven bits in a byte.
pub fn put(out: &mut Vec<u8>, mut value: u32) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a number that [`put`] wrote. Bytes beyond the end count as zeros.
#[inline(always)]
pub fn get(bytes: &[u8], at: &mut usize) -> u32 {
    let first = bytes.get(*at).copied().unwrap_or(0);
    *at += 1;
    if first < 128 {
        return u32::from(first);
    }
    rest(bytes, at, u32::from(first & 127))
}

#[inline]
fn rest(bytes: &[u8], at: &mut usize, mut value: u32) -> u32 {
    let mut shift = 7;
    loop {
        let byte = bytes.get(*at).copied().unwrap_or(0);
        *at += 1;
        value |= u32::from(byte & 127).wrapping_shl(shift);
        if byte < 128 {
            return value;
        }
        shift += 7;
    }
}

/// The largest count and the least length of a document, for each of four ranges of counts. From them a search computes
/// the most that a posting of the list can contribute, for any mean length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    most: [u32; 4],
    least: [u32; 4],
}

impl Default for Bounds {
    fn default() -> Self {
        Self { most: [0; 4], least: [u32::MAX; 4] }
    }
}

impl Bounds {
    /// Widens the bounds for a posting and the length of its document.
    #[inline(always)]
    pub fn widen(&mut self, count: u32, length: u32) {
        const RANGES: [u8; 8] = [0, 0, 1, 2, 2, 3, 3, 3];
        let range = usize::from(RANGES[count.min(7) as usize]) % 4;
        self.most[range] = self.most[range].max(count);
        self.least[range] = self.least[range].min(length);
    }

    /// Returns the largest count and the least length of each range that has postings.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        self.most.into_iter().zip(self.least).filter(|(count, _)| *count > 0)
    }

    /// Returns the bounds of the list with this entry, or None if the list is shorter than a block and has no bounds.
    pub fn read(post: &[u8], entry: Entry) -> Option<Self> {
        if (entry.documents as usize) < BLOCK {
            return None;
        }
        Some(Self::parse(post, &mut (entry.at as usize)))
    }

    fn parse(post: &[u8], at: &mut usize) -> Self {
        let mut bounds = Self::default();
        for range in 0..4 {
            bounds.most[range] = get(post, at);
            if bounds.most[range] > 0 {
                bounds.least[range] = get(post, at);
            }
        }
        bounds
    }
}

/// Where a list begins, and the number of its postings.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Entry {
    pub documents: u32,
    pub at: u32,
}

/// Appends a list to `out`. `length` returns the length of a document.
pub fn encode(list: &[Posting], length: &dyn Fn(u32) -> u32, out: &mut Vec<u8>) -> Result<()> {
    let blocks = if list.len() < BLOCK { 0 } else { list.len().div_ceil(BLOCK) };
    reserve(out, list.len() * 2 * VARINT + blocks * SKIP + 8 * VARINT, "an index of words")?;
    if blocks == 0 {
        encode_block(list, u32::MAX, out);
        return Ok(());
    }
    let mut bounds = Bounds::default();
    let bounded = if mutant!(TextFirstBlockBounds) { &list[..BLOCK] } else { list };
    for (ordinal, count) in bounded {
        bounds.widen(*count, length(*ordinal));
    }
    for (count, length) in bounds.most.into_iter().zip(bounds.least) {
        put(out, count);
        if count > 0 {
            put(out, length);
        }
    }
    let skips = out.len();
    out.resize(skips + blocks * SKIP, 0);
    let (first, mut before) = (out.len(), u32::MAX);
    for (n, block) in list.chunks(BLOCK).enumerate() {
        let at = (out.len() - first) as u32;
        encode_block(block, before, out);
        before = block.last().map_or(before, |(ordinal, _)| *ordinal);
        let skip = &mut out[skips + n * SKIP..][..SKIP];
        skip[..4].copy_from_slice(&before.to_le_bytes());
        skip[4..].copy_from_slice(&at.to_le_bytes());
    }
    Ok(())
}

fn encode_block(list: &[Posting], mut before: u32, out: &mut Vec<u8>) {
    for (ordinal, count) in list {
        let gap = ordinal.wrapping_sub(before).wrapping_sub(1);
        if *count == 1 {
            put_gap(out, gap, 0);
        } else {
            put_gap(out, gap, 1);
            put(out, *count - 2);
        }
        before = *ordinal;
    }
}

/// Appends a gap and the bit `more`. It does not use [`put`] for both together, because they may have 33 bits.
fn put_gap(out: &mut Vec<u8>, gap: u32, more: u32) {
    let low = (gap << 1 | more) & 127;
    if gap < 64 {
        return out.push(low as u8);
    }
    out.push(low as u8 | 128);
    put(out, gap >> 6);
}

/// Reads one posting.
#[inline(always)]
fn posting(post: &[u8], at: &mut usize, before: u32) -> Posting {
    let first = u32::from(post.get(*at).copied().unwrap_or(0));
    *at += 1;
    let low = (first & 127) >> 1;
    let gap = if first < 128 { low } else { get(post, at) << 6 | low };
    let count = if first & 1 == 0 { 1 } else { get(post, at).wrapping_add(2) };
    (before.wrapping_add(gap).wrapping_add(1), count)
}

/// Calls `each` with every posting of a list, and returns where the list ends.
#[inline(always)]
pub fn decode(post: &[u8], entry: Entry, mut each: impl FnMut(u32, u32)) -> usize {
    let mut at = entry.at as usize;
    if entry.documents as usize >= BLOCK {
        Bounds::parse(post, &mut at);
        at += (entry.documents as usize).div_ceil(BLOCK) * SKIP;
    }
    let mut before = u32::MAX;
    for _ in 0..entry.documents {
        let (ordinal, count) = posting(post, &mut at, before);
        each(ordinal, count);
        before = ordinal;
    }
    at
}

/// Returns where the list of one posting ends that begins at a place.
pub fn after_one(post: &[u8], mut at: usize) -> usize {
    posting(post, &mut at, u32::MAX);
    at
}

/// Goes through a list from front to back, and skips blocks where it can.
pub struct Cursor<'a> {
    source: Source<'a>,
    documents: usize,
    /// The block that is decoded, and the place in it.
    block: usize,
    pub at: usize,
    pub len: usize,
    pub ordinals: [u32; BLOCK],
    pub counts: [u32; BLOCK],
}

enum Source<'a> {
    Encoded { post: &'a [u8], skips: &'a [u8], first: usize },
    Plain(&'a [Posting]),
}

impl<'a> Cursor<'a> {
    /// Makes a cursor over an encoded list.
    pub fn new(post: &'a [u8], entry: Entry) -> Self {
        let documents = entry.documents as usize;
        let mut first = entry.at as usize;
        let mut skips: &[u8] = &[];
        if documents >= BLOCK {
            Bounds::parse(post, &mut first);
            let table = documents.div_ceil(BLOCK) * SKIP;
            skips = post.get(first..first + table).unwrap_or(&[]);
            first += table;
        }
        Self::over(Source::Encoded { post, skips, first }, documents)
    }

    /// Makes a cursor over a list that is not encoded.
    pub fn plain(list: &'a [Posting]) -> Self {
        Self::over(Source::Plain(list), list.len())
    }

    fn over(source: Source<'a>, documents: usize) -> Self {
        let mut cursor = Self { source, documents, block: 0, at: 0, len: 0, ordinals: [0; BLOCK], counts: [0; BLOCK] };
        cursor.load(0);
        cursor
    }

    pub fn documents(&self) -> usize {
        self.documents
    }

    fn blocks(&self) -> usize {
        mutant!(TextLastBlockLost does { return (self.documents / BLOCK).max(1) });
        self.documents.div_ceil(BLOCK)
    }

    fn last_of(&self, block: usize) -> u32 {
        match &self.source {
            Source::Encoded { skips, .. } => number(skips, block * SKIP),
            Source::Plain(list) => list[(block * BLOCK + BLOCK).min(list.len()) - 1].0,
        }
    }

    fn load(&mut self, block: usize) {
        self.block = block;
        self.at = 0;
        let from = (block * BLOCK).min(self.documents);
        self.len = (self.documents - from).min(BLOCK);
        match &self.source {
            Source::Plain(list) => {
                for (i, (ordinal, count)) in list[from..][..self.len].iter().enumerate() {
                    self.ordinals[i] = *ordinal;
                    self.counts[i] = *count;
                }
            }
            Source::Encoded { post, skips, first } => {
                let before = if block == 0 { u32::MAX } else { number(skips, (block - 1) * SKIP) };
                let mut at = if skips.is_empty() { *first } else { first + number(skips, block * SKIP + 4) as usize };
                let mut before = before;
                for (ordinal, count) in self.ordinals[..self.len].iter_mut().zip(&mut self.counts) {
                    (*ordinal, *count) = posting(post, &mut at, before);
                    before = *ordinal;
                }
            }
        }
    }

    /// Decodes the next block, if there is one.
    pub fn next_block(&mut self) -> bool {
        let more = self.block + 1 < self.blocks();
        if more {
            self.load(self.block + 1);
        }
        more
    }

    /// Goes forward to the first posting whose document is not before `ordinal`. Returns false if there is none.
    #[inline]
    pub fn seek(&mut self, ordinal: u32) -> bool {
        if self.len == 0 {
            return false;
        }
        if self.ordinals[self.len - 1] < ordinal && !self.skip(ordinal) {
            self.at = self.len;
            return false;
        }
        while self.at < self.len && self.ordinals[self.at] < ordinal {
            self.at += 1;
        }
        self.at < self.len
    }

    /// Decodes the first later block that has `ordinal` or a document after it. Returns false if there is none.
    fn skip(&mut self, ordinal: u32) -> bool {
        let blocks = self.blocks();
        let (mut low, mut step) = (self.block + 1, 1);
        while low + step < blocks && self.last_of(low + step - 1) < ordinal {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(blocks);
        while low < high {
            let middle = low.midpoint(high);
            let before = self.last_of(middle) < ordinal || mutant!(TextSkipsFar);
            if before { low = middle + 1 } else { high = middle }
        }
        if low < blocks {
            self.load(low);
        }
        low < blocks
    }

    /// Returns the count of a document, or 0 if the word is not in it. It only goes forward, so documents must be asked
    /// for in ascending order.
    #[inline]
    pub fn probe(&mut self, ordinal: u32) -> u32 {
        if self.seek(ordinal) && self.ordinals[self.at] == ordinal { self.counts[self.at] } else { 0 }
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four))
}
