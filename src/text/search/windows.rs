//! Adds up the scores of the documents of a sub-index, in windows.
//!
//! The summands of the sum are in the order of their weights. As soon as the last summands together contribute less
//! than the worst of the best scores, a document must have one of the first words to be among the best. So the lists of
//! the last summands are only looked at for documents that the first lists have. This is the algorithm MaxScore. It
//! leaves out documents, but changes no sum.

use super::formula::{MOST, look};
use crate::mutant::mutant;
use crate::text::index::lists::List;
use crate::text::index::postings::{Bounds, Cursor, Posting};
use crate::text::index::sub_index::SubIndex;

/// The number of documents in a window.
const WINDOW: usize = 2_048;

/// If a union has more documents than this, its best posting is not searched for.
const LONG: usize = 2_048;

/// A list of a summand, and what its postings contribute.
pub struct Line<'a> {
    pub weight: f64,
    pub mean: f64,
    pub table: &'a [f64],
    pub lengths: &'a [u32],
    pub word: usize,
    cursor: Cursor<'a>,
    list: &'a List,
    /// The most that a posting of the list contributes.
    most: f64,
}

impl<'a> Line<'a> {
    /// Makes the line of a summand in a sub-index. Returns None if there is no list.
    pub fn new(
        sub_index: &'a SubIndex,
        list: &'a List,
        (weight, mean): (f64, f64),
        table: &'a [f64],
        lengths: &'a [u32],
        word: usize,
    ) -> Option<Self> {
        let mut line = Self { weight, mean, table, lengths, word, cursor: cursor(sub_index, list)?, list, most: 0.0 };
        line.most = weight * line.bound(sub_index);
        Some(line)
    }

    fn bound(&self, sub_index: &SubIndex) -> f64 {
        let best = |count, length| look(self.table, count, length, self.mean);
        let postings = |postings: &mut dyn Iterator<Item = Posting>| {
            postings.map(|(ordinal, count)| best(count, self.length(ordinal))).fold(0.0, f64::max)
        };
        match self.list {
            List::None => 0.0,
            List::Many(list) if list.len() > LONG => MOST,
            List::Many(list) => postings(&mut list.iter().copied()),
            List::One(entry) => match Bounds::read(&sub_index.post, *entry) {
                Some(bounds) => bounds.pairs().map(|(count, length)| best(count, length)).fold(0.0, f64::max),
                None => {
                    let decoded = self.cursor.ordinals.iter().zip(&self.cursor.counts).take(self.cursor.len);
                    postings(&mut decoded.map(|(ordinal, count)| (*ordinal, *count)))
                }
            },
        }
    }

    #[inline(always)]
    fn length(&self, ordinal: u32) -> u32 {
        self.lengths.get(ordinal as usize).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn contribution(&self, ordinal: u32, count: u32) -> f64 {
        self.weight * look(self.table, count, self.length(ordinal), self.mean)
    }
}

fn cursor<'a>(sub_index: &'a SubIndex, list: &'a List) -> Option<Cursor<'a>> {
    match list {
        List::None => None,
        List::One(entry) => Some(Cursor::new(&sub_index.post, *entry)),
        List::Many(list) => Some(Cursor::plain(list)),
    }
}

/// Where scores go. `offer` returns the least score that is still wanted.
pub struct Sink<'a> {
    pub filter: Option<&'a [u16]>,
    pub least: f64,
    pub offer: &'a mut dyn FnMut(u32, f64) -> f64,
}

/// The sums of one sub-index.
pub struct Windows<'a> {
    sub_index: &'a SubIndex,
    lines: Vec<Line<'a>>,
    /// The most that this line and those after it contribute.
    rest: Vec<f64>,
    /// Bounds are compared with the least score times this, because the summands of a bound are added, and so rounded,
    /// in another order than those of a score.
    slack: f64,
}

