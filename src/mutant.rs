//! Faults that can be put into the write path and into recovery, to see that the crash simulation finds each of them.
//! They are only for tests. Elsewhere the macro `mutant!` is `false` or nothing, and the shipped wasm is byte for byte
//! the same as without it.

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

    /// Activates a fault for this thread, until it is changed.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.set(mutant);
    }

    macro_rules! mutants {
        ($($name:ident $what:literal),+ $(,)?) => {
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Mutant { $($name),+ }
            pub const ALL: &[(Mutant, &str)] = &[$((Mutant::$name, $what)),+];
        };
    }

    mutants! {
        DataFlushDropped "the rows are not flushed before the run is published",
        RunFlushDropped "the run is not flushed before it is published",
        PublishFlushDropped "what was published is not flushed",
        FrameFlushDropped "a frame that needs no gate is not flushed",
        FrameWithoutRows "a frame that needs no gate is written without its rows being flushed",
        GateNeverShut "the run is appended with its first length open",
        PublishedAtOnce "the run is published before anything of it is flushed",
        AcknowledgedWhenWritten "a strict write is acknowledged as a relaxed one is",
        ShortcutManyFrames "several frames inside one sector go without a gate",
        ShortcutAcrossSectors "a frame goes without a gate across sectors",
        ShortcutFrameInside "a frame goes without a gate although its text holds a frame",
        RollbackDataFirst "data is taken back before the log",
        RollbackLogLeftOut "the log is not taken back",
        RollbackUnflushed "what was taken back is not flushed",
        RelaxedLogFirst "a relaxed flush publishes the log before data is flushed",
        GateIsDamage "recovery takes a shut gate for damage",
        StraddleIsDamage "recovery takes a gate of which one sector was written for damage",
        ZerosAreDamage "recovery takes a sector that was never written for damage",
        TornTailIsDamage "recovery takes a torn frame for damage",
        CutLeftOut "recovery does not cut",
        HeaderOverHeader "a header is written over one that was begun, with no flush between",
        OpenUnflushed "an open store builds on what a killed process did not flush",
        CompactedDataUnflushed "compaction does not flush the new data",
        CompactedLogUnflushed "compaction does not flush the new log",
    }
}
