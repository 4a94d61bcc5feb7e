//! A segment: some documents and the lists of their words. Nothing of it changes except which documents are dead.

use super::DEAD;
use super::postings::{self, Entry, Posting};
use crate::Result;
use crate::error::{fail, reserve, zeros};
use crate::mutant::mutant;

/// The number of words of which the first is written whole, and has an entry in the table.
pub const GROUP: usize = 16;

/// A list that is shorter than this is counted again each time.
const COUNTED: u32 = 64;

/// The number of live counts that are kept.
const KEPT: usize = 4096;

/// Documents in the order of their rows, and for each field and word of them a list.
#[derive(Default)]
pub struct Segment {
    pub terms: u32,
    /// The keys, in order. A key is the number of the field, and the word. Each of them leaves out what it begins with
    /// in common with the one before. Behind it come the number of its documents and the length of its list.
    pub dictionary: Vec<u8>,
    /// Where each group of keys begins in the dictionary, and where the list of its first key begins.
    pub groups: Vec<[u32; 2]>,
    pub post: Vec<u8>,
    /// The row of each document, ascending. A dead document may have the same one as the document before it.
    pub rows: Vec<u32>,
    /// The number of words of each document, one field behind the other.
    pub lengths: Vec<u32>,
    pub dead: Vec<u64>,
    pub dead_count: u32,
    /// The number of words of all living documents, for each field.
    pub totals: Vec<u64>,
    pub postings: u64,
    /// Places of lists, and how many of their documents live. A removal empties it.
    pub live: Vec<[u32; 2]>,
}

impl Segment {
    pub fn documents(&self) -> u32 {
        self.rows.len() as u32
    }

    pub fn is_dead(&self, doc: u32) -> bool {
        self.dead.get(doc as usize / 64).is_none_or(|bits| bits >> (doc % 64) & 1 == 1)
    }

    /// The lengths of all documents in one field.
    pub fn lengths_of(&self, field: usize) -> &[u32] {
        let documents = self.rows.len();
        self.lengths.get(field * documents..(field + 1) * documents).unwrap_or(&[])
    }

    pub fn bytes(&self) -> usize {
        let numbers = self.rows.capacity() + self.lengths.capacity();
        let pairs = self.groups.capacity() + self.live.capacity() + self.dead.capacity() + self.totals.capacity();
        self.dictionary.capacity() + self.post.capacity() + numbers * 4 + pairs * 8
    }

    /// Sets all bits of living and dead, and the totals, from the rows and lengths.
    pub fn begin(&mut self, fields: usize) -> Result<()> {
        zeros(&mut self.dead, self.rows.len().div_ceil(64), "an index of words")?;
        self.totals = (0..fields).map(|field| self.lengths_of(field).iter().map(|n| u64::from(*n)).sum()).collect();
        Ok(())
    }

    /// Marks the living document of this row as dead, if there is one.
    pub fn remove(&mut self, row: u32) -> bool {
        if self.rows.last().is_none_or(|last| row > *last) {
            return false;
        }
        let from = self.rows.partition_point(|other| *other < row);
        let same = self.rows[from..].iter().take_while(|other| **other == row).count();
        let living = (from..from + same).find(|doc| !self.is_dead(*doc as u32));
        living.inspect(|doc| self.kill(*doc)).is_some()
    }

    /// Marks a living document as dead.
    pub fn kill(&mut self, doc: usize) {
        self.dead[doc / 64] |= 1 << (doc % 64);
        self.dead_count += 1;
        let documents = self.rows.len();
        for (field, total) in self.totals.iter_mut().enumerate() {
            if !mutant!(TextTotalsKept) {
                *total -= u64::from(self.lengths[field * documents + doc]);
            }
        }
        if !mutant!(TextCountsKept) {
            self.live = Vec::new();
        }
    }

    /// Gives the documents other rows. Returns false if they are not in the order of their rows any more.
    pub fn renumber(&mut self, new_rows: &[u32]) -> bool {
        let (mut last, mut sorted) = (None, true);
        for doc in 0..self.rows.len() {
            let row = if self.is_dead(doc as u32) {
                DEAD
            } else {
                new_rows.get(self.rows[doc] as usize).copied().unwrap_or(DEAD)
            };
            if row == DEAD {
                if !self.is_dead(doc as u32) {
                    self.kill(doc);
                }
                self.rows[doc] = last.unwrap_or(0);
            } else {
                sorted &= last.is_none_or(|last| row > last);
                self.rows[doc] = row;
                last = Some(row);
            }
        }
        sorted
    }

    /// The list of a key.
    pub fn find(&self, key: &[u8], walk: &mut Walk) -> Option<Entry> {
        walk.go_to(self, key);
        while walk.next(self) {
            if walk.key.as_slice() >= key {
                return (walk.key == key).then_some(walk.entry);
            }
        }
        None
    }

    /// The number of living documents in a list.
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
        postings::decode(&self.post, entry, |doc, _| live += u32::from(!self.is_dead(doc)));
        if entry.documents >= COUNTED {
            if self.live.is_empty() && zeros(&mut self.live, KEPT, "counts of words").is_err() {
                return live;
            }
            self.live[place] = [entry.at + 1, live];
        }
        live
    }
}

