//! Glob patterns, as native matches them: `*` any run, `?` one character, `[abc]`, `[a-z]`, `[!...]` or `[^...]` one of a class.
//! A `[` without its `]` is itself. Characters are Unicode scalar values.

/// Whether all of `text` matches. Takes time in proportion to `pattern × text` at most, and no memory.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (from, rest) = pattern.strip_prefix('*').map_or((false, pattern), |rest| (true, rest));
    let (to, part) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
    if part.bytes().any(|byte| b"*?[".contains(&byte)) {
        return general(pattern, text);
    }
    let (text, part) = (text.as_bytes(), part.as_bytes());
    match (from, to) {
        (false, false) => text == part,
        (false, true) => text.starts_with(part),
        (true, false) => text.ends_with(part),
        (true, true) => part.split_first().is_none_or(|(first, rest)| text.iter().enumerate().any(|(at, byte)| byte == first && text[at + 1..].starts_with(rest))),
    }
}

fn general(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when the rest fails: behind the last star, with one more character given to it.
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
        match step(pattern, text) {
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

/// What is left of both after one character of `text`, if the pattern's next part matches it.
fn step<'p, 't>(pattern: &'p str, text: &'t str) -> Option<(&'p str, &'t str)> {
    let mut rest = text.chars();
    let c = rest.next()?;
    let mut parts = pattern.chars();
    let behind = match parts.next()? {
        '?' => parts.as_str(),
        '[' => match class(parts.as_str(), c) {
            Some((true, behind)) => behind,
            Some((false, _)) => return None,
            None if c == '[' => parts.as_str(),
            None => return None,
        },
        literal if literal == c => parts.as_str(),
        _ => return None,
    };
    Some((behind, rest.as_str()))
}

/// Whether `c` is in the class that begins behind a `[`, and what follows its `]`. None: it never ends.
fn class(pattern: &str, c: char) -> Option<(bool, &str)> {
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
                found |= (low..=high).contains(&c);
                rest = range.as_str();
            }
            _ => found |= low == c,
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::{general, matches};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_ways_lead_to_the_same(pattern in "[*]{0,2}[aé*?]{0,4}[*]{0,2}", text in "[aéb]{0,6}") {
            prop_assert_eq!(matches(&pattern, &text), general(&pattern, &text));
        }
    }

    #[test]
    fn as_native_documents() {
        for (pattern, text, expected) in [
            ("", "", true), ("", "a", false), ("*", "", true), ("**", "abc", true), ("src/*", "src/a/b.rs", true),
            ("*.rs", "a.rs", true), ("*.rs", "a.rsx", false), ("a?c", "abc", true), ("a?c", "ac", false), ("a*b*c", "a1b2b3c", true),
            ("[a-c]x", "bx", true), ("[a-c]x", "dx", false), ("[!a-c]x", "dx", true), ("[^a]", "a", false), ("[abc", "[abc", true),
            ("[", "[", true), ("[]", "[]", false), ("[]a]", "]a]", false), ("[a-]", "-", true), ("[-a]", "-", true), ("[*]", "*", true), ("[*]", "x", false),
            ("é?", "éü", true), ("*ü", "größeü", true), ("?", "", false), ("*a", "b", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }
}
