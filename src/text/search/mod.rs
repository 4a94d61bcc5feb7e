//! Keyword search: the score of a document is the sum of BM25 over the words of a question and the fields.
//!
//! A question is asked in two steps. [`TextIndex::statistics`] counts what all scores depend on. The statistics of all
//! indexes that are searched together are added. Then [`TextIndex::best`] or [`TextIndex::all`] score with them. So the
//! scores are the same as if one index had all documents.

mod formula;
mod near;
mod question;
mod resolve;
mod statistics;
mod windows;

use std::collections::BinaryHeap;

use formula::Item;
use windows::{Line, Sink, Windows};

use super::index::TextIndex;
use super::index::lists::List;
use super::index::sub_index::SubIndex;
use crate::Result;
use crate::error::{fail, out_of_memory, reserve};
use crate::mutant::mutant;

pub use formula::ceiling;
pub use question::{Fuzzy, MAX_WORDS, Options, Question};
pub use statistics::Statistics;

/// Stands for a field that an index does not have, where several indexes are asked about the same fields.
pub const ABSENT: u8 = u8::MAX;

/// A document and its score.
pub type Scored = (u32, f64);

impl TextIndex {
    /// Counts what the scores of a question depend on. `fields` has the index's number of each field that is searched,
    /// or [`ABSENT`]. `documents` is the number of all living documents of the index's collection.
    pub fn statistics(&mut self, question: &Question, fields: &[u8], documents: u64) -> Result<Statistics> {
        self.check_fields(fields)?;
        let counted = self.resolve(question, fields)?;
        mutant!(TextDeadDocuments does {
            let dead: u32 = self.parts().0.iter().map(|sub_index| sub_index.dead_count).sum();
            return Ok(Statistics { documents: documents + u64::from(dead), ..counted });
        });
        Ok(Statistics { documents, ..counted })
    }

    fn check_fields(&self, fields: &[u8]) -> Result<()> {
        if fields.is_empty() || fields.len() > super::index::MAX_FIELDS {
            fail!(InvalidArgument, "a search of words is about 1 to {} fields", super::index::MAX_FIELDS);
        }
        for (n, field) in fields.iter().enumerate().filter(|(_, field)| **field != ABSENT) {
            if usize::from(*field) >= self.fields() || fields[..n].contains(field) {
                fail!(InvalidArgument, "field {field} is not one of the {} fields, or is there twice", self.fields());
            }
        }
        Ok(())
    }