/// Goes through the keys of a segment in order.
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
    /// The next key may come before `key`, but no key between it and the one after is left out.
    pub fn go_to(&mut self, segment: &Segment, key: &[u8]) {
        let first = |group: &[u32; 2]| {
            let mut at = group[0] as usize;
            let (_, own) = lengths(&segment.dictionary, &mut at);
            segment.dictionary.get(at..at + own).unwrap_or(&[])
        };
        let group = segment.groups.partition_point(|group| first(group) <= key).saturating_sub(1);
        let [at, list] = segment.groups.get(group).copied().unwrap_or([0, 0]);
        (self.number, self.at, self.list) = ((group * GROUP) as u32, at as usize, list as usize);
        self.key.clear();
    }

    /// Reads the next key, if there is one. A segment of a file may hold anything. So a key that is not where the table
    /// of groups says ends the walk, and no list has more documents than bytes. Otherwise all lists together could be
    /// far longer than the file.
    pub fn next(&mut self, segment: &Segment) -> bool {
        let dictionary = &segment.dictionary;
        if self.number >= segment.terms || self.at >= dictionary.len() || self.list >= segment.post.len() {
            return false;
        }
        let begins = [self.at as u32, self.list as u32];
        let number = self.number as usize;
        if number.is_multiple_of(GROUP) && segment.groups.get(number / GROUP) != Some(&begins) {
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
            1 => postings::after_one(&segment.post, self.list),
            _ => self.list.saturating_add(postings::get(dictionary, &mut self.at) as usize),
        };
        let most = (end - self.list).min(segment.rows.len()) as u32;
        self.entry = Entry { documents: documents.min(most), at: self.list as u32 };
        self.list = end;
        self.number += 1;
        true
    }
}

/// How many bytes a key has in common with the one before, and how many of its own. Both are in one byte, and in one
/// more each if they are large.
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

/// Writes the lists of a segment, whose documents are known, in the order of the keys.
#[derive(Default)]
pub struct Writer {
    pub segment: Segment,
    last: Vec<u8>,
}

impl Writer {
    /// `rows` are ascending, and `lengths` has all documents of the first field, then those of the next one.
    pub fn new(rows: Vec<u32>, lengths: Vec<u32>, fields: usize) -> Result<Self> {
        let mut segment = Segment { rows, lengths, ..Segment::default() };
        segment.begin(fields)?;
        Ok(Self { segment, last: Vec::new() })
    }

    /// Makes room for lists and a dictionary of about this size, so that they are not moved while they grow.
    pub fn expect(&mut self, post: usize, dictionary: usize) -> Result<()> {
        // `add` wants room for the worst encoding of a list.
        let longest = self.segment.rows.len() * 2 * postings::VARINT + 4096;
        reserve(&mut self.segment.post, post + longest, "an index of words")?;
        reserve(&mut self.segment.dictionary, dictionary, "an index of words")
    }

    /// Adds a key that comes behind all others. The list is not empty, and ascends.
    pub fn add(&mut self, key: &[u8], list: &[Posting]) -> Result<()> {
        let segment = &mut self.segment;
        if segment.post.len() > u32::MAX as usize - (64 << 20) || segment.dictionary.len() > u32::MAX as usize - 256 {
            fail!(Capacity, "an index of words holds no more than 4 GB");
        }
        reserve(&mut segment.dictionary, key.len() + 3 + 2 * postings::VARINT, "an index of words")?;
        let common = if (segment.terms as usize).is_multiple_of(GROUP) {
            reserve(&mut segment.groups, 1, "an index of words")?;
            segment.groups.push([segment.dictionary.len() as u32, segment.post.len() as u32]);
            0
        } else {
            key.iter().zip(&self.last).take_while(|(a, b)| a == b).count()
        };
        let at = segment.post.len();
        let documents = segment.rows.len();
        let field = usize::from(key.first().copied().unwrap_or(0));
        let lengths = segment.lengths.get(field * documents..).unwrap_or(&[]);
        postings::encode(list, &|doc| lengths.get(doc as usize).copied().unwrap_or(0), &mut segment.post)?;
        let own = key.len() - common;
        segment.dictionary.push((common.min(15) << 4 | own.min(15)) as u8);
        for long in [common, own].into_iter().filter(|length| *length >= 15) {
            segment.dictionary.push((long - 15) as u8);
        }
        for byte in &key[common..] {
            segment.dictionary.push(*byte);
        }
        postings::put(&mut segment.dictionary, list.len() as u32);
        if list.len() > 1 {
            postings::put(&mut segment.dictionary, (segment.post.len() - at) as u32);
        }
        segment.terms += 1;
        segment.postings += list.len() as u64;
        self.last.truncate(common);
        for byte in &key[common..] {
            self.last.push(*byte);
        }
        Ok(())
    }

    pub fn finish(self) -> Segment {
        let mut segment = self.segment;
        segment.dictionary.shrink_to_fit();
        segment.groups.shrink_to_fit();
        segment.post.shrink_to_fit();
        segment
    }
}
