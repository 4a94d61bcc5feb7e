//! Adds up the scores of the documents of a segment, in windows.
//!
//! The terms of the sum are in the order of their weights. As soon as the last terms together contribute less than the
//! worst of the best scores, a document must have one of the first words to be among the best. So the lists of the last
//! terms are only looked at for documents that the first lists have. This is the algorithm MaxScore. It leaves out
//! documents, but changes no sum.

use super::formula::{MOST, look};
use crate::mutant::mutant;
use crate::text::index::lists::List;
use crate::text::index::postings::{Bounds, Cursor, Posting};
use crate::text::index::segment::Segment;

/// The number of documents in a window.
const WINDOW: usize = 2_048;

/// If a union has more documents than this, its best posting is not searched for.
const LONG: usize = 2_048;

/// A list of a term, and what its postings contribute.
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
    /// Makes the line of a term in a segment. Returns None if there is no list.
    pub fn new(
        segment: &'a Segment,
        list: &'a List,
        (weight, mean): (f64, f64),
        table: &'a [f64],
        lengths: &'a [u32],
        word: usize,
    ) -> Option<Self> {
        let mut line = Self { weight, mean, table, lengths, word, cursor: cursor(segment, list)?, list, most: 0.0 };
        line.most = weight * line.bound(segment);
        Some(line)
    }

    fn bound(&self, segment: &Segment) -> f64 {
        let best = |count, length| look(self.table, count, length, self.mean);
        let postings = |postings: &mut dyn Iterator<Item = Posting>| {
            postings.map(|(doc, count)| best(count, self.length(doc))).fold(0.0, f64::max)
        };
        match self.list {
            List::None => 0.0,
            List::Many(list) if list.len() > LONG => MOST,
            List::Many(list) => postings(&mut list.iter().copied()),
            List::One(entry) => match Bounds::read(&segment.post, *entry) {
                Some(bounds) => bounds.pairs().map(|(count, length)| best(count, length)).fold(0.0, f64::max),
                None => {
                    let decoded = self.cursor.docs.iter().zip(&self.cursor.counts).take(self.cursor.len);
                    postings(&mut decoded.map(|(doc, count)| (*doc, *count)))
                }
            },
        }
    }

    #[inline(always)]
    fn length(&self, doc: u32) -> u32 {
        self.lengths.get(doc as usize).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn contribution(&self, doc: u32, count: u32) -> f64 {
        self.weight * look(self.table, count, self.length(doc), self.mean)
    }
}

fn cursor<'a>(segment: &'a Segment, list: &'a List) -> Option<Cursor<'a>> {
    match list {
        List::None => None,
        List::One(entry) => Some(Cursor::new(&segment.post, *entry)),
        List::Many(list) => Some(Cursor::plain(list)),
    }
}

/// Where scores go. `offer` returns the least score that is still wanted.
pub struct Sink<'a> {
    pub filter: Option<&'a [u16]>,
    pub least: f64,
    pub offer: &'a mut dyn FnMut(u32, f64) -> f64,
}

/// The sums of one segment.
pub struct Windows<'a> {
    segment: &'a Segment,
    lines: Vec<Line<'a>>,
    /// The most that this line and those after it contribute.
    rest: Vec<f64>,
    /// Bounds are compared with the least score times this, because the terms of a bound are added, and so rounded, in
    /// another order than those of a score.
    slack: f64,
}

impl<'a> Windows<'a> {
    pub fn new(segment: &'a Segment, lines: Vec<Line<'a>>) -> Self {
        let mut rest = vec![0.0; lines.len() + 1];
        for (n, line) in lines.iter().enumerate().rev() {
            rest[n] = rest[n + 1] + line.most;
        }
        let slack = if mutant!(TextNoSlack) { 1.0 } else { 1.0 - (lines.len() as f64 * 1e-15).max(1e-12) };
        Self { segment, lines, rest, slack }
    }

    fn shown(&self, doc: u32, filter: Option<&[u16]>) -> bool {
        let (segment, row) = (self.segment, self.segment.rows.get(doc as usize).copied().unwrap_or(0) as usize);
        !(segment.dead_count > 0 && segment.is_dead(doc))
            && filter.is_none_or(|groups| groups.get(row / 16).is_some_and(|group| group >> (row % 16) & 1 == 1))
    }

