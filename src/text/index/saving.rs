//! Writes the index to a file beside the store, in pieces.
//!
//! The file is a header, the arrays of all sub-indexes as they are in memory, and a checksum of both. The file may be
//! lost, and it may be older or newer than the store. Whoever loads it compares its [`Origin`] with the store, and
//! makes the index again if they do not fit.

use super::TextIndex;
use super::sub_index::SubIndex;
use crate::Result;
use crate::error::{fail, reserve};
use crate::segment::crc32_more;

/// The first bytes of the file, with the number of its format.
pub const MAGIC: [u8; 8] = *b"nidustx\x01";

/// The bytes of the header before the sizes of the sub-indexes.
pub const FIXED: usize = MAGIC.len() + 4 + 4 + 8 + 4 + 4 + 4;

/// The bytes of the header for the sizes of one sub-index.
pub const SIZES: usize = 5 * 4 + 8;

/// The number of arrays of a sub-index.
pub const ARRAYS: usize = 6;

/// The most bytes of a piece.
const PIECE: usize = 64 << 10;

/// What an index was made of. The caller compares it with the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The version of the rule by which texts are cut into words.
    pub analyzer: u32,
    /// The version of the collection's text settings.
    pub settings: u32,
    /// A length of the log. The index knows every operation before it.
    pub position: u64,
    /// A checksum of the log at that length.
    pub checksum: u32,
}

/// An index that is being written.
pub struct Saving {
    header: Vec<u8>,
    /// The bytes of the whole file.
    pub length: u64,
    sub_indexes: usize,
    changes: u64,
    /// The array that comes next, 0 for the header, and how much of it was written.
    array: usize,
    at: usize,
    checksum: u32,
}

impl Saving {
    /// Begins to write an index. First it takes all texts that wait.
    pub fn new(index: &mut TextIndex, origin: &Origin) -> Result<Self> {
        index.catch_up()?;
        let mut header = Vec::new();
        reserve(&mut header, FIXED + index.sub_indexes.len() * SIZES, "an index of words")?;
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&origin.analyzer.to_le_bytes());
        header.extend_from_slice(&origin.settings.to_le_bytes());
        header.extend_from_slice(&origin.position.to_le_bytes());
        let numbers = [origin.checksum, index.fields as u32, index.sub_indexes.len() as u32];
        numbers.iter().for_each(|number| header.extend_from_slice(&number.to_le_bytes()));
        for sub_index in &index.sub_indexes {
            let (dictionary, post) = (sub_index.dictionary.len() as u32, sub_index.post.len() as u32);
            for number in [sub_index.terms, dictionary, sub_index.groups.len() as u32, post, sub_index.documents()] {
                header.extend_from_slice(&number.to_le_bytes());
            }
            header.extend_from_slice(&sub_index.postings.to_le_bytes());
        }
        let arrays = |sub_index: &SubIndex| (0..ARRAYS).map(|n| bytes_of(sub_index, n).len() as u64).sum::<u64>();
        let length = header.len() as u64 + index.sub_indexes.iter().map(arrays).sum::<u64>() + 4;
        let (sub_indexes, changes) = (index.sub_indexes.len(), index.changes);
        Ok(Self { header, length, sub_indexes, changes, array: 0, at: 0, checksum: 0 })
    }

    /// Gives `sink` the next piece. Returns false if that was the last one. Fails with ABORTED if the index has
    /// changed. Writes that only wait in its queue change nothing.
    pub fn step(&mut self, index: &TextIndex, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        if index.changes != self.changes {
            fail!(Aborted, "the index of words changed while it was written");
        }
        let end = 1 + self.sub_indexes * ARRAYS;
        loop {
            if self.array == end {
                sink(&self.checksum.to_le_bytes())?;
                return Ok(false);
            }
            let array = match self.array {
                0 => self.header.as_slice(),
                n => bytes_of(&index.sub_indexes[(n - 1) / ARRAYS], (n - 1) % ARRAYS),
            };
            let piece = &array[self.at..(self.at + PIECE).min(array.len())];
            if piece.is_empty() {
                self.array += 1;
                self.at = 0;
                continue;
            }
            self.checksum = crc32_more(self.checksum, piece);
            self.at += piece.len();
            sink(piece)?;
            return Ok(true);
        }
    }
}

fn bytes_of(sub_index: &SubIndex, array: usize) -> &[u8] {
    match array {
        0 => &sub_index.dictionary,
        1 => bytemuck::cast_slice(&sub_index.groups),
        2 => &sub_index.post,
        3 => bytemuck::cast_slice(&sub_index.docs),
        4 => bytemuck::cast_slice(&sub_index.lengths),
        _ => bytemuck::cast_slice(&sub_index.dead),
    }
}

impl TextIndex {
    /// Writes the index, with all texts that wait, in pieces of at most 64 KB.
    pub fn save(&mut self, origin: &Origin, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut saving = Saving::new(self, origin)?;
        while saving.step(self, sink)? {}
        Ok(())
    }
}
