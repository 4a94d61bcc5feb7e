use proptest::prelude::*;

use super::oracle::{Answer, Oracle, Texts, ask};
use crate::few_or;
use crate::text::index::{DEAD, FieldText, Loading, Origin, TextIndex};
use crate::text::search::{ABSENT, Fuzzy, Options, Question, Statistics, ceiling};

/// An index, and the oracle of the same documents.
pub struct Pair {
    pub index: TextIndex,
    pub oracle: Oracle,
}

#[derive(Clone, Debug)]
pub enum Act {
    Put(u32, Texts),
    Remove(u32),
    /// Removes each document whose number is divisible by this number.
    RemoveEvery(u32),
    /// Gives all documents other numbers, descending or not. Drops those whose number is divisible by `dropped`.
    Renumber {
        descending: bool,
        dropped: u32,
    },
    Step(usize),
    Condense,
    Search,
    /// Saves the index, and loads it in pieces of `piece` bytes, perhaps with other numbers.
    SaveAndLoad {
        piece: usize,
        renumbered: Option<(bool, u32)>,
    },
}

impl Pair {
    pub fn new(fields: usize) -> Self {
        Self { index: TextIndex::new(fields).unwrap(), oracle: Oracle::default() }
    }

    pub fn put(&mut self, doc: u32, texts: &Texts) {
        let strings: Vec<Vec<&str>> = texts.iter().map(|list| list.iter().map(String::as_str).collect()).collect();
        let fields: Vec<FieldText<'_>> = strings.iter().map(Vec::as_slice).collect();
        self.index.put(doc, &fields).unwrap();
        self.oracle.put(doc, texts);
    }

    pub fn act(&mut self, act: &Act) {
        match act {
            Act::Put(doc, texts) => self.put(*doc, texts),
            Act::Remove(doc) => {
                self.index.remove(*doc).unwrap();
                self.oracle.documents.remove(doc);
            }
            Act::RemoveEvery(n) => {
                let docs: Vec<u32> = self.oracle.documents.keys().copied().filter(|doc| doc % n == 0).collect();
                docs.iter().for_each(|doc| self.act(&Act::Remove(*doc)));
            }
            Act::Renumber { descending, dropped } => {
                let new_numbers = self.renumber_oracle(*descending, *dropped);
                self.index.renumber(&new_numbers).unwrap();
            }
            Act::Step(budget) => {
                self.index.step(*budget).unwrap();
            }
            Act::Condense => self.index.condense(),
            Act::Search => self.index.catch_up().unwrap(),
            Act::SaveAndLoad { piece, renumbered } => {
                let (limits, origin) = (self.index.limits, Origin { position: 7, checksum: 9, ..Origin::default() });
                let file = saved(&mut self.index, &origin);
                let mut loading = Loading::new(file.len() as u64);
                file.chunks(*piece).for_each(|bytes| loading.feed(bytes).unwrap());
                if let Some((descending, dropped)) = renumbered {
                    loading.renumber(self.renumber_oracle(*descending, *dropped)).unwrap();
                }
                while loading.step(*piece).unwrap() {}
                let (index, read) = loading.finish().unwrap();
                assert_eq!(read, origin);
                self.index = index;
                self.index.limits = limits;
                if renumbered.is_none() {
                    assert!(saved(&mut self.index, &origin) == file, "a loaded index is saved as another file");
                }
            }
        }
    }

    /// Gives the oracle's documents other numbers, and returns these. Drops documents whose number is divisible by
    /// `dropped`.
    fn renumber_oracle(&mut self, descending: bool, dropped: u32) -> Vec<u32> {
        let end = self.oracle.documents.keys().max().map_or(0, |doc| doc + 1);
        let living = |doc: &u32| self.oracle.documents.contains_key(doc) && doc % dropped != 0;
        let mut new_numbers = vec![DEAD; end as usize];
        let mut old: Vec<u32> = (0..end).filter(living).collect();
        if descending {
            old.reverse();
        }
        let mut documents = std::mem::take(&mut self.oracle.documents);
        for (new, old) in old.iter().enumerate() {
            new_numbers[*old as usize] = new as u32;
            self.oracle.documents.insert(new as u32, documents.remove(old).unwrap());
        }
        new_numbers
    }
}

