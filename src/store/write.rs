//! The write path. A group of staged operations becomes durable together, or not at all:
//!
//! 1. Its rows are appended to the data. Its frames are appended to the log as one run with a closed commit mark:
//!    `FF FF FF FF` in place of the first frame's length. The data is flushed, and then the log.
//! 2. The length replaces the mark, and the log is flushed. This is the commit point.
//! 3. The group is applied to memory, which cannot fail.
//!
//! A run of one frame that lies within one sector needs no mark, because a disk writes a sector completely or not at
//! all. The data is flushed before such a frame is appended.

use super::Store;
use crate::error::{code_of, fail, within};
use crate::mutant::mutant;
use crate::segment::Failure::{self, Unknown, Unpublished};
use crate::{Code, Error, Result};

impl Store {
    /// Does [`write`](Self::write) and [`apply`](Self::apply), where no host has to commit in between.
    pub fn commit(&mut self) -> Result<()> {
        self.write()?;
        self.apply();
        Ok(())
    }

    /// Makes what is staged durable. A relaxed store writes the rows and holds the log back. A transactional store
    /// hands everything to the sinks. After an error nothing is staged any more. The store is as it was before or, if
    /// that was not possible, has failed.
    pub fn write(&mut self) -> Result<()> {
        self.check_writable()?;
        if self.staged.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.staged.seal() {
            self.drop_staged();
            return Err(error);
        }
        let written = if self.options.relaxed || mutant!(AcknowledgedWhenWritten) {
            self.write_held()
        } else {
            self.write_through()
        };
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

    /// Takes back from the sinks what a write that failed has left there. Returns the write's error. If taking back
    /// fails, too, the store has failed, and the error says so.
    fn roll_back_after(&mut self, error: Error) -> Error {
        match self.roll_back_sinks() {
            Ok(()) => error,
            // The files were closed before the write, so it has left nothing there.
            Err(second) if code_of(&error) == Code::Closed && code_of(&second) == Code::Closed => {
                self.fail(&format!("{error:#}"));
                error
            }
            Err(second) => {
                self.fail(&format!("{error:#}; taking it back failed as well: {second:#}"));
                within(error, &format!("the store has failed: what was written could not be taken back ({second:#})"))
            }
        }
    }

    /// Cuts both sinks back to what was applied. The log is cut first, because rows without its frames do no harm.
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

    /// Takes back what [`write`](Self::write) gave to transactional sinks. Call it only if it is certain that the
    /// host's commit did not happen.
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

    /// Makes what was written visible. It cannot fail, because all memory was taken while staging.
    pub fn apply(&mut self) {
        let written = self.staged.is_written();
        if written || self.staged.is_empty() {
            self.receipts.apply();
        }
        if !written {
            return;
        }
        self.index.grow_rows(self.data.row_count());
        let columns = &mut self.quick.columns_mut();
        let run = self.staged.apply_to(&mut self.index, &mut |index, row| {
            columns.changed(row as usize, index.attrs(index.owner(row as usize)));
        });
        self.log.applied(&run);
        self.staged.reuse(run);
    }

    /// Returns the number of bytes of log that are held back until the next [`flush`](Self::flush).
    pub fn held_bytes(&self) -> usize {
        self.log.held_bytes()
    }

    /// Makes everything that was acknowledged durable. A transactional store gives it to the sinks, and the host
    /// commits.
    pub fn flush(&mut self) -> Result<()> {
        self.check_writable()?;
        self.log.flush(|| self.data.sync()).inspect_err(|error| {
            // The runs that are held were acknowledged and applied. They can neither be taken back nor written again.
            self.fail(&format!("{error:#}"));
        })
    }
}
