//! Words that differ by one edit.

/// The fewest characters of a word that is searched with an edit.
pub const LEAST_LETTERS: usize = 4;

/// Returns whether two words are equal, or become equal if one character is added, left out, replaced, or exchanged
/// with its neighbour.
pub fn one_edit(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    if common == a.len() && common == b.len() {
        return true;
    }
    // The words may differ in the middle of a character.
    let common = (0..=common).rev().find(|at| a.is_char_boundary(*at) && b.is_char_boundary(*at)).unwrap_or(0);
    let (a, b) = (a.get(common..).unwrap_or(""), b.get(common..).unwrap_or(""));
    let (mut after_a, mut after_b) = (a.chars(), b.chars());
    let (first_a, first_b) = (after_a.next(), after_b.next());
    let (after_a, after_b) = (after_a.as_str(), after_b.as_str());
    if (first_a.is_some() && after_a == b) || (first_b.is_some() && a == after_b) {
        return true;
    }
    if first_a.is_none() || first_b.is_none() {
        return false;
    }
    if after_a == after_b {
        return true;
    }
    let (mut last_a, mut last_b) = (after_a.chars(), after_b.chars());
    last_a.next() == first_b && last_b.next() == first_a && last_a.as_str() == last_b.as_str()
}
