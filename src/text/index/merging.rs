//! Makes one segment of several, in steps. Meanwhile they are searched, and their documents can be removed.

use super::postings::{self, Posting};
use super::sealing::{WORD, spend};
use super::segment::{Segment, Walk, Writer};
use super::sorted::sort;
use crate::Result;
use crate::error::{reserve, zeros};
use crate::mutant::mutant;

/// The number of a document that is left out.
const NONE: u32 = u32::MAX;

/// A segment that is being made.
pub struct Merging {
    parts: Vec<Part>,
    writer: Writer,
    /// The list that is being put together.
    list: Vec<Posting>,
    sorted: Vec<(u64, u32)>,
}

struct Part {
    /// Its place among the segments.
    place: usize,
    /// The number of each of its documents in the new segment.
    numbers: Vec<u32>,
    walk: Walk,
    more: bool,
}

impl Merging {
    /// Begins to merge the segments in these places.
    pub fn new(segments: &[Segment], places: &[usize], fields: usize) -> Result<Self> {
        let chosen = || places.iter().map(|place| &segments[*place]);
        let documents = chosen().map(|segment| segment.rows.len()).sum();
        let (mut order, mut first) = (Vec::new(), 0);
        reserve(&mut order, documents, "an index of words")?;
        for segment in chosen() {
            let living = (0..segment.documents()).filter(|doc| !segment.is_dead(*doc));
            order.extend(living.map(|doc| (u64::from(segment.rows[doc as usize]), first + doc)));
            first += segment.documents();
        }
        if !order.is_sorted() {
            sort(&mut order, &|a, b| a.cmp(&b));
        }
        let mut all = Vec::new();
        reserve(&mut all, documents, "an index of words")?;
        all.resize(documents, NONE);
        let mut rows = Vec::new();
        reserve(&mut rows, order.len(), "an index of words")?;
        for (number, (row, doc)) in order.iter().enumerate() {
            all[*doc as usize] = number as u32;
            rows.push(*row as u32);
        }
        let living = order.len();
        drop(order);
        let mut lengths = Vec::new();
        zeros(&mut lengths, living * fields, "an index of words")?;
        let (mut parts, mut rest) = (Vec::new(), all.as_slice());
        for (place, segment) in places.iter().zip(chosen()) {
            let (own, others) = rest.split_at(segment.rows.len());
            rest = others;
            let mut numbers = Vec::new();
            reserve(&mut numbers, own.len(), "an index of words")?;
            numbers.extend_from_slice(own);
            for field in 0..fields {
                for (number, length) in own.iter().zip(segment.lengths_of(field)).filter(|(number, _)| **number != NONE)
                {
                    lengths[field * living + *number as usize] = *length;
                }
            }
            let mut walk = Walk::default();
            let more = walk.next(segment);
            parts.push(Part { place: *place, numbers, walk, more });
        }
        let mut writer = Writer::new(rows, lengths, fields)?;
        let post = chosen().map(|segment| segment.post.len()).sum();
        writer.expect(post, chosen().map(|segment| segment.dictionary.len()).max().unwrap_or(0))?;
        Ok(Self { parts, writer, list: Vec::new(), sorted: Vec::new() })
    }

    pub fn bytes(&self) -> usize {
        let numbers: usize = self.parts.iter().map(|part| part.numbers.capacity() * 4).sum();
        numbers + self.writer.segment.bytes() + self.list.capacity() * 8 + self.sorted.capacity() * 16
    }

    /// Works until `budget`, a number of postings, is used up, and subtracts what it needed from it. Returns true if
    /// the segment is made.
    pub fn step(&mut self, segments: &[Segment], budget: &mut usize) -> Result<bool> {
        while *budget > 0 {
            let Some(least) = self.least() else { return Ok(true) };
            let key = std::mem::take(&mut self.parts[least].walk.key);
            let taken = self.gather(segments, least, &key)?;
            if !self.list.is_empty() {
                self.writer.add(&key, &self.list)?;
            }
            self.parts[least].walk.key = key;
            let part = &mut self.parts[least];
            part.more = part.walk.next(&segments[part.place]);
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
    fn gather(&mut self, segments: &[Segment], least: usize, key: &[u8]) -> Result<usize> {
        self.list.clear();
        let (mut taken, mut ascending) = (0, true);
        for (n, part) in self.parts.iter_mut().enumerate().skip(least) {
            if !part.more || (n != least && part.walk.key != key) {
                continue;
            }
            let (segment, entry, numbers) = (&segments[part.place], part.walk.entry, &part.numbers);
            reserve(&mut self.list, entry.documents as usize, "an index of words")?;
            let list = &mut self.list;
            let mut last = list.last().map_or(0, |(doc, _)| *doc);
            postings::decode(&segment.post, entry, |doc, count| {
                let number = numbers.get(doc as usize).copied().unwrap_or(NONE);
                if number != NONE {
                    ascending &= number >= last;
                    last = number;
                    list.push((number, count));
                }
            });
            taken += entry.documents as usize;
            if n != least {
                part.more = part.walk.next(segment);
            }
        }
        if !ascending && !mutant!(TextMergedUnsorted) {
            self.sorted.clear();
            reserve(&mut self.sorted, self.list.len(), "an index of words")?;
            self.sorted.extend(self.list.iter().map(|(doc, count)| (u64::from(*doc), *count)));
            sort(&mut self.sorted, &|_, _| std::cmp::Ordering::Equal);
            for (posting, (doc, count)) in self.list.iter_mut().zip(&self.sorted) {
                *posting = (*doc as u32, *count);
            }
        }
        Ok(taken)
    }

    /// Puts the new segment in the place of the others.
    pub fn finish(self, segments: &mut Vec<Segment>) {
        let Self { parts, writer, .. } = self;
        let mut merged = writer.finish();
        for part in parts.iter().rev() {
            let old = segments.swap_remove(part.place);
            for (doc, number) in part.numbers.iter().enumerate() {
                let dead = old.is_dead(doc as u32) && !mutant!(TextMergedAlive);
                if dead && *number != NONE && !merged.is_dead(*number) {
                    merged.kill(*number as usize);
                }
            }
        }
        if merged.dead_count < merged.documents() {
            segments.push(merged);
        }
    }
}
