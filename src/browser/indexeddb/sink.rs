use std::rc::Rc;

use super::shared::{File, Shared};
use crate::Result;
use crate::error::{fail, reserve};
use crate::sink::{ByteSink, Owner};

/// One read takes the extents that begin within this many bytes, and so little more than these.
const ROUND: u64 = 4 << 20;

/// A file of a store in IndexedDB: data or log. What is written waits in memory. [`IdbFiles::commit`] makes it durable,
/// and `flush` does nothing.
///
/// What waits is gone if the page ends before a commit. So do not tell your user that it is saved.
///
/// [`IdbFiles::commit`]: super::IdbFiles::commit
pub struct IdbSink {
    shared: Rc<Shared>,
    generation: u64,
    /// 0 is data, 1 is log.
    which: usize,
    file: File,
    owner: Owner,
}

impl IdbSink {
    pub(super) fn new(shared: &Rc<Shared>, generation: u64, which: usize, file: &File, owner: &Owner) -> Self {
        Self { shared: shared.clone(), generation, which, file: file.clone(), owner: owner.clone() }
    }

    /// Fills all of `out` with the bytes from `at` on, or fails. Bytes that wait for a commit are read, too.
    pub async fn read(&self, at: u64, out: &mut [u8]) -> Result<()> {
        self.shared.check_pair(self.generation)?;
        let (committed, size) = self.ends();
        let Some(end) = at.checked_add(out.len() as u64).filter(|end| *end <= size) else {
            fail!(StorageFailed, "a read of {} bytes at {at} is outside the {size} bytes written", out.len());
        };
        // What waits is copied first: it may be written meanwhile.
        let old = committed.clamp(at, end);
        let (read, waits) = out.split_at_mut((old - at) as usize);
        let mut filled = 0;
        self.file.borrow().copy(old, waits.len(), &mut |slice| {
            waits[filled..filled + slice.len()].copy_from_slice(slice);
            filled += slice.len();
        });
        let patches = self.file.borrow().patches_in(at, old);
        let mut done = at;
        while done < old {
            let from = done.saturating_sub(super::extents::MAX_EXTENT as u64 - 1);
            let until = old.min(done + ROUND) - 1;
            for (begins, bytes) in self.shared.read(self.which, self.generation, from, done, until).await? {
                let last = (begins + u64::from(bytes.length())).min(old);
                let part = bytes.subarray((done - begins) as u32, (last - begins) as u32);
                part.copy_to(&mut read[(done - at) as usize..(last - at) as usize]);
                done = last;
            }
        }
        for (place, byte) in patches {
            read[(place - at) as usize] = byte;
        }
        Ok(())
    }

    /// Passes all bytes on to `feed`, from the first to the last one, in pieces of at most 1 MiB.
    pub(super) async fn feed(&self, mut feed: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut piece = Vec::new();
        let (committed, size) = self.ends();
        let mut at = 0;
        while at < committed {
            // Each round begins where an extent begins, so no extent is read twice.
            let until = committed.min(at + ROUND) - 1;
            for (begins, bytes) in self.shared.read(self.which, self.generation, at, at, until).await? {
                let last = begins + u64::from(bytes.length());
                if last > committed {
                    return Err(super::row::damaged(super::row::FILES[self.which], begins));
                }
                piece.clear();
                reserve(&mut piece, bytes.length() as usize, "an extent")?;
                piece.resize(bytes.length() as usize, 0);
                bytes.copy_to(&mut piece);
                for (place, byte) in self.file.borrow().patches_in(begins, last) {
                    piece[(place - begins) as usize] = byte;
                }
                feed(&piece)?;
                at = last;
            }
        }
        if self.ends() != (committed, size) {
            fail!(
                InvalidArgument,
                "the store \"{}\" was written to while it was being opened: open it again",
                self.shared.name
            );
        }
        let mut fed = Ok(());
        self.file.borrow().copy(committed, (size - committed) as usize, &mut |slice| {
            if fed.is_ok() {
                fed = feed(slice);
            }
        });
        fed
    }

    /// Makes the pair of this sink the one that writes.
    pub(super) fn claim(&self) -> Result<()> {
        self.owner.claim()
    }

    fn check_writer(&self) -> Result<()> {
        self.shared.check_pair(self.generation)?;
        self.owner.claim()
    }

    fn ends(&self) -> (u64, u64) {
        let file = self.file.borrow();
        (file.committed(), file.size())
    }
}

impl ByteSink for IdbSink {
    fn len(&self) -> Result<u64> {
        Ok(self.file.borrow().size())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_writer()?;
        self.file.borrow_mut().append(bytes)
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        self.check_writer()?;
        self.file.borrow_mut().publish(at, length)
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        self.check_writer()?;
        self.file.borrow_mut().truncate(len)
    }

    fn flush(&mut self) -> Result<()> {
        self.shared.check_pair(self.generation)
    }

    fn owner(&self) -> Option<Owner> {
        Some(self.owner.clone())
    }
}
