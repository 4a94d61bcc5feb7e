//! The write path. A group of staged operations becomes durable together, or not at all:
//!
//! 1. its rows are appended to data, its frames to log with the first frame's length shut (`FF FF FF FF`), and both are flushed;
//! 2. the length is published, and flushed: the commit point;
//! 3. it is applied to memory, which cannot fail.
//!
//! A group that is one frame inside one sector needs no gate: the medium keeps it whole or not at all.

use super::Store;
use super::staged::{Effect, Staged};
use crate::error::{Context, fail, within};
use crate::mutant::mutant;
use crate::segment::log::Run;
use crate::sink::ByteSink;
use crate::{Error, Result};

/// How far a write had come when it failed.
enum Failure {
    /// Nothing was published; what was written can be taken back.
    Unpublished(Error),
    /// A flush failed: what the medium holds is unknown.
    Unknown(Error),
}

use Failure::{Unknown, Unpublished};

impl Store {
    /// [`write`](Self::write) and [`apply`](Self::apply), where no host has a say in between.
    pub fn commit(&mut self) -> Result<()> {
        self.write()?;
        self.apply();
        Ok(())
    }

    /// Makes what is staged durable (relaxed: writes the rows and holds the log back; transactional: hands all to the sinks). After an
    /// error nothing is staged any more, and the store is as it was or, if that could not be brought about, has failed.
    pub fn write(&mut self) -> Result<()> {
        self.check_writable()?;
        if self.staged.run.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.seal() {
            self.drop_staged();
            return Err(error);
        }
        let written = if self.options.relaxed || mutant!(AcknowledgedWhenWritten) { self.write_held() } else { self.write_through() };
        self.staged.written = written.is_ok();
        written.map_err(|failure| {
            let error = match failure {
                Unpublished(error) => self.roll_back_after(error),
                Unknown(error) => {
                    self.fail(&format!("{error:#}"));
                    error
                }
            };
            self.drop_staged();
            error
        })
    }

    fn seal(&mut self) -> Result<()> {
        if !self.staged.run.ends_newer() {
            return Ok(());
        }
        let collection = self.staged.effects.iter().rev().find_map(|effect| match effect {
            Effect::Upsert(seen, ..) => Some(self.staged.seen[*seen].name.clone()),
            _ => None,
        });
        self.staged.run.seal(&collection.unwrap_or_default())
    }

    fn write_through(&mut self) -> Result<(), Failure> {
        let transactional = self.options.transactional;
        let rows = self.data.matrix().len() > self.data.row_count();
        self.data.write_staged().map_err(Unpublished)?;
        let Some(log) = &mut self.log else { return Err(Unknown(crate::error(crate::Code::Failed, "the log is gone"))) };
        let sync_data = || if rows && !transactional && !mutant!(DataFlushDropped) { self.data.sync() } else { Ok(()) };
        self.log_len = append_run(log.as_mut(), self.log_len, &mut self.staged.run, transactional, sync_data)?;
        Ok(())
    }

    fn write_held(&mut self) -> Result<(), Failure> {
        self.data.write_staged().map_err(Unpublished)?;
        self.held.append(&self.staged.run).map_err(Unpublished)
    }

    /// Brings sinks and memory back to what was applied. Returns the error, with more to it if that fails too.
    fn roll_back_after(&mut self, error: Error) -> Error {
        match self.roll_back_sinks() {
            Ok(()) => error,
            Err(second) => {
                self.fail(&format!("{error:#}; taking it back failed as well: {second:#}"));
                within(error, &format!("the store has failed: what was written could not be taken back ({second:#})"))
            }
        }
    }

    /// The log first: without its frames, rows are only dead weight.
    fn roll_back_sinks(&mut self) -> Result<()> {
        let flush = !self.options.transactional && !mutant!(RollbackUnflushed);
        mutant!(RollbackDataFirst does {
            self.data.roll_back(self.index.rows())?;
            self.data.sync()?;
        });
        if !self.options.relaxed
            && !mutant!(RollbackLogLeftOut)
            && let Some(log) = &mut self.log
        {
            log.truncate_to(self.log_len).context("truncate the log")?;
            if flush {
                log.flush().context("flush the log")?;
            }
        }
        self.data.roll_back(self.index.rows())?;
        if flush { self.data.sync() } else { Ok(()) }
    }

    /// Takes back what [`write`](Self::write) gave to transactional sinks, when their commit certainly did not happen.
    pub fn rollback(&mut self) -> Result<()> {
        if let Some(why) = &self.failed {
            fail!(Failed, "the store has failed: {why}");
        }
        if !self.staged.written {
            self.drop_staged();
            return Ok(());
        }
        if self.options.relaxed {
            self.held.take_back(&self.staged.run);
        } else {
            self.log_len -= self.staged.run.bytes().len() as u64;
        }
        let done = self.roll_back_sinks();
        if let Err(error) = &done {
            self.fail(&format!("{error:#}"));
        }
        self.drop_staged();
        done
    }

    /// What was written becomes what is seen. Infallible: all memory was taken while staging.
    pub fn apply(&mut self) {
        if self.staged.written || self.staged.run.is_empty() {
            self.receipts.apply();
        }
        if !self.staged.written {
            return;
        }
        let Staged { effects, mut seen, mut run, .. } = std::mem::take(&mut self.staged);
        self.index.grow_rows(self.data.row_count());
        for effect in effects {
            match effect {
                Effect::Create(n, collection) => {
                    seen[n].number = collection.map(|collection| self.index.insert_collection(*collection));
                }
                Effect::Drop(n) => {
                    self.index.drop_collection(&seen[n].name);
                    seen[n].number = None;
                }
                Effect::SetMeta(n, meta) => {
                    if let Some(number) = seen[n].number {
                        self.index.set_meta(number, meta);
                    }
                }
                Effect::Upsert(n, item, row) => {
                    if let Some(number) = seen[n].number {
                        self.index.upsert(number, item, row);
                    }
                }
                Effect::Delete(n, item) => {
                    if let Some(number) = seen[n].number {
                        self.index.delete_item(number, item);
                    }
                }
            }
        }
        self.newer |= run.newer();
        run.clear();
        self.staged.run = run;
    }

    /// Bytes of log held back until the next [`flush`](Self::flush).
    pub fn held_bytes(&self) -> usize {
        self.held.bytes().len()
    }

    /// Makes all that was acknowledged durable. (Transactional: gives it to the sinks, for the host to commit.)
    pub fn flush(&mut self) -> Result<()> {
        self.check_writable()?;
        let transactional = self.options.transactional;
        let Some(log) = &mut self.log else { fail!(Failed, "the log is gone") };
        let flushed = if self.held.is_empty() {
            if transactional { Ok(()) } else { self.data.sync().and_then(|()| log.flush().context("flush the log")).map_err(Unknown) }
        } else {
            let sync_data = || if transactional || mutant!(RelaxedLogFirst) { Ok(()) } else { self.data.sync() };
            append_run(log.as_mut(), self.log_len, &mut self.held, transactional, sync_data).map(|len| {
                self.log_len = len;
                self.held.clear();
            })
        };
        flushed.map_err(|(Unknown(error) | Unpublished(error))| {
            // What is held was acknowledged and applied: it can be neither taken back nor written a second time.
            self.fail(&format!("{error:#}"));
            error
        })
    }
}

/// Appends a run at the log's end `at` and publishes it; data is synced before anything can be seen. Returns the log's new end.
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
    let appended = append(log, if mutant!(GateNeverShut) { run.bytes() } else { run.gated() });
    run.ungate(first);
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
