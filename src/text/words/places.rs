//! Where the words of a question are in a text, and the passage that shows most of them.
//!
//! Offsets are those of JavaScript: UTF-16 code units. The time is linear in the texts, and the memory is bounded by
//! the number of matches that were asked for.

use super::look::{Class, Look};
use super::{Token, tokens};
use crate::error::{Result, reserve};
use std::collections::VecDeque;

/// The most UTF-16 code units that a passage has.
pub const PASSAGE: usize = 160;

/// What a token matches in the question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// The number of the question's word.
    pub word: u8,
    /// How much it counts: rare words count more. Only a positive number is a match.
    pub weight: f64,
}

/// A match, in an element of a list of texts. A single text is element 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The element's number.
    pub element: usize,
    /// Where the match begins.
    pub from: usize,
    /// Where the match ends.
    pub to: usize,
}

/// A passage of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage<'a> {
    /// The element's number.
    pub element: usize,
    /// Where the passage begins in the element.
    pub from: usize,
    /// Where the passage ends in the element.
    pub to: usize,
    /// The passage.
    pub text: &'a str,
    /// The matches in it, as offsets in the passage.
    pub matches: Vec<[usize; 2]>,
}

/// The matches of a question in the texts of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places<'a> {
    /// The first matches, in ascending order. None overlaps another.
    pub matches: Vec<Match>,
    /// Whether there are more matches than were asked for.
    pub more: bool,
    /// The best passage: the one with the most words of the question, by weight. If nothing matches, it is the start of
    /// the first text that is not empty. If all texts are empty, there is none.
    pub passage: Option<Passage<'a>>,
}

/// Finds the tokens of `texts` that are `wanted`. Returns at most the first `most` matches, and the best passage.
pub fn places<'a>(
    texts: &[&'a str],
    most: usize,
    wanted: &mut dyn FnMut(&Token<'_>) -> Option<Wanted>,
) -> Result<Places<'a>> {
    let mut found = Places::default();
    let mut failed = None;
    let mut best: Option<Best> = None;
    for (element, text) in texts.iter().enumerate() {
        let mut units = Units { text, ..Units::default() };
        let mut last = LastMatches::default();
        tokens(text, &mut |token| {
            let Some(Wanted { word, weight }) = wanted(&token).filter(|wanted| wanted.weight > 0.0) else { return };
            let place = Match { element, from: units.at(token.from), to: units.at(token.to) };
            last.push(Seen { place, bytes: (token.from, token.to), word, value: value(weight) });
            if best.as_ref().is_none_or(|best| last.score > best.score) {
                best = last.best(element);
            }
            if failed.is_none() {
                failed = add(&mut found, place, most).err();
            }
        });
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let best = best.or_else(|| Best::start(texts));
    found.passage = match best.and_then(|best| Some((best, *texts.get(best.element)?))) {
        Some((best, text)) => Some(passage(text, best, wanted)?),
        None => None,
    };
    Ok(found)
}

/// Adds a match. If it overlaps the last matches, they become one.
fn add(found: &mut Places<'_>, place: Match, most: usize) -> Result<()> {
    if found.more {
        return Ok(());
    }
    let mut place = place;
    while let Some(last) = found.matches.last().filter(|last| last.element == place.element && last.to > place.from) {
        place = Match { from: last.from.min(place.from), to: last.to.max(place.to), ..place };
        found.matches.pop();
    }
    if found.matches.len() >= most {
        found.more = true;
        return Ok(());
    }
    reserve(&mut found.matches, 1, "the places of words")?;
    found.matches.push(place);
    Ok(())
}

/// Returns a weight as a whole number. Sums of whole numbers are exact, so a sum is 0 again when all is subtracted.
fn value(weight: f64) -> u64 {
    (weight.min(1e6) * 1024.0) as u64 + 1
}

/// Converts places in bytes to UTF-16 code units. It counts from the last place that was asked for.
#[derive(Default)]
struct Units<'a> {
    text: &'a str,
    bytes: usize,
    units: usize,
}

impl Units<'_> {
    fn at(&mut self, bytes: usize) -> usize {
        let (low, high) = (self.bytes.min(bytes), self.bytes.max(bytes));
        let between = self.text.as_bytes().get(low..high).unwrap_or_default();
        let count: usize = between.iter().map(|&byte| units_of(byte)).sum();
        self.units = if bytes < self.bytes { self.units.saturating_sub(count) } else { self.units + count };
        self.bytes = bytes;
        self.units
    }
}

/// Returns how many UTF-16 code units the character with this first byte has. Returns 0 for other bytes.
fn units_of(byte: u8) -> usize {
    usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0)
}

/// A matched token.
struct Seen {
    place: Match,
    bytes: (usize, usize),
    /// The number of the question's word.
    word: u8,
    value: u64,
}

/// The last matches that fit into a passage.
struct LastMatches {
    seen: VecDeque<Seen>,
    /// How often each word of the question is among them.
    counts: [u32; 256],
    score: u64,
    /// Where the last match ends, in UTF-16 code units and in bytes.
    end: (usize, usize),
}

impl Default for LastMatches {
    fn default() -> Self {
        Self { seen: VecDeque::new(), counts: [0; 256], score: 0, end: (0, 0) }
    }
}

/// The first match of a word counts this many times as much as the others.
const FIRST: u64 = 32;

