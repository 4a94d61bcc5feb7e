//! The tables of docs/text-scripts.md.

use super::examples::unescaped;
use super::{Owned, all};
use crate::text::words::Kind;

const PAGE: &str = include_str!("../../../../docs/text-scripts.md");

/// Returns whether the text has every word of the question.
fn is_found(text: &str, question: &str) -> bool {
    let text = all(text);
    let has = |wanted: &Owned| match wanted.kind {
        Kind::End => true,
        Kind::Lone => text.iter().any(|token| token.text.starts_with(&wanted.text)),
        _ => text.iter().any(|token| token.text == wanted.text),
    };
    let question = all(question);
    let mut rest = &question[..];
    while let Some((first, behind)) = rest.split_first() {
        // The tokens of a compound lie within its whole.
        let count = behind.iter().take_while(|token| first.kind == Kind::Whole && token.to <= first.to).count();
        let (parts, behind) = behind.split_at(count);
        let mut parts = parts.iter().filter(|token| token.kind == Kind::Part).peekable();
        let by_parts = parts.peek().is_some() && parts.all(has);
        if !has(first) && !by_parts {
            return false;
        }
        rest = behind;
    }
    true
}

#[test]
fn every_question_of_the_page_finds_what_it_says() {
    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect())
        .filter(|row: &Vec<&str>| matches!(row[..], [_, _, "yes" | "no"]))
        .collect();
    assert!(rows.len() > 50, "{} rows", rows.len());
    for row in rows {
        assert_eq!(is_found(&unescaped(row[0]), &unescaped(row[1])), row[2] == "yes", "{row:?}");
    }
}
