//! The oracle: it computes the answers from the formulas alone, and looks at every document for every summand. It
//! shares with the index only the functions that cut texts into words and find the stem of a word.

use std::collections::BTreeMap;

use super::super::{Fuzzy, Options};
use crate::text::words::forms::stem_en;
use crate::text::words::{Kind, tokens};

/// The words of each field of a document, in any order.
type Document = Vec<Vec<String>>;

/// The documents of one collection by their numbers.
#[derive(Clone, Default)]
pub struct Oracle {
    pub documents: BTreeMap<u32, Document>,
}

/// The texts of a document: the strings of each field.
pub type Texts = Vec<Vec<String>>;

impl Oracle {
    pub fn put(&mut self, doc: u32, texts: &Texts) {
        let words = |strings: &Vec<String>| {
            let mut words = Vec::new();
            for string in strings {
                tokens(string, &mut |token| words.push(token.text.to_string()));
            }
            words
        };
        self.documents.insert(doc, texts.iter().map(words).collect());
    }
}

enum Test {
    Same,
    Forms,
    Begins,
    Near,
}

struct Summand {
    word: String,
    test: Test,
    factor: f64,
}

struct Word {
    summands: Vec<Summand>,
    required: bool,
    near_if_absent: Option<Summand>,
}

impl Summand {
    fn new(word: &str, test: Test, factor: f64) -> Self {
        Self { word: word.to_string(), test, factor }
    }

    fn fits(&self, word: &str) -> bool {
        match self.test {
            Test::Same => word == self.word,
            Test::Forms => stem_en(word) == stem_en(&self.word),
            Test::Begins => word.starts_with(&self.word),
            Test::Near => word.chars().next() == self.word.chars().next() && distance(word, &self.word) <= 1,
        }
    }

    fn count(&self, field: &[String]) -> u32 {
        field.iter().filter(|word| self.fits(word)).count() as u32
    }
}

/// Returns the number of edits between two words: insertions, deletions, replacements and exchanges of neighbours.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                rows[i][j] = i + j;
                continue;
            }
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            rows[i][j] = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                rows[i][j] = rows[i][j].min(rows[i - 2][j - 2] + 1);
            }
        }
    }
    rows[a.len()][b.len()]
}

fn words_of(text: &str, options: &Options) -> Vec<Word> {
    let mut all = Vec::new();
    tokens(text, &mut |token| all.push((token.text.to_string(), token.kind, token.to)));
    all.retain(|(_, kind, _)| *kind != Kind::End);
    let last = all.iter().map(|(_, _, to)| *to).max();
    let forms = |kind: &Kind| options.forms_en && matches!(kind, Kind::Word | Kind::Part);
    let mut words: Vec<Word> = Vec::new();
    let mut seen: Vec<(&str, &Kind)> = Vec::new();
    for (word, kind, _) in &all {
        let equal = |(a, a_kind): (&str, &Kind), (b, b_kind): (&str, &Kind)| {
            a == b || (forms(a_kind) && forms(b_kind) && stem_en(a) == stem_en(b))
        };
        if seen.iter().any(|before| equal(*before, (word, kind))) {
            continue;
        }
        seen.push((word, kind));
        let same = || all.iter().filter(|(other, other_kind, _)| equal((word, kind), (other, other_kind)));
        let required = options.match_all && same().any(|(_, kind, _)| *kind != Kind::Whole);
        let spaced = !matches!(kind, Kind::Gram | Kind::Lone);
        let first = match kind {
            Kind::Lone => Test::Begins,
            _ if forms(kind) => Test::Forms,
            _ => Test::Same,
        };
        let mut summands = vec![Summand::new(word, first, 1.0)];
        if let Some((as_written, _, to)) = same().last()
            && options.prefix
            && spaced
            && Some(*to) == last
        {
            summands.push(Summand::new(as_written, Test::Begins, 1.0));
        }
        let mut near = None;
        if spaced && word.chars().count() >= 4 {
            match options.fuzzy {
                Fuzzy::Off => (),
                Fuzzy::Absent => near = Some(Summand::new(word, Test::Near, 0.7)),
                Fuzzy::Every => summands.push(Summand::new(word, Test::Near, 0.7)),
            }
        }
        words.push(Word { summands, required, near_if_absent: near });
    }
    words
}

pub struct Answer {
    /// Collection, number and score of all documents that match, the best first.
    pub scored: Vec<(usize, u32, f64)>,
    pub ceiling: f64,
}

/// Returns the answer of several collections together. With each of them comes its own number of each field.
pub fn ask(collections: &[(&Oracle, &[Option<usize>])], text: &str, options: &Options, weights: &[f64]) -> Answer {
    let mut words = words_of(text, options);
    let all = || {
        collections.iter().enumerate().flat_map(|(collection, (oracle, fields))| {
            oracle.documents.iter().map(move |(doc, document)| (collection, *doc, document, *fields))
        })
    };
    let count =
        |summand: &Summand, document: &Document, own: Option<usize>| own.map_or(0, |own| summand.count(&document[own]));
    let having = |summand: &Summand, field: usize| {
        all().filter(|(_, _, document, fields)| count(summand, document, fields[field]) > 0).count() as f64
    };
    let documents = all().count() as f64;
    for word in &mut words {
        let absent = word.summands.iter().all(|summand| (0..weights.len()).all(|field| having(summand, field) == 0.0));
        if let Some(near) = word.near_if_absent.take()
            && absent
        {
            word.summands.push(near);
        }
    }
    // The weight, and the numbers of the word, the summand and the field.
    let mut sum: Vec<(f64, usize, usize, usize)> = Vec::new();
    for (w, word) in words.iter().enumerate() {
        for (t, summand) in word.summands.iter().enumerate() {
            for field in (0..weights.len()).filter(|field| weights[*field] > 0.0) {
                let df = having(summand, field);
                let idf = (1.0 + (documents - df + 0.5) / (df + 0.5)).ln();
                sum.push((weights[field] * summand.factor * idf, w, t, field));
            }
        }
    }
    let ceiling = sum.iter().map(|(weight, ..)| weight * 2.2).sum();
    sum.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
    let means: Vec<f64> = (0..weights.len())
        .map(|field| {
            let words: usize =
                all().map(|(_, _, document, fields)| fields[field].map_or(0, |own| document[own].len())).sum();
            words as f64 / documents
        })
        .collect();
    let mut scored = Vec::new();
    for (collection, doc, document, fields) in all() {
        let (mut score, mut has) = (0.0, vec![false; words.len()]);
        for (weight, w, t, field) in &sum {
            let tf = count(&words[*w].summands[*t], document, fields[*field]);
            if tf == 0 {
                continue;
            }
            has[*w] = true;
            let length = fields[*field].map_or(0, |own| document[own].len()) as f64;
            let tf = f64::from(tf);
            score += weight * (tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / means[*field])));
        }
        let wanted = words.iter().zip(&has).all(|(word, has)| *has || !word.required);
        if wanted && has.contains(&true) {
            scored.push((collection, doc, score));
        }
    }
    scored.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    Answer { scored, ceiling }
}
