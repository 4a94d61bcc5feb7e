//! The formula of BM25, as docs/spec/scores.md has it. The rarity of a word is computed as in Lucene, so it is never
//! negative.

use super::question::Question;
use super::statistics::Statistics;
use crate::Result;
use crate::error::{fail, reserve};
use crate::mutant::mutant;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// A posting contributes at most this, times the weight.
pub const MOST: f64 = K1 + 1.0;

/// A table has the contributions for counts up to `COUNTS` and lengths below `LENGTHS`.
const COUNTS: u32 = 4;
const LENGTHS: u32 = 512;

/// Returns the rarity of a word that `count` of `documents` documents have: its inverse document frequency, `idf` in
/// docs/spec/scores.md.
pub fn rarity(documents: u64, count: u64) -> f64 {
    let (documents, count) = (documents as f64, count as f64);
    (1.0 + (documents - count + 0.5) / (count + 0.5)).ln()
}

/// Returns what a posting contributes to the score, before it is multiplied by its weight.
pub fn part(count: u32, length: u32, mean: f64) -> f64 {
    let count = f64::from(count);
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * f64::from(length) / mean))
}

/// Returns [`part`] for all small counts and lengths.
pub fn table(mean: f64) -> Result<Vec<f64>> {
    let mut table = Vec::new();
    reserve(&mut table, (COUNTS * LENGTHS) as usize, "a search of words")?;
    table.extend((0..COUNTS * LENGTHS).map(|i| part(i / LENGTHS + 1, i % LENGTHS, mean)));
    Ok(table)
}

/// Returns the same as [`part`], to the last bit. Small counts and lengths are looked up in the table.
#[inline(always)]
pub fn look(table: &[f64], count: u32, length: u32, mean: f64) -> f64 {
    if count <= COUNTS && length < LENGTHS && count > 0 {
        return table.get(((count - 1) * LENGTHS + length) as usize).copied().unwrap_or(0.0);
    }
    part(count, length, mean)
}

/// A clause in a field: one summand of the score.
#[derive(Clone, Copy)]
pub struct Item {
    pub clause: usize,
    pub field: usize,
    pub weight: f64,
    pub mean: f64,
}

/// Returns all summands of the score, in the order of the clauses and then of the fields.
pub fn items(question: &Question, statistics: &Statistics, weights: &[f64]) -> Result<Vec<Item>> {
    statistics.check(question, weights.len())?;
    if weights.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        fail!(InvalidArgument, "the weight of a field is a number of at least 0");
    }
    let mut items = Vec::new();
    for (n, clause) in question.clauses.iter().enumerate() {
        if !statistics.counts_in(question, n) {
            continue;
        }
        reserve(&mut items, weights.len(), "a search of words")?;
        for (field, own) in weights.iter().enumerate().filter(|(_, own)| **own > 0.0) {
            let weight = own * clause.weight() * rarity(statistics.documents, statistics.count(n, field));
            let mean = statistics.totals[field] as f64 / statistics.documents as f64;
            items.push(Item { clause: n, field, weight, mean });
        }
    }
    Ok(items)
}

/// Returns the most that a document could score: the sum over all clauses and fields, also of words that no document
/// has.
pub fn ceiling(question: &Question, statistics: &Statistics, weights: &[f64]) -> Result<f64> {
    let items = items(question, statistics, weights)?;
    let counted = |item: &&Item| !mutant!(TextCeilingOfFound) || statistics.count(item.clause, item.field) > 0;
    Ok(items.iter().filter(counted).map(|item| item.weight * MOST).sum())
}
