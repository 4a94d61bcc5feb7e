//! Cuts texts into the words by which they are found. The rule is in docs/spec/words.md (SPEC 3.4). This is one of its
//! two implementations.
//!
//! [`tokens`] analyzes a whole text. A [`Tokenizer`] does it in steps: [`Tokenizer::advance`] stops after the given
//! number of bytes, and [`Tokenizer::place`] says where to go on. Another `Tokenizer` over the same text can go on
//! there. The tokens do not depend on the size of the steps. A step reads at most about 5 KB more than it was given.
//! Neither allocates memory: what a token needs is on the stack.
//!
//! The tokens of a compound come in this order: first the whole compound, then the tokens of each piece. A piece that
//! is a compound itself gives its whole and its parts. A question finds a compound by its whole, or by all of its
//! parts. A question leaves out [`Kind::End`], because the bigram before it has that character. For [`Kind::Lone`] a
//! question finds every token that begins with it.

mod compound;
pub mod forms;
mod grams;
mod look;
mod lookup;
pub mod places;
mod tables;
#[cfg(test)]
mod tests;

use compound::Compound;
use look::{Class, Look, class_of};

/// The most bytes that a token has.
pub const LONGEST: usize = 64;
/// How many characters in a row are dropped inside a word. At one more, the word ends.
const MOST_DROPPED: u32 = 16;

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token that is no compound.
    Word,
    /// A compound, or a piece that is a compound itself, without its separators.
    Whole,
    /// A part of a compound.
    Part,
    /// Two neighbouring characters of a script without spaces.
    Gram,
    /// The last character of a run of such a script, if the run has more than one.
    End,
    /// The only character of a run of such a script.
    Lone,
}

/// A word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The folded word: 1 to 64 bytes.
    pub text: &'a str,
    /// Where it begins in the source, in bytes.
    pub from: usize,
    /// Where it ends in the source, in bytes.
    pub to: usize,
    /// Its kind.
    pub kind: Kind,
}

/// A place between two runs of a text. The analysis of the text can go on from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// In bytes.
    at: usize,
    tail: Tail,
}

impl Place {
    /// Returns how many bytes are before it.
    pub fn at(self) -> usize {
        self.at
    }
}

/// Whether the place is inside a piece that was longer than a token can be. Its rest is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tail {
    #[default]
    None,
    AfterLetter,
    AfterDigit,
}

/// Analyzes a text in steps.
pub struct Tokenizer<'a> {
    text: &'a str,
    place: Place,
    compound: Compound,
}