pub fn saved(index: &mut TextIndex, origin: &Origin) -> Vec<u8> {
    let mut file = Vec::new();
    let sink = &mut |bytes: &[u8]| {
        file.extend_from_slice(bytes);
        Ok(())
    };
    index.save(origin, sink).unwrap();
    file
}

/// A question, and how it is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub text: String,
    pub options: Options,
    pub weights: Vec<f64>,
    pub k: usize,
    pub filter: Option<u16>,
}

fn own(fields: &[Option<usize>]) -> Vec<u8> {
    fields.iter().map(|field| field.map_or(ABSENT, |field| field as u8)).collect()
}

/// Asks all indexes and the oracle, and compares everything.
pub fn compare(pairs: &mut [(&mut Pair, Vec<Option<usize>>)], asked: &Asked) {
    let question = Question::parse(&asked.text, &asked.options).unwrap();
    let oracles: Vec<(&Oracle, &[Option<usize>])> =
        pairs.iter().map(|(pair, fields)| (&pair.oracle, fields.as_slice())).collect();
    let Answer { scored, ceiling: most } = ask(&oracles, &asked.text, &asked.options, &asked.weights);
    let mut statistics: Option<Statistics> = None;
    for (pair, fields) in pairs.iter_mut() {
        let documents = pair.oracle.documents.len() as u64;
        let own = pair.index.statistics(&question, &own(fields), documents).unwrap();
        let own = Statistics::decode(&own.encode()).unwrap();
        assert_eq!(documents, pair.index.documents() as u64);
        match &mut statistics {
            None => statistics = Some(own),
            Some(all) => all.add(&own).unwrap(),
        }
    }
    let statistics = statistics.unwrap();
    assert_eq!(ceiling(&question, &statistics, &asked.weights).unwrap().to_bits(), most.to_bits(), "ceiling");
    for (n, (pair, fields)) in pairs.iter_mut().enumerate() {
        let own = own(fields);
        let mut all = Vec::new();
        pair.index
            .all(&question, &statistics, (&own, &asked.weights), &mut |doc, score| all.push((doc, score)))
            .unwrap();
        all.sort_by_key(|(doc, _)| *doc);
        let mut wanted: Vec<(u32, f64)> =
            scored.iter().filter(|(collection, ..)| *collection == n).map(|(_, doc, score)| (*doc, *score)).collect();
        let bits = |scored: &[(u32, f64)]| -> Vec<(u32, u64)> {
            scored.iter().map(|(doc, score)| (*doc, score.to_bits())).collect()
        };
        let shown = |doc: u32| asked.filter.is_none_or(|group| group >> (doc % 16) & 1 == 1);
        let filter = asked.filter.map(|group| vec![group; 1000]);
        let mut best: Vec<(u32, f64)> = wanted.iter().copied().filter(|(doc, _)| shown(*doc)).collect();
        if asked.k == 0 {
            best.clear();
        } else if let Some((_, least)) = best.get(asked.k - 1).copied() {
            best.retain(|(_, score)| *score >= least);
        }
        wanted.sort_by_key(|(doc, _)| *doc);
        assert_eq!(bits(&all), bits(&wanted), "all of {asked:?}");
        let found =
            pair.index.best(&question, &statistics, (&own, &asked.weights), asked.k, filter.as_deref()).unwrap();
        assert_eq!(bits(&found), bits(&best), "best of {asked:?}");
    }
}

/// Words that are similar to each other. Their forms, beginnings or folded texts are the same, or they differ by one
/// edit.
const WORDS: &[&str] = &[
    "the",
    "of",
    "a",
    "denied",
    "permission",
    "permission-denied",
    "color",
    "colour",
    "colours",
    "colro",
    "cool",
    "permissions",
    "getElementById",
    "element",
    "elements",
    "E_NO_ENT",
    "enoent",
    "v1.2.3",
    "straße",
    "strasse",
    "größe",
    "grösse",
    "中国",
    "中国人",
    "人",
    "国",
    "ちず",
    "prefix",
    "pre",
    "prefixed",
    "internationalization",
    "internationalisation",
    "internationalizatiom",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "zebra",
    "zebras",
    "über",
    "node.js",
    "don't",
];

pub fn word() -> impl Strategy<Value = &'static str> {
    // The first words are chosen much more often than the last ones.
    (0..WORDS.len(), 0..WORDS.len(), 0..WORDS.len()).prop_map(|(a, b, c)| WORDS[a.min(b).min(c)])
}

