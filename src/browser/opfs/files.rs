use std::cell::Cell;
use std::rc::Rc;

use js_sys::futures::spawn_local;

use super::folder::{FILES, Mark, check_worker, deadline, folder, has_head, lock, refuse_others};
use super::head::{HEAD_SIZE, MARK_SIZE, decode_head, encode_slot, slot_offset};
use super::sink::{File, OpfsSink};
use crate::browser::wait::Slot;
use crate::browser::{Compacting, locks, register};
use crate::error::{Context, fail};
use crate::segment::HEADER_LEN;
use crate::sink::{Files as Owned, Owner};
use crate::{OpenOptions, Result, Store};

/// The number of a file in `FILES`. A generation has one of the two pairs.
fn data(generation: u64) -> usize {
    1 + 2 * (generation % 2) as usize
}

struct Inner {
    name: String,
    mark: Mark,
    /// In the order of `FILES`.
    files: [Rc<File>; 5],
    /// Tells which store is on these files.
    owned: Rc<Owned>,
    generation: Cell<u64>,
    /// A file of another program in the pair that is not current.
    foreign: Option<&'static str>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// The files of a store in the origin private file system, and the lock on them. This works in a dedicated worker alone:
/// nothing else has synchronous handles.
///
/// A store is a folder with the five files of the TypeScript package, in the same place.
///
/// ```no_run
/// # async fn example() -> nidus_wasm::Result<()> {
/// use nidus_wasm::browser::OpfsFiles;
/// use nidus_wasm::{Batch, OpenOptions, Query};
///
/// let files = OpfsFiles::open("notes").await?;
/// let mut db = files.store(OpenOptions { dimension: Some(3), ..Default::default() })?;
/// let mut batch = Batch::new();
/// batch.push("a", &[("lang", "rust".into())]);
/// db.stage_upsert("docs", batch.len(), batch.bytes(), &[1.0, 0.0, 0.0])?;
/// files.commit_store(&mut db).await?;
/// let hits = db.search(&[1.0, 0.1, 0.0], &Query { top_k: 5, ..Default::default() })?;
/// drop(db);
/// files.close().await?;
/// # Ok(())
/// # }
/// ```
///
/// The lock is held as long as this, or a sink of it, is there. When the last one is dropped, the handles are closed a
/// little later. [`close`](Self::close) closes them at once.
///
/// Every wait ends: for another writer's handles after two seconds, and the file system answers every other call.
pub struct OpfsFiles {
    inner: Rc<Inner>,
}

impl OpfsFiles {
    /// Opens the files of the store with this name, and makes them if they are not there.
    ///
    /// Fails with `LOCKED` if another tab or worker has the store open, with `STORAGE_UNAVAILABLE` outside a dedicated
    /// worker, without OPFS, or if the store of this name is in IndexedDB, and with `CORRUPT` if the files are damaged or
    /// another program's.
    pub async fn open(name: &str) -> Result<Self> {
        Self::open_with(name, true).await
    }

    /// Does what [`open`](Self::open) does, but fails with `NOT_FOUND` if there is no store of this name.
    pub async fn open_existing(name: &str) -> Result<Self> {
        Self::open_with(name, false).await
    }

    async fn open_with(name: &str, make: bool) -> Result<Self> {
        if name.is_empty() {
            fail!(InvalidArgument, "the store's name is empty");
        }
        let _opening = locks::opening(name).await?;
        check_worker()?;
        register::agree(name, "opfs", make).await?;
        let folder = folder(name, make).await?;
        if !make && !has_head(name, &folder).await? {
            fail!(NotFound, "there is no store \"{name}\" in OPFS");
        }
        // A folder is looked at before anything is made in it. If it has a head, it is looked at under the lock: then no
        // writer is at work in it. Without a head it may be another opening that makes the store at this moment. Then
        // there is a head once its other files are there.
        if !has_head(name, &folder).await?
            && let Err(refused) = refuse_others(name, &folder, None).await
            && !has_head(name, &folder).await?
        {
            return Err(refused);
        }
        let deadline = deadline();
        let mut files = Files(vec![lock(name, &folder, FILES[0], deadline).await?]);
        let mut head = vec![0; HEAD_SIZE];
        let read = files.0[0].read(0, &mut head)?;
        head.truncate(read);
        let foreign = refuse_others(name, &folder, Some(&head)).await?;
        for file in &FILES[1..] {
            files.0.push(lock(name, &folder, file, deadline).await?);
        }
        let generation = current(name, &files.0, &head)?;
        let mark = Mark::new(folder, &files.0[0], generation);
        let Ok(files) = <[_; 5]>::try_from(std::mem::take(&mut files.0)) else {
            fail!(Failed, "a file was not opened")
        };
        let (owned, generation) = (Owned::new(name), Cell::new(generation));
        let inner = Inner { name: name.to_string(), mark, files, owned, generation, foreign };
        inner.clear_unfinished()?;
        if !make && inner.generation.get() == 0 && inner.files[data(0)].size()? < HEADER_LEN {
            // An opening made the files, and no store was made in them.
            fail!(NotFound, "there is no store \"{name}\" in OPFS: its creation was never finished");
        }
        Ok(Self { inner: Rc::new(inner) })
    }

