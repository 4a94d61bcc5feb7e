//! Runs of letters and digits and the characters that join them: words and compounds.

use super::look::{Class, Look, class_of};
use super::{Joint, Kind, LONGEST, MOST_DROPPED, Tail, Token, joint, plain};

/// Tokens that keep their sign.
const SIGNED: [&str; 3] = ["c++", "c#", "f#"];

/// A part of a run that has no joint in it. The type is small, because each analyzer clears 65 of them.
#[derive(Clone, Copy, Default)]
struct Part {
    /// Where it is in the source.
    from: usize,
    to: usize,
    /// Where it is in the folded text.
    start: u8,
    end: u8,
    /// Whether a piece begins with it.
    outer: bool,
    /// 1 + its place in `SIGNED`. The folded text has only the letter.
    signed: u8,
    /// How many bytes after `from` the digit that follows the `v` of a version is, or 0.
    version: u8,
}

/// A run while it is read.
pub(super) struct Compound {
    /// The last four bytes are never part of a token: see `push`.
    text: [u8; LONGEST + 4],
    len: usize,
    /// Each part has at least one byte of the folded text, except a part that was just begun.
    parts: [Part; LONGEST + 1],
    count: usize,
}

impl Default for Compound {
    fn default() -> Self {
        Self { text: [0; LONGEST + 4], len: 0, parts: [Part::default(); LONGEST + 1], count: 0 }
    }
}

impl Compound {
    /// Reads the run that begins at `from`, and calls `each` with its tokens. Returns where it ends.
    #[inline(never)]
    pub fn run(&mut self, text: &str, from: usize, each: &mut dyn FnMut(Token<'_>)) -> (usize, Tail) {
        (self.len, self.count) = (0, 0);
        self.begin(Joint { at: from, outer: true, dot: false });
        let (mut at, mut dropped, mut piece, mut dot) = (from, 0, 0, false);
        let mut last = [Class::Separator; 3];
        // Where the last capital is, in the folded text and in the source.
        let mut capital = (0, 0);
        let mut tail = Tail::None;
        loop {
            if last[0] == Class::Lower && last != [Class::Lower, Class::Upper, Class::Upper] {
                let plain = self.push_plain(text.as_bytes(), at);
                if plain > 0 {
                    at += plain;
                    dropped = 0;
                    let before = text.as_bytes().get(at - 1).map_or(Class::Lower, |&byte| class_of(byte));
                    last = [before, Class::Lower, Class::Lower];
                }
            }
            let Some(look) = Look::at(text, at) else { break };
            let signed = self.part().is_some_and(|part| part.signed > 0);
            match look.class {
                Class::Lower | Class::Upper | Class::Digit if !signed => {
                    if self.len + usize::from(dot) + look.folded().len() > LONGEST {
                        if let Some(&first) = self.parts.get(piece).filter(|_| piece > 0) {
                            // The run is too long for one token. The last piece begins a compound of its own.
                            (self.count, self.len) = (piece, first.start as usize);
                            self.emit(each);
                            return (first.from, Tail::None);
                        }
                        tail = if last[0] == Class::Digit { Tail::AfterDigit } else { Tail::AfterLetter };
                        break;
                    }
                    if look.class == Class::Upper {
                        if matches!(last[0], Class::Lower | Class::Digit) {
                            self.split(self.len, at);
                        }
                        capital = (self.len, at);
                    } else if look.class == Class::Lower && last == [Class::Lower, Class::Upper, Class::Upper] {
                        // `URLs` is one word, `XMLHttp` is two.
                        self.split(capital.0, capital.1);
                    }
                    self.push(look, at, std::mem::take(&mut dot));
                    last = [look.class, last[0], last[1]];
                    dropped = 0;
                }
                Class::Dropped if dropped < MOST_DROPPED && !signed => dropped += 1,
                Class::Inner | Class::Outer => {
                    let Some(joint) = joint(text, at, look, last[0] == Class::Digit) else { break };
                    self.close(self.len, at);
                    if joint.outer {
                        piece = self.count;
                    }
                    at = joint.at;
                    dot = joint.dot;
                    self.begin(joint);
                    last = [Class::Separator; 3];
                    dropped = 0;
                    continue;
                }
                Class::Separator if !signed => {
                    let Some(token) = self.sign(text, at) else { break };
                    at += token.len() - 1;
                    continue;
                }
                _ => break,
            }
            at += look.width as usize;
        }
        self.close(self.len, at);
        if self.part().is_some_and(|part| part.start >= part.end) {
            self.count -= 1;
        }
        self.emit(each);
        (at, tail)
    }

    /// Returns the last part.
    fn part(&mut self) -> Option<&mut Part> {
        self.parts.get_mut(self.count.checked_sub(1)?)
    }

    /// Begins a part after a joint.
    fn begin(&mut self, joint: Joint) {
        if let Some(part) = self.parts.get_mut(self.count) {
            *part = Part { start: self.len as u8, from: joint.at, outer: joint.outer, ..Part::default() };
            self.count += 1;
        }
    }

    /// Ends the last part.
    fn close(&mut self, end: usize, to: usize) {
        if let Some(part) = self.part() {
            (part.end, part.to) = (end as u8, to);
        }
    }

    /// Ends the last part where another one begins.
    fn split(&mut self, start: usize, from: usize) {
        self.close(start, from);
        if let Some(part) = self.parts.get_mut(self.count) {
            *part = Part { start: start as u8, from, ..Part::default() };
            self.count += 1;
        }
    }

    fn push(&mut self, look: Look, at: usize, dot: bool) {
        if dot && let Some(byte) = self.text.get_mut(self.len) {
            *byte = b'.';
            self.len += 1;
            let start = self.len;
            if let Some(part) = self.part() {
                part.start = start as u8;
            }
        }
        if look.class == Class::Digit && self.len > 0 && self.text.get(self.len - 1) == Some(&b'v') {
            let len = self.len;
            if let Some(part) = self.part().filter(|part| part.start as usize + 1 == len) {
                part.version = (at - part.from) as u8;
            }
        }
        // Always four bytes: a copy of a fixed size is one instruction.
        if let Some(bytes) = self.text.get_mut(self.len..self.len + 4) {
            bytes.copy_from_slice(&look.bytes);
            self.len += look.folded().len();
        }
    }

    /// Appends the lower-case letters and digits of ASCII at `at`, as many as fit. The character before them must be a
    /// lower-case letter. Appends none after a `v`, which may begin a version. Returns how many were appended.
    fn push_plain(&mut self, text: &[u8], at: usize) -> usize {
        if self.text.get(self.len - 1) == Some(&b'v') || self.part().is_some_and(|part| part.signed > 0) {
            return 0;
        }
        let plain = (plain(text, at) - at).min(LONGEST - self.len);
        if let (Some(to), Some(from)) = (self.text.get_mut(self.len..self.len + plain), text.get(at..at + plain)) {
            to.copy_from_slice(from);
            self.len += plain;
        }
        plain
    }

    /// Gives the last part its sign, if there is one at `at`. Returns the token with the sign.
    fn sign(&mut self, text: &str, at: usize) -> Option<&'static str> {
        let start = self.part()?.start as usize;
        let (letter, signs) = (self.text.get(start..self.len)?, text.as_bytes().get(at..)?);
        let is_there = |token: &&str| {
            let (first, sign) = token.as_bytes().split_at(1);
            letter == first && signs.starts_with(sign)
        };
        let place = SIGNED.iter().position(is_there)?;
        self.part()?.signed = place as u8 + 1;
        SIGNED.get(place).copied()
    }

