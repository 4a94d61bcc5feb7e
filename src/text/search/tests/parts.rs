//! The parts of the index and the search, each on its own.

use proptest::prelude::*;

use super::histories::{Act, Asked, Numbers, Pair, compare};
use super::oracle::distance;
use crate::few_or;
use crate::text::index::postings::{Cursor, Entry, Posting, decode, encode};
use crate::text::index::{FieldText, TextIndex};
use crate::text::search::near::one_edit;
use crate::text::search::{MAX_WORDS, Options, Question, Statistics};
use crate::{Code, code_of};

fn near_words() -> impl Strategy<Value = (String, String)> {
    ("[aéc中]{0,6}", "[aéc中]{0,6}", any::<prop::sample::Index>(), 0..6u8).prop_map(|(word, other, place, change)| {
        let mut letters: Vec<char> = word.chars().collect();
        let at = place.index(letters.len() + 1);
        match change {
            0 => letters.insert(at, 'é'),
            1 if at < letters.len() => _ = letters.remove(at),
            2 if at < letters.len() => letters[at] = '中',
            3 if at + 1 < letters.len() => letters.swap(at, at + 1),
            4 => return (word, other),
            _ => (),
        }
        (word, letters.into_iter().collect())
    })
}

fn postings() -> impl Strategy<Value = Vec<Posting>> {
    let gap = prop_oneof![20 => 0u32..3, 3 => 0u32..20_000, 1 => 0u32..1_000_000];
    let count = prop_oneof![8 => Just(1u32), 3 => 2u32..9, 1 => any::<u32>().prop_map(|count| count.max(1))];
    prop::collection::vec((gap, count), 1..700).prop_map(|gaps| {
        let mut next = 0u32;
        let mut list = Vec::new();
        for (gap, count) in gaps {
            list.push((next + gap, count));
            next += gap + 1;
        }
        list
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: few_or(200, 20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn one_edit_is_a_distance_of_at_most_one((a, b) in near_words()) {
        prop_assert_eq!(one_edit(&a, &b), distance(&a, &b) <= 1, "{} {}", a, b);
        prop_assert_eq!(one_edit(&b, &a), distance(&a, &b) <= 1, "{} {}", b, a);
    }

    #[test]
    fn a_list_is_read_as_it_was_written(
        list in postings(),
        before in 0usize..9,
        seeks in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut post = vec![0; before];
        let length = |ordinal: u32| u32::MAX - ordinal % 7;
        let list: Vec<Posting> =
            list.into_iter().map(|(ordinal, count)| (ordinal, count.min(length(ordinal)))).collect();
        encode(&list, &length, &mut post).unwrap();
        let entry = Entry { documents: list.len() as u32, at: before as u32 };
        let mut read = Vec::new();
        prop_assert_eq!(decode(&post, entry, |ordinal, count| read.push((ordinal, count))), post.len());
        prop_assert_eq!(&read, &list);
        let mut wanted: Vec<u32> =
            seeks.iter().map(|place| list[place.index(list.len())].0.saturating_add(1)).collect();
        wanted.sort_unstable();
        for mut cursor in [Cursor::new(&post, entry), Cursor::plain(&list)] {
            for ordinal in &wanted {
                let found = cursor.seek(*ordinal).then(|| (cursor.ordinals[cursor.at], cursor.counts[cursor.at]));
                prop_assert_eq!(found, list.iter().copied().find(|(other, _)| other >= ordinal));
            }
        }
    }

    #[test]
    fn statistics_come_back_from_their_bytes(
        documents in any::<u64>(),
        totals in prop::collection::vec(any::<u64>(), 1..5),
        counts in prop::collection::vec(any::<u64>(), 0..9),
    ) {
        let statistics = Statistics { documents, totals, counts };
        prop_assert_eq!(&Statistics::decode(&statistics.encode()).unwrap(), &statistics);
    }

    #[test]
    fn any_bytes_as_statistics_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut index = TextIndex::new(1).unwrap();
        index.put(0, &[&["the color"]]).unwrap();
        let question = Question::parse("the color", &Options::default()).unwrap();
        if let Ok(statistics) = Statistics::decode(&bytes) {
            let _ = index.best(&question, &statistics, (&[0], &[1.0]), 3, None);
            let _ = Statistics::default().add(&statistics);
        }
        let hostile = Statistics { documents: 9, totals: vec![0], counts: vec![2, 2] };
        index.best(&question, &hostile, (&[0], &[1.0]), 3, None).unwrap();
    }
}

#[test]
fn a_question_has_a_limit_of_words() {
    let words = |count: usize| (0..count).map(|n| format!("w{n} w{n}")).collect::<Vec<String>>().join(" ");
    assert_eq!(Question::parse(&words(MAX_WORDS), &Options::default()).unwrap().required.len(), MAX_WORDS);
    let error = Question::parse(&words(MAX_WORDS + 1), &Options::default()).unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
    assert!(Question::parse(&"again ".repeat(300_000), &Options::default()).unwrap().required.len() == 1);
    assert!(Question::parse(" .,; \u{FFFD}", &Options::default()).unwrap().is_empty());
}

#[test]
fn a_write_waits_and_a_long_text_is_taken_in_slices() {
    let mut pair = Pair::new(1);
    let mut numbers = Numbers(5);
    let words: Vec<String> = (0..400_000).map(|_| format!("word{}", numbers.below(9_000))).collect();
    pair.put(7, &vec![vec![words.join(" ")]]);
    pair.put(8, &vec![vec!["word1 other".into()]]);
    assert_eq!(pair.index.documents(), 0);
    let mut steps = 0;
    while pair.index.step(10_000).unwrap() {
        steps += 1;
    }
    assert!(steps > 100, "{steps} steps");
    pair.put(9, &vec![vec![words[..50_000].join(" ")]]);
    pair.act(&Act::Step(10_000));
    // The document is half read.
    pair.act(&Act::Renumber { descending: true, dropped: 1000 });
    let asked =
        |text: &str| Asked { text: text.into(), options: Options::default(), weights: vec![1.0], k: 5, filter: None };
    compare(&mut [(&mut pair, vec![Some(0)])], &asked("word1 word77"));
}

/// Too many fields, too few texts or weights, fields that do not exist or come twice, and statistics that do not fit.
#[test]
fn wrong_arguments_are_errors() {
    assert!(TextIndex::new(0).is_err() && TextIndex::new(251).is_err() && TextIndex::new(250).is_ok());
    let mut index = TextIndex::new(2).unwrap();
    let texts: [FieldText<'_>; 2] = [&["a"], &[]];
    assert!(index.put(0, &texts[..1]).is_err());
    assert!(index.put(u32::MAX, &texts).is_err());
    index.put(0, &texts).unwrap();
    let question = Question::parse("a", &Options::default()).unwrap();
    for fields in [&[][..], &[2][..], &[0, 0][..]] {
        assert!(index.statistics(&question, fields, 1).is_err(), "{fields:?}");
    }
    let statistics = index.statistics(&question, &[0, 1], 1).unwrap();
    for (fields, weights) in
        [(&[0u8, 1][..], &[1.0][..]), (&[0][..], &[1.0][..]), (&[0, 1], &[1.0, f64::NAN]), (&[0, 1], &[1.0, -1.0])]
    {
        assert!(index.best(&question, &statistics, (fields, weights), 1, None).is_err(), "{fields:?} {weights:?}");
    }
    let other = Question::parse("a b", &Options::default()).unwrap();
    assert!(index.best(&other, &statistics, (&[0, 1], &[1.0, 1.0]), 1, None).is_err());
    let less = Statistics { documents: 0, ..statistics };
    assert!(index.best(&question, &less, (&[0, 1], &[1.0, 1.0]), 1, None).is_err());
}
