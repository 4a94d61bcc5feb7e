//! Notes of which documents changed, for an index outside the store that follows it.

use crate::error::reserve;

/// The numbers of the documents that were written or deleted since they were last asked for.
#[derive(Default)]
pub struct Touched {
    /// True as long as all that changed is noted. Nothing is noted until somebody asks for the first time.
    complete: bool,
    docs: Vec<u32>,
}

impl Touched {
    /// Takes memory for so many more, as far as there is some.
    pub fn reserve(&mut self, more: usize) {
        self.complete = self.complete && reserve(&mut self.docs, more, "").is_ok();
    }

    /// Notes a document. This takes no memory, because nothing may fail once a write is durable.
    pub fn note(&mut self, doc: u32) {
        self.complete = self.complete && self.docs.len() < self.docs.capacity();
        if self.complete {
            self.docs.push(doc);
        } else {
            self.docs.clear();
        }
    }

    /// Returns the documents that changed since the last call, or None if any may have.
    pub fn take(&mut self) -> Option<Vec<u32>> {
        let docs = std::mem::take(&mut self.docs);
        std::mem::replace(&mut self.complete, true).then_some(docs)
    }
}