    fn text(&self, start: u8, end: u8) -> &str {
        self.text
            .get(start as usize..end as usize)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// Calls `each` with the tokens of the run.
    #[inline(never)]
    fn emit(&self, each: &mut dyn FnMut(Token<'_>)) {
        let Some(parts) = self.parts.get(..self.count) else { return };
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return };
        if parts.len() == 1 {
            let text = signed(first).unwrap_or(self.text(first.start, first.end));
            each(Token { text, from: first.from, to: first.to, kind: Kind::Word });
            return;
        }
        let whole = |first: &Part, last: &Part| Token {
            text: self.text(first.start, last.end),
            from: first.from,
            to: last.to,
            kind: Kind::Whole,
        };
        if parts.iter().skip(1).any(|part| part.outer) {
            each(whole(first, last));
        }
        for piece in parts.chunk_by(|_, next| !next.outer) {
            let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
            if piece.len() > 1 {
                let whole = whole(first, last);
                each(whole);
                if first.version > 0 && whole.text.contains('.') {
                    let text = whole.text.get(1..).unwrap_or_default();
                    each(Token { text, from: first.from + first.version as usize, kind: Kind::Part, ..whole });
                }
            }
            for part in piece {
                let token = |text| Token { text, from: part.from, to: part.to, kind: Kind::Part };
                let text = signed(part).unwrap_or(self.text(part.start, part.end));
                if text.chars().nth(1).is_some() {
                    each(token(text));
                }
            }
        }
    }
}

/// Returns `c++`, `c#` or `f#` for a part with a sign.
fn signed(part: &Part) -> Option<&'static str> {
    SIGNED.get(part.signed.checked_sub(1)? as usize).copied()
}
