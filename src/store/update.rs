//! Staging of updates: documents get other attributes and keep their rows. The log gets an upsert with the same row.

use super::Store;
use super::stage::check_end;
use crate::Result;
use crate::error::fail;
use crate::segment::changes::{merged, skip_changes};
use crate::segment::op::{Bad, Reader};

/// An error names no more ids once the list of them has this many bytes.
const NAMED: usize = 400;

impl Store {
    /// Changes attributes of `count` documents and leaves their vectors as they are. `batch` has their ids and the
    /// changes (see [`Batch::push_changes`](crate::Batch::push_changes)). Fails with `NOT_FOUND`, and stages nothing,
    /// if one of them is not there. Returns `count`.
    #[inline(never)] // scripts/split.mjs moves it to nidus-rest.wasm.
    pub fn stage_update(&mut self, collection: &str, count: usize, batch: &[u8]) -> Result<usize> {
        self.check_writable()?;
        let mark = self.mark();
        let seen = self.staged.see(&self.index, collection)?;
        if let Err(error) = self.stage_changes(collection, seen, count, batch) {
            self.staged.untouch(&self.index, seen, mark.staged());
            self.unstage(&mark);
            return Err(error);
        }
        self.staged.count_upserts(seen, count);
        Ok(count)
    }

    fn stage_changes(&mut self, collection: &str, seen: usize, count: usize, batch: &[u8]) -> Result<()> {
        let (mut reader, mut names) = (Reader::new(batch), String::new());
        for n in 0..count {
            let malformed = |bad: Bad| bad.error(crate::Code::InvalidArgument, &format!("record {n} of the batch"));
            let id = reader.str().map_err(malformed)?;
            let start = reader.at();
            let changes = skip_changes(&mut reader).map_err(malformed)?;
            let Some((item, row)) = self.staged.find(&self.index, seen, id) else {
                if names.len() < NAMED {
                    names = format!("{names} \"{id:.64}\"");
                }
                continue;
            };
            let mut attrs = Vec::new();
            self.index.arena.attrs(item).write(&mut attrs)?;
            let merged = merged(attrs, &batch[start..reader.at()], changes)?;
            let attrs = Reader::new(&merged).attrs().map_err(malformed)?;
            self.check_newer(attrs, n, id)?;
            self.staged.reserve_upserts(&mut self.index, seen, 1 + n)?;
            self.staged.upsert(&mut self.index, seen, id, row as usize, attrs)?;
        }
        if !names.is_empty() {
            fail!(
                NotFound,
                "update: no record of the collection \"{collection:.64}\" has these ids:{names}; nothing was changed"
            );
        }
        check_end(&reader, count)
    }
}
