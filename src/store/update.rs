//! Staging of updates: documents get other attributes and keep their rows. The log gets an upsert with the same row.

use super::Store;
use crate::Result;
use crate::error::fail;
use crate::segment::changes::{merge, skip_change, skip_changes};
use crate::segment::op::{self, Bad, Reader};

/// So many unknown ids are named in an error.
const NAMED: usize = 10;

impl Store {
    /// Changes attributes of `count` documents and leaves their vectors as they are. `batch` has their ids and the
    /// changes (see [`Batch::push_changes`](crate::Batch::push_changes)). Fails with `NOT_FOUND`, and stages nothing, if
    /// one of them is not there. Returns `count`.
    pub fn stage_update(&mut self, collection: &str, count: usize, batch: &[u8]) -> Result<usize> {
        self.check_writable()?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        if let Err(error) = self.stage_changes(seen, count, batch) {
            self.staged.untouch(&self.index, seen, mark.staged());
            self.unstage(&mark);
            return Err(error);
        }
        self.staged.count_upserts(seen, count);
        Ok(count)
    }

    fn stage_changes(&mut self, seen: usize, count: usize, batch: &[u8]) -> Result<()> {
        let malformed =
            |n: usize| move |bad: Bad| bad.error(crate::Code::InvalidArgument, &format!("record {n} of the batch"));
        let mut reader = Reader::new(batch);
        let (mut unknown, mut names) = (0usize, String::new());
        for n in 0..count {
            let id = reader.str().map_err(malformed(n))?;
            skip_changes(&mut reader).map_err(malformed(n))?;
            if self.staged.find(&self.index, seen, id).is_none() {
                unknown += 1;
                if unknown <= NAMED {
                    names.push_str(&format!(" \"{id:.64}\""));
                }
            }
        }
        if reader.left() > 0 {
            fail!(InvalidArgument, "{} bytes too many behind the {count} records of the batch", reader.left());
        }
        if unknown > 0 {
            let more = if unknown > NAMED { format!(" and {} more", unknown - NAMED) } else { String::new() };
            fail!(NotFound, "update: there is no record{names}{more}; nothing was changed");
        }
        self.staged.reserve_upserts(&mut self.index, seen, count)?;
        let (mut reader, mut before, mut after) = (Reader::new(batch), Vec::new(), Vec::new());
        for n in 0..count {
            let id = reader.str().map_err(malformed(n))?;
            let start = reader.at();
            let ascend = skip_changes(&mut reader).map_err(malformed(n))?;
            let (sorted, mut changes) = (Vec::new(), &batch[start..reader.at()]);
            let sorted = if ascend { sorted } else { op::canonical(changes, skip_change)? };
            if !ascend {
                changes = &sorted;
            }
            let Some((item, row)) = self.staged.find(&self.index, seen, id) else { continue };
            before.clear();
            after.clear();
            self.index.arena.attrs(item).write(&mut before)?;
            merge(&before, changes, &mut after)?;
            let attrs = Reader::new(&after).attrs().map_err(malformed(n))?;
            if attrs.newer && self.options.only_0_3 {
                fail!(
                    InvalidArgument,
                    "record {n} (id \"{id}\") has a float or a date, which native 0.3.0 cannot read (compat)"
                );
            }
            self.staged.upsert(&mut self.index, seen, id, row as usize, attrs)?;
        }
        Ok(())
    }
}
