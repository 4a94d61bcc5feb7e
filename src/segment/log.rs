//! The log segment: where a store's log ends, what it holds, and how runs of frames are appended to it.

use super::op::Op;
use super::run::Run;
use crate::error::{Context, error, fail};
use crate::mutant::mutant;
use crate::sink::ByteSink;
use crate::{Code, Error, Result};

/// The oldest native version that reads a log without newer values.
const READABLE_BY_ALL: &str = "0.3.0";
const READABLE_BY_NEWER: &str = "0.52.0";
const READABLE_BY_NAMED: &str = "0.105.0";

/// How far a write got before it failed.
pub enum Failure {
    /// Nothing was published. What was written can be rolled back.
    Unpublished(Error),
    /// A flush failed, so nobody knows what the disk holds.
    Unknown(Error),
}

use Failure::{Unknown, Unpublished};

/// A place in a log, and a number that tells which frames are before it. An index outside the store keeps one. If the
/// log has the same one later, it has the same frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogMark {
    pub len: u64,
    pub sum: u32,
}

impl LogMark {
    /// Adds a frame of `size` bytes with the checksum `crc`. `src/ts/text/derived/tail.ts` does the same.
    pub fn note(&mut self, size: usize, crc: u32) {
        self.len += size as u64;
        self.sum = self.sum.wrapping_mul(0x9E37_79B1).wrapping_add(crc);
    }

    fn note_all(&mut self, mut frames: &[u8]) {
        while let Some(len) = frames.first_chunk() {
            let size = (u32::from_le_bytes(*len) as usize).saturating_add(8);
            let Some(crc) = frames.get(..size).and_then(<[u8]>::last_chunk) else { return };
            self.note(size, u32::from_le_bytes(*crc));
            frames = &frames[size..];
        }
    }
}

/// The length of a log, and which of its operations older native versions do not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogContents {
    pub len: u64,
    pub mark: LogMark,
    /// True if the log holds a value that native 0.3.0 does not know.
    pub newer: bool,
    /// True if the log holds an upsert in the form of native 0.105.0.
    pub named: bool,
}

impl LogContents {
    /// Takes note of an operation that was read.
    pub fn note(&mut self, op: &Op<'_>) {
        self.newer |= op.newer();
        self.named |= op.named();
    }

    /// Takes note of a run that takes effect.
    pub fn applied(&mut self, run: &Run) {
        self.newer |= run.newer();
        self.mark.note_all(run.bytes());
    }
}

/// The log of an open store.
pub struct LogSegment {
    /// None in a read-only store.
    sink: Option<Box<dyn ByteSink>>,
    contents: LogContents,
    /// True if the sink only keeps the bytes until the host's `commit`.
    transactional: bool,
    /// With relaxed durability, the acknowledged runs that wait for a flush of the data.
    held: Run,
}

impl LogSegment {
    pub fn new(sink: Option<Box<dyn ByteSink>>, contents: LogContents, transactional: bool) -> Self {
        Self { sink, contents, transactional, held: Run::default() }
    }

    /// Returns the number of bytes of the log, with those that are held back.
    pub fn bytes(&self) -> u64 {
        self.contents.len + self.held.bytes().len() as u64
    }