fn text(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(word(), 0..most).prop_map(|words| words.join(" "))
}

pub fn texts(fields: usize) -> impl Strategy<Value = Texts> {
    prop::collection::vec(prop::collection::vec(text(9), 0..3), fields)
}

pub fn asked(fields: usize) -> impl Strategy<Value = Asked> {
    let fuzzy = prop::sample::select(vec![Fuzzy::Off, Fuzzy::Absent, Fuzzy::Every]);
    let options = (any::<bool>(), any::<bool>(), fuzzy).prop_map(|(match_all, prefix, fuzzy)| Options {
        match_all,
        prefix,
        fuzzy,
        forms_en: false,
    });
    let more = prop::sample::select(vec!["", "", " colou", " permisson", " pr", " absent", " zebar"]);
    let text = (prop::collection::vec(word(), 0..5), more).prop_map(|(words, more)| words.join(" ") + more);
    let weights = prop::collection::vec(prop::sample::select(vec![1.0, 3.0, 0.5, 0.0, 0.1]), fields);
    let k = prop::sample::select(vec![0usize, 1, 2, 3, 10, 1000]);
    (text, options, weights, k, prop::option::of(any::<u16>())).prop_map(|(text, options, weights, k, filter)| Asked {
        text,
        options,
        weights,
        k,
        filter,
    })
}

pub fn act(fields: usize, docs: u32) -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..docs, texts(fields)).prop_map(|(doc, texts)| Act::Put(doc, texts)),
        3 => (0..docs).prop_map(Act::Remove),
        1 => (2u32..5).prop_map(Act::RemoveEvery),
        1 => (any::<bool>(), 2u32..9).prop_map(|(descending, dropped)| Act::Renumber { descending, dropped }),
        3 => prop::sample::select(vec![1usize, 30, 3000, 1_000_000]).prop_map(Act::Step),
        1 => Just(Act::Condense),
        2 => Just(Act::Search),
        2 => (1usize..500, prop::option::of((any::<bool>(), 2u32..9)))
            .prop_map(|(piece, renumbered)| Act::SaveAndLoad { piece, renumbered }),
    ]
}

fn every_field(fields: usize) -> Vec<Option<usize>> {
    (0..fields).map(Some).collect()
}