    /// Opens the store. With a dimension, makes it if there is none yet.
    ///
    /// These files have one store at a time. Until it is dropped, another one is `LOCKED`, except one that is
    /// [read-only](OpenOptions::read_only).
    pub fn store(&self, options: OpenOptions) -> Result<Store> {
        let (data, log) = self.pair()?;
        if !options.read_only {
            data.owner.claim()?;
        }
        let store = Store::open(data, log, OpenOptions { transactional: false, ..options })?;
        if !options.read_only {
            // A compaction that was interrupted left the other pair. It was kept for as long as this one could be damaged.
            self.inner.empty_other()?;
        }
        Ok(store)
    }

    /// Returns the sinks of data and log, for [`Store::open`]. Of all sinks of these files, those of one pair write at
    /// a time: the first one that writes, until it is dropped.
    pub fn pair(&self) -> Result<(OpfsSink, OpfsSink)> {
        self.sinks(self.inner.generation.get(), &self.inner.owned.owner())
    }

    fn sinks(&self, generation: u64, owner: &Owner) -> Result<(OpfsSink, OpfsSink)> {
        let sink = |file: usize| OpfsSink::new(&self.inner.files[file], owner, self.inner.clone());
        Ok((sink(data(generation))?, sink(data(generation) + 1)?))
    }

    /// Makes what is staged in the store durable, and applies it. This is [`Store::commit`], and a check that the files
    /// are still there: a user may clear the storage while the store is open, and the handles do not tell. Then it is
    /// `FAILED`.
    ///
    /// With a [relaxed](OpenOptions::relaxed) store this writes the rows alone. The log, without which the rows are
    /// nothing, follows with [`Store::flush`]. A store of other files is `INVALID_ARGUMENT`, and is left as it is.
    pub async fn commit_store(&self, store: &mut Store) -> Result<()> {
        if !store.read_only() {
            self.inner.owned.of_store(store, "commit_store")?;
        }
        store.commit()?;
        if self.inner.mark.check().await {
            let why = format!("the files of the store \"{}\" were removed while it was open", self.inner.name);
            store.fail(&why);
            fail!(Failed, "{why} (storage cleared?): open it again");
        }
        Ok(())
    }

    /// Rewrites the store without its dead rows, and makes the new files current in one step. After an error the old
    /// files are current, and the store goes on with them, unless it says that it has failed.
    ///
    /// Rows that are not in memory ([`OpenOptions::compact`]) cannot be rewritten: that is `UNSUPPORTED`. A store of
    /// other files is `INVALID_ARGUMENT`. This does not notice that the user has cleared the storage: the next
    /// [`commit_store`](Self::commit_store) does.
    pub fn compact(&self, store: &mut Store) -> Result<()> {
        if store.read_only() {
            fail!(ReadOnly, "the store was opened read-only: open it for writing");
        }
        let inner = &self.inner;
        let owner = inner.owned.of_store(store, "compact")?;
        if let Some(foreign) = inner.foreign {
            fail!(
                InvalidArgument,
                "\"{foreign}\" in the folder of \"{}\" is another program's, and its name is needed: move it away",
                inner.name
            );
        }
        let (data, log) = self.sinks(inner.generation.get() + 1, &owner)?;
        let mut compacting = Compacting::new(store, || {});
        let written = (|| {
            compacting.store().begin_compaction(Box::new(data), Box::new(log))?;
            while !compacting.store().compact_step()? {}
            compacting.store().finish_compaction()
        })();
        if let Err(error) = written {
            compacting.give_up();
            // The failure may have been a lack of space. If this fails, the next opening does it.
            let _ = inner.empty_other();
            return Err(error);
        }
        compacting.promoting();
        inner.promote()?;
        compacting.adopt()?;
        // If this fails, the next opening does it.
        let _ = inner.empty_other();
        Ok(())
    }

