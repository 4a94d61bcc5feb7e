//! Documents that are not in a sub-index yet: the words of each one as numbers.

use hashbrown::HashTable;

use super::sorted::sort;
use crate::Result;
use crate::error::{out_of_memory, reserve};
use crate::hash::{Hasher, hash};

/// One word of one field.
pub struct Term {
    /// The first sixteen bytes of the word.
    start: (u64, u64),
    /// The length of the word, and the field above it.
    size: u32,
    /// Where the whole key is in `bytes`.
    at: u32,
    /// The last document that has it, and the place in `words` where it is counted.
    last: u32,
    slot: u32,
}

/// The words of documents, in the order in which they came.
#[derive(Default)]
pub struct Builder {
    fields: usize,
    table: HashTable<u32>,
    terms: Vec<Term>,
    bytes: Vec<u8>,
    /// For each document the numbers of its words and their counts, one document after the other.
    pub words: Vec<(u32, u32)>,
    /// Where the words of each document end.
    ends: Vec<u32>,
    /// The number of each document.
    docs: Vec<u32>,
    /// For each document the number of words in each field, one document after the other.
    lengths: Vec<u32>,
    places: HashTable<u32>,
    field: u32,
    failed: bool,
}

/// Stands for no document: the first value of a term's `last`.
const NONE: u32 = u32::MAX;

fn start(word: &[u8]) -> (u64, u64) {
    let eight =
        |at: usize| word.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |b| u64::from_le_bytes(*b));
    let last = word.last_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    match word.len() {
        16.. => (eight(0), eight(8)),
        9..16 => (eight(0), last >> (8 * (16 - word.len()))),
        8 => (last, 0),
        4..8 => {
            let four = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
            (four(word.first_chunk()) | four(word.last_chunk()) << (8 * (word.len() - 4)), 0)
        }
        _ => (word.iter().rev().fold(0, |start, byte| start << 8 | u64::from(*byte)), 0),
    }
}

#[inline(always)]
fn mix(start: (u64, u64), size: u32) -> u64 {
    let hash = (start.0 ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0x9FB2_1C65_1E98_DF25);
    let hash = (hash ^ hash >> 32 ^ start.1.rotate_left(23) ^ u64::from(size)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    hash ^ hash >> 32
}

/// Returns the hash of a word. For a word of more than 16 bytes it depends on all bytes, because many words may have
/// the same first 16.
#[inline(always)]
fn hash_of(start: (u64, u64), size: u32, word: &[u8]) -> u64 {
    if word.len() <= 16 { mix(start, size) } else { mix((hash(word), start.1), size) }
}

fn place_of(doc: u32) -> u64 {
    mix((u64::from(doc), 0), 0)
}

/// Adds a number to a table. It is the only place where tables grow.
#[inline(never)]
fn insert(table: &mut HashTable<u32>, hash: u64, number: u32, hasher: Hasher<'_>) -> Result<()> {
    table.try_reserve(1, hasher).map_err(|_| out_of_memory("an index of words", 8))?;
    table.insert_unique(hash, number, hasher);
    Ok(())
}

impl Term {
    fn word<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &self.key(bytes)[1..]
    }

    fn key<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.at as usize..][..=(self.size & 255) as usize]
    }
}

impl Builder {
    pub fn new(fields: usize) -> Self {
        Self { fields, ..Self::default() }
    }

    pub fn bytes(&self) -> usize {
        self.table.allocation_size()
            + self.places.allocation_size()
            + self.terms.capacity() * size_of::<Term>()
            + self.words.capacity() * 8
            + self.bytes.capacity()
            + (self.ends.capacity() + self.docs.capacity() + self.lengths.capacity()) * 4
    }

    pub fn is_empty(&self) -> bool {
        self.docs.is_empty()
    }

    pub fn living(&self) -> usize {
        self.places.len()
    }

    pub fn terms(&self) -> usize {
        self.terms.len()
    }

    /// Begins the document with this number. All words until [`end`](Self::end) belong to it.
    pub fn begin(&mut self, doc: u32) -> Result<()> {
        reserve(&mut self.docs, 1, "an index of words")?;
        reserve(&mut self.ends, 1, "an index of words")?;
        reserve(&mut self.lengths, self.fields, "an index of words")?;
        let Self { places, docs, .. } = self;
        let ordinal = docs.len() as u32;
        docs.push(doc);
        insert(places, place_of(doc), ordinal, &|ordinal| place_of(docs[*ordinal as usize]))?;
        self.lengths.resize(self.lengths.len() + self.fields, 0);
        Ok(())
    }

