//! Glob patterns, as native matches them: `*` stands for any run of characters, `?` for one character, and `[abc]`,
//! `[a-z]`, `[!...]` or `[^...]` for one character of a class. A `[` without its `]` stands for itself. Characters are
//! Unicode scalar values.

use super::any_case::fold;

/// Returns whether the whole of `text` matches. It takes no memory, and its time is at most proportional to `pattern ×
/// text`.
///
/// After each `*`, no part of the pattern is looked at more than once for each place in the text. That includes
/// classes: whether a `]` follows a `[` is found out once, in advance.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (from, to, part) = ends(pattern);
    if !is_plain(part) {
        return general(pattern, text, false);
    }
    let (text, part) = (text.as_bytes(), part.as_bytes());
    match (from, to) {
        (false, false) => text == part,
        (false, true) => text.starts_with(part),
        (true, false) => text.ends_with(part),
        (true, true) => part.split_first().is_none_or(|(first, rest)| {
            text.iter().enumerate().any(|(at, byte)| byte == first && text[at + 1..].starts_with(rest))
        }),
    }
}

/// Returns whether `matches` may have to try the pattern after a star at every place of the text, and this pattern has
/// more than plain characters.
pub(crate) fn is_slow(pattern: &str) -> bool {
    let (from, to, part) = ends(pattern);
    !is_plain(part) && (from || to || part.contains('*'))
}

/// Returns whether the pattern begins and ends with a star, and what is left of it without these two.
fn ends(pattern: &str) -> (bool, bool, &str) {
    let (from, rest) = pattern.strip_prefix('*').map_or((false, pattern), |rest| (true, rest));
    let (to, part) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
    (from, to, part)
}

fn is_plain(part: &str) -> bool {
    !part.bytes().any(|byte| b"*?[".contains(&byte))
}

/// Returns what `matches` would return if pattern and text were in lower case. The limit of its time is the same.
pub fn matches_any_case(pattern: &str, text: &str) -> bool {
    general(pattern, text, true)
}

fn general(pattern: &str, text: &str, any_case: bool) -> bool {
    // A class ends at the first `]`. If fewer bytes of the pattern are left than this, no `]` follows.
    let closing = pattern.rfind(']').map_or(usize::MAX, |at| pattern.len() - at);
    let (mut pattern, mut text) = (pattern, text);
    // Where to continue if the rest does not match: the pattern after the last star, and the text after the characters
    // that the star stands for so far. Each time the star gets one more character.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix('*') {
            if rest.is_empty() {
                return true;
            }
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        if pattern.is_empty() && text.is_empty() {
            return true;
        }
        match step(pattern, text, closing, any_case) {
            Some(next) => (pattern, text) = next,
            None => {
                let Some((behind, start)) = retry else { return false };
                let mut shorter = start.chars();
                if shorter.next().is_none() {
                    return false;
                }
                (pattern, text) = (behind, shorter.as_str());
                retry = Some((behind, text));
            }
        }
    }
}

fn folded(c: char, any_case: bool) -> char {
    if any_case { fold(c) } else { c }
}

/// Returns the rest of both after one character of `text`, if the pattern's next part matches it.
fn step<'p, 't>(pattern: &'p str, text: &'t str, closing: usize, any_case: bool) -> Option<(&'p str, &'t str)> {
    let mut rest = text.chars();
    let c = folded(rest.next()?, any_case);
    let mut parts = pattern.chars();
    let behind = match parts.next()? {
        '?' => parts.as_str(),
        '[' if parts.as_str().len() >= closing => match class(parts.as_str(), c, any_case) {
            Some((true, behind)) => behind,
            _ => return None,
        },
        literal if folded(literal, any_case) == c => parts.as_str(),
        _ => return None,
    };
    Some((behind, rest.as_str()))
}

