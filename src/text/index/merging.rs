//! Makes one sub-index of several, in steps. Meanwhile they are searched, and their documents can be removed.

use super::postings::{self, Posting};
use super::sealing::{WORD, spend};
use super::sorted::sort;
use super::sub_index::{SubIndex, Walk, Writer};
use crate::Result;
use crate::error::{reserve, zeros};
use crate::mutant::mutant;

/// The new ordinal of a document that is left out.
const NONE: u32 = u32::MAX;

/// A sub-index that is being made.
pub struct Merging {
    parts: Vec<Part>,
    writer: Writer,
    /// The list that is being put together.
    list: Vec<Posting>,
    sorted: Vec<(u64, u32)>,
}

struct Part {
    /// Its place among the sub-indexes.
    place: usize,
    /// The ordinal of each of its documents in the new sub-index.
    new_ordinals: Vec<u32>,
    walk: Walk,
    more: bool,
}

impl Merging {
    /// Begins to merge the sub-indexes in these places.
    pub fn new(sub_indexes: &[SubIndex], places: &[usize], fields: usize) -> Result<Self> {
        let chosen = || places.iter().map(|place| &sub_indexes[*place]);
        let documents = chosen().map(|sub_index| sub_index.docs.len()).sum();
        let (mut order, mut first) = (Vec::new(), 0);
        reserve(&mut order, documents, "an index of words")?;
        for sub_index in chosen() {
            let living = (0..sub_index.documents()).filter(|ordinal| !sub_index.is_dead(*ordinal));
            order.extend(living.map(|ordinal| (u64::from(sub_index.docs[ordinal as usize]), first + ordinal)));
            first += sub_index.documents();
        }
        if !order.is_sorted() {
            sort(&mut order, &|a, b| a.cmp(&b));
        }
        let mut all = Vec::new();
        reserve(&mut all, documents, "an index of words")?;
        all.resize(documents, NONE);
        let mut docs = Vec::new();
        reserve(&mut docs, order.len(), "an index of words")?;
        for (new, (doc, old)) in order.iter().enumerate() {
            all[*old as usize] = new as u32;
            docs.push(*doc as u32);
        }
        let living = order.len();
        drop(order);
        let mut lengths = Vec::new();
        zeros(&mut lengths, living * fields, "an index of words")?;
        let (mut parts, mut rest) = (Vec::new(), all.as_slice());
        for (place, sub_index) in places.iter().zip(chosen()) {
            let (own, others) = rest.split_at(sub_index.docs.len());
            rest = others;
            let mut new_ordinals = Vec::new();
            reserve(&mut new_ordinals, own.len(), "an index of words")?;
            new_ordinals.extend_from_slice(own);
            for field in 0..fields {
                for (new, length) in own.iter().zip(sub_index.lengths_of(field)).filter(|(new, _)| **new != NONE) {
                    lengths[field * living + *new as usize] = *length;
                }
            }
            let mut walk = Walk::default();
            let more = walk.next(sub_index);
            parts.push(Part { place: *place, new_ordinals, walk, more });
        }
        let mut writer = Writer::new(docs, lengths, fields)?;
        let post = chosen().map(|sub_index| sub_index.post.len()).sum();
        writer.expect(post, chosen().map(|sub_index| sub_index.dictionary.len()).max().unwrap_or(0))?;
        Ok(Self { parts, writer, list: Vec::new(), sorted: Vec::new() })
    }

    pub fn bytes(&self) -> usize {
        let ordinals: usize = self.parts.iter().map(|part| part.new_ordinals.capacity() * 4).sum();
        ordinals + self.writer.sub_index.bytes() + self.list.capacity() * 8 + self.sorted.capacity() * 16
    }

    /// Works until `budget`, a number of postings, is used up, and subtracts what it needed from it. Returns true if
    /// the sub-index is made.
    pub fn step(&mut self, sub_indexes: &[SubIndex], budget: &mut usize) -> Result<bool> {
        while *budget > 0 {
            let Some(least) = self.least() else { return Ok(true) };
            let key = std::mem::take(&mut self.parts[least].walk.key);
            let taken = self.gather(sub_indexes, least, &key)?;
            if !self.list.is_empty() {
                self.writer.add(&key, &self.list)?;
            }
            self.parts[least].walk.key = key;
            let part = &mut self.parts[least];
            part.more = part.walk.next(&sub_indexes[part.place]);
            spend(budget, taken + WORD);
        }
        Ok(false)
    }

    /// Returns the part with the least key.
    fn least(&self) -> Option<usize> {
        let mut least: Option<usize> = None;
        for (n, part) in self.parts.iter().enumerate().filter(|(_, part)| part.more) {
            if least.is_none_or(|least| part.walk.key < self.parts[least].walk.key) {
                least = Some(n);
            }
        }
        least
    }

    /// Puts together the list of a key from all parts that have it. Then it moves these parts, except `least`, to their
    /// next key. Returns how many postings were read.
    fn gather(&mut self, sub_indexes: &[SubIndex], least: usize, key: &[u8]) -> Result<usize> {
        self.list.clear();
        let (mut taken, mut ascending) = (0, true);
        for (n, part) in self.parts.iter_mut().enumerate().skip(least) {
            if !part.more || (n != least && part.walk.key != key) {
                continue;
            }
            let (sub_index, entry, new_ordinals) = (&sub_indexes[part.place], part.walk.entry, &part.new_ordinals);
            reserve(&mut self.list, entry.documents as usize, "an index of words")?;
            let list = &mut self.list;
            let mut last = list.last().map_or(0, |(ordinal, _)| *ordinal);
            postings::decode(&sub_index.post, entry, |old, count| {
                let new = new_ordinals.get(old as usize).copied().unwrap_or(NONE);
                if new != NONE {
                    ascending &= new >= last;
                    last = new;
                    list.push((new, count));
                }
            });
            taken += entry.documents as usize;
            if n != least {
                part.more = part.walk.next(sub_index);
            }
        }
        if !ascending && !mutant!(TextMergedUnsorted) {
            self.sorted.clear();
            reserve(&mut self.sorted, self.list.len(), "an index of words")?;
            self.sorted.extend(self.list.iter().map(|(ordinal, count)| (u64::from(*ordinal), *count)));
            sort(&mut self.sorted, &|_, _| std::cmp::Ordering::Equal);
            for (posting, (ordinal, count)) in self.list.iter_mut().zip(&self.sorted) {
                *posting = (*ordinal as u32, *count);
            }
        }
        Ok(taken)
    }

    /// Puts the new sub-index in the place of the others.
    pub fn finish(self, sub_indexes: &mut Vec<SubIndex>) {
        let Self { parts, writer, .. } = self;
        let mut merged = writer.finish();
        for part in parts.iter().rev() {
            let old = sub_indexes.swap_remove(part.place);
            for (ordinal, new) in part.new_ordinals.iter().enumerate() {
                let dead = old.is_dead(ordinal as u32) && !mutant!(TextMergedAlive);
                if dead && *new != NONE && !merged.is_dead(*new) {
                    merged.kill(*new as usize);
                }
            }
        }
        if merged.dead_count < merged.documents() {
            sub_indexes.push(merged);
        }
    }
}
