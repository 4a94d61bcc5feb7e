//! A sub-index: some documents and the lists of their words. The lists do not change after they are made. They name a
//! document by its ordinal, which is its place in the sub-index. Documents can become dead, and can get other numbers.

use super::DEAD;
use super::postings::{self, Entry, Posting};
use crate::Result;
use crate::error::{fail, reserve, zeros};
use crate::mutant::mutant;

/// The number of keys in a group. The first key of a group is written in full, and has an entry in the table of groups.
pub const GROUP: usize = 16;

/// The living documents of a list that is shorter than this are counted again each time.
const COUNTED: u32 = 64;

/// How many counts of living documents are kept.
const KEPT: usize = 4096;

/// Documents in the order of their numbers, and for each field and word of them a list.
#[derive(Default)]
pub struct SubIndex {
    pub terms: u32,
    /// The keys, in order. A key is the number of the field, followed by the word. The bytes that a key begins with in
    /// common with the key before it are left out. Each key is followed by the number of its documents and, if that is
    /// not 1, by the length of its list.
    pub dictionary: Vec<u8>,
    /// Where each group of keys begins in the dictionary, and where the list of its first key begins.
    pub groups: Vec<[u32; 2]>,
    pub post: Vec<u8>,
    /// The number of each document, ascending. A dead document may have the same number as the document before it.
    pub docs: Vec<u32>,
    /// The number of words of each document, one field after the other.
    pub lengths: Vec<u32>,
    pub dead: Vec<u64>,
    pub dead_count: u32,
    /// The number of words of all living documents, for each field.
    pub totals: Vec<u64>,
    pub postings: u64,
    /// Where a list begins, plus 1, and how many of its documents live. A removal clears the table.
    pub live: Vec<[u32; 2]>,
}

impl SubIndex {
    pub fn documents(&self) -> u32 {
        self.docs.len() as u32
    }

    pub fn is_dead(&self, ordinal: u32) -> bool {
        self.dead.get(ordinal as usize / 64).is_none_or(|bits| bits >> (ordinal % 64) & 1 == 1)
    }

    /// Returns the lengths of all documents in one field.
    pub fn lengths_of(&self, field: usize) -> &[u32] {
        let documents = self.docs.len();
        self.lengths.get(field * documents..(field + 1) * documents).unwrap_or(&[])
    }

    pub fn bytes(&self) -> usize {
        let numbers = self.docs.capacity() + self.lengths.capacity();
        let pairs = self.groups.capacity() + self.live.capacity() + self.dead.capacity() + self.totals.capacity();
        self.dictionary.capacity() + self.post.capacity() + numbers * 4 + pairs * 8
    }

    /// Marks all documents as living, and computes the totals from the lengths.
    pub fn begin(&mut self, fields: usize) -> Result<()> {
        zeros(&mut self.dead, self.docs.len().div_ceil(64), "an index of words")?;
        self.totals = (0..fields).map(|field| self.lengths_of(field).iter().map(|n| u64::from(*n)).sum()).collect();
        Ok(())
    }

    /// Marks the living document with this number as dead, if there is one.
    pub fn remove(&mut self, doc: u32) -> bool {
        if self.docs.last().is_none_or(|last| doc > *last) {
            return false;
        }
        let from = self.docs.partition_point(|other| *other < doc);
        let same = self.docs[from..].iter().take_while(|other| **other == doc).count();
        let living = (from..from + same).find(|ordinal| !self.is_dead(*ordinal as u32));
        living.inspect(|ordinal| self.kill(*ordinal)).is_some()
    }

    /// Marks a living document as dead.
    pub fn kill(&mut self, ordinal: usize) {
        self.dead[ordinal / 64] |= 1 << (ordinal % 64);
        self.dead_count += 1;
        let documents = self.docs.len();
        for (field, total) in self.totals.iter_mut().enumerate() {
            if !mutant!(TextTotalsKept) {
                *total -= u64::from(self.lengths[field * documents + ordinal]);
            }
        }
        if !mutant!(TextCountsKept) {
            self.live = Vec::new();
        }
    }

