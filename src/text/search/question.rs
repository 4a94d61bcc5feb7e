//! Questions: reads the words of a text, and makes clauses of them.

use super::formula::rarity;
use super::near::{LEAST_LETTERS, one_edit};
use super::statistics::Statistics;
use crate::Result;
use crate::error::fail;
use crate::mutant::mutant;
use crate::text::words::forms::stem_en;
use crate::text::words::places::Wanted;
use crate::text::words::{Kind, Tokenizer};

/// The most different words of a question.
pub const MAX_WORDS: usize = 256;

/// How many bytes of a question are read before the number of its words is checked.
const READ_BYTES: usize = 4_096;

/// The factor for a word that differs from the question's word by one edit.
const NEAR_WEIGHT: f64 = 0.7;

/// Which words are also searched with one edit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fuzzy {
    /// None.
    #[default]
    Off,
    /// Those that no document has.
    Absent,
    /// All.
    Every,
}

/// How a question is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether a document must have all words.
    pub match_all: bool,
    /// Whether the last word also finds longer words that begin with it.
    pub prefix: bool,
    /// Which words are also searched with one edit.
    pub fuzzy: Fuzzy,
    /// Whether other forms of English words count as the word.
    pub forms_en: bool,
}

/// Which words of the dictionary a clause is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The word itself.
    Exact,
    /// All that have the same stem.
    Forms,
    /// All that begin with it.
    Prefix,
    /// All that differ by one edit.
    Near,
}

/// A word of the question, and one way in which it is searched.
#[derive(Clone, Debug)]
pub struct Clause {
    pub text: String,
    pub how: How,
    /// The number of the question's word that it is made of.
    pub word: usize,
    /// Whether it counts only if the other clauses of the word have no documents.
    pub if_absent: bool,
}

impl Clause {
    /// Returns whether a word is one of those that the clause is about.
    pub fn fits(&self, word: &str) -> bool {
        match self.how {
            How::Exact => word == self.text,
            How::Forms => stem_en(word) == stem_en(&self.text),
            How::Prefix => word.starts_with(&self.text),
            How::Near => word.chars().next() == self.text.chars().next() && one_edit(word, &self.text),
        }
    }

    /// Returns the factor of the clause's score.
    pub fn weight(&self) -> f64 {
        if self.how == How::Near { NEAR_WEIGHT } else { 1.0 }
    }
}

/// A question, read once and asked of any number of indexes.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub(super) clauses: Vec<Clause>,
    /// For each word, whether a document must have it.
    pub(super) required: Vec<bool>,
}

struct Found {
    text: String,
    /// The word as the question has it last. It can differ from `text` only where other forms count as the word.
    last: String,
    kind: Kind,
    required: bool,
    end: usize,
}

/// Returns whether other forms of a word of this kind count as the word.
fn has_forms(kind: Kind, options: &Options) -> bool {
    options.forms_en && matches!(kind, Kind::Word | Kind::Part)
}

impl Found {
    fn is(&self, text: &str, kind: Kind, options: &Options) -> bool {
        let forms = has_forms(self.kind, options) && has_forms(kind, options);
        self.text == text || (forms && stem_en(&self.text) == stem_en(text))
    }
}

impl Question {
    /// Reads the words of a question. Each different word counts once. Fails with INVALID_ARGUMENT if there are more
    /// than [`MAX_WORDS`].
    pub fn parse(text: &str, options: &Options) -> Result<Self> {
        let mut found: Vec<Found> = Vec::new();
        let (mut tokenizer, mut more) = (Tokenizer::new(text), true);
        while more {
            more = tokenizer.advance(READ_BYTES, &mut |token| {
                if token.kind == Kind::End {
                    return;
                }
                let adds = token.kind == Kind::Whole && !mutant!(TextWholeRequired);
                let required = options.match_all && !adds;
                let text = token.text.to_string();
                if let Some(same) = found.iter_mut().find(|same| same.is(&text, token.kind, options)) {
                    same.required |= required;
                    same.end = token.to;
                    same.last = text;
                } else if found.len() <= MAX_WORDS {
                    found.push(Found { last: text.clone(), text, kind: token.kind, required, end: token.to });
                }
            });
            if found.len() > MAX_WORDS {
                fail!(
                    InvalidArgument,
                    "the text of a question has more than {MAX_WORDS} different words; search for a part of it"
                );
            }
        }
        let end = found.iter().map(|word| word.end).max().unwrap_or(0);
        let mut question = Self::default();
        for word in found {
            question.push(&word, options, word.end == end);
        }
        Ok(question)
    }

    fn push(&mut self, word: &Found, options: &Options, last: bool) {
        let number = self.required.len();
        let mut clause = |how, if_absent| {
            let text = if how == How::Prefix { &word.last } else { &word.text };
            self.clauses.push(Clause { text: text.clone(), how, word: number, if_absent });
        };
        let spaced = !matches!(word.kind, Kind::Gram | Kind::End | Kind::Lone);
        match word.kind {
            Kind::Lone => clause(How::Prefix, false),
            _ if has_forms(word.kind, options) => clause(How::Forms, false),
            _ => clause(How::Exact, false),
        }
        if options.prefix && last && spaced {
            clause(How::Prefix, false);
        }
        if options.fuzzy != Fuzzy::Off && spaced && word.text.chars().nth(LEAST_LETTERS - 1).is_some() {
            clause(How::Near, options.fuzzy == Fuzzy::Absent && !mutant!(TextNearAlways));
        }
        self.required.push(word.required);
    }

    /// Returns whether the question has no words.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Returns how much a word of a text counts for the question, and for which of the question's words. If it fits
    /// several of them, the one that counts most is returned. Rare words count more.
    pub fn wanted(&self, word: &str, statistics: &Statistics) -> Option<Wanted> {
        let rare = |n: usize| {
            let fields = statistics.totals.len();
            let most = (0..fields).map(|field| statistics.count(n, field)).max().unwrap_or(0);
            self.clauses[n].weight() * rarity(statistics.documents, most)
        };
        let found = (0..self.clauses.len())
            .filter(|n| self.clauses[*n].fits(word) && statistics.counts_in(self, *n))
            .map(|n| Wanted { word: self.clauses[n].word as u8, weight: rare(n) });
        found.max_by(|a, b| a.weight.total_cmp(&b.weight))
    }

    /// Returns the number of clauses. Statistics have one count for each clause and field.
    pub fn clauses(&self) -> usize {
        self.clauses.len()
    }

    /// Returns bytes that differ for questions that need different lists.
    pub(super) fn key(&self, fields: &[u8]) -> Vec<u8> {
        let mut key = vec![fields.len() as u8];
        key.extend_from_slice(fields);
        for clause in &self.clauses {
            key.extend_from_slice(&[clause.how as u8, u8::from(clause.if_absent), clause.word as u8]);
            key.push(clause.text.len() as u8);
            key.extend_from_slice(clause.text.as_bytes());
        }
        key
    }
}
