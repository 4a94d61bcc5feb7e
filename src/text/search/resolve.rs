//! Finds the lists of a question in the sub-indexes.

use super::question::{Clause, How, Question};
use super::statistics::Statistics;
use super::{ABSENT, TextIndex};
use crate::Result;
use crate::error::{reserve, zeros};
use crate::mutant::mutant;
use crate::text::index::lists::List;
use crate::text::index::postings::{self, Entry};
use crate::text::index::sub_index::{SubIndex, Walk};
use crate::text::words::forms::range_en;

impl TextIndex {
    /// Finds all lists of a question, unless the last question was the same, and counts their living documents.
    pub(super) fn resolve(&mut self, question: &Question, fields: &[u8]) -> Result<Statistics> {
        self.catch_up()?;
        let key = question.key(fields);
        let (sub_indexes, lists) = self.parts();
        if lists.question != key {
            lists.clear();
            let mut found = Vec::new();
            let width = question.clauses.len() * fields.len();
            reserve(&mut found, sub_indexes.len() * width, "a search of words")?;
            found.resize_with(sub_indexes.len() * width, List::default);
            let mut union = Union::default();
            for (n, clause) in question.clauses.iter().enumerate() {
                if clause.if_absent && !absent(question, n, fields.len(), width, &found) {
                    continue;
                }
                for (place, sub_index) in sub_indexes.iter_mut().enumerate() {
                    for (f, field) in fields.iter().enumerate().filter(|(_, field)| **field != ABSENT) {
                        found[place * width + n * fields.len() + f] = union.find(sub_index, clause, *field)?;
                    }
                }
            }
            (lists.lists, lists.question) = (found, key);
        }
        count(question, fields, sub_indexes, &lists.lists)
    }
}

/// Returns whether no living document has a word of the other clauses of the same word. (A list that has only dead
/// documents is `List::None` already.)
fn absent(question: &Question, clause: usize, fields: usize, width: usize, found: &[List]) -> bool {
    let word = question.clauses[clause].word;
    let others = question.clauses.iter().enumerate().filter(|(n, other)| *n != clause && other.word == word);
    others
        .flat_map(|(n, _)| found.chunks(width.max(1)).map(move |lists| &lists[n * fields..(n + 1) * fields]))
        .flatten()
        .all(|list| matches!(list, List::None))
}

fn count(question: &Question, fields: &[u8], sub_indexes: &mut [SubIndex], lists: &[List]) -> Result<Statistics> {
    let (mut totals, mut counts) = (Vec::new(), Vec::new());
    zeros(&mut totals, fields.len(), "a search of words")?;
    zeros(&mut counts, question.clauses.len() * fields.len(), "a search of words")?;
    for (place, sub_index) in sub_indexes.iter_mut().enumerate() {
        for (total, field) in totals.iter_mut().zip(fields) {
            *total += sub_index.totals.get(usize::from(*field)).copied().unwrap_or(0);
        }
        for (count, list) in counts.iter_mut().zip(&lists[place * question.clauses.len() * fields.len()..]) {
            *count += u64::from(match list {
                List::None => 0,
                List::One(entry) => sub_index.living(*entry),
                List::Many(list) if mutant!(TextUnionSummed) => list.iter().map(|(_, count)| count).sum(),
                List::Many(list) => list.len() as u32,
            });
        }
    }
    Ok(Statistics { documents: 0, totals, counts })
}

/// Finds the words of a clause and unites their lists. Between two lists, all `counts` and `bits` are zero.
#[derive(Default)]
struct Union {
    walk: Walk,
    entries: Vec<Entry>,
    counts: Vec<u32>,
    bits: Vec<u64>,
}

impl Union {
    fn find(&mut self, sub_index: &mut SubIndex, clause: &Clause, field: u8) -> Result<List> {
        let mut key = vec![field];
        key.extend_from_slice(clause.text.as_bytes());
        self.entries.clear();
        if clause.how == How::Exact {
            self.entries.extend(sub_index.find(&key, &mut self.walk));
        } else {
            let begin = match clause.how {
                How::Exact | How::Prefix => clause.text.len(),
                How::Near => clause.text.chars().next().map_or(0, char::len_utf8),
                How::Forms => range_en(&clause.text).len(),
            };
            key.truncate(1 + begin);
            self.all_within(sub_index, &key, clause)?;
        }
        match self.entries.as_slice() {
            [] => Ok(List::None),
            [entry] => Ok(if sub_index.living(*entry) > 0 { List::One(*entry) } else { List::None }),
            _ => self.unite(sub_index),
        }
    }

    /// Finds all words of a clause among the keys that begin with `begin`.
    fn all_within(&mut self, sub_index: &SubIndex, begin: &[u8], clause: &Clause) -> Result<()> {
        self.walk.go_to(sub_index, begin);
        while self.walk.next(sub_index) {
            let key = self.walk.key.as_slice();
            if !key.starts_with(begin) {
                if key > begin {
                    break;
                }
                continue;
            }
            // An edit changes no more than the four bytes of a character.
            let likely = clause.how != How::Near || key.len().abs_diff(clause.text.len() + 1) <= 4;
            let all = clause.how == How::Prefix;
            if all || (likely && std::str::from_utf8(&key[1..]).is_ok_and(|word| clause.fits(word))) {
                reserve(&mut self.entries, 1, "a search of words")?;
                self.entries.push(self.walk.entry);
            }
        }
        Ok(())
    }

    fn unite(&mut self, sub_index: &SubIndex) -> Result<List> {
        let documents = sub_index.docs.len();
        if self.counts.len() < documents {
            zeros(&mut self.counts, documents, "a search of words")?;
            zeros(&mut self.bits, documents.div_ceil(64), "a search of words")?;
        }
        let (counts, bits) = (self.counts.as_mut_slice(), self.bits.as_mut_slice());
        for entry in &self.entries {
            postings::decode(&sub_index.post, *entry, |ordinal, count| {
                if let (Some(sum), Some(bits)) = (counts.get_mut(ordinal as usize), bits.get_mut(ordinal as usize / 64))
                {
                    *sum = sum.saturating_add(count);
                    *bits |= 1 << (ordinal % 64);
                }
            });
        }
        let mut list = Vec::new();
        let all = bits.iter().map(|bits| bits.count_ones() as usize).sum();
        reserve(&mut list, all, "a search of words")?;
        for (n, bits) in bits.iter_mut().enumerate() {
            let mut rest = std::mem::take(bits);
            while rest != 0 {
                let ordinal = n * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let count = std::mem::take(&mut counts[ordinal]);
                if !sub_index.is_dead(ordinal as u32) {
                    list.push((ordinal as u32, count));
                }
            }
        }
        Ok(if list.is_empty() { List::None } else { List::Many(list) })
    }
}