    fn offer(&self, doc: u32, score: f64, sink: &mut Sink<'_>) {
        if score > sink.least || (score == sink.least && !mutant!(TextTiesDropped)) {
            let Some(row) = self.segment.rows.get(doc as usize) else { return };
            sink.least = (sink.offer)(*row, score);
        }
    }

    /// Offers all documents that have any of the words and can be among the best.
    pub fn any(&mut self, sink: &mut Sink<'_>) {
        let documents = self.segment.rows.len();
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
                let mut word = std::mem::take(&mut bits[n]);
                while word != 0 {
                    let at = n * 64 + word.trailing_zeros() as usize;
                    word &= word - 1;
                    let sum = std::mem::take(&mut sums[at]);
                    self.complete((low + at) as u32, sum, first, sink);
                }
            }
            low = high;
        }
    }

    /// Adds the terms from `first` on to the sum of a document, as long as it can be among the best, and offers it.
    #[inline]
    fn complete(&mut self, doc: u32, mut sum: f64, first: usize, sink: &mut Sink<'_>) {
        let least = sink.least * self.slack;
        if sum + self.rest[first] < least || !self.shown(doc, sink.filter) {
            return;
        }
        for n in first..self.lines.len() {
            if sum + self.rest[n] < least {
                return;
            }
            let line = &mut self.lines[n];
            let count = line.cursor.probe(doc);
            if count > 0 {
                sum += line.contribution(doc, count);
            }
        }
        self.offer(doc, sum, sink);
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
            leading.iter().filter_map(|n| cursor(self.segment, self.lines[*n].list)).collect();
        // The most that the lines of this group and those after it contribute.
        let mut rest = vec![0.0; groups.len() + 1];
        for (n, lines) in groups.iter().enumerate().rev() {
            rest[n] = rest[n + 1] + lines.iter().map(|n| self.lines[*n].most).sum::<f64>();
        }
        let mut counts = vec![0; self.lines.len()];
        let mut doc = 0;
        while let Some(next) = leads.iter_mut().filter_map(|lead| lead.seek(doc).then(|| lead.docs[lead.at])).min() {
            if next as usize >= self.segment.rows.len() {
                return;
            }
            doc = next + 1;
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
    fn probe_all(&mut self, groups: &[Vec<usize>], rest: &[f64], doc: u32, least: f64, counts: &mut [u32]) -> bool {
        let mut about = 0.0;
        for (n, lines) in groups.iter().enumerate() {
            if about + rest[n] < least || !(self.probe(lines, doc, counts) || n + 1 == groups.len()) {
                return false;
            }
            let here = lines.iter().filter(|line| counts[**line] > 0);
            about += here.map(|line| self.lines[*line].contribution(doc, counts[*line])).sum::<f64>();
        }
        true
    }

    /// Fills in the counts of these lines, and returns whether one is not 0.
    fn probe(&mut self, lines: &[usize], doc: u32, counts: &mut [u32]) -> bool {
        let mut any = false;
        for n in lines {
            counts[*n] = self.lines[*n].cursor.probe(doc);
            any |= counts[*n] > 0;
        }
        any
    }

    /// Returns the score, added in the order of the terms.
    fn sum(&self, doc: u32, counts: &[u32]) -> f64 {
        let lines = self.lines.iter().zip(counts).filter(|(_, count)| **count > 0);
        lines.fold(0.0, |sum, (line, count)| sum + line.contribution(doc, *count))
    }
}

/// Adds the postings of a list to the sums of a window. Returns the first document of the list that is not before the
/// window, or `u32::MAX` if there is none.
fn add_window(line: &mut Line<'_>, low: usize, high: usize, sums: &mut [f64; WINDOW], bits: &mut [u64]) -> u32 {
    if !line.cursor.seek(low as u32) {
        return u32::MAX;
    }
    let first = line.cursor.docs[line.cursor.at];
    loop {
        let (from, len) = (line.cursor.at, line.cursor.len);
        let mut at = from;
        while at < len && (line.cursor.docs[at] as usize) < high + usize::from(mutant!(TextWindowEdge)) {
            let doc = line.cursor.docs[at];
            let place = (doc as usize).wrapping_sub(low) % WINDOW;
            sums[place] += line.contribution(doc, line.cursor.counts[at]);
            bits[place / 64] |= 1 << (place % 64);
            at += 1;
        }
        line.cursor.at = at;
        if at < len || !line.cursor.next_block() {
            return first;
        }
    }
}
