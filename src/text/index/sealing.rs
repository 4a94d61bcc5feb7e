//! Makes a sub-index of documents that were read, in steps.

use super::builder::Builder;
use super::postings::Posting;
use super::sub_index::{SubIndex, Writer};
use crate::Result;
use crate::error::{reserve, zeros};

/// How much of a budget a word takes in addition to the postings of its list.
pub const WORD: usize = 3;

/// A sub-index that is being made.
pub struct Sealing {
    builder: Builder,
    /// Number and ordinal of the documents that lived at the beginning, in the order of their numbers.
    order: Vec<(u64, u32)>,
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
        let order = builder.order()?;
        let (mut docs, mut lengths) = (Vec::new(), Vec::new());
        reserve(&mut docs, order.len(), "an index of words")?;
        reserve(&mut lengths, order.len() * fields, "an index of words")?;
        docs.extend(order.iter().map(|(doc, _)| *doc as u32));
        for field in 0..fields {
            lengths.extend(order.iter().map(|(_, ordinal)| builder.length(*ordinal, field)));
        }
        let writer = Writer::new(docs, lengths, fields)?;
        let (ends, terms, lists) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { builder, order, ends, terms, next: 0, lists, writer, stage: Stage::Sort })
    }

    pub fn remove(&mut self, doc: u32) -> bool {
        self.writer.sub_index.remove(doc)
    }

    pub fn sub_index(&self) -> &SubIndex {
        &self.writer.sub_index
    }

    pub fn bytes(&self) -> usize {
        let tables = (self.order.capacity() + self.terms.capacity()) * 16 + self.ends.capacity() * 4;
        self.builder.bytes() + self.writer.sub_index.bytes() + tables + self.lists.capacity() * 8
    }

    /// Works until `budget`, a number of postings, is used up, and subtracts what it needed from it. Returns true if
    /// the sub-index is made.
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
                    let Some((_, ordinal)) = self.order.get(*next) else {
                        self.stage = Stage::Write;
                        continue;
                    };
                    let words = self.builder.words_of(*ordinal);
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
        for (_, ordinal) in &self.order {
            for (term, _) in self.builder.words_of(*ordinal) {
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

    pub fn finish(self) -> SubIndex {
        self.writer.finish()
    }
}

/// Subtracts what was needed from a budget.
pub fn spend(budget: &mut usize, postings: usize) {
    *budget = budget.saturating_sub(postings);
}