    /// Returns the oldest native version that can read the log.
    pub fn readable_by(&self) -> &'static str {
        match self.contents {
            LogContents { named: true, .. } => READABLE_BY_NAMED,
            LogContents { newer: true, .. } => READABLE_BY_NEWER,
            _ => READABLE_BY_ALL,
        }
    }

    /// Takes note of a run that takes effect.
    pub fn applied(&mut self, run: &Run) {
        self.contents.applied(run);
    }

    /// Returns the mark of the frames that took effect. With relaxed durability, the last ones may not be in the log
    /// yet.
    #[cfg(any(test, all(target_arch = "wasm32", feature = "bindings")))]
    pub fn mark(&self) -> LogMark {
        self.contents.mark
    }

    /// Appends a run and publishes it. Calls `sync_data` before anything of the run can be seen.
    pub fn write(&mut self, run: &mut Run, sync_data: impl FnOnce() -> Result<()>) -> Result<(), Failure> {
        let Some(sink) = &mut self.sink else {
            return Err(Unknown(error(Code::Failed, "the log is gone: open the store again")));
        };
        self.contents.len = append_run(sink.as_mut(), self.contents.len, run, self.transactional, sync_data)?;
        Ok(())
    }

    /// Holds a run back in memory, without writing it. [`flush`](Self::flush) writes it.
    pub fn hold(&mut self, run: &Run) -> Result<()> {
        self.held.append(run)?;
        #[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
        self.tell_held();
        Ok(())
    }

    /// Forgets the run that was held last.
    pub fn unhold(&mut self, last: &Run) {
        self.held.take_back(last);
        #[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
        self.tell_held();
    }

    /// Tells the files of [`browser`](crate::browser) what is held, because closing them would lose it.
    #[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
    fn tell_held(&self) {
        if let Some(owner) = self.owner() {
            owner.holds(self.held_bytes());
        }
    }

    /// Returns whose file the log is.
    #[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
    pub fn owner(&self) -> Option<crate::sink::Owner> {
        self.sink.as_ref().and_then(|sink| sink.owner())
    }

    /// Forgets the run that was written last, because the host of a transactional sink did not commit it.
    /// [`roll_back`](Self::roll_back) removes its bytes.
    pub fn unwrite(&mut self, last: &Run) {
        self.contents.len -= last.bytes().len() as u64;
    }

    pub fn held_bytes(&self) -> usize {
        self.held.bytes().len()
    }

    /// Forgets the runs that are held, for a store whose process counts as killed.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    pub fn drop_held(&mut self) {
        self.held.clear();
    }

    /// Writes the runs that are held, and makes all of the log durable. A transactional sink only gets them, and the
    /// host commits.
    pub fn flush(&mut self, sync_data: impl FnOnce() -> Result<()>) -> Result<()> {
        let Self { sink, contents, transactional, held } = self;
        let Some(sink) = sink else { fail!(Failed, "the log is gone: open the store again") };
        if held.is_empty() {
            if *transactional {
                return Ok(());
            }
            sync_data()?;
            return sink.flush().context("flush the log");
        }
        let sync_data = || if *transactional || mutant!(RelaxedLogFirst) { Ok(()) } else { sync_data() };
        match append_run(sink.as_mut(), contents.len, held, *transactional, sync_data) {
            Ok(len) => contents.len = len,
            Err(Unknown(error) | Unpublished(error)) => return Err(error),
        }
        held.clear();
        #[cfg(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")))]
        self.tell_held();
        Ok(())
    }

    /// Cuts the sink back to the end of the log, after a write that failed.
    pub fn roll_back(&mut self, flush: bool) -> Result<()> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        sink.truncate_to(self.contents.len).context("truncate the log")?;
        if flush { sink.flush().context("flush the log") } else { Ok(()) }
    }

    /// Goes on with the log that a compaction wrote.
    pub fn adopt(&mut self, sink: Box<dyn ByteSink>, contents: LogContents) {
        self.sink = Some(sink);
        self.contents = contents;
    }
}

/// Appends a run at the end `at` of the log and publishes it. Calls `sync_data` before anything of the run can be seen.
/// Returns the new end of the log.
fn append_run(
    log: &mut dyn ByteSink,
    at: u64,
    run: &mut Run,
    transactional: bool,
    sync_data: impl FnOnce() -> Result<()>,
) -> Result<u64, Failure> {
    let end = at + run.bytes().len() as u64;
    let append = |log: &mut dyn ByteSink, bytes: &[u8]| log.append(bytes).context("append to the log");
    if transactional {
        append(log, run.bytes()).map_err(Unpublished)?;
        return Ok(end);
    }
    if run.atomic_at(at) {
        if !mutant!(FrameWithoutRows) {
            sync_data().map_err(Unknown)?;
        }
        append(log, run.bytes()).map_err(Unpublished)?;
        if !mutant!(FrameFlushDropped) {
            log.flush().context("flush the log").map_err(Unknown)?;
        }
        return Ok(end);
    }
    let first = run.first_len();
    let appended = append(log, if mutant!(MarkNeverWritten) { run.bytes() } else { run.marked() });
    run.unmark(first);
    appended.map_err(Unpublished)?;
    mutant!(PublishedAtOnce does {
        log.publish(at, first).map_err(Unpublished)?;
    });
    sync_data().map_err(Unknown)?;
    if !mutant!(RunFlushDropped) {
        log.flush().context("flush the log").map_err(Unknown)?;
    }
    log.publish(at, first).context("publish the log's run").map_err(Unpublished)?;
    if !mutant!(PublishFlushDropped) {
        log.flush().context("flush the log").map_err(Unknown)?;
    }
    Ok(end)
}