/// Does all acts, then asks all questions and compares the answers. With `each`, every act is followed by a search.
pub fn check(acts: &[Act], questions: &[Asked], each: bool, small: bool, few_sub_indexes: bool) {
    let mut pair = Pair::new(2);
    if small {
        pair.index.limits.seal = 40;
        pair.index.limits.least_seal = 10;
        pair.index.limits.queue = 600;
    }
    if few_sub_indexes {
        pair.index.limits.sub_indexes = 3;
    } else {
        pair.index.limits.small = 1;
    }
    for act in acts {
        pair.act(act);
        if each {
            pair.index.catch_up().unwrap();
        }
    }
    for asked in questions {
        compare(&mut [(&mut pair, every_field(2))], asked);
        pair.act(&Act::Step(100));
    }
    // The last question is asked again after a removal, because the index keeps the lists of a question.
    if let (Some(asked), Some(doc)) = (questions.last(), pair.oracle.documents.keys().next().copied()) {
        pair.act(&Act::Remove(doc));
        compare(&mut [(&mut pair, every_field(2))], asked);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: few_or(150, 20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn answers_equal_those_of_the_oracle_after_any_history(
        acts in prop::collection::vec(act(2, 40), 0..80),
        questions in prop::collection::vec(asked(2), 1..6),
        each in any::<bool>(),
        small in any::<bool>(),
        few_sub_indexes in any::<bool>(),
    ) {
        check(&acts, &questions, each, small, few_sub_indexes);
    }

    #[test]
    fn all_documents_that_tie_are_found((documents, every, asked) in equal_documents()) {
        check_equal(&documents, every, &asked);
    }

    #[test]
    fn statistics_of_several_collections_give_the_scores_of_all_of_them(
        documents in prop::collection::vec((0..3usize, texts(2)), 0..60),
        questions in prop::collection::vec(asked(2), 1..4),
    ) {
        // The third collection has only the second field.
        let mut pairs = [Pair::new(2), Pair::new(2), Pair::new(1)];
        for (doc, (collection, texts)) in documents.iter().enumerate() {
            let own = if *collection == 2 { vec![texts[1].clone()] } else { texts.clone() };
            pairs[*collection].put(doc as u32, &own);
        }
        let [first, second, third] = &mut pairs;
        let mut all = [(first, every_field(2)), (second, every_field(2)), (third, vec![None, Some(0)])];
        for asked in &questions {
            compare(&mut all, asked);
        }
    }
}

/// Generates documents of which many are equal, for several sub-indexes.
pub fn equal_documents() -> impl Strategy<Value = (Vec<usize>, usize, Asked)> {
    let asked = (prop::collection::vec(0..9usize, 1..7), 1usize..4, prop::sample::select(vec![0.7, 1.0, 3.3]));
    let asked = asked.prop_map(|(words, k, weight)| {
        let words: Vec<&str> =
            words.iter().map(|word| EQUAL[word % 3].split(' ').nth(word / 3).unwrap_or("a")).collect();
        Asked { text: words.join(" "), options: Options::default(), weights: vec![weight], k, filter: None }
    });
    (prop::collection::vec(0..3usize, 1..50), 1usize..9, asked)
}

const EQUAL: [&str; 3] = ["the color of zebra node", "the color of permission", "zebra color of pre pre node js"];

/// Puts the documents, with a search after every `every` of them, and compares the answers to a question.
pub fn check_equal(documents: &[usize], every: usize, asked: &Asked) {
    let mut pair = Pair::new(1);
    pair.index.limits.small = 1;
    for (doc, document) in documents.iter().enumerate() {
        pair.put(doc as u32, &vec![vec![EQUAL[*document].into()]]);
        if doc % every == 0 {
            pair.act(&Act::Search);
        }
    }
    compare(&mut [(&mut pair, vec![Some(0)])], asked);
}

/// Numbers that look random. Equal seeds give equal numbers.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Lists of many blocks, and more documents than a window has.
#[test]
fn answers_over_many_documents_equal_those_of_the_oracle() {
    check_many(&[(1, 700), (2, 2_500), (3, 5_000)], few_or(14, 300));
}

/// For each seed and number of documents, asks `turns` questions and compares the answers.
pub fn check_many(seeds: &[(u64, u32)], turns: u32) {
    for (seed, documents) in seeds.iter().copied() {
        let mut numbers = Numbers(seed);
        let mut pair = Pair::new(1);
        let word = |numbers: &mut Numbers| {
            let end = WORDS.len() as u64;
            WORDS[numbers.below(end).min(numbers.below(end)).min(numbers.below(end)) as usize]
        };
        for doc in 0..documents {
            // The documents of the first blocks are longer, so what comes later has higher scores.
            let length = if doc < 400 { 10 + numbers.below(8) } else { numbers.below(8) };
            let words: Vec<&str> = (0..length).map(|_| word(&mut numbers)).collect();
            pair.put(doc, &vec![vec![words.join(" ")]]);
            // The documents of even seeds are in one sub-index.
            if seed % 2 == 1 && numbers.below(900) == 0 {
                pair.act(&Act::Search);
            }
        }
        for turn in 0..turns {
            let words: Vec<&str> = (0..1 + numbers.below(5)).map(|_| word(&mut numbers)).collect();
            let options = Options {
                match_all: numbers.below(3) == 0,
                prefix: numbers.below(3) == 0,
                fuzzy: [Fuzzy::Off, Fuzzy::Off, Fuzzy::Absent, Fuzzy::Every][numbers.below(4) as usize],
                forms_en: numbers.below(4) == 0,
            };
            let k = [1, 3, 10, 100][numbers.below(4) as usize];
            let filter = (numbers.below(3) == 0).then(|| numbers.below(65_536) as u16);
            let asked = Asked { text: words.join(" "), options, weights: vec![1.0], k, filter };
            compare(&mut [(&mut pair, vec![Some(0)])], &asked);
            if turn % 5 == 4 {
                let doc = numbers.below(u64::from(documents)) as u32;
                pair.act(&Act::Remove(doc));
            }
            if turn == 8 {
                pair.act(&Act::RemoveEvery(7));
                pair.act(&Act::Condense);
                pair.act(&Act::Step(20_000));
            }
        }
    }
}
