//! What the scores of all documents depend on.

use super::question::Question;
use crate::Result;
use crate::error::fail;

/// How many documents there are, how many words they have in each field, and in how many of them each clause of a
/// question is. The statistics of several indexes can be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The living documents of all collections that are searched.
    pub documents: u64,
    /// The number of words in each field.
    pub totals: Vec<u64>,
    /// For each clause and field, the number of documents that have it. The fields of one clause are next to each
    /// other.
    pub counts: Vec<u64>,
}

impl Statistics {
    /// Adds the statistics of another index, which was asked the same question about the same number of fields.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        if self.totals.len() != other.totals.len() || self.counts.len() != other.counts.len() {
            fail!(InvalidArgument, "statistics of different questions cannot be added");
        }
        self.documents = self.documents.saturating_add(other.documents);
        for (all, more) in [(&mut self.totals, &other.totals), (&mut self.counts, &other.counts)] {
            for (sum, more) in all.iter_mut().zip(more) {
                *sum = sum.saturating_add(*more);
            }
        }
        Ok(())
    }

    /// Encodes them for another thread or store: the number of fields, and all numbers, seven bits in a byte.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let numbers = [self.totals.len() as u64, self.documents].into_iter();
        for mut number in numbers.chain(self.totals.iter().copied()).chain(self.counts.iter().copied()) {
            while number >= 128 {
                bytes.push(number as u8 | 128);
                number >>= 7;
            }
            bytes.push(number as u8);
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (mut numbers, mut number, mut shift) = (Vec::new(), 0u64, 0);
        for byte in bytes {
            let bits = u64::from(byte & 127);
            if shift > 63 || (bits << shift) >> shift != bits {
                fail!(InvalidArgument, "these are not statistics of words");
            }
            number |= bits << shift;
            shift += 7;
            if *byte < 128 {
                numbers.push(number);
                (number, shift) = (0, 0);
            }
        }
        let mut numbers = numbers.into_iter();
        let (Some(fields), Some(documents), 0) = (numbers.next(), numbers.next(), shift) else {
            fail!(InvalidArgument, "these are not statistics of words");
        };
        if fields > numbers.len() as u64 {
            fail!(InvalidArgument, "these are not statistics of words");
        }
        let totals = numbers.by_ref().take(fields as usize).collect();
        Ok(Self { documents, totals, counts: numbers.collect() })
    }

    /// Checks that the statistics are of this question and this number of fields, and that no count is greater than the
    /// number of documents.
    pub(super) fn check(&self, question: &Question, fields: usize) -> Result<()> {
        if self.totals.len() != fields || self.counts.len() != question.clauses.len() * fields {
            fail!(InvalidArgument, "the statistics are of another question");
        }
        if self.counts.iter().any(|count| *count > self.documents) {
            fail!(InvalidArgument, "the statistics have more documents with a word than documents");
        }
        Ok(())
    }

    /// Returns in how many documents a clause is, in one field.
    pub(super) fn count(&self, clause: usize, field: usize) -> u64 {
        self.counts[clause * self.totals.len() + field]
    }

    /// Returns whether a clause takes part in the sum. A clause with `if_absent` does so only if the other clauses of
    /// its word have no documents.
    pub(super) fn counts_in(&self, question: &Question, clause: usize) -> bool {
        let this = &question.clauses[clause];
        let fields = self.totals.len();
        let others = || question.clauses.iter().enumerate().filter(|(_, other)| other.word == this.word);
        !this.if_absent
            || !others().filter(|(n, _)| *n != clause).any(|(n, _)| (0..fields).any(|field| self.count(n, field) > 0))
    }
}
