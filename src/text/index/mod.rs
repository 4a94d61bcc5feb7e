//! The index of words: which documents have a word, and how often.
//!
//! It knows nothing of the store. Its documents are named by the numbers that the store gives them, and the store's
//! side gives it their texts. A write is only put into a queue. A search first takes all writes that wait in the queue.
//! Between searches, [`TextIndex::step`] does that in slices.
//!
//! If a call fails, for instance because memory is short, the index may lack documents. It must be made again.
//!
//! Documents are in sub-indexes, which Lucene calls segments. The lists of a sub-index do not change. A removal sets a
//! bit, and now and then some sub-indexes are merged into one. Scores do not depend on the number of sub-indexes.

mod builder;
pub(super) mod lists;
mod loading;
mod merging;
pub(super) mod postings;
mod queue;
mod saving;
mod sealing;
pub(super) mod sorted;
pub(super) mod sub_index;

use builder::Builder;
use lists::Lists;
use merging::Merging;
use queue::{Queue, Waiting};
use sealing::{Sealing, spend};
use sub_index::SubIndex;

use crate::Result;
use crate::error::{fail, reserve};
use crate::mutant::mutant;
use crate::text::words::{Place, Tokenizer};

pub use loading::Loading;
pub use saving::{Origin, Saving};

/// The strings of one field. No word continues from one string into the next. A field without a text has no strings.
pub type FieldText<'a> = &'a [&'a str];

/// In [`TextIndex::renumber`], the new number of a document that is not there any more.
pub const DEAD: u32 = u32::MAX;

/// A budget for [`TextIndex::step`] that takes some milliseconds.
pub const SLICE: usize = 15_000;

/// The most fields of an index.
pub const MAX_FIELDS: usize = 250;

/// If there are at least this many sub-indexes of about the same size, they are merged into one.
const TOGETHER: usize = 8;

/// The number of bytes of a text that are read at a time. Reading them takes as much of a budget as [`PER_READ`]
/// postings.
const READ_BYTES: usize = 4_096;
const PER_READ: usize = 2_000;

/// Limits that decide when work is done. They change no answer.
#[derive(Clone, Copy)]
pub(in crate::text) struct Limits {
    /// A sub-index is made as soon as the documents that were read have this many postings.
    pub seal: usize,
    /// A sub-index with fewer postings is only made when a search needs it. That takes about as long as a slice.
    pub least_seal: usize,
    /// If more bytes of text than this wait in the queue, a write takes the oldest ones out of it.
    pub queue: usize,
    /// A sub-index of at most this many postings is small. If there are many small sub-indexes, a search merges them.
    pub small: u64,
    /// If there are more sub-indexes than this, a search merges the smallest of them, however large they are.
    pub sub_indexes: usize,
}

const LIMITS: Limits = Limits { seal: 500_000, least_seal: 60_000, queue: 4 << 20, small: 8_192, sub_indexes: 60 };

/// Returns a budget that is enough for any work.
fn all() -> usize {
    usize::MAX
}

/// An index of the words of some documents.
pub struct TextIndex {
    fields: usize,
    queue: Queue,
    builder: Builder,
    sealing: Option<Sealing>,
    merging: Option<Merging>,
    sub_indexes: Vec<SubIndex>,
    condensing: bool,
    /// Counts the changes of sub-indexes, so that saving notices a change between its steps.
    changes: u64,
    pub(in crate::text) limits: Limits,
    /// The lists of the last question.
    lists: Lists,
}

impl TextIndex {
    /// Makes an index of documents with this many fields, 1 to [`MAX_FIELDS`].
    pub fn new(fields: usize) -> Result<Self> {
        if fields == 0 || fields > MAX_FIELDS {
            fail!(InvalidArgument, "an index of words has 1 to {MAX_FIELDS} fields, not {fields}");
        }
        Ok(Self {
            fields,
            queue: Queue::default(),
            builder: Builder::new(fields),
            sealing: None,
            merging: None,
            sub_indexes: Vec::new(),
            condensing: false,
            changes: 0,
            limits: LIMITS,
            lists: Lists::default(),
        })
    }

    /// Returns the number of fields.
    pub fn fields(&self) -> usize {
        self.fields
    }

    /// Gives a document these texts, one element for each field. They replace the texts that it had before.
    pub fn put(&mut self, doc: u32, texts: &[FieldText<'_>]) -> Result<()> {
        if texts.len() != self.fields {
            fail!(InvalidArgument, "{} texts were given for {} fields", texts.len(), self.fields);
        }
        if doc == DEAD {
            fail!(InvalidArgument, "no document can have the number {doc}");
        }
        self.lists.clear();
        self.queue.put(doc, texts)?;
        while self.queue.bytes > self.limits.queue && self.queue.len() > 1 {
            self.take(&mut all())?;
        }
        Ok(())
    }

    /// Removes the document with this number, if there is one.
    pub fn remove(&mut self, doc: u32) -> Result<()> {
        if !mutant!(TextListsKept) {
            self.lists.clear();
        }
        if self.queue.is_empty() {
            self.remove_now(doc);
            return Ok(());
        }
        self.queue.remove(doc)
    }

    fn remove_now(&mut self, doc: u32) {
        self.changes += 1;
        let _ = self.builder.remove(doc)
            || self.sealing.as_mut().is_some_and(|sealing| sealing.remove(doc))
            || self.sub_indexes.iter_mut().any(|sub_index| sub_index.remove(doc));
    }

    /// Gives all documents other numbers: document `n` gets the number `new_numbers[n]`. Documents without a number, or
    /// with [`DEAD`], are removed.
    pub fn renumber(&mut self, new_numbers: &[u32]) -> Result<()> {
        self.lists.clear();
        self.changes += 1;
        self.merging = None;
        if let Some(Waiting::Put(document)) = self.queue.first()
            && document.begun
        {
            self.take(&mut all())?;
        }
        self.seal_all()?;
        self.queue.renumber(new_numbers);
        for place in (0..self.sub_indexes.len()).rev() {
            if !self.sub_indexes[place].renumber(new_numbers) {
                let mut merging = Merging::new(&self.sub_indexes, &[place], self.fields)?;
                while !merging.step(&self.sub_indexes, &mut all())? {}
                merging.finish(&mut self.sub_indexes);
            }
        }
        Ok(())
    }

    /// Does some of the work that waits, for about `budget` postings. Returns whether there is more. Searches need no
    /// such steps, but they are faster after them.
    pub fn step(&mut self, budget: usize) -> Result<bool> {
        let mut budget = budget.max(1);
        while budget > 0 {
            if self.sealing.is_some() {
                self.go_on_sealing(&mut budget)?;
            } else if !self.queue.is_empty() {
                self.take(&mut budget)?;
            } else if self.builder.words.len() >= self.limits.least_seal {
                self.seal()?;
            } else if let Some(merging) = &mut self.merging {
                if merging.step(&self.sub_indexes, &mut budget)? {
                    self.end_merging();
                }
            } else if let Some(places) = self.worth_merging() {
                let documents: usize = places.iter().map(|place| self.sub_indexes[*place].docs.len()).sum();
                self.merging = Some(Merging::new(&self.sub_indexes, &places, self.fields)?);
                spend(&mut budget, documents);
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes the next steps merge all sub-indexes into one, so that the index takes the least memory.
    pub fn condense(&mut self) {
        self.condensing = true;
    }

    /// Takes the first of the writes that wait, or a part of it.
    fn take(&mut self, budget: &mut usize) -> Result<()> {
        match self.queue.first() {
            None => return Ok(()),
            Some(Waiting::Remove(doc)) => {
                let doc = *doc;
                self.remove_now(doc);
                self.queue.drop_first();
                spend(budget, 50);
            }
            Some(Waiting::Put(document)) => {
                if !document.begun {
                    let doc = document.doc;
                    document.begun = true;
                    if !mutant!(TextReplacedKept) {
                        self.remove_now(doc);
                    }
                    if let Err(error) = self.builder.begin(doc) {
                        self.queue.drop_first();
                        return Err(error);
                    }
                }
                if self.read(budget) {
                    self.queue.drop_first();
                    self.builder.end()?;
                }
            }
        }
        if self.builder.words.len() >= self.limits.seal
            && !matches!(self.queue.first(), Some(Waiting::Put(document)) if document.begun)
        {
            self.seal()?;
        }
        Ok(())
    }

    /// Continues to read the first document of the queue. Returns true at its end.
    fn read(&mut self, budget: &mut usize) -> bool {
        let Self { queue, builder, .. } = self;
        let Some(Waiting::Put(document)) = queue.first() else { return true };
        spend(budget, 100);
        while let Some((field, end)) = document.ends.get(document.string) {
            let begin = if document.string == 0 { 0 } else { document.ends[document.string - 1].1 };
            builder.choose(*field);
            let mut tokenizer = Tokenizer::resume(&document.text[begin..*end], document.place);
            loop {
                if *budget == 0 {
                    document.place = tokenizer.place();
                    return false;
                }
                let from = tokenizer.place().at();
                let more = tokenizer.advance(READ_BYTES, &mut |token| builder.word(token.text));
                spend(budget, (tokenizer.place().at() - from) * PER_READ / READ_BYTES);
                if !more {
                    break;
                }
            }
            document.string += 1;
            document.place = Place::default();
        }
        true
    }

    /// Begins to make a sub-index of all documents that were read. A sub-index that is being made is finished first.
    fn seal(&mut self) -> Result<()> {
        self.finish_sealing()?;
        if !self.builder.is_empty() {
            let builder = std::mem::replace(&mut self.builder, Builder::new(self.fields));
            self.sealing = Some(Sealing::new(builder, self.fields)?);
        }
        Ok(())
    }

    fn go_on_sealing(&mut self, budget: &mut usize) -> Result<()> {
        let Some(sealing) = &mut self.sealing else { return Ok(()) };
        if sealing.step(budget)?
            && let Some(sealing) = self.sealing.take()
        {
            let sub_index = sealing.finish();
            if sub_index.dead_count < sub_index.documents() {
                self.sub_indexes.push(sub_index);
            }
        }
        Ok(())
    }

    fn finish_sealing(&mut self) -> Result<()> {
        while self.sealing.is_some() {
            self.go_on_sealing(&mut all())?;
        }
        Ok(())
    }

    fn seal_all(&mut self) -> Result<()> {
        self.seal()?;
        self.finish_sealing()
    }

    /// Takes all that waits, so that every document is in a sub-index.
    pub(in crate::text) fn catch_up(&mut self) -> Result<()> {
        while !self.queue.is_empty() {
            self.take(&mut all())?;
        }
        self.seal_all()?;
        while self.sub_indexes.len() > self.limits.sub_indexes || self.many_small() {
            if self.merging.is_none() {
                let places = self.smallest()?;
                self.merging = Some(Merging::new(&self.sub_indexes, &places, self.fields)?);
            }
            self.finish_merging()?;
        }
        Ok(())
    }

    /// Returns the places of the smallest sub-indexes, ascending.
    fn smallest(&self) -> Result<Vec<usize>> {
        let mut order = Vec::new();
        reserve(&mut order, self.sub_indexes.len(), "an index of words")?;
        order.extend(self.sub_indexes.iter().zip(0..).map(|(sub_index, place)| (sub_index.postings, place)));
        sorted::sort(&mut order, &|a, b| a.cmp(&b));
        let small = order.iter().filter(|(postings, _)| *postings <= self.limits.small).count().max(TOGETHER);
        let chosen = |place: &usize| order.iter().take(small).any(|(_, other)| *other as usize == *place);
        Ok((0..self.sub_indexes.len()).filter(chosen).collect())
    }

    fn many_small(&self) -> bool {
        self.sub_indexes.iter().filter(|sub_index| sub_index.postings <= self.limits.small).count() > 2 * TOGETHER
    }

    fn finish_merging(&mut self) -> Result<()> {
        if let Some(merging) = &mut self.merging {
            while !merging.step(&self.sub_indexes, &mut all())? {}
            self.end_merging();
        }
        Ok(())
    }

    fn end_merging(&mut self) {
        if let Some(merging) = self.merging.take() {
            merging.finish(&mut self.sub_indexes);
            self.lists.clear();
            self.changes += 1;
        }
    }

    /// Returns the places of sub-indexes that should be merged into one, ascending.
    fn worth_merging(&mut self) -> Option<Vec<usize>> {
        let sub_indexes = &self.sub_indexes;
        if let Some(dead) = sub_indexes.iter().position(|sub_index| sub_index.dead_count > sub_index.documents() / 4) {
            return Some(vec![dead]);
        }
        if std::mem::take(&mut self.condensing)
            && (sub_indexes.len() > 1 || sub_indexes.iter().any(|sub_index| sub_index.dead_count > 0))
        {
            return Some((0..sub_indexes.len()).collect());
        }
        let small = self.limits.small.max(1);
        let kind = |sub_index: &SubIndex| sub_index.postings.max(small).ilog2() / 3;
        let of_kind = |wanted: u32| (0..sub_indexes.len()).filter(move |place| kind(&sub_indexes[*place]) == wanted);
        (0..sub_indexes.len())
            .map(|place| kind(&sub_indexes[place]))
            .find(|wanted| of_kind(*wanted).count() >= TOGETHER)
            .map(|wanted| of_kind(wanted).collect())
    }

    /// Returns the number of documents that the index has read and that live.
    pub fn documents(&self) -> usize {
        let living = |sub_index: &SubIndex| (sub_index.documents() - sub_index.dead_count) as usize;
        self.builder.living()
            + self.sealing.iter().map(|sealing| living(sealing.sub_index())).sum::<usize>()
            + self.sub_indexes.iter().map(living).sum::<usize>()
    }

    /// Returns the number of words in all sub-indexes and in the documents that were read since. A word that is in
    /// several sub-indexes counts once for each of them. A sub-index that is being made is left out.
    pub fn terms(&self) -> usize {
        self.builder.terms() + self.sub_indexes.iter().map(|sub_index| sub_index.terms as usize).sum::<usize>()
    }

    /// Returns the number of sub-indexes.
    pub fn sub_indexes(&self) -> usize {
        self.sub_indexes.len()
    }

    /// Returns the bytes of memory that the index takes, with the texts that wait.
    pub fn bytes(&self) -> usize {
        self.queue.bytes
            + self.builder.bytes()
            + self.sealing.as_ref().map_or(0, Sealing::bytes)
            + self.merging.as_ref().map_or(0, Merging::bytes)
            + self.sub_indexes.iter().map(SubIndex::bytes).sum::<usize>()
            + self.lists.bytes()
    }

    /// Returns the sub-indexes, and the lists of the last question.
    pub(super) fn parts(&mut self) -> (&mut Vec<SubIndex>, &mut Lists) {
        (&mut self.sub_indexes, &mut self.lists)
    }
}
