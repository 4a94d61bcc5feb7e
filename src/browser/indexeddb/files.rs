use std::rc::Rc;

use super::opening;
use super::put::remove_others;
use super::row::Row;
use super::shared::{Change, Pair, Shared, Work};
use super::sink::IdbSink;
use crate::browser::Compacting;
use crate::error::{code_of, fail};
use crate::sink::Owner;
use crate::{Code, OpenOptions, Opening, Result, Store};

/// Once a new pair has this many bytes in memory, a compaction writes them to the database.
const DRAIN: u64 = 4 << 20;

/// The files of a store in IndexedDB, and the lock on them.
///
/// What the store writes waits in memory until [`commit`](Self::commit), which writes all of it in one transaction with
/// `durability: "strict"`. The bytes and the keys are those of the TypeScript package.
///
/// ```no_run
/// # async fn example() -> nidus_wasm::Result<()> {
/// use nidus_wasm::browser::IdbFiles;
/// use nidus_wasm::{Batch, OpenOptions, Query};
///
/// let files = IdbFiles::open("notes").await?;
/// let mut db = files.store(OpenOptions { dimension: Some(3), ..Default::default() }).await?;
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
/// The lock is held as long as this, or a sink of it, is there. Where the browser has no Web Locks (plain http) a second
/// writer takes over, and this one's next commit is [`FAILED`](Code::Failed).
///
/// Every wait ends: an opening is given up after ten seconds, and each transaction by an event that the browser always
/// sends.
pub struct IdbFiles {
    shared: Rc<Shared>,
}

impl IdbFiles {
    /// Opens the files of the store with this name, and makes them if they are not there.
    ///
    /// Fails with `LOCKED` if another tab or worker has the store open, with `CORRUPT` if the database is damaged or
    /// another program's, with `STORAGE_UNAVAILABLE` if the browser has no IndexedDB here, or if the store of this name is
    /// in OPFS.
    pub async fn open(name: &str) -> Result<Self> {
        Ok(Self { shared: opening::open(name, true).await? })
    }

    /// Does what [`open`](Self::open) does, but fails with `NOT_FOUND` if there is no store of this name.
    pub async fn open_existing(name: &str) -> Result<Self> {
        Ok(Self { shared: opening::open(name, false).await? })
    }

    /// Opens the store. With a dimension, makes it if there is none yet. The options are made
    /// [transactional](OpenOptions::transactional).
    ///
    /// These files have one store at a time. Until it is dropped, another one is `LOCKED`, except one that is
    /// [read-only](OpenOptions::read_only).
    pub async fn store(&self, options: OpenOptions) -> Result<Store> {
        let options = OpenOptions { transactional: true, ..options };
        let (data, log) = self.pair()?;
        if !options.read_only {
            data.claim()?;
        }
        let [data_len, log_len] = self.shared.current.borrow().lengths();
        let mut opening = Opening::new(options, data_len, log_len)?;
        data.feed(|bytes| opening.feed_data(bytes)).await?;
        log.feed(|bytes| opening.feed_log(bytes)).await?;
        let store = opening.finish(Box::new(data), Box::new(log))?;
        if !options.read_only {
            // The header of a new store, or what the opening cut off.
            self.commit().await?;
        }
        Ok(store)
    }

    /// Returns the sinks of data and log, for an [`Opening`] of your own. They can be read asynchronously. Of all sinks
    /// of these files, those of one pair write at a time: the first one that writes, until it is dropped.
    pub fn pair(&self) -> Result<(IdbSink, IdbSink)> {
        self.shared.check()?;
        Ok(self.sinks(&self.shared.current.borrow(), &self.shared.owned.owner()))
    }

    fn sinks(&self, pair: &Pair, owner: &Owner) -> (IdbSink, IdbSink) {
        let sink = |which: usize| IdbSink::new(&self.shared, pair.generation, which, &pair.files[which], owner);
        (sink(0), sink(1))
    }

    /// Returns the number of bytes that wait for a commit.
    pub fn pending_bytes(&self) -> u64 {
        self.shared.current.borrow().files.iter().map(|file| file.borrow().pending()).sum()
    }

    /// Writes everything that was written since the last commit, in one strict transaction. When it is ready, all of it
    /// is durable.
    ///
    /// If it fails, nothing is lost: the bytes still wait, and a later commit can succeed. `QUOTA_EXCEEDED` means that
    /// there was no room. There are two exceptions. `FAILED` means that another tab has taken the store over, or deletes
    /// it. `OUTCOME_UNKNOWN` means that the connection was lost before the browser answered. After both, open the store
    /// again.
    ///
    /// If the future is dropped, the transaction goes on.
    pub async fn commit(&self) -> Result<()> {
        self.shared.check()?;
        if !self.shared.stale.get() && !self.shared.current.borrow().is_dirty() {
            return Ok(());
        }
        let work: Work = Rc::new(|transaction, shared| {
            let row = shared.row.get();
            // A compaction that is under way has extents of its own.
            let tidies = shared.stale.get() && shared.fresh.borrow().is_none();
            if tidies {
                remove_others(transaction, row.generation)?;
            }
            let plans = shared.put(transaction, &shared.current.borrow())?;
            let cut = plans.iter().any(|(_, plan)| plan.changes_old);
            let lengths = [plans[0].1.length, plans[1].1.length];
            let row = Row { lengths, cuts: row.cuts + f64::from(u8::from(cut)), ..row };
            let complete = move |shared: &Shared| {
                if tidies {
                    shared.stale.set(false);
                }
            };
            Ok(Change { row, plans, complete: Box::new(complete) })
        });
        self.shared.write(work).await
    }