/// Calls `each` with every token of `text`, in one pass. The time is linear, and no memory is allocated.
pub fn tokens(text: &str, each: &mut dyn FnMut(Token<'_>)) {
    let mut tokenizer = Tokenizer::new(text);
    while tokenizer.advance(usize::MAX, each) {}
}

impl<'a> Tokenizer<'a> {
    /// Begins at the start of the text.
    pub fn new(text: &'a str) -> Self {
        Self::resume(text, Place::default())
    }

    /// Goes on at a place that a `Tokenizer` of the same text returned.
    pub fn resume(text: &'a str, place: Place) -> Self {
        Self { text, place, compound: Compound::default() }
    }

    /// Returns where [`advance`](Self::advance) goes on.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Analyzes at least the next `bytes` bytes, or all that are left, and then stops at the next place where the
    /// analysis can go on. Returns whether there is more.
    #[inline(never)]
    pub fn advance(&mut self, bytes: usize, each: &mut dyn FnMut(Token<'_>)) -> bool {
        let text = self.text.as_bytes();
        let until = self.place.at.saturating_add(bytes).min(text.len());
        let mut at = self.place.at;
        while at < until {
            if self.place.tail != Tail::None {
                (at, self.place.tail) = skip_tail(self.text, at, until, self.place.tail);
                continue;
            }
            let first = text[at];
            if first < 128 {
                // Most words are in lower case and have a separator after them. They need no folding and no copy.
                match class_of(first) {
                    Class::Lower | Class::Digit => {
                        let to = plain(text, at);
                        if to - at <= LONGEST
                            && text.get(to).is_none_or(|&next| next < 128 && self.ends(to, next))
                            && let Some(word) = self.text.get(at..to)
                        {
                            each(Token { text: word, from: at, to, kind: Kind::Word });
                            at = to;
                            continue;
                        }
                    }
                    Class::Upper => (),
                    _ => {
                        at += 1;
                        continue;
                    }
                }
            } else {
                let Some(look) = Look::at(self.text, at) else { break };
                if look.class == Class::Gram {
                    at = grams::run(self.text, at, until, each);
                    continue;
                }
                if !look.in_word() {
                    at += look.width as usize;
                    continue;
                }
            }
            (at, self.place.tail) = self.compound.run(self.text, at, each);
        }
        self.place.at = at;
        at < text.len()
    }

    /// Returns true if a word of lower-case letters and digits ends before this byte, and false if it may go on.
    #[inline(always)]
    fn ends(&self, at: usize, next: u8) -> bool {
        match class_of(next) {
            Class::Separator => !matches!(next, b'+' | b'#'),
            Class::Outer | Class::Inner => match self.text.as_bytes().get(at + 1) {
                Some(&byte) => byte < 128 && next != b':' && class_of(byte) == Class::Separator,
                None => true,
            },
            _ => false,
        }
    }
}

/// Returns where the lower-case letters and digits of ASCII end. If there are more than a token can have, it returns a
/// place that is more than [`LONGEST`] bytes away.
#[inline(always)]
fn plain(text: &[u8], mut at: usize) -> usize {
    let text = text.get(..at + LONGEST + 1).unwrap_or(text);
    while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let others = others(u64::from_le_bytes(*eight));
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|&byte| matches!(class_of(byte), Class::Lower | Class::Digit)) {
        at += 1;
    }
    at
}

/// Sets the high bit of each of eight bytes that is no lower-case letter or digit of ASCII.
#[inline(always)]
fn others(eight: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH * 128;
    let low = eight & !HIGH;
    // No sum of two bytes below 128 carries into the next byte.
    let at_least = |byte: u8| low + EACH * u64::from(128 - byte);
    let plain = (at_least(b'a') & !at_least(b'z' + 1)) | (at_least(b'0') & !at_least(b'9' + 1));
    (!plain | eight) & HIGH
}

/// A character that joins two parts.
#[derive(Clone, Copy)]
struct Joint {
    /// Where the second part begins.
    at: usize,
    /// Whether it joins two pieces, and not two parts of a piece.
    outer: bool,
    /// Whether it is a dot between digits.
    dot: bool,
}

/// Returns the joint at `at`, if there is one. `digit` says whether a digit is before it.
#[inline(never)]
fn joint(text: &str, at: usize, look: Look, digit: bool) -> Option<Joint> {
    let bytes = text.as_bytes();
    let byte = bytes.get(at).copied()?;
    let mut next = at + look.width as usize;
    if byte == b':' {
        if bytes.get(next) != Some(&b':') {
            return None;
        }
        next += 1;
    }
    let outer = look.class == Class::Outer;
    let mut dropped = 0;
    loop {
        let look = Look::at(text, next)?;
        if look.in_word() {
            let dot = byte == b'.' && digit && look.class == Class::Digit;
            return Some(Joint { at: next, outer: outer && !dot, dot });
        }
        if look.class != Class::Dropped || dropped == MOST_DROPPED {
            return None;
        }
        dropped += 1;
        next += look.width as usize;
    }
}

/// Skips the rest of a piece that is too long. Stops where the piece ends, or after the first letter or digit that ends
/// at `until` or later.
#[inline(never)]
fn skip_tail(text: &str, mut at: usize, until: usize, tail: Tail) -> (usize, Tail) {
    let (mut digit, mut dropped) = (tail == Tail::AfterDigit, 0);
    while let Some(look) = Look::at(text, at) {
        match look.class {
            Class::Lower | Class::Upper | Class::Digit => {
                digit = look.class == Class::Digit;
                dropped = 0;
                at += look.width as usize;
                if at >= until {
                    break;
                }
            }
            Class::Dropped if dropped < MOST_DROPPED => {
                dropped += 1;
                at += look.width as usize;
            }
            Class::Inner | Class::Outer => match joint(text, at, look, digit) {
                Some(joint) if !joint.outer => {
                    dropped = 0;
                    at = joint.at;
                }
                _ => return (at, Tail::None),
            },
            Class::Dropped | Class::Separator | Class::Gram => return (at, Tail::None),
        }
    }
    (at, if digit { Tail::AfterDigit } else { Tail::AfterLetter })
}
