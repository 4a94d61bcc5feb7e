//! The table of examples in docs/spec/words.md.

use super::{Owned, all};
use crate::text::words::Kind;

const PAGE: &str = include_str!("../../../../docs/spec/words.md");

/// Replaces each `\u{…}` by its code point.
pub(super) fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\u{");
    let mut whole = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (code, rest) = part.split_once('}').expect("a brace ends the code point");
        let code = u32::from_str_radix(code, 16).expect("the code point is a number");
        whole.push(char::from_u32(code).expect("the number is a code point"));
        whole.push_str(rest);
    }
    whole
}

pub(super) fn letter(kind: Kind) -> char {
    match kind {
        Kind::Word => 'W',
        Kind::Whole => 'C',
        Kind::Part => 'P',
        Kind::Gram => 'G',
        Kind::End => 'E',
        Kind::Lone => 'L',
    }
}

fn written(token: &Owned) -> String {
    format!("{} `{}`", letter(token.kind), token.text)
}

#[test]
fn every_example_of_the_specification_is_true() {
    let (_, table) = PAGE.split_once("## Examples").expect("the page has examples");
    let (table, _) = table.split_once("\n## ").expect("a section follows");
    let rows: Vec<(&str, &str)> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")).collect();
    assert!(rows.len() >= 40, "{} examples", rows.len());
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|(text, tokens)| {
            let found = all(&unescaped(text)).iter().map(written).collect::<Vec<_>>().join(", ");
            let found = if found.is_empty() { "none" } else { &found };
            (found != tokens).then(|| format!("| `{text}` | {found} |"))
        })
        .collect();
    assert!(wrong.is_empty(), "the tokens are:\n{}", wrong.join("\n"));
}