    /// Chooses the field of the words that follow.
    pub fn choose(&mut self, field: usize) {
        self.field = field as u32;
    }

    /// Adds a word of at most 64 bytes to the document that was begun. If memory is short, `end` returns the error.
    #[inline]
    pub fn word(&mut self, word: &str) {
        let word = word.as_bytes();
        let size = self.field << 8 | word.len() as u32;
        let start = start(word);
        let hash = hash_of(start, size, word);
        let ordinal = self.docs.len() as u32 - 1;
        let (terms, bytes) = (&self.terms, &self.bytes);
        let found = self.table.find(hash, |number| {
            let term = &terms[*number as usize];
            term.start == start && term.size == size && (word.len() <= 16 || term.word(bytes) == word)
        });
        let number = match found {
            Some(number) => *number,
            None => match self.new_term(word, start, size, hash) {
                Ok(number) => number,
                Err(_) => return self.failed = true,
            },
        };
        let length = self.lengths.len() - self.fields + self.field as usize;
        self.lengths[length] += 1;
        let term = &mut self.terms[number as usize];
        if term.last == ordinal {
            self.words[term.slot as usize].1 += 1;
            return;
        }
        if self.words.len() == self.words.capacity() && reserve(&mut self.words, 1, "an index of words").is_err() {
            return self.failed = true;
        }
        term.last = ordinal;
        term.slot = self.words.len() as u32;
        self.words.push((number, 1));
    }

    #[inline(never)]
    fn new_term(&mut self, word: &[u8], start: (u64, u64), size: u32, hash: u64) -> Result<u32> {
        reserve(&mut self.terms, 1, "an index of words")?;
        reserve(&mut self.bytes, word.len() + 1, "an index of words")?;
        let Self { table, terms, bytes, .. } = self;
        let again = |number: &u32| {
            let term = &terms[*number as usize];
            hash_of(term.start, term.size, term.word(bytes))
        };
        let number = terms.len() as u32;
        insert(table, hash, number, &again)?;
        terms.push(Term { start, size, at: bytes.len() as u32, last: NONE, slot: 0 });
        bytes.push(self.field as u8);
        for byte in word {
            bytes.push(*byte);
        }
        Ok(number)
    }

    /// Ends the document that was begun.
    pub fn end(&mut self) -> Result<()> {
        self.ends.push(self.words.len() as u32);
        if std::mem::take(&mut self.failed) {
            let doc = self.docs[self.docs.len() - 1];
            self.remove(doc);
            return Err(out_of_memory("an index of words", self.words.len() * 8));
        }
        Ok(())
    }

    /// Forgets the document with this number, if there is one.
    pub fn remove(&mut self, doc: u32) -> bool {
        let docs = &self.docs;
        match self.places.find_entry(place_of(doc), |ordinal| docs[*ordinal as usize] == doc) {
            Ok(found) => {
                found.remove();
                true
            }
            Err(_) => false,
        }
    }

    /// Returns the number and the ordinal of each living document, in the order of the numbers.
    pub fn order(&self) -> Result<Vec<(u64, u32)>> {
        let mut order = Vec::new();
        reserve(&mut order, self.places.len(), "an index of words")?;
        order.extend(self.places.iter().map(|ordinal| (u64::from(self.docs[*ordinal as usize]), *ordinal)));
        sort(&mut order, &|a, b| a.cmp(&b));
        Ok(order)
    }

    /// Returns the number of words of a document in a field.
    pub fn length(&self, ordinal: u32, field: usize) -> u32 {
        self.lengths[ordinal as usize * self.fields + field]
    }

    /// Returns the numbers of the words of a document, and their counts.
    pub fn words_of(&self, ordinal: u32) -> &[(u32, u32)] {
        let from = if ordinal == 0 { 0 } else { self.ends[ordinal as usize - 1] };
        &self.words[from as usize..self.ends[ordinal as usize] as usize]
    }

    /// Returns the key of a term.
    pub fn key(&self, number: u32) -> &[u8] {
        self.terms[number as usize].key(&self.bytes)
    }

    /// Returns all terms in the order of their keys: the first bytes of the key as a number, and the number of the
    /// term.
    pub fn sorted_terms(&self) -> Result<Vec<(u64, u32)>> {
        let mut order = Vec::new();
        reserve(&mut order, self.terms.len(), "an index of words")?;
        order.extend(
            self.terms
                .iter()
                .zip(0..)
                .map(|(term, number)| (u64::from(term.size >> 8) << 56 | term.start.0.swap_bytes() >> 8, number)),
        );
        sort(&mut order, &|a, b| self.key(a).cmp(self.key(b)));
        Ok(order)
    }
}