/// Returns whether `c` is in the class, and the pattern after the class. `pattern` begins after the `[`, and has its
/// `]`. With `any_case`, `c` must be folded.
fn class(pattern: &str, c: char, any_case: bool) -> Option<(bool, &str)> {
    let (negated, mut rest) = match pattern.strip_prefix(['!', '^']) {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut found = false;
    loop {
        let mut chars = rest.chars();
        let low = chars.next()?;
        if low == ']' {
            return Some((found != negated, chars.as_str()));
        }
        rest = chars.as_str();
        let mut range = chars;
        match (range.next(), range.next()) {
            (Some('-'), Some(high)) if high != ']' => {
                found |= (folded(low, any_case)..=folded(high, any_case)).contains(&c);
                rest = range.as_str();
            }
            _ => found |= folded(low, any_case) == c,
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::{general, matches};
    use proptest::prelude::*;

    /// The algorithm as it was before: it looks for the end of each `[` again and again.
    mod before {
        pub fn matches(pattern: &str, text: &str) -> bool {
            let Some(first) = pattern.chars().next() else { return text.is_empty() };
            let (rest, mut left) = (&pattern[first.len_utf8()..], text.chars());
            if first == '*' {
                return std::iter::once(text)
                    .chain(text.char_indices().map(|(at, c)| &text[at + c.len_utf8()..]))
                    .any(|text| matches(rest, text));
            }
            let Some(c) = left.next() else { return false };
            let behind = match (first, (first == '[').then(|| class(rest, c)).flatten()) {
                ('?', _) => Some(rest),
                ('[', Some((held, behind))) => held.then_some(behind),
                _ => (first == c).then_some(rest),
            };
            behind.is_some_and(|behind| matches(behind, left.as_str()))
        }

        fn class(pattern: &str, c: char) -> Option<(bool, &str)> {
            let negated = pattern.starts_with(['!', '^']);
            let all: Vec<(usize, char)> = pattern.char_indices().skip(usize::from(negated)).collect();
            let (mut at, mut found) = (0, false);
            loop {
                let (place, low) = *all.get(at)?;
                if low == ']' {
                    return Some((found != negated, &pattern[place + 1..]));
                }
                match (all.get(at + 1), all.get(at + 2)) {
                    (Some((_, '-')), Some((_, high))) if *high != ']' => {
                        found |= low <= c && c <= *high;
                        at += 3;
                    }
                    _ => {
                        found |= low == c;
                        at += 1;
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Both texts and patterns consist mostly of the characters that have a meaning in patterns.
        #[test]
        fn as_before(pattern in r"[*?\[\]!^\-aabé]{0,10}", text in r"[*?\[\]!^\-aaabé]{0,7}") {
            prop_assert_eq!(matches(&pattern, &text), before::matches(&pattern, &text));
        }

        /// The patterns consist of whole classes, which random characters seldom form.
        #[test]
        fn as_before_with_classes(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("*"),
                    Just("?"),
                    Just("[a-c]"),
                    Just("[!b]"),
                    Just("[^é-]"),
                    Just("[b-"),
                    Just("[]"),
                    Just("[!]"),
                    Just("a"),
                    Just("é"),
                    Just("]"),
                    Just("[")
                ],
                0..8,
            ),
            text in r"[abcé\[\]\-]{0,7}",
        ) {
            let pattern = parts.concat();
            prop_assert_eq!(matches(&pattern, &text), before::matches(&pattern, &text));
        }
    }

    proptest! {
        #[test]
        fn short_ways_lead_to_the_same(pattern in "[*]{0,2}[aé*?]{0,4}[*]{0,2}", text in "[aéb]{0,6}") {
            prop_assert_eq!(matches(&pattern, &text), general(&pattern, &text, false));
        }
    }

    #[test]
    fn as_native_documents() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "abc", true),
            ("src/*", "src/a/b.rs", true),
            ("*.rs", "a.rs", true),
            ("*.rs", "a.rsx", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "a1b2b3c", true),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[^a]", "a", false),
            ("[abc", "[abc", true),
            ("[", "[", true),
            ("[]", "[]", false),
            ("[]a]", "]a]", false),
            ("[a-]", "-", true),
            ("[-a]", "-", true),
            ("[*]", "*", true),
            ("[*]", "x", false),
            ("é?", "éü", true),
            ("*ü", "größeü", true),
            ("?", "", false),
            ("*a", "b", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }
}
