//! The write path. A group of staged operations becomes durable together, or not at all:
//!
//! 1. its rows are appended to data, its frames to log with the first frame's length shut (`FF FF FF FF`), and both are flushed;
//! 2. the length is published, and flushed: the commit point;
//! 3. it is applied to memory, which cannot fail.
//!
//! A group that is one frame inside one sector needs no gate: the medium keeps it whole or not at all.

use super::Store;
use crate::error::{fail, within};
use crate::mutant::mutant;
use crate::segment::Failure::{self, Unknown, Unpublished};
use crate::{Error, Result};

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
        if self.staged.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.staged.seal() {
            self.drop_staged();
            return Err(error);
        }
        let written = if self.options.relaxed || mutant!(AcknowledgedWhenWritten) { self.write_held() } else { self.write_through() };
        self.staged.set_written(written.is_ok());
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

    fn write_through(&mut self) -> Result<(), Failure> {
        let transactional = self.options.transactional;
        let rows = self.data.matrix().len() > self.data.row_count();
        self.data.write_staged().map_err(Unpublished)?;
        let sync_data = || if rows && !transactional && !mutant!(DataFlushDropped) { self.data.sync() } else { Ok(()) };
        self.log.write(self.staged.run_mut(), sync_data)
    }

    fn write_held(&mut self) -> Result<(), Failure> {
        self.data.write_staged().map_err(Unpublished)?;
        self.log.hold(self.staged.run()).map_err(Unpublished)
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
        if !self.options.relaxed && !mutant!(RollbackLogLeftOut) {
            self.log.roll_back(flush)?;
        }
        self.data.roll_back(self.index.rows())?;
        if flush { self.data.sync() } else { Ok(()) }
    }

    /// Takes back what [`write`](Self::write) gave to transactional sinks, when their commit certainly did not happen.
    pub fn rollback(&mut self) -> Result<()> {
        if let Some(why) = &self.failed {
            fail!(Failed, "the store has failed: {why}");
        }
        if !self.staged.is_written() {
            self.drop_staged();
            return Ok(());
        }
        if self.options.relaxed {
            self.log.unhold(self.staged.run());
        } else {
            self.log.unwrite(self.staged.run());
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
        let written = self.staged.is_written();
        if written || self.staged.is_empty() {
            self.receipts.apply();
        }
        if !written {
            return;
        }
        self.index.grow_rows(self.data.row_count());
        let run = self.staged.apply_to(&mut self.index);
        self.log.applied(&run);
        self.staged.reuse(run);
    }

    /// Bytes of log held back until the next [`flush`](Self::flush).
    pub fn held_bytes(&self) -> usize {
        self.log.held_bytes()
    }

    /// Makes all that was acknowledged durable. (Transactional: gives it to the sinks, for the host to commit.)
    pub fn flush(&mut self) -> Result<()> {
        self.check_writable()?;
        self.log.flush(|| self.data.sync()).inspect_err(|error| {
            // The runs that are held were acknowledged and applied: they can be neither taken back nor written a second time.
            self.fail(&format!("{error:#}"));
        })
    }
}
