//! Makes a segment of documents that were read, in steps.

use super::builder::Builder;
use super::postings::Posting;
use super::segment::{Segment, Writer};
use crate::Result;
use crate::error::{reserve, zeros};

/// How much of a budget a word takes in addition to the postings of its list.
pub const WORD: usize = 3;

/// A segment that is being made.
pub struct Sealing {
    builder: Builder,
    /// The documents that lived at the beginning, in the order of their rows.
    docs: Vec<(u64, u32)>,
    /// Where the next posting of each term goes. When all postings are there, that is where the term's list ends.
    ends: Vec<u32>,
    /// The terms that are not written yet begin at `next`.
    terms: Vec<(u64, u32)>,
    next: usize,
    lists: Vec<Posting>,
    writer: Writer,
    stage: Stage,
}

enum Stage {
    Sort,
    Count,
    /// Puts the words of documents into the lists. This is the next document.
    Place(usize),
    Write,
}

impl Sealing {
    pub fn new(builder: Builder, fields: usize) -> Result<Self> {
        let docs = builder.order()?;
        let (mut rows, mut lengths) = (Vec::new(), Vec::new());
        reserve(&mut rows, docs.len(), "an index of words")?;
        reserve(&mut lengths, docs.len() * fields, "an index of words")?;
        rows.extend(docs.iter().map(|(row, _)| *row as u32));
        for field in 0..fields {
            lengths.extend(docs.iter().map(|(_, doc)| builder.length(*doc, field)));
        }
        let writer = Writer::new(rows, lengths, fields)?;
        let (ends, terms, lists) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { builder, docs, ends, terms, next: 0, lists, writer, stage: Stage::Sort })
    }

    pub fn remove(&mut self, row: u32) -> bool {
        self.writer.segment.remove(row)
    }

    pub fn segment(&self) -> &Segment {
        &self.writer.segment
    }

    pub fn bytes(&self) -> usize {
        let tables = (self.docs.capacity() + self.terms.capacity()) * 16 + self.ends.capacity() * 4;
        self.builder.bytes() + self.writer.segment.bytes() + tables + self.lists.capacity() * 8
    }

    /// Works until `budget`, a number of postings, is used up, and subtracts what it needed from it. Returns true if
    /// the segment is made.
    pub fn step(&mut self, budget: &mut usize) -> Result<bool> {
        while *budget > 0 {
            match &mut self.stage {
                Stage::Sort => {
                    self.terms = self.builder.sorted_terms()?;
                    spend(budget, self.terms.len() * WORD);
                    self.stage = Stage::Count;
                }
                Stage::Count => {
                    self.count()?;
                    spend(budget, self.lists.len() / 8 + self.terms.len());
                    self.stage = Stage::Place(0);
                }
                Stage::Place(next) => {
                    let Some((_, doc)) = self.docs.get(*next) else {
                        self.stage = Stage::Write;
                        continue;
                    };
                    let words = self.builder.words_of(*doc);
                    for (term, count) in words {
                        let end = &mut self.ends[*term as usize];
                        self.lists[*end as usize] = (*next as u32, *count);
                        *end += 1;
                    }
                    spend(budget, words.len() / 8 + 1);
                    *next += 1;
                }
                Stage::Write => {
                    let Some((_, term)) = self.terms.get(self.next) else { return Ok(true) };
                    let from = if self.next == 0 { 0 } else { self.ends[self.terms[self.next - 1].1 as usize] };
                    let list = &self.lists[from as usize..self.ends[*term as usize] as usize];
                    if !list.is_empty() {
                        self.writer.add(self.builder.key(*term), list)?;
                    }
                    spend(budget, list.len() + WORD);
                    self.next += 1;
                }
            }
        }
        Ok(false)
    }

    /// Finds where the list of each term begins.
    fn count(&mut self) -> Result<()> {
        zeros(&mut self.ends, self.terms.len(), "an index of words")?;
        for (_, doc) in &self.docs {
            for (term, _) in self.builder.words_of(*doc) {
                self.ends[*term as usize] += 1;
            }
        }
        let mut begin = 0;
        for (_, term) in &self.terms {
            let end = &mut self.ends[*term as usize];
            let count = std::mem::replace(end, begin);
            begin += count;
        }
        zeros(&mut self.lists, begin as usize, "an index of words")
    }

    pub fn finish(self) -> Segment {
        self.writer.finish()
    }
}

/// Subtracts what was needed from a budget.
pub fn spend(budget: &mut usize, postings: usize) {
    *budget = budget.saturating_sub(postings);
}