    /// Gives the documents other numbers. Returns false if they are not in the order of their numbers any more.
    pub fn renumber(&mut self, new_numbers: &[u32]) -> bool {
        let (mut last, mut sorted) = (None, true);
        for ordinal in 0..self.docs.len() {
            let doc = if self.is_dead(ordinal as u32) {
                DEAD
            } else {
                new_numbers.get(self.docs[ordinal] as usize).copied().unwrap_or(DEAD)
            };
            if doc == DEAD {
                if !self.is_dead(ordinal as u32) {
                    self.kill(ordinal);
                }
                self.docs[ordinal] = last.unwrap_or(0);
            } else {
                sorted &= last.is_none_or(|last| doc > last);
                self.docs[ordinal] = doc;
                last = Some(doc);
            }
        }
        sorted
    }

    /// Returns the list of a key, if the sub-index has it.
    pub fn find(&self, key: &[u8], walk: &mut Walk) -> Option<Entry> {
        walk.go_to(self, key);
        while walk.next(self) {
            if walk.key.as_slice() >= key {
                return (walk.key == key).then_some(walk.entry);
            }
        }
        None
    }

    /// Returns the number of living documents in a list.
    pub fn living(&mut self, entry: Entry) -> u32 {
        if self.dead_count == 0 || mutant!(TextDeadCounted) {
            return entry.documents;
        }
        let place = (entry.at.wrapping_mul(0x9E37_79B1) >> 20) as usize % KEPT;
        if let Some([at, live]) = self.live.get(place)
            && *at == entry.at + 1
        {
            return *live;
        }
        let mut live = 0;
        postings::decode(&self.post, entry, |ordinal, _| live += u32::from(!self.is_dead(ordinal)));
        if entry.documents >= COUNTED {
            if self.live.is_empty() && zeros(&mut self.live, KEPT, "counts of words").is_err() {
                return live;
            }
            self.live[place] = [entry.at + 1, live];
        }
        live
    }
}

/// Goes through the keys of a sub-index in order.
#[derive(Default)]
pub struct Walk {
    pub key: Vec<u8>,
    pub entry: Entry,
    /// The number of the next key, where it begins, and where its list begins.
    number: u32,
    at: usize,
    list: usize,
}

impl Walk {
    /// Goes to the beginning of the group that `key` is in, if it is in the sub-index. The next keys may come before
    /// `key`, but none that is not before `key` is left out.
    pub fn go_to(&mut self, sub_index: &SubIndex, key: &[u8]) {
        let first = |group: &[u32; 2]| {
            let mut at = group[0] as usize;
            let (_, own) = lengths(&sub_index.dictionary, &mut at);
            sub_index.dictionary.get(at..at + own).unwrap_or(&[])
        };
        let group = sub_index.groups.partition_point(|group| first(group) <= key).saturating_sub(1);
        let [at, list] = sub_index.groups.get(group).copied().unwrap_or([0, 0]);
        (self.number, self.at, self.list) = ((group * GROUP) as u32, at as usize, list as usize);
        self.key.clear();
    }

    /// Reads the next key. Returns false if there is none. A sub-index from a file may contain anything. So the walk
    /// ends at a key that is not where the table of groups says, and no list has more documents than bytes. Otherwise
    /// all lists together could be far longer than the file.
    pub fn next(&mut self, sub_index: &SubIndex) -> bool {
        let dictionary = &sub_index.dictionary;
        if self.number >= sub_index.terms || self.at >= dictionary.len() || self.list >= sub_index.post.len() {
            return false;
        }
        let begins = [self.at as u32, self.list as u32];
        let number = self.number as usize;
        if number.is_multiple_of(GROUP) && sub_index.groups.get(number / GROUP) != Some(&begins) {
            return false;
        }
        let (common, own) = lengths(dictionary, &mut self.at);
        self.key.truncate(common);
        for byte in dictionary.get(self.at..self.at + own).unwrap_or(&[]) {
            self.key.push(*byte);
        }
        self.at += own;
        let documents = postings::get(dictionary, &mut self.at);
        let end = match documents {
            1 => postings::after_one(&sub_index.post, self.list),
            _ => self.list.saturating_add(postings::get(dictionary, &mut self.at) as usize),
        };
        let most = (end - self.list).min(sub_index.docs.len()) as u32;
        self.entry = Entry { documents: documents.min(most), at: self.list as u32 };
        self.list = end;
        self.number += 1;
        true
    }
}

