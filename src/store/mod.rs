//! The store: an index in memory over a data segment and a log segment, and the one path that every write takes.

mod arena;
mod compact;
mod delete;
#[cfg(not(target_arch = "wasm32"))]
mod dir;
mod documents;
mod index;
mod lists;
mod matching;
mod open;
mod read;
mod receipts;
mod salvage;
mod search;
mod stage;
mod staged;
#[cfg(not(target_arch = "wasm32"))]
mod swap;
mod touched;
mod update;
mod write;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod oracle;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod simulate;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod update_tests;

pub use matching::Matching;
pub use open::{OpenOptions, Opening};
pub use read::Page;
#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
pub(crate) use read::ids;
#[cfg(all(target_arch = "wasm32", feature = "bindings", feature = "whole"))]
pub(crate) use read::unit_query;
pub use receipts::Known;
pub use salvage::{Salvage, Salvaged};
pub use search::{Query, Searching};

use compact::Compaction;
use index::Index;
use receipts::Receipts;
use staged::Staged;

use crate::error::fail;
use crate::search::{SearchState, Tuning};
use crate::segment::{DataSegment, LogSegment, Step, Supplied};
use crate::{Footprint, Recovery, Result};

/// A vector store.
///
/// A relaxed store ([`OpenOptions::relaxed`]) that is dropped flushes what it acknowledged, as far as it can. Nobody is
/// told if that fails, so call [`flush`](Self::flush) where it matters. (In the npm package's own wasm the engine
/// flushes, and dropping a store does nothing.)
///
/// Mutations are staged, any number of them, and then take effect together: first `stage_*`, then
/// [`write`](Self::write), and once the disk has them, [`apply`](Self::apply). [`commit`](Self::commit) does the last
/// two. A staged mutation sees those that were staged before it. Reads and searches see only what was applied.
///
/// A store of `browser::IdbFiles` is not durable after [`commit`](Self::commit). There `files.commit_store(&mut store)`
/// makes it durable, and in `browser::OpfsFiles` it also notices that the user cleared the storage.
///
/// ```
/// use nidus_wasm::{Batch, Filter, Query, Store};
///
/// let mut db = Store::in_memory(3)?;
/// let mut batch = Batch::new();
/// batch.push("a", &[("lang", "rust".into())]);
/// batch.push("b", &[("lang", "c".into())]);
/// db.stage_upsert("docs", batch.len(), batch.bytes(), &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])?;
/// db.commit()?;
/// assert_eq!(db.get("docs", "a")?.map(|record| record.vector), Some(vec![1.0, 0.0, 0.0]));
/// assert_eq!(db.records("docs", &Filter::default(), None, 100)?.records.len(), 2);
/// let filter = Filter::Eq("lang".into(), "c".into());
/// assert_eq!(db.count(Some("docs"), &filter)?, 1);
/// // `top_k` is the number of hits, and 0 by default.
/// let query = Query { collections: Some(&["docs"]), top_k: 5, filter: filter.clone(), ..Default::default() };
/// assert_eq!(db.search(&[1.0, 0.1, 0.0], &query)?[0].id, "b");
/// assert_eq!(db.stage_delete("docs", ["a"].into_iter().map(Ok))?, 1);
/// assert_eq!(db.stage_delete_where("docs", &filter)?, 1);
/// db.commit()?;
/// assert_eq!(db.count(None, &Filter::default())?, 0);
/// # Ok::<(), nidus_wasm::Error>(())
/// ```
pub struct Store {
    options: OpenOptions,
    data: DataSegment,
    log: LogSegment,
    index: Index,
    staged: Staged,
    receipts: Receipts,
    recovery: Recovery,
    /// The number of rows that no operation of the log names.
    orphaned: usize,
    /// True if the rows without a name are so few, and in such places, that interrupted writes can have left them.
    left_by_writes: bool,
    quick: SearchState,
    compaction: Option<Compaction>,
    failed: Option<String>,
    /// The directory that the store was opened in.
    #[cfg(not(target_arch = "wasm32"))]
    dir: Option<std::path::PathBuf>,
}

/// Flushes a relaxed store when it is dropped. The npm package's wasm does not have this. There the engine decides
/// whether to flush, because it may know that the files belong to somebody else by then.
#[cfg(not(all(target_arch = "wasm32", feature = "bindings")))]
impl Drop for Store {
    fn drop(&mut self) {
        if self.log.held_bytes() > 0 && !std::thread::panicking() {
            let _ = self.flush();
        }
    }
}

impl Store {
    /// Returns the number of numbers in a vector.
    pub fn dimension(&self) -> usize {
        self.data.dimension()
    }

    /// Returns whether the store was opened read-only.
    pub fn read_only(&self) -> bool {
        self.options.read_only
    }