impl<'a> Windows<'a> {
    pub fn new(sub_index: &'a SubIndex, lines: Vec<Line<'a>>) -> Self {
        let mut rest = vec![0.0; lines.len() + 1];
        for (n, line) in lines.iter().enumerate().rev() {
            rest[n] = rest[n + 1] + line.most;
        }
        let slack = if mutant!(TextNoSlack) { 1.0 } else { 1.0 - (lines.len() as f64 * 1e-15).max(1e-12) };
        Self { sub_index, lines, rest, slack }
    }

    fn shown(&self, ordinal: u32, filter: Option<&[u16]>) -> bool {
        let (sub_index, doc) =
            (self.sub_index, self.sub_index.docs.get(ordinal as usize).copied().unwrap_or(0) as usize);
        !(sub_index.dead_count > 0 && sub_index.is_dead(ordinal))
            && filter.is_none_or(|groups| groups.get(doc / 16).is_some_and(|group| group >> (doc % 16) & 1 == 1))
    }

    fn offer(&self, ordinal: u32, score: f64, sink: &mut Sink<'_>) {
        if score > sink.least || (score == sink.least && !mutant!(TextTiesDropped)) {
            let Some(doc) = self.sub_index.docs.get(ordinal as usize) else { return };
            sink.least = (sink.offer)(*doc, score);
        }
    }

    /// Offers all documents that have any of the words and can be among the best.
    pub fn any(&mut self, sink: &mut Sink<'_>) {
        let documents = self.sub_index.docs.len();
        let mut sums = [0.0; WINDOW];
        let mut bits = [0u64; WINDOW / 64];
        let mut low = 0;
        while low < documents {
            let least = sink.least * self.slack;
            if self.rest[0] < least {
                return;
            }
            let mut first = self.lines.len();
            while first > 1 && self.rest[first - 1] < least {
                first -= 1;
            }
            let high = (low + WINDOW).min(documents);
            let mut next = u32::MAX;
            for line in &mut self.lines[..first] {
                next = next.min(add_window(line, low, high, &mut sums, &mut bits));
            }
            if next as usize >= high {
                if next == u32::MAX {
                    return;
                }
                low = next as usize / WINDOW * WINDOW;
                continue;
            }
            for n in 0..bits.len() {
                let mut left = std::mem::take(&mut bits[n]);
                while left != 0 {
                    let at = n * 64 + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let sum = std::mem::take(&mut sums[at]);
                    self.complete((low + at) as u32, sum, first, sink);
                }
            }
            low = high;
        }
    }

    /// Adds the summands from `first` on to the sum of a document, as long as it can be among the best, and offers it.
    #[inline]
    fn complete(&mut self, ordinal: u32, mut sum: f64, first: usize, sink: &mut Sink<'_>) {
        let least = sink.least * self.slack;
        if sum + self.rest[first] < least || !self.shown(ordinal, sink.filter) {
            return;
        }
        for n in first..self.lines.len() {
            if sum + self.rest[n] < least {
                return;
            }
            let line = &mut self.lines[n];
            let count = line.cursor.probe(ordinal);
            if count > 0 {
                sum += line.contribution(ordinal, count);
            }
        }
        self.offer(ordinal, sum, sink);
    }

