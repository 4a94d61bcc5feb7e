//! Texts that the index has not taken yet.

use std::collections::VecDeque;

use super::{DEAD, FieldText};
use crate::Result;
use crate::error::{out_of_memory, reserve};
use crate::text::words::Place;

/// Writes in the order in which they came.
#[derive(Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    /// The bytes of all texts that wait.
    pub bytes: usize,
}

/// One write.
pub enum Waiting {
    /// The document with this number has these texts now.
    Put(Document),
    /// There is no document with this number any more.
    Remove(u32),
}

/// A document, and how far it was read.
pub struct Document {
    pub doc: u32,
    pub begun: bool,
    /// All strings, one after the other.
    pub text: String,
    /// The field of each string, and where it ends.
    pub ends: Vec<(usize, usize)>,
    /// The string in which reading goes on, and the place in it.
    pub string: usize,
    pub place: Place,
}

impl Document {
    fn new(doc: u32, texts: &[FieldText<'_>]) -> Result<Self> {
        let (mut text, mut ends) = (String::new(), Vec::new());
        let mut bytes = 0;
        for list in texts {
            for string in *list {
                bytes += string.len();
            }
        }
        text.try_reserve_exact(bytes).map_err(|_| out_of_memory("a text", bytes))?;
        for (field, list) in texts.iter().enumerate() {
            reserve(&mut ends, list.len(), "a text")?;
            for string in *list {
                text.push_str(string);
                ends.push((field, text.len()));
            }
        }
        Ok(Self { doc, begun: false, text, ends, string: 0, place: Place::default() })
    }

    fn size(&self) -> usize {
        self.text.len() + self.ends.len() * 16 + size_of::<Waiting>()
    }
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn put(&mut self, doc: u32, texts: &[FieldText<'_>]) -> Result<()> {
        let document = Document::new(doc, texts)?;
        let bytes = self.bytes + document.size();
        self.push(Waiting::Put(document))?;
        self.bytes = bytes;
        Ok(())
    }

    pub fn remove(&mut self, doc: u32) -> Result<()> {
        self.push(Waiting::Remove(doc))
    }

    fn push(&mut self, waiting: Waiting) -> Result<()> {
        self.waiting.try_reserve(1).map_err(|_| out_of_memory("a text", size_of::<Waiting>()))?;
        self.waiting.push_back(waiting);
        Ok(())
    }

    pub fn first(&mut self) -> Option<&mut Waiting> {
        self.waiting.front_mut()
    }

    pub fn drop_first(&mut self) {
        if let Some(Waiting::Put(document)) = self.waiting.pop_front() {
            self.bytes -= document.size();
        }
    }

    /// Gives the documents of the writes that wait other numbers. None of them may have been begun.
    pub fn renumber(&mut self, new_numbers: &[u32]) {
        for waiting in &mut self.waiting {
            let (Waiting::Put(Document { doc, .. }) | Waiting::Remove(doc)) = waiting;
            *doc = new_numbers.get(*doc as usize).copied().unwrap_or(DEAD);
        }
        let Self { waiting, bytes } = self;
        waiting.retain(|waiting| match waiting {
            Waiting::Put(document) if document.doc == DEAD => {
                *bytes -= document.size();
                false
            }
            Waiting::Remove(doc) => *doc != DEAD,
            Waiting::Put(_) => true,
        });
    }
}
