//! The lists that a question needs, for each sub-index. They are found once for its statistics, and used by its search.

use super::postings::{Entry, Posting};

/// One list.
#[derive(Default)]
pub enum List {
    /// No document of the sub-index has the word.
    #[default]
    None,
    /// One list, as it is in the sub-index.
    One(Entry),
    /// The union of several lists, without dead documents.
    Many(Vec<Posting>),
}

/// The lists of a question, and what the question was.
#[derive(Default)]
pub struct Lists {
    /// Which question, about which fields. Empty if there is no question.
    pub question: Vec<u8>,
    /// One list for each sub-index, clause and field. The lists of the fields of one clause are next to each other.
    pub lists: Vec<List>,
    /// For each field its mean length, and what postings contribute with that mean. A write does not clear the tables.
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