    /// Offers all documents that have each of these words and can be among the best.
    pub fn all(&mut self, words: &[usize], sink: &mut Sink<'_>) {
        let size = |word: usize| -> usize {
            self.lines.iter().filter(|line| line.word == word).map(|line| line.cursor.documents()).sum()
        };
        let mut order: Vec<(u64, u32)> = words.iter().map(|word| (size(*word) as u64, *word as u32)).collect();
        crate::text::index::sorted::sort(&mut order, &|a, b| a.cmp(&b));
        if order.first().is_none_or(|(documents, _)| *documents == 0) {
            return;
        }
        // The lines of each required word, the rarest word first. The last group has the lines of the other words.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (_, word) in &order {
            groups.push((0..self.lines.len()).filter(|n| self.lines[*n].word == *word as usize).collect());
        }
        let others: Vec<usize> = (0..self.lines.len()).filter(|n| !words.contains(&self.lines[*n].word)).collect();
        groups.push(others);
        let leading = groups.first().map_or(&[][..], |lines| lines.as_slice());
        let mut leads: Vec<Cursor<'_>> =
            leading.iter().filter_map(|n| cursor(self.sub_index, self.lines[*n].list)).collect();
        // The most that the lines of this group and those after it contribute.
        let mut rest = vec![0.0; groups.len() + 1];
        for (n, lines) in groups.iter().enumerate().rev() {
            rest[n] = rest[n + 1] + lines.iter().map(|n| self.lines[*n].most).sum::<f64>();
        }
        let mut counts = vec![0; self.lines.len()];
        let mut ordinal = 0;
        while let Some(next) =
            leads.iter_mut().filter_map(|lead| lead.seek(ordinal).then(|| lead.ordinals[lead.at])).min()
        {
            if next as usize >= self.sub_index.docs.len() {
                return;
            }
            ordinal = next + 1;
            let least = sink.least * self.slack;
            if rest[0] < least {
                return;
            }
            if self.shown(next, sink.filter) && self.probe_all(&groups, &rest, next, least, &mut counts) {
                let score = self.sum(next, &counts);
                self.offer(next, score, sink);
            }
        }
    }

    /// Fills in the counts of all lines. Returns false if one of the required words is not in the document, or if the
    /// document cannot be among the best. The last group has no required words.
    fn probe_all(&mut self, groups: &[Vec<usize>], rest: &[f64], ordinal: u32, least: f64, counts: &mut [u32]) -> bool {
        let mut about = 0.0;
        for (n, lines) in groups.iter().enumerate() {
            if about + rest[n] < least || !(self.probe(lines, ordinal, counts) || n + 1 == groups.len()) {
                return false;
            }
            let here = lines.iter().filter(|line| counts[**line] > 0);
            about += here.map(|line| self.lines[*line].contribution(ordinal, counts[*line])).sum::<f64>();
        }
        true
    }

    /// Fills in the counts of these lines, and returns whether one is not 0.
    fn probe(&mut self, lines: &[usize], ordinal: u32, counts: &mut [u32]) -> bool {
        let mut any = false;
        for n in lines {
            counts[*n] = self.lines[*n].cursor.probe(ordinal);
            any |= counts[*n] > 0;
        }
        any
    }

    /// Returns the score, added in the order of the summands.
    fn sum(&self, ordinal: u32, counts: &[u32]) -> f64 {
        let lines = self.lines.iter().zip(counts).filter(|(_, count)| **count > 0);
        lines.fold(0.0, |sum, (line, count)| sum + line.contribution(ordinal, *count))
    }
}

/// Adds the postings of a list to the sums of a window. Returns the first document of the list that is not before the
/// window, or `u32::MAX` if there is none.
fn add_window(line: &mut Line<'_>, low: usize, high: usize, sums: &mut [f64; WINDOW], bits: &mut [u64]) -> u32 {
    if !line.cursor.seek(low as u32) {
        return u32::MAX;
    }
    let first = line.cursor.ordinals[line.cursor.at];
    loop {
        let (from, len) = (line.cursor.at, line.cursor.len);
        let mut at = from;
        while at < len && (line.cursor.ordinals[at] as usize) < high + usize::from(mutant!(TextWindowEdge)) {
            let ordinal = line.cursor.ordinals[at];
            let place = (ordinal as usize).wrapping_sub(low) % WINDOW;
            sums[place] += line.contribution(ordinal, line.cursor.counts[at]);
            bits[place / 64] |= 1 << (place % 64);
            at += 1;
        }
        line.cursor.at = at;
        if at < len || !line.cursor.next_block() {
            return first;
        }
    }
}
