//! Compares texts without regard to upper and lower case.

use crate::lower::lower;

/// Returns the lower case of a character, which is one character here. The final sigma counts as a sigma.
pub fn fold(c: char) -> char {
    match c {
        '\0'..='\x7f' => c.to_ascii_lowercase(),
        'ς' => 'σ',
        _ => char::from_u32(lower(c as u32)).unwrap_or(c),
    }
}

/// Returns whether `part` is in `text`. It takes no memory, and its time is at most proportional to `part × text`.
pub fn contains(text: &str, part: &str) -> bool {
    let mut rest = text.chars();
    loop {
        let mut from = rest.clone();
        if part.chars().all(|wanted| from.next().is_some_and(|c| fold(c) == fold(wanted))) {
            return true;
        }
        if rest.next().is_none() {
            return false;
        }
    }
}
