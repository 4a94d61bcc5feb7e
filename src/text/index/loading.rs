//! Reads an index from a file, in pieces. The file may contain any bytes. An error means that the index must be made
//! again.
//!
//! The checksum tells whether the file is as it was written. Apart from the checksum, only the documents are checked.
//! If somebody makes a file with a right checksum, its words and lists can be wrong. Then a search finds the wrong
//! documents, but it does not read beyond the bytes of the file, and takes no memory for lists that are longer than the
//! file: see [`Walk::next`](super::sub_index::Walk::next).

use super::merging::Merging;
use super::saving::{ARRAYS, FIXED, MAGIC, Origin, SIZES};
use super::sealing::spend;
use super::sub_index::{GROUP, SubIndex};
use super::{DEAD, TextIndex};
use crate::Result;
use crate::error::{fail, reserve, zeros};
use crate::mutant::mutant;
use crate::segment::crc32_more;

/// The most sub-indexes of a file. An index that is saved has fewer.
const MAX_SUB_INDEXES: usize = 1_000;

/// An index that is being read.
pub struct Loading {
    length: u64,
    header: Vec<u8>,
    /// The header, once it is complete.
    origin: Option<Origin>,
    fields: usize,
    sub_indexes: Vec<SubIndex>,
    /// The array that comes next, and how much of it is there.
    array: usize,
    at: usize,
    /// The checksum at the end of the file, as far as it was read, and the checksum of the bytes before it.
    end: Vec<u8>,
    checksum: u32,
    /// The sub-indexes before this one are not checked yet. `None` until the checksum was checked.
    left: Option<usize>,
    /// The new number of each document. `given` has a bit for each number that a living document has already.
    numbers: Option<Vec<u32>>,
    given: Vec<u64>,
    /// Brings the documents of the last sub-index that was checked into the order of their new numbers.
    sorting: Option<Merging>,
}

impl Loading {
    /// Begins to read a file of this length.
    pub fn new(length: u64) -> Self {
        Self {
            length,
            header: Vec::new(),
            origin: None,
            fields: 0,
            sub_indexes: Vec::new(),
            array: 0,
            at: 0,
            end: Vec::new(),
            checksum: 0,
            left: None,
            numbers: None,
            given: Vec::new(),
            sorting: None,
        }
    }