    /// Returns the best `k` documents, and all others with the same score as the last of them. The best come first.
    /// Documents with the same score are in the order of their numbers. If `filter` is given, only documents with their
    /// bit set are returned. Each number in `filter` has the bits of sixteen documents.
    pub fn best(
        &mut self,
        question: &Question,
        statistics: &Statistics,
        (fields, weights): (&[u8], &[f64]),
        k: usize,
        filter: Option<&[u16]>,
    ) -> Result<Vec<Scored>> {
        let mut best = Best { k, heap: BinaryHeap::new(), above: 0, least: f64::NEG_INFINITY };
        if k > 0 {
            let mut failed = None;
            let offer = &mut |doc, score| match best.offer(doc, score) {
                Ok(least) => least,
                Err(error) => {
                    failed = Some(error);
                    f64::INFINITY
                }
            };
            self.scan(question, statistics, fields, weights, Sink { filter, least: f64::NEG_INFINITY, offer })?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
        let sorted = best.heap.into_sorted_vec();
        Ok(sorted.into_iter().map(|(score, doc)| (doc, f64::from_bits(!score))).collect())
    }

    /// Calls `each` with every document that the question finds, and its score. The order is not defined.
    pub fn all(
        &mut self,
        question: &Question,
        statistics: &Statistics,
        (fields, weights): (&[u8], &[f64]),
        each: &mut dyn FnMut(u32, f64),
    ) -> Result<()> {
        let offer = &mut |doc, score| {
            each(doc, score);
            f64::NEG_INFINITY
        };
        self.scan(question, statistics, fields, weights, Sink { filter: None, least: f64::NEG_INFINITY, offer })
    }

    fn scan(
        &mut self,
        question: &Question,
        statistics: &Statistics,
        fields: &[u8],
        weights: &[f64],
        mut sink: Sink<'_>,
    ) -> Result<()> {
        self.check_fields(fields)?;
        if fields.len() != weights.len() {
            fail!(InvalidArgument, "{} weights were given for {} fields", weights.len(), fields.len());
        }
        let mut items = formula::items(question, statistics, weights)?;
        items.retain(|item| statistics.count(item.clause, item.field) > 0);
        sort_items(&mut items)?;
        let required: Vec<usize> =
            question.required.iter().enumerate().filter(|(_, required)| **required).map(|(word, _)| word).collect();
        if required.iter().any(|word| !items.iter().any(|item| question.clauses[item.clause].word == *word)) {
            return Ok(());
        }
        self.resolve(question, fields)?;
        self.fill_tables(&items, fields.len())?;
        let (sub_indexes, lists) = self.parts();
        let width = question.clauses.len() * fields.len();
        for (sub_index, found) in sub_indexes.iter().zip(lists.lists.chunks(width.max(1))) {
            let mut lines = Vec::new();
            reserve(&mut lines, items.len(), "a search of words")?;
            for item in &items {
                let list = &found[item.clause * fields.len() + item.field];
                lines.extend(line(sub_index, list, item, &lists.tables, question, fields));
            }
            if lines.is_empty() {
                continue;
            }
            let mut windows = Windows::new(sub_index, lines);
            if required.is_empty() { windows.any(&mut sink) } else { windows.all(&required, &mut sink) }
        }
        Ok(())
    }

    /// Makes the tables of contributions for the mean lengths of these summands.
    fn fill_tables(&mut self, items: &[Item], fields: usize) -> Result<()> {
        let (_, lists) = self.parts();
        lists.tables.resize_with(fields, || (0.0, Vec::new()));
        for item in items {
            let (mean, table) = &mut lists.tables[item.field];
            if table.is_empty() || mean.to_bits() != item.mean.to_bits() {
                (*mean, *table) = (item.mean, formula::table(item.mean)?);
            }
        }
        Ok(())
    }
}

fn line<'a>(
    sub_index: &'a SubIndex,
    list: &'a List,
    item: &Item,
    tables: &'a [(f64, Vec<f64>)],
    question: &Question,
    fields: &[u8],
) -> Option<Line<'a>> {
    let lengths = sub_index.lengths_of(usize::from(fields[item.field]));
    let word = question.clauses[item.clause].word;
    Line::new(sub_index, list, (item.weight, item.mean), &tables[item.field].1, lengths, word)
}

/// Puts the summands into the order in which they are added: descending weight, then the order of the question.
fn sort_items(items: &mut Vec<Item>) -> Result<()> {
    mutant!(TextSumUnordered does { return Ok(()) });
    let mut order = Vec::new();
    reserve(&mut order, items.len(), "a search of words")?;
    order.extend(items.iter().zip(0..).map(|(item, n)| (!item.weight.to_bits(), n)));
    super::index::sorted::sort(&mut order, &|a, b| a.cmp(&b));
    *items = order.iter().map(|(_, n)| items[*n as usize]).collect();
    Ok(())
}

/// The best documents so far, and all that have the same score as the last of them.
struct Best {
    k: usize,
    /// The bits of a score are in the order of the scores, because no score is negative. The worst is on top.
    heap: BinaryHeap<(u64, u32)>,
    /// How many documents are better than the limit: always fewer than `k`.
    above: usize,
    /// The limit: the score of the last of the best, as soon as there are `k`.
    least: f64,
}

impl Best {
    /// Keeps a document if its score is good enough. Returns the least score that is good enough from now on.
    fn offer(&mut self, doc: u32, score: f64) -> Result<f64> {
        if score >= self.least {
            self.heap.try_reserve(1).map_err(|_| out_of_memory("the best documents", self.heap.len() * 16))?;
            self.heap.push((!score.to_bits(), doc));
        }
        if score > self.least {
            self.above += 1;
            if self.above == self.k {
                self.raise()?;
            }
        }
        Ok(self.least)
    }

    /// Drops the documents at the limit, because there are `k` better ones now, and finds the new limit.
    fn raise(&mut self) -> Result<()> {
        while let Some((score, _)) = self.heap.peek()
            && f64::from_bits(!*score) == self.least
        {
            self.heap.pop();
        }
        let Some((worst, _)) = self.heap.peek().copied() else { return Ok(()) };
        self.least = f64::from_bits(!worst);
        let mut equal = Vec::new();
        while let Some((score, doc)) = self.heap.peek().copied()
            && score == worst
        {
            reserve(&mut equal, 1, "the best documents")?;
            equal.push((score, doc));
            self.heap.pop();
        }
        self.above = self.heap.len();
        self.heap.extend(equal);
        Ok(())
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