/// Reads how many bytes a key has in common with the key before it, and how many bytes of its own follow. One byte has
/// both numbers. A number of at least 15 takes one more byte.
fn lengths(dictionary: &[u8], at: &mut usize) -> (usize, usize) {
    let both = dictionary.get(*at).copied().unwrap_or(0);
    *at += 1;
    let mut length = |short: u8| {
        if short < 15 {
            return usize::from(short);
        }
        let more = dictionary.get(*at).copied().unwrap_or(0);
        *at += 1;
        15 + usize::from(more)
    };
    (length(both >> 4), length(both & 15))
}

/// Writes the lists of a sub-index, whose documents are known, in the order of the keys.
#[derive(Default)]
pub struct Writer {
    pub sub_index: SubIndex,
    last: Vec<u8>,
}

impl Writer {
    /// Begins a sub-index. `docs` must ascend. `lengths` has the lengths of all documents in the first field, then
    /// those in the next field.
    pub fn new(docs: Vec<u32>, lengths: Vec<u32>, fields: usize) -> Result<Self> {
        let mut sub_index = SubIndex { docs, lengths, ..SubIndex::default() };
        sub_index.begin(fields)?;
        Ok(Self { sub_index, last: Vec::new() })
    }

    /// Makes room for lists and a dictionary of about this size, so that they are not moved while they grow.
    pub fn expect(&mut self, post: usize, dictionary: usize) -> Result<()> {
        // `add` reserves room for the longest encoding of a list.
        let longest = self.sub_index.docs.len() * 2 * postings::VARINT + 4096;
        reserve(&mut self.sub_index.post, post + longest, "an index of words")?;
        reserve(&mut self.sub_index.dictionary, dictionary, "an index of words")
    }

    /// Adds a key and its list. The key must come after all keys that were added. The list must not be empty, and its
    /// documents must ascend. Fails with CAPACITY if the sub-index would have more than 4 GB.
    pub fn add(&mut self, key: &[u8], list: &[Posting]) -> Result<()> {
        let sub_index = &mut self.sub_index;
        if sub_index.post.len() > u32::MAX as usize - (64 << 20) || sub_index.dictionary.len() > u32::MAX as usize - 256
        {
            fail!(Capacity, "an index of words holds no more than 4 GB");
        }
        reserve(&mut sub_index.dictionary, key.len() + 3 + 2 * postings::VARINT, "an index of words")?;
        let common = if (sub_index.terms as usize).is_multiple_of(GROUP) {
            reserve(&mut sub_index.groups, 1, "an index of words")?;
            sub_index.groups.push([sub_index.dictionary.len() as u32, sub_index.post.len() as u32]);
            0
        } else {
            key.iter().zip(&self.last).take_while(|(a, b)| a == b).count()
        };
        let at = sub_index.post.len();
        let documents = sub_index.docs.len();
        let field = usize::from(key.first().copied().unwrap_or(0));
        let lengths = sub_index.lengths.get(field * documents..).unwrap_or(&[]);
        postings::encode(list, &|ordinal| lengths.get(ordinal as usize).copied().unwrap_or(0), &mut sub_index.post)?;
        let own = key.len() - common;
        sub_index.dictionary.push((common.min(15) << 4 | own.min(15)) as u8);
        for long in [common, own].into_iter().filter(|length| *length >= 15) {
            sub_index.dictionary.push((long - 15) as u8);
        }
        for byte in &key[common..] {
            sub_index.dictionary.push(*byte);
        }
        postings::put(&mut sub_index.dictionary, list.len() as u32);
        if list.len() > 1 {
            postings::put(&mut sub_index.dictionary, (sub_index.post.len() - at) as u32);
        }
        sub_index.terms += 1;
        sub_index.postings += list.len() as u64;
        self.last.truncate(common);
        for byte in &key[common..] {
            self.last.push(*byte);
        }
        Ok(())
    }

    pub fn finish(self) -> SubIndex {
        let mut sub_index = self.sub_index;
        sub_index.dictionary.shrink_to_fit();
        sub_index.groups.shrink_to_fit();
        sub_index.post.shrink_to_fit();
        sub_index
    }
}
