//! The lists that a question needs, for each segment. They are found once for its statistics, and used by its search.

use super::postings::{Entry, Posting};

/// One list.
#[derive(Default)]
pub enum List {
    /// No document of the segment has the word.
    #[default]
    None,
    /// As it is in the segment.
    One(Entry),
    /// The union of several, without dead documents.
    Many(Vec<Posting>),
}

/// The lists of a question, and what the question was.
#[derive(Default)]
pub struct Lists {
    /// Which question, over which fields. Empty if there is none.
    pub question: Vec<u8>,
    /// One for each segment, clause and field, the fields next to each other.
    pub lists: Vec<List>,
    /// Mean lengths, and what postings of such a field contribute. A write does not empty it.
    pub tables: Vec<(f64, Vec<f64>)>,
}

impl Lists {
    pub fn clear(&mut self) {
        self.question = Vec::new();
        self.lists = Vec::new();
    }

    pub fn bytes(&self) -> usize {
        let many = |list: &List| match list {
            List::Many(list) => list.capacity() * size_of::<Posting>(),
            List::None | List::One(_) => 0,
        };
        let tables: usize = self.tables.iter().map(|(_, table)| table.capacity() * 8).sum();
        self.lists.iter().map(|list| size_of::<List>() + many(list)).sum::<usize>() + tables
    }
}