    /// Returns a report on what the opening had to cut off.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// Returns the number of rows that no operation of the log names. An interrupted write leaves such rows, and so
    /// does a log that lost operations. Every compaction removes them. Automatic compaction does not run if it would
    /// remove rows that a lost part of the log may name: see [`tidies_itself`](Self::tidies_itself).
    pub fn orphaned_rows(&self) -> usize {
        self.orphaned
    }

    /// Returns whether automatic compaction may run. It may not if the opening had to cut something off, or if there
    /// are more rows without a name than interrupted writes can leave: somebody may still have the log that names
    /// them.
    pub fn tidies_itself(&self) -> bool {
        (self.orphaned == 0 || self.left_by_writes) && self.recovery.log_bytes + self.recovery.data_bytes == 0
    }

    /// Returns the reason why the store takes no more writes until it is opened again, or `None` if it takes writes.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Makes the store take no more writes, and discards what is staged. This is for a write whose outcome is unknown:
    /// files and memory may then differ.
    pub fn fail(&mut self, why: &str) {
        self.drop_staged();
        self.failed.get_or_insert_with(|| why.to_string());
    }

    /// Returns whose files the store is on, if they are those of [`browser`](crate::browser).
    #[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
    pub(crate) fn owner(&self) -> Option<crate::sink::Owner> {
        self.log.owner()
    }

    fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            fail!(ReadOnly, "the store was opened read-only: open it for writing");
        }
        if let Some(why) = &self.failed {
            fail!(Failed, "the store has failed and must be opened again: {why}");
        }
        if self.staged.is_written() {
            fail!(InvalidArgument, "the last write was neither applied nor rolled back yet");
        }
        if self.compaction.is_some() {
            fail!(InvalidArgument, "a compaction is under way: finish it or abandon it before you write");
        }
        Ok(())
    }

    /// Returns the rows as they are in the data, dead rows included.
    pub fn rows(&self) -> &crate::segment::Matrix {
        self.data.matrix()
    }

    fn dead_rows(&self) -> usize {
        self.index.rows() - self.index.live()
    }

    /// Returns the share of dead rows, as native counts it. An update of attributes counts as a dead row, because it
    /// supersedes a frame of the log, so the share can be above 1. Native compacts at the opening if it is above 0.5.
    pub fn dead_ratio(&self) -> f32 {
        (self.dead_rows() + self.index.updates) as f32 / self.index.rows().max(1) as f32
    }

    /// Makes codes for some rows, for a few milliseconds at most. Codes make searches quick. Searches are exact with
    /// and without them. With compact memory, rows that have codes are removed from memory.
    pub fn code_step_with(&mut self, rows: &mut Supplied) -> Step {
        if self.compaction.is_some() {
            return Step::Done;
        }
        let step = self.quick.code_step(self.data.matrix(), self.index.rows(), rows);
        if self.options.compact {
            self.data.matrix_mut().let_go(self.quick.codes().rows());
        }
        step
    }

    /// Does what [`code_step_with`](Self::code_step_with) does, if all rows are in memory. Returns true if nothing is
    /// left to do.
    pub fn code_step(&mut self) -> bool {
        self.code_step_with(&mut Supplied::default()) != Step::More
    }

    /// Returns the number of rows in a chunk of codes.
    pub fn chunk_rows(&self) -> usize {
        self.quick.codes().chunk_rows()
    }

    /// Returns the number of rows that have no codes yet: 0 if there are too few rows for codes.
    pub fn uncoded(&self) -> usize {
        self.quick.codes().uncoded(self.index.rows())
    }

    /// Sets when and how codes are made, so that tests can have codes for a few rows.
    pub(crate) fn tune(&mut self, tuning: Tuning) {
        self.quick.tune(self.dimension(), tuning);
    }

    /// Returns the size of the store in rows, documents and bytes.
    pub fn footprint(&self) -> Footprint {
        let vector_bytes = self.index.rows() as u64 * self.dimension() as u64 * 4;
        Footprint {
            rows: self.index.rows() as u64,
            dead_rows: self.dead_rows() as u64,
            dimension: self.dimension(),
            coded_rows: self.quick.codes().rows() as u64,
            vector_bytes,
            doc_count: self.index.live(),
            memory_bytes: self.memory_bytes(),
            disk_bytes: self.data.bytes() + self.log.bytes(),
            readable_by: self.log.readable_by(),
        }
    }

    #[cfg(target_arch = "wasm32")]
    fn memory_bytes(&self) -> u64 {
        core::arch::wasm32::memory_size::<0>() as u64 * 65_536
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn memory_bytes(&self) -> u64 {
        (self.data.matrix().memory_bytes() + self.index.memory_bytes() + self.quick.memory_bytes()) as u64
    }
}