    /// Closes the handles, and so releases the lock. Sinks that are left fail with `CLOSED`, so drop the store first.
    ///
    /// If a [relaxed](OpenOptions::relaxed) store of these files still holds back what it acknowledged, this is
    /// `INVALID_ARGUMENT`, and nothing is closed: call [`Store::flush`], drop the store, and close the files then.
    pub async fn close(&self) -> Result<()> {
        self.inner.owned.check_held()?;
        self.inner.close().await;
        Ok(())
    }
}

/// Handles that are closed if an opening fails.
struct Files(Vec<Rc<File>>);

impl Drop for Files {
    fn drop(&mut self) {
        // They were opened in this turn of the store's life, so their files are there, and closing them returns.
        for file in &self.0 {
            file.handle.close();
        }
    }
}

/// Returns the current generation, and makes the head of a new store.
fn current(name: &str, files: &[Rc<File>], head: &[u8]) -> Result<u64> {
    let size =
        |generation: u64| Ok::<_, crate::Error>(files[data(generation)].size()? + files[data(generation) + 1].size()?);
    let current = decode_head(head);
    if current.is_none() {
        // The head is written before any other file. If it was never written, the other files must be empty.
        if size(0)? + size(1)? > 0 {
            fail!(Corrupt, "both slots of the head of \"{name}\" are damaged. Nothing was changed: restore a copy");
        }
        files[0].write(slot_offset(0), &encode_slot(0, &[0; MARK_SIZE]))?;
    }
    // A killed worker may have written a slot without a flush. All later steps rely on that slot.
    files[0].flush()?;
    let generation = current.unwrap_or(0);
    // A current pair always has at least a header. If it is empty and the other one is not, the head has lost its newer
    // slot.
    if size(generation)? == 0 && size(generation + 1)? > 0 {
        fail!(
            Corrupt,
            "the head of \"{name}\" names an empty pair of files, yet the other pair is not empty. Nothing was changed: \
             restore a copy"
        );
    }
    Ok(generation)
}

impl Inner {
    /// Closes the handles, also if the future is dropped. In Chromium, closing the handle of a removed file never
    /// returns. The end of the worker releases those.
    fn close(&self) -> Slot<()> {
        let open: Vec<_> = self.files.iter().filter(|file| !file.closed.replace(true)).cloned().collect();
        let (mark, over) = (self.mark.clone(), Slot::new());
        let closed = over.clone();
        if open.is_empty() {
            over.set(());
            return closed;
        }
        spawn_local(async move {
            if !mark.is_removed().await {
                open.iter().for_each(|file| file.handle.close());
            }
            over.set(());
        });
        closed
    }

    fn size(&self, generation: u64) -> Result<u64> {
        Ok(self.files[data(generation)].size()? + self.files[data(generation) + 1].size()?)
    }

    fn empty_other(&self) -> Result<()> {
        let other = self.generation.get() + 1;
        if self.foreign.is_none() && self.size(other)? > 0 {
            self.files[data(other) + 1].truncate(0)?;
            self.files[data(other)].truncate(0)?;
        }
        Ok(())
    }

    /// Finishes what an import into a new store left: its bytes must be gone before the zero byte that marks it can go.
    fn clear_unfinished(&self) -> Result<()> {
        let other = self.generation.get() + 1;
        if self.foreign.is_none() && self.size(other)? > 0 && self.size(self.generation.get())? < 64 {
            self.empty_other()?;
            for file in [data(other), data(other) + 1] {
                self.files[file].flush()?;
            }
        }
        Ok(())
    }

    /// Makes the other pair the current one.
    fn promote(&self) -> Result<()> {
        let next = self.generation.get() + 1;
        let head = &self.files[0];
        head.write(slot_offset(next), &encode_slot(next, &self.mark.bytes))
            .and_then(|()| head.flush())
            .context("promote the new files")?;
        self.mark.promoted();
        self.generation.set(next);
        Ok(())
    }
}