impl LastMatches {
    fn push(&mut self, mut seen: Seen) {
        // A later match of a compound may begin before the match that came before it. Starts must ascend here.
        if let Some(last) = self.seen.back() {
            seen.place.from = seen.place.from.max(last.place.from);
            seen.bytes.0 = seen.bytes.0.max(last.bytes.0);
        }
        self.end = (self.end.0.max(seen.place.to), self.end.1.max(seen.bytes.1));
        while let Some(first) = self.seen.front().filter(|first| self.end.0 - first.place.from > PASSAGE) {
            let count = &mut self.counts[first.word as usize];
            *count = count.saturating_sub(1);
            self.score -= first.value * if *count == 0 { FIRST } else { 1 };
            self.seen.pop_front();
        }
        let count = &mut self.counts[seen.word as usize];
        self.score += seen.value * if *count == 0 { FIRST } else { 1 };
        *count += 1;
        self.seen.push_back(seen);
    }

    fn best(&self, element: usize) -> Option<Best> {
        let first = self.seen.front()?;
        let (from, to) = ((first.place.from, first.bytes.0), self.end);
        Some(Best { element, score: self.score, from, to })
    }
}

/// The best matches so far that fit into a passage: where they begin and end, in UTF-16 code units and in bytes.
#[derive(Clone, Copy)]
struct Best {
    element: usize,
    score: u64,
    from: (usize, usize),
    to: (usize, usize),
}

impl Best {
    /// Returns an empty place at the first character of all texts that is not white space.
    fn start(texts: &[&str]) -> Option<Best> {
        texts.iter().enumerate().find_map(|(element, text)| {
            let bytes = text.find(|c: char| !c.is_whitespace())?;
            let from = (Units { text, ..Units::default() }.at(bytes), bytes);
            Some(Best { element, score: 0, from, to: from })
        })
    }
}

/// Widens the place of the best matches to a passage that begins and ends between words, and finds the matches in it.
fn passage<'a>(text: &'a str, best: Best, wanted: &mut dyn FnMut(&Token<'_>) -> Option<Wanted>) -> Result<Passage<'a>> {
    // A third of the room that is left is for the text before the matches. It is more if the text ends early.
    let left = PASSAGE.saturating_sub(best.to.0 - best.from.0);
    let behind = text.get(best.from.1..).unwrap_or_default().chars().map(char::len_utf16);
    let behind = behind.take(PASSAGE).sum::<usize>().min(PASSAGE);
    let (start, start_units) = widened_back(text, best.from.1, (left / 3).max(PASSAGE - behind));
    let end = widened(text, best.from.1, best.to.1, PASSAGE.saturating_sub(start_units));
    let part = text.get(start..end).unwrap_or_default();
    let from = best.from.0 - start_units;
    let trimmed = part.trim_end();
    let mut matches = Vec::new();
    let mut found = Places::default();
    let mut failed = None;
    let mut units = Units { text, bytes: start, units: 0 };
    // How words are cut depends on the text around them. So the whole text is cut again, not the passage alone.
    let stop = start + trimmed.len();
    let mut tokenizer = super::Tokenizer::new(text);
    let mut more = true;
    while more && tokenizer.place().at() < stop {
        more = tokenizer.advance(4096, &mut |token| {
            if token.to <= start || token.from >= stop || failed.is_some() {
                return;
            }
            if wanted(&token).is_some_and(|wanted| wanted.weight > 0.0) {
                let (from, to) = (units.at(token.from.max(start)), units.at(token.to.min(stop)));
                failed = add(&mut found, Match { element: 0, from, to }, usize::MAX).err();
            }
        });
    }
    if let Some(error) = failed {
        return Err(error);
    }
    reserve(&mut matches, found.matches.len(), "the places of words")?;
    matches.extend(found.matches.iter().map(|place| [place.from, place.to]));
    let to = from + trimmed.bytes().map(units_of).sum::<usize>();
    Ok(Passage { element: best.element, from, to, text: trimmed, matches })
}

/// Returns the first place at which a word begins and that is at most `most` units before `from`. Also returns how many
/// units it is before `from`.
fn widened_back(text: &str, from: usize, most: usize) -> (usize, usize) {
    let (mut best, mut units, mut at) = ((from, 0), 0, from);
    for c in text.get(..from).unwrap_or_default().chars().rev() {
        units += c.len_utf16();
        if units > most {
            break;
        }
        at -= c.len_utf8();
        if !c.is_whitespace() && is_border(text, at) {
            best = (at, units);
        }
    }
    best
}

/// Returns the last place at which a word ends and that is at most `most` units after `from`. It is not before `to`,
/// unless `to` is farther away than that.
fn widened(text: &str, from: usize, to: usize, most: usize) -> usize {
    let (mut best, mut units, mut at) = (from, 0, from);
    for c in text.get(from..).unwrap_or_default().chars() {
        units += c.len_utf16();
        if units > most {
            return best;
        }
        at += c.len_utf8();
        if at <= to || is_border(text, at) {
            best = at;
        }
    }
    at
}

/// Returns whether this place is not inside a word.
fn is_border(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|text| text.chars().next_back()).map_or(0, char::len_utf8);
    let class = |at| Look::at(text, at).map_or(Class::Separator, |look| look.class);
    let goes_on = |class| !matches!(class, Class::Separator | Class::Outer | Class::Gram);
    before == 0 || (class(at) != Class::Dropped && !(goes_on(class(at)) && goes_on(class(at - before))))
}