    /// Returns what the index was made of, as soon as the beginning of the file is there.
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.origin.is_none() {
                let wanted = self.header_length()?;
                let taken = take(&mut self.header, wanted, &mut bytes)?;
                self.checksum = crc32_more(self.checksum, taken);
                if self.header.len() == self.header_length()? {
                    self.begin()?;
                }
            } else if self.array < self.sub_indexes.len() * ARRAYS {
                self.fill(&mut bytes)?;
            } else {
                if self.end.len() == 4 {
                    return odd();
                }
                take(&mut self.end, 4, &mut bytes)?;
            }
        }
        Ok(())
    }

    /// Returns the length of the header, as far as it is known.
    fn header_length(&self) -> Result<usize> {
        if self.header.len() < FIXED {
            return Ok(FIXED);
        }
        let sub_indexes = number(&self.header, FIXED - 4) as usize;
        if sub_indexes > MAX_SUB_INDEXES {
            return odd();
        }
        Ok(FIXED + sub_indexes * SIZES)
    }

    /// Reads the header, and compares the sizes with the length of the file before any memory is taken.
    fn begin(&mut self) -> Result<()> {
        let header = &self.header;
        if header[..MAGIC.len() - 1] != MAGIC[..MAGIC.len() - 1] {
            return odd();
        }
        if header[MAGIC.len() - 1] != MAGIC[MAGIC.len() - 1] {
            fail!(UnsupportedVersion, "the index of words has another format");
        }
        self.fields = number(header, FIXED - 8) as usize;
        if self.fields == 0 || self.fields > super::MAX_FIELDS {
            return odd();
        }
        let mut length = header.len() as u64 + 4;
        for sizes in header[FIXED..].chunks(SIZES) {
            let [terms, dictionary, groups, post, documents] = std::array::from_fn(|n| u64::from(number(sizes, n * 4)));
            let postings = long(sizes, 20);
            let lengths = documents * self.fields as u64;
            length += dictionary + groups * 8 + post + documents * 4 + lengths * 4 + documents.div_ceil(64) * 8;
            if groups != terms.div_ceil(GROUP as u64) || documents == 0 || documents >= u64::from(DEAD) {
                return odd();
            }
            self.sub_indexes.push(SubIndex { terms: terms as u32, postings, ..SubIndex::default() });
        }
        if length != self.length || length > isize::MAX as u64 {
            return odd();
        }
        self.origin = Some(Origin {
            analyzer: number(header, 8),
            settings: number(header, 12),
            position: if mutant!(TextOriginLost) { 0 } else { long(header, 16) },
            checksum: number(header, 24),
        });
        Ok(())
    }

    /// Puts bytes into the array that comes next.
    fn fill(&mut self, bytes: &mut &[u8]) -> Result<()> {
        let sizes = &self.header[FIXED + self.array / ARRAYS * SIZES..];
        let documents = number(sizes, 16) as usize;
        let sub_index = &mut self.sub_indexes[self.array / ARRAYS];
        let first = self.at == 0;
        let array: &mut [u8] = match self.array % ARRAYS {
            0 => sized(&mut sub_index.dictionary, number(sizes, 4) as usize, first)?,
            1 => bytemuck::cast_slice_mut(sized(&mut sub_index.groups, number(sizes, 8) as usize, first)?),
            2 => sized(&mut sub_index.post, number(sizes, 12) as usize, first)?,
            3 => bytemuck::cast_slice_mut(sized(&mut sub_index.docs, documents, first)?),
            4 => bytemuck::cast_slice_mut(sized(&mut sub_index.lengths, documents * self.fields, first)?),
            _ => bytemuck::cast_slice_mut(sized(&mut sub_index.dead, documents.div_ceil(64), first)?),
        };
        let count = bytes.len().min(array.len() - self.at);
        let (taken, rest) = bytes.split_at(count);
        array[self.at..self.at + count].copy_from_slice(taken);
        self.checksum = crc32_more(self.checksum, taken);
        *bytes = rest;
        self.at += count;
        if self.at == array.len() {
            self.array += 1;
            self.at = 0;
        }
        Ok(())
    }

    /// Makes the next steps give the documents other numbers: document `n` gets the number `numbers[n]`. Documents
    /// without a number, or with [`DEAD`], are removed.
    pub fn renumber(&mut self, numbers: Vec<u32>) -> Result<()> {
        let end = numbers.iter().filter(|number| **number != DEAD).max().map_or(0, |most| *most as usize + 1);
        self.numbers = Some(numbers);
        zeros(&mut self.given, end.div_ceil(64), "an index of words")
    }

    /// Checks a part of what was read. All bytes must be there. Returns false if nothing is left to check.
    pub fn step(&mut self, budget: usize) -> Result<bool> {
        let honest = number(&self.end, 0) == self.checksum || mutant!(TextNoChecksum);
        if self.end.len() < 4 || !honest {
            return odd();
        }
        let mut budget = budget.max(1);
        let mut left = self.left.unwrap_or(self.sub_indexes.len());
        while budget > 0 {
            if let Some(sorting) = &mut self.sorting {
                if !sorting.step(&self.sub_indexes, &mut budget)? {
                    break;
                }
                if let Some(sorting) = self.sorting.take() {
                    sorting.finish(&mut self.sub_indexes);
                }
            }
            let Some(place) = left.checked_sub(1) else { return Ok(false) };
            left = place;
            spend(&mut budget, self.sub_indexes[place].docs.len());
            if !documents_fit(&mut self.sub_indexes[place], self.fields) {
                return odd();
            }
            if !self.give_numbers(place)? {
                self.sorting = Some(Merging::new(&self.sub_indexes, &[place], self.fields)?);
            }
            self.left = Some(left);
        }
        Ok(true)
    }

    /// Gives the documents of a sub-index their new numbers. Returns false if they are not in the order of these
    /// numbers.
    fn give_numbers(&mut self, place: usize) -> Result<bool> {
        let Some(numbers) = &self.numbers else { return Ok(true) };
        let sub_index = &mut self.sub_indexes[place];
        let sorted = sub_index.renumber(numbers);
        for ordinal in (0..sub_index.documents()).filter(|ordinal| !sub_index.is_dead(*ordinal)) {
            let doc = sub_index.docs[ordinal as usize];
            // Two documents with one number are refused, because a removal would leave the second one.
            match self.given.get_mut(doc as usize / 64) {
                Some(bits) if *bits >> (doc % 64) & 1 == 0 => *bits |= 1 << (doc % 64),
                _ => return odd(),
            }
        }
        Ok(sorted)
    }

    /// Checks the rest, and returns the index.
    pub fn finish(mut self) -> Result<(TextIndex, Origin)> {
        while self.step(usize::MAX)? {}
        let Some(origin) = self.origin else { return odd() };
        let mut index = TextIndex::new(self.fields)?;
        index.sub_indexes = self.sub_indexes;
        Ok((index, origin))
    }
}

/// Checks the documents of a sub-index, and counts the dead ones and the words of the others.
fn documents_fit(sub_index: &mut SubIndex, fields: usize) -> bool {
    let documents = sub_index.docs.len();
    let behind = documents % 64;
    let beyond = behind != 0 && sub_index.dead.last().is_some_and(|bits| bits >> behind != 0);
    if beyond || !sub_index.docs.is_sorted() || sub_index.docs.last().is_none_or(|doc| *doc == DEAD) {
        return false;
    }
    let mut last = None;
    sub_index.totals = vec![0; fields];
    sub_index.dead_count = 0;
    for ordinal in 0..documents {
        if sub_index.is_dead(ordinal as u32) {
            sub_index.dead_count += 1;
            continue;
        }
        if last == Some(sub_index.docs[ordinal]) {
            return false;
        }
        last = Some(sub_index.docs[ordinal]);
        for (field, total) in sub_index.totals.iter_mut().enumerate() {
            *total += u64::from(sub_index.lengths[field * documents + ordinal]);
        }
    }
    true
}

/// Returns the array. The first time, it is made with this length.
fn sized<T: Clone + Default>(array: &mut Vec<T>, length: usize, first: bool) -> Result<&mut [T]> {
    if first {
        zeros(array, length, "an index of words")?;
    }
    Ok(array)
}

/// Moves bytes to the end of `to` until it has `wanted` bytes. Returns the bytes that were moved.
fn take<'a>(to: &mut Vec<u8>, wanted: usize, bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at(bytes.len().min(wanted - to.len()));
    reserve(to, taken.len(), "an index of words")?;
    to.extend_from_slice(taken);
    *bytes = rest;
    Ok(taken)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(number(bytes, at)) | u64::from(number(bytes, at + 4)) << 32
}

#[cold]
fn odd<T>() -> Result<T> {
    fail!(Corrupt, "the file is not an index of words, and the index must be made again");
}
