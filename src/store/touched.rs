//! Notes of which documents changed, for an index outside the store that follows it.

use crate::error::reserve;

/// Added to the number of a document that existed before and whose texts are as they were. No number is that high.
pub const SAME_TEXTS: u32 = 1 << 31;

/// The numbers of the documents that were written or deleted since they were last asked for.
#[derive(Default)]
pub struct Touched {
    /// True if every change since the last [`take`](Self::take) is noted. Nothing is noted before the first one.
    complete: bool,
    docs: Vec<u32>,
}

impl Touched {
    /// Takes memory for `more` more documents. If there is none, nothing is noted until the next [`take`](Self::take).
    pub fn reserve(&mut self, more: usize) {
        self.complete = self.complete && reserve(&mut self.docs, more, "").is_ok();
    }

    /// Returns whether the next change will be noted.
    pub fn follows(&self) -> bool {
        self.complete
    }

    /// Notes a document, or [`SAME_TEXTS`] and a document. This takes no memory, because nothing may fail once a write
    /// is durable.
    pub fn note(&mut self, doc: u32) {
        self.complete = self.complete && self.docs.len() < self.docs.capacity();
        if self.complete {
            self.docs.push(doc);
        } else {
            self.docs.clear();
        }
    }

    /// Forgets what was noted, so that any document may have changed.
    pub fn lose(&mut self) {
        *self = Self::default();
    }

    /// Returns the documents that changed since the last call, or None if any document may have changed.
    pub fn take(&mut self) -> Option<Vec<u32>> {
        let docs = std::mem::take(&mut self.docs);
        std::mem::replace(&mut self.complete, true).then_some(docs)
    }
}
