//! Compares matches and passages with a plain search over all tokens.

use super::all;
use super::properties::texts;
use crate::few_or;
use crate::text::words::places::{Match, PASSAGE, Places, Wanted, places};
use proptest::prelude::*;
use std::collections::BTreeSet;

const ENOUGH: usize = 1_000_000;

fn find<'a>(texts: &[&'a str], words: &[&str], most: usize) -> Places<'a> {
    let number = |text: &str| words.iter().position(|word| *word == text);
    // The last word of the question is the rarest.
    let found = places(texts, most, &mut |token| {
        number(token.text).map(|word| Wanted { word: word as u8, weight: (word + 1) as f64 })
    });
    found.expect("there is memory")
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Returns the merged places of the tokens that are one of the words.
fn naive(texts: &[&str], words: &[&str]) -> Vec<Match> {
    let mut merged: Vec<Match> = Vec::new();
    for (element, text) in texts.iter().enumerate() {
        let mut found: Vec<(usize, usize)> = all(text)
            .into_iter()
            .filter(|token| words.contains(&&*token.text))
            .map(|token| (units(&text[..token.from]), units(&text[..token.to])))
            .collect();
        found.sort_unstable();
        for (from, to) in found {
            match merged.last_mut() {
                Some(last) if last.element == element && last.to > from => last.to = last.to.max(to),
                _ => merged.push(Match { element, from, to }),
            }
        }
    }
    merged
}

fn question(texts: &[String], picks: &[prop::sample::Index]) -> Vec<String> {
    let tokens: BTreeSet<String> = texts.iter().flat_map(|text| all(text)).map(|token| token.text).collect();
    let tokens: Vec<String> = tokens.into_iter().collect();
    let words: BTreeSet<String> =
        picks.iter().filter(|_| !tokens.is_empty()).map(|pick| pick.get(&tokens).clone()).collect();
    words.into_iter().collect()
}

/// Returns the highest value of the words in any stretch of the text that is no longer than a passage.
fn best_value(text: &str, words: &[&str]) -> u64 {
    let found: Vec<(usize, usize, usize)> = all(text)
        .into_iter()
        .filter_map(|token| Some((token.from, token.to, words.iter().position(|word| *word == token.text)?)))
        .collect();
    let value = |word: usize, first: bool| ((word as u64 + 1) * 1024 + 1) * if first { 32 } else { 1 };
    let mut best = 0;
    for (number, &(from, _, _)) in found.iter().enumerate() {
        let (mut words, mut sum) = (BTreeSet::new(), 0);
        for &(_, to, word) in found[number..].iter().take_while(|(_, to, _)| to - from <= PASSAGE) {
            let _ = to;
            sum += value(word, words.insert(word));
            best = best.max(sum);
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(few_or(1_500, 100_000)))]

    #[test]
    fn matches_are_those_of_a_plain_search(
        texts in prop::collection::vec(texts(), 0..4),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        most in 0..6_usize,
    ) {
        let words = question(&texts, &picks);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected = naive(&texts, &words);
        let found = find(&texts, &words, ENOUGH);
        prop_assert_eq!(&found.matches, &expected);
        prop_assert!(!found.more);

        let few = find(&texts, &words, most);
        prop_assert_eq!(&few.matches[..], &expected[..expected.len().min(most)]);
        prop_assert_eq!(few.more, expected.len() > most);
        prop_assert_eq!(&few.passage, &found.passage);

        let Some(passage) = found.passage else {
            prop_assert!(texts.iter().all(|text| text.trim().is_empty()));
            return Ok(());
        };
        let text: Vec<u16> = texts[passage.element].encode_utf16().collect();
        prop_assert!(passage.to - passage.from <= PASSAGE);
        prop_assert_eq!(String::from_utf16_lossy(&text[passage.from..passage.to]), passage.text);
        let inside: Vec<[usize; 2]> = expected
            .iter()
            .filter(|place| place.element == passage.element && place.to > passage.from && place.from < passage.to)
            .map(|place| [place.from.max(passage.from) - passage.from, place.to.min(passage.to) - passage.from])
            .collect();
        prop_assert_eq!(inside.is_empty(), expected.is_empty());
        prop_assert_eq!(passage.matches, inside);
    }

    #[test]
    fn the_passage_has_the_most_and_rarest_words(
        words in prop::collection::vec(
            prop::sample::select(&["red", "green", "blue", "a", "of", "words", "x"][..]),
            1..200,
        ),
    ) {
        let text = words.join(" ");
        let question = ["red", "green", "blue"];
        let passage = find(&[&text], &question, ENOUGH).passage.expect("the text is not empty");
        prop_assert_eq!(best_value(passage.text, &question), best_value(&text, &question));
        // It begins and ends with whole words, and is as long as it can be.
        let around = [text[..passage.from].chars().next_back(), text[passage.to..].chars().next()];
        prop_assert!(around.iter().flatten().all(|c| *c == ' '), "{around:?}");
        let length = passage.to - passage.from;
        prop_assert!(length >= text.len().min(PASSAGE - 16), "{length} of {}", text.len());
    }
}

#[test]
fn a_passage_stands_around_the_rarest_words() {
    let text = format!("red {} The blue and green thing is red. {}", "filler ".repeat(40), "more ".repeat(60));
    let passage = find(&[&text], &["red", "blue"], ENOUGH).passage.expect("the text is not empty");
    let shown: Vec<&str> = passage.matches.iter().map(|&[from, to]| &passage.text[from..to]).collect();
    assert_eq!(shown, ["blue", "red"]);
    assert!(passage.text.starts_with("filler") && passage.text.ends_with("more"));
}

#[test]
fn elements_of_a_list_have_their_numbers() {
    let found = find(&["nothing", "a 😀 word", "", "word word"], &["word"], ENOUGH);
    let places: Vec<_> = found.matches.iter().map(|place| (place.element, place.from, place.to)).collect();
    assert_eq!(places, [(1, 5, 9), (3, 0, 4), (3, 5, 9)]);
    assert_eq!(found.passage.map(|passage| passage.element), Some(3));
}

#[test]
fn parts_of_a_compound_are_shown_alone_and_its_whole_as_one() {
    let shown = |words: &[&str]| -> Vec<[usize; 2]> {
        find(&["use getElementById now"], words, ENOUGH).matches.iter().map(|place| [place.from, place.to]).collect()
    };
    assert_eq!(shown(&["element"]), [[7, 14]]);
    assert_eq!(shown(&["element", "getelementbyid", "by"]), [[4, 18]]);
    assert_eq!(shown(&["element", "by"]), [[7, 14], [14, 16]]);
}

#[test]
fn without_a_match_the_passage_is_the_start() {
    let text = format!("  It begins here. {}", "And so on. ".repeat(40));
    let passage = find(&["", &text], &["absent"], ENOUGH).passage.expect("the text is not empty");
    assert!(passage.text.starts_with("It begins") && passage.element == 1 && passage.from == 2);
    assert!(passage.matches.is_empty() && passage.text.len() > 140);
    assert_eq!(find(&["", " \n"], &["absent"], ENOUGH).passage, None);
}

#[test]
fn a_text_that_is_one_match_gives_a_short_passage() {
    let text = "東".repeat(few_or(20_000, 1_000_000) as usize);
    let found = find(&[&text], &["東東"], ENOUGH);
    assert_eq!(found.matches.len(), 1);
    assert_eq!(found.passage.map(|passage| passage.to - passage.from), Some(PASSAGE));
}
