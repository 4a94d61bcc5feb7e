//! The store: an index in memory over a data segment and a log, and the one path that every write takes.

mod arena;
mod compact;
mod delete;
#[cfg(not(target_arch = "wasm32"))]
mod dir;
mod index;
mod matching;
mod open;
mod read;
mod receipts;
mod salvage;
mod search;
mod stage;
mod staged;
mod write;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod model;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod simulate;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

pub use matching::Matching;
pub use open::{OpenOptions, Opening};
pub use read::Page;
pub use receipts::Known;
pub use salvage::{Salvage, Salvaged};
pub use search::{Query, Searching};
#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
pub(crate) use read::ids;
#[cfg(all(target_arch = "wasm32", feature = "bindings", feature = "whole"))]
pub(crate) use read::unit_query;

use std::cell::RefCell;

use compact::Compaction;
use index::Index;
use receipts::Receipts;
use staged::Staged;

use crate::error::fail;
use crate::search::{Codes, Columns, Memo, Step, Tuning};
use crate::segment::{DataSegment, Supplied};
use crate::segment::log::Run;
use crate::sink::ByteSink;
use crate::{Footprint, Recovery, Result};

/// The oldest native version that knows every value there is.
const READABLE_BY_ALL: &str = "0.3.0";
const READABLE_BY_NEWER: &str = "0.52.0";
const READABLE_BY_NAMED: &str = "0.105.0";

/// A vector store.
///
/// A relaxed one ([`OpenOptions::relaxed`]) that is dropped flushes what it acknowledged, as far as it can: nobody is told if that fails, so
/// call [`flush`](Self::flush) where it matters. (In the npm package's own wasm its engine flushes, and dropping does nothing.)
///
/// Mutations are staged, any number of them, and then take effect together: `stage_*`, [`write`](Self::write), and, once the medium
/// has them, [`apply`](Self::apply); [`commit`](Self::commit) is the last two. What is staged sees what was staged before it; reads
/// and searches see what was applied.
pub struct Store {
    options: OpenOptions,
    data: DataSegment,
    /// None in a read-only store, and while its sink is being exchanged.
    log: Option<Box<dyn ByteSink>>,
    log_len: u64,
    index: Index,
    staged: Staged,
    /// Relaxed durability: runs that were acknowledged and wait for the data's flush.
    held: Run,
    receipts: Receipts,
    /// The log holds a value that native 0.3.0 does not know.
    newer: bool,
    /// The log holds an upsert in the form of native 0.105.0.
    named: bool,
    recovery: Recovery,
    /// Rows that no operation of the log names.
    orphaned: usize,
    /// Those are few enough, and so placed, that interrupted writes left them.
    left_by_writes: bool,
    codes: Codes,
    memo: Memo,
    columns: RefCell<Columns>,
    compaction: Option<Compaction>,
    failed: Option<String>,
}

/// Not in the npm package's wasm: there the engine decides, which may know that the files are no longer its own.
#[cfg(not(all(target_arch = "wasm32", feature = "bindings")))]
impl Drop for Store {
    fn drop(&mut self) {
        if !self.held.is_empty() && !std::thread::panicking() {
            let _ = self.flush();
        }
    }
}

impl Store {
    pub fn dimension(&self) -> usize {
        self.data.dimension()
    }

    pub fn read_only(&self) -> bool {
        self.options.read_only
    }

    /// What opening had to cut.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// Rows that no operation of the log names: an interrupted write leaves some, and so does a log that lost operations.
    /// Unless they are few, and others were written behind them, nothing removes them but a compaction that somebody asks for.
    pub fn orphaned_rows(&self) -> usize {
        self.orphaned
    }

    /// Whether a compaction that nobody asked for may run: not where the open had to cut anything, nor where more rows have no name than
    /// interrupted writes leave. Their names may be in a log that somebody still has.
    pub fn tidies_itself(&self) -> bool {
        (self.orphaned == 0 || self.left_by_writes) && self.recovery.log_bytes + self.recovery.data_bytes == 0
    }

    /// Why the store takes no more writes until it is opened again.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Takes no more writes: the outcome of one is unknown, so that the file and the memory may differ.
    pub fn fail(&mut self, why: &str) {
        self.drop_staged();
        self.failed.get_or_insert_with(|| why.to_string());
    }

    fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            fail!(ReadOnly, "the store was opened read-only");
        }
        if let Some(why) = &self.failed {
            fail!(Failed, "the store has failed and must be opened again: {why}");
        }
        if self.staged.written {
            fail!(Failed, "the last write was neither applied nor rolled back yet");
        }
        if self.compaction.is_some() {
            fail!(Failed, "a write was staged while a compaction is under way");
        }
        Ok(())
    }

    /// As they are in the data, dead ones too.
    pub fn rows(&self) -> &crate::segment::Matrix {
        self.data.matrix()
    }

    fn dead_rows(&self) -> usize {
        self.index.rows() - self.index.live()
    }

    /// Dead rows over all rows; native compacts on open when this is above 0.5.
    pub fn dead_ratio(&self) -> f32 {
        self.dead_rows() as f32 / self.index.rows().max(1) as f32
    }

    /// Makes some of the codes that searches are quick by, for a few milliseconds at most. Searches are exact whatever has been done.
    /// With compact memory the rows that have codes are let go.
    pub fn code_step_with(&mut self, rows: &mut Supplied) -> Step {
        if self.compaction.is_some() {
            return Step::Done;
        }
        let step = self.codes.step(self.data.matrix(), self.index.rows(), rows);
        if self.options.compact {
            self.data.matrix_mut().let_go(self.codes.rows());
        }
        step
    }

    /// [`code_step_with`](Self::code_step_with) where memory holds all rows. True: nothing is left to do.
    pub fn code_step(&mut self) -> bool {
        self.code_step_with(&mut Supplied::default()) != Step::More
    }

    /// Rows in a chunk of codes.
    pub fn chunk_rows(&self) -> usize {
        self.codes.chunk_rows()
    }

    /// Rows that have no codes yet.
    pub fn uncoded(&self) -> usize {
        self.index.rows() - self.codes.rows()
    }

    /// For tests: codes for stores of a few rows.
    #[doc(hidden)]
    pub fn tune(&mut self, tuning: Tuning) {
        self.codes = Codes::new(self.dimension(), tuning);
    }

    pub fn footprint(&self) -> Footprint {
        let vector_bytes = self.index.rows() as u64 * self.dimension() as u64 * 4;
        Footprint {
            rows: self.index.rows() as u64,
            dead_rows: self.dead_rows() as u64,
            dimension: self.dimension(),
            coded_rows: self.codes.rows() as u64,
            vector_bytes,
            doc_count: self.index.live(),
            memory_bytes: self.memory_bytes(),
            disk_bytes: self.data.bytes() + self.log_len + self.held.bytes().len() as u64,
            readable_by: if self.named { READABLE_BY_NAMED } else if self.newer { READABLE_BY_NEWER } else { READABLE_BY_ALL },
        }
    }

    #[cfg(target_arch = "wasm32")]
    fn memory_bytes(&self) -> u64 {
        core::arch::wasm32::memory_size::<0>() as u64 * 65_536
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn memory_bytes(&self) -> u64 {
        (self.data.matrix().memory_bytes() + self.codes.memory_bytes() + self.index.memory_bytes() + self.columns.borrow().memory_bytes()) as u64
    }
}
