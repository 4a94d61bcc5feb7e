//! Faults that tests can put into the code: into the write path and into recovery, to see that the crash simulation
//! finds each of them, and into the search of words. Outside of tests the macro `mutant!` is `false` or nothing, and
//! the shipped wasm is byte for byte the same as without it.

/// Returns whether the running test has activated this fault.
#[cfg(all(test, not(target_arch = "wasm32")))]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutant::active() == Some($crate::mutant::Mutant::$name)
    };
    ($name:ident does $work:block) => {
        if mutant!($name) $work
    };
}
#[cfg(not(all(test, not(target_arch = "wasm32"))))]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
    ($name:ident does $work:block) => {};
}
pub(crate) use mutant;

#[cfg(all(test, not(target_arch = "wasm32")))]
pub use list::*;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod list {
    use std::cell::Cell;

    thread_local!(static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) });

    pub fn active() -> Option<Mutant> {
        ACTIVE.get()
    }

    /// Activates a fault for this thread, or none. It stays until the next call.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.set(mutant);
    }

    macro_rules! mutants {
        ($($(#[$attribute:meta])* $list:ident: $($name:ident $what:literal),+;)+) => {
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Mutant { $($($name,)+)+ }
            $($(#[$attribute])* pub const $list: &[(Mutant, &str)] = &[$((Mutant::$name, $what)),+];)+
        };
    }

    mutants! {
        ALL:
            DataFlushDropped "the rows are not flushed before the run is published",
            RunFlushDropped "the run is not flushed before it is published",
            PublishFlushDropped "what was published is not flushed",
            FrameFlushDropped "a frame that needs no commit mark is not flushed",
            FrameWithoutRows "a frame that needs no commit mark is written without its rows being flushed",
            MarkNeverWritten "the run is appended with its first length open",
            PublishedAtOnce "the run is published before anything of it is flushed",
            AcknowledgedWhenWritten "a strict write is acknowledged as a relaxed one is",
            ShortcutManyFrames "several frames inside one sector go without a commit mark",
            ShortcutAcrossSectors "a frame goes without a commit mark across sectors",
            ShortcutFrameInside "a frame goes without a commit mark although its text holds a frame",
            RollbackDataFirst "data is taken back before the log",
            RollbackLogLeftOut "the log is not taken back",
            RollbackUnflushed "what was taken back is not flushed",
            RelaxedLogFirst "a relaxed flush publishes the log before data is flushed",
            MarkIsDamage "recovery takes a commit mark for damage",
            StraddleIsDamage "recovery takes a commit mark of which one sector was written for damage",
            ZerosAreDamage "recovery takes a sector that was never written for damage",
            HalfWrittenEndIsDamage "recovery takes a half-written frame for damage",
            CutLeftOut "recovery does not cut",
            HeaderOverHeader "a header is written over one that was begun, with no flush between",
            OpenUnflushed "an open store builds on what a killed process did not flush",
            CompactedDataUnflushed "compaction does not flush the new data",
            CompactedLogUnflushed "compaction does not flush the new log";
        #[cfg(feature = "text")]
        TEXT:
            TextTiesDropped "a document that ties with the last of the best is dropped",
            TextNoSlack "bounds are compared without slack for rounding",
            TextDeadCounted "a word's documents are counted with the dead ones",
            TextDeadDocuments "documents are counted with the dead ones",
            TextTotalsKept "a removal leaves the number of words as it was",
            TextUnionSummed "the documents of a union are counted once for each word",
            TextCeilingOfFound "the ceiling leaves out words that no document has",
            TextFirstBlockBounds "the bounds of a list are those of its first block",
            TextLastBlockLost "the last block of a list is left out if it is not full",
            TextWindowEdge "a window takes the first document of the next one",
            TextReplacedKept "a write leaves the row's former document",
            TextNoChecksum "a file is loaded without looking at its checksum",
            TextOriginLost "a file does not say how long the log was",
            TextCountsKept "counts of living documents stay after a removal",
            TextListsKept "the lists of the last question stay after a removal",
            TextMergedAlive "documents that are removed during a merge live again",
            TextMergedUnsorted "a merge leaves lists in the order of the sub-indexes",
            TextWholeRequired "a document must have the whole of a compound, too",
            TextNearAlways "a word that documents have is also searched with an edit",
            TextSumUnordered "the sum is taken in the order of the question",
            TextSkipsFar "a search goes one block too far";
    }
}