    /// Makes what is staged in the store durable, and applies it: [`Store::write`], [`commit`](Self::commit),
    /// [`Store::apply`].
    ///
    /// With a [relaxed](OpenOptions::relaxed) store this writes the rows alone. The log, without which the rows are
    /// nothing, follows with [`Store::flush`] and then [`commit`](Self::commit).
    ///
    /// After an error the store is as it was before, and nothing waits. After `OUTCOME_UNKNOWN` and `FAILED` it takes no
    /// more writes: open it again. A store of other files is `INVALID_ARGUMENT`, and is left as it is.
    pub async fn commit_store(&self, store: &mut Store) -> Result<()> {
        if !store.read_only() {
            self.shared.owned.of_store(store, "commit_store")?;
        }
        // If the future is dropped, nobody knows whether the write was made.
        let mut writing = Writing(Some(store));
        let Some(store) = writing.0.as_deref_mut() else { return Ok(()) };
        let written = store.write();
        if written.is_ok() {
            match self.commit().await {
                Ok(()) => store.apply(),
                Err(error) => {
                    if matches!(code_of(&error), Code::OutcomeUnknown | Code::Failed | Code::Closed) {
                        store.fail(&format!("{error:#}"));
                    } else {
                        store.rollback()?;
                    }
                    writing.0 = None;
                    return Err(error);
                }
            }
        }
        writing.0 = None;
        written
    }

    /// Rewrites the store without its dead rows, and makes the new files current in one step. After an error the old
    /// files are current, and the store goes on with them (except after `OUTCOME_UNKNOWN`: open it again).
    ///
    /// Rows that are not in memory ([`OpenOptions::compact`]) cannot be rewritten: that is `UNSUPPORTED`. A store of
    /// other files is `INVALID_ARGUMENT`.
    pub async fn compact(&self, store: &mut Store) -> Result<()> {
        if store.read_only() {
            fail!(ReadOnly, "the store was opened read-only: open it for writing");
        }
        let owner = self.shared.owned.of_store(store, "compact")?;
        self.commit().await?;
        if self.shared.fresh.borrow().is_some() {
            fail!(InvalidArgument, "a compaction of the store \"{}\" is under way", self.shared.name);
        }
        if self.shared.stale.get() {
            self.shared.discard().await;
        }
        let shared = self.shared.clone();
        let fresh = Pair::new(shared.row.get().generation + 1, [0, 0]);
        *shared.fresh.borrow_mut() = Some(fresh.clone());
        shared.stale.set(true);
        let (data, log) = self.sinks(&fresh, &owner);
        let mut compacting = Compacting::new(store, {
            let shared = shared.clone();
            move || drop(shared.fresh.take())
        });
        let written = async {
            compacting.store().begin_compaction(Box::new(data), Box::new(log))?;
            while !compacting.store().compact_step()? {
                if fresh.files.iter().map(|file| file.borrow().pending()).sum::<u64>() >= DRAIN {
                    self.drain(&fresh).await?;
                }
            }
            compacting.store().finish_compaction()?;
            compacting.promoting();
            self.promote(&fresh).await
        };
        if let Err(error) = written.await {
            if code_of(&error) == Code::OutcomeUnknown {
                return Err(error);
            }
            compacting.give_up();
            shared.discard().await;
            return Err(error);
        }
        compacting.adopt()
    }

    async fn drain(&self, fresh: &Pair) -> Result<()> {
        let fresh = fresh.clone();
        let work: Work = Rc::new(move |transaction, shared| {
            let plans = shared.put(transaction, &fresh)?;
            Ok(Change { row: shared.row.get(), plans, complete: Box::new(|_| {}) })
        });
        self.shared.write(work).await
    }

    async fn promote(&self, fresh: &Pair) -> Result<()> {
        let fresh = fresh.clone();
        let work: Work = Rc::new(move |transaction, shared| {
            let plans = shared.put(transaction, &fresh)?;
            remove_others(transaction, fresh.generation)?;
            let row = Row { generation: fresh.generation, lengths: fresh.lengths(), ..shared.row.get() };
            let current = fresh.clone();
            let complete = move |shared: &Shared| {
                *shared.current.borrow_mut() = current;
                shared.fresh.take();
                shared.stale.set(false);
            };
            Ok(Change { row, plans, complete: Box::new(complete) })
        });
        self.shared.write(work).await
    }

    /// Writes what waits, closes the connection and releases the lock. Sinks that are left fail with `CLOSED`, so drop
    /// the store first.
    ///
    /// If a [relaxed](OpenOptions::relaxed) store of these files still holds back what it acknowledged, this is
    /// `INVALID_ARGUMENT`, and nothing is closed: call [`Store::flush`], drop the store, and close the files then.
    pub async fn close(&self) -> Result<()> {
        self.shared.owned.check_held()?;
        let committed = if self.shared.check().is_ok() { self.commit().await } else { Ok(()) };
        self.shared.close();
        committed
    }
}

/// A write whose commit is awaited.
struct Writing<'a>(Option<&'a mut Store>);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some(store) = &mut self.0 {
            store.fail("the future of a commit was dropped, so it is not known whether it was made");
        }
    }
}
