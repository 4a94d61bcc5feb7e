//! What the files of a store in IndexedDB share: the connection, the lock, and one way of writing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::futures::spawn_local;
use js_sys::{Array, Object};
use wasm_bindgen::{JsCast, JsValue};

use super::extents::{Extents, Plan};
use super::put::{put, remove_others};
use super::row::{EXTENTS, FILES, META, META_KEY, Row, between, damaged, epoch_of, extent, place};
use crate::browser::database::{Answer, Connection, Ended, Transaction, transact};
use crate::browser::locks::Lock;
use crate::browser::wait::{Handlers, sleep};
use crate::error::{Context, error, fail};
use crate::sink::{Files, from_js};
use crate::{Code, Error, Result, code_of};

/// A file in memory: data or log, of one generation.
pub type File = Rc<RefCell<Extents>>;

/// Two files of one generation.
#[derive(Clone)]
pub struct Pair {
    pub generation: u64,
    pub files: [File; 2],
}

impl Pair {
    pub fn new(generation: u64, lengths: [u64; 2]) -> Self {
        Self { generation, files: lengths.map(|length| Rc::new(RefCell::new(Extents::new(length)))) }
    }

    pub fn is_dirty(&self) -> bool {
        self.files.iter().any(|file| file.borrow().is_dirty())
    }

    pub fn lengths(&self) -> [u64; 2] {
        self.files.each_ref().map(|file| file.borrow().size())
    }
}

/// What a transaction writes, and what holds once it is complete.
pub struct Change {
    pub row: Row,
    pub plans: Vec<(File, Plan)>,
    pub complete: Box<dyn FnOnce(&Shared)>,
}

pub type Work = Rc<dyn Fn(&Transaction, &Shared) -> Result<Change>>;

pub struct Shared {
    pub name: String,
    /// Tells which store is on these files.
    pub owned: Rc<Files>,
    pub row: Cell<Row>,
    pub current: RefCell<Pair>,
    /// The pair that a compaction writes.
    pub fresh: RefCell<Option<Pair>>,
    /// True if the database may hold extents that belong to no current file.
    pub stale: Cell<bool>,
    pub closed: Cell<bool>,
    db: Connection,
    epoch: String,
    lost: RefCell<Option<String>>,
    /// The answers that the connection owes.
    waiting: RefCell<Vec<Answer>>,
    handlers: Handlers,
    lock: RefCell<Option<Lock>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
        self.handlers.done();
    }
}

impl Shared {
    pub fn new(name: &str, db: Connection, epoch: String, row: Row, current: Pair, lock: Lock) -> Rc<Self> {
        let shared = Rc::new(Self {
            name: name.to_string(),
            owned: Files::new(name),
            row: Cell::new(row),
            current: RefCell::new(current),
            fresh: RefCell::default(),
            stale: Cell::new(false),
            closed: Cell::new(false),
            db,
            epoch,
            lost: RefCell::default(),
            waiting: RefCell::default(),
            handlers: Handlers::default(),
            lock: RefCell::new(Some(lock)),
        });
        let weak = Rc::downgrade(&shared);
        // Somebody deletes the database. An open connection would only delay that.
        let changed = shared.handlers.add(move |_| {
            if let Some(shared) = weak.upgrade() {
                shared.db.close();
                shared.lose("its database is being deleted or changed from elsewhere");
            }
        });
        shared.db.set_onversionchange(Some(&changed));
        let weak = Rc::downgrade(&shared);
        let gone = shared.handlers.add(move |_| {
            let Some(shared) = weak.upgrade() else { return };
            shared.lose("the browser closed the connection to its database (storage cleared, or a fault of the disk)");
            // Answers that are already on their way are delivered before this timer, and count.
            spawn_local(async move {
                sleep(0).await;
                for answer in shared.waiting.take() {
                    answer.set(Err(Ended::Unsure(error(Code::StorageFailed, "the connection was lost"))));
                }
            });
        });
        shared.db.set_onclose(Some(&gone));
        shared
    }

    /// Closes the connection and releases the lock. Transactions that have begun still end.
    pub fn close(&self) {
        self.closed.set(true);
        self.db.set_onversionchange(None);
        self.db.set_onclose(None);
        self.db.close();
        self.lock.take();
    }

    pub fn lose(&self, why: &str) {
        self.lost.borrow_mut().get_or_insert_with(|| why.to_string());
    }

    /// Fails if nothing may be written any more.
    pub fn check(&self) -> Result<()> {
        if self.closed.get() {
            fail!(Closed, "the files of the store \"{}\" were closed: open them again", self.name);
        }
        if let Some(why) = &*self.lost.borrow() {
            fail!(Failed, "the store \"{}\": {why}. Open it again", self.name);
        }
        Ok(())
    }

    /// Fails unless a pair is the current one, or the one that a compaction writes.
    pub fn check_pair(&self, generation: u64) -> Result<()> {
        self.check()?;
        let is_fresh = self.fresh.borrow().as_ref().is_some_and(|fresh| fresh.generation == generation);
        if self.current.borrow().generation != generation && !is_fresh {
            fail!(Failed, "a compaction replaced these files of the store \"{}\": open it again", self.name);
        }
        Ok(())
    }

    /// Fails if another writer has opened the store since.
    fn check_epoch(&self, found: &JsValue) -> Result<()> {
        if epoch_of(found).as_deref() != Some(&self.epoch) {
            let taken = format!("the store \"{}\" was taken over by another tab or worker: open it again", self.name);
            self.lose("it was taken over by another tab or worker");
            return Err(error(Code::Failed, taken));
        }
        Ok(())
    }

    /// Does all of `work` in one strict transaction, or nothing, and only if the store is still ours. If this future is
    /// dropped, the transaction goes on, and what it writes counts.
    pub async fn write(self: &Rc<Self>, work: Work) -> Result<()> {
        let mut again = true;
        loop {
            self.check()?;
            match self.begin(&work).await {
                Ok(()) => return Ok(()),
                // Firefox: after a transaction that the quota aborted, the next one cannot write. The one after it can.
                Err(Ended::NotApplied(error)) if again && is_invalid_state(&error) => again = false,
                Err(Ended::NotApplied(error)) => return Err(error),
                Err(Ended::Unsure(failed)) => {
                    // The connection may have ended. The browser reports this one turn of the event loop after the
                    // abort.
                    sleep(0).await;
                    return Err(match &*self.lost.borrow() {
                        Some(why) => error(
                            Code::OutcomeUnknown,
                            format!("the connection was lost before the browser answered: {why}. Open the store again"),
                        ),
                        None => failed,
                    });
                }
            }
        }
    }

    fn begin(self: &Rc<Self>, work: &Work) -> Answer {
        let planned: Rc<RefCell<Option<Change>>> = Rc::default();
        let (this, work, change) = (self.clone(), work.clone(), planned.clone());
        let first = move |transaction: &Transaction| {
            let meta = transaction.store(META)?;
            let inside = transaction.clone();
            transaction.then(meta.get(&META_KEY.into()), move |found| {
                this.check_epoch(&found)?;
                let done = work(&inside, &this)?;
                let row = done.row.write(found.unchecked_ref::<Object>(), &this.epoch)?;
                *change.borrow_mut() = Some(done);
                meta.put_with_key(&row, &META_KEY.into()).map(drop).map_err(from_js)
            })
        };
        let this = self.clone();
        let complete = move |is_complete: bool| match planned.take() {
            Some(change) if is_complete => {
                this.row.set(change.row);
                for (file, plan) in change.plans {
                    file.borrow_mut().done(plan);
                }
                (change.complete)(&this);
            }
            _ => {
                let (current, fresh) = (this.current.borrow(), this.fresh.borrow());
                for pair in [Some(&*current), fresh.as_ref()].into_iter().flatten() {
                    pair.files.iter().for_each(|file| file.borrow_mut().failed());
                }
            }
        };
        self.owed(transact(&self.db, &[META, EXTENTS], "readwrite", first, complete))
    }

    fn owed(&self, answer: Answer) -> Answer {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|answer| !answer.is_set());
        waiting.push(answer.clone());
        answer
    }

    /// Plans what both files of a pair have to write, and makes the requests.
    pub fn put(&self, transaction: &Transaction, pair: &Pair) -> Result<Vec<(File, Plan)>> {
        let mut plans = Vec::new();
        for (name, file) in FILES.into_iter().zip(&pair.files) {
            let plan = file.borrow_mut().plan()?;
            put(transaction, name, pair.generation, &file.borrow(), &plan)?;
            plans.push((file.clone(), plan));
        }
        Ok(plans)
    }

    /// Removes the pair that was not finished at once, because the failure may have been a lack of space. If this fails,
    /// the next commit removes it.
    pub async fn discard(self: &Rc<Self>) {
        self.fresh.take();
        let work: Work = Rc::new(|transaction, shared| {
            remove_others(transaction, shared.row.get().generation)?;
            Ok(Change {
                row: shared.row.get(),
                plans: Vec::new(),
                complete: Box::new(|shared| shared.stale.set(false)),
            })
        });
        let _ = self.write(work).await;
    }

    /// Reads the extents that begin from `from` to `end`, and have bytes behind `at`. Returns them in order, without a
    /// gap, each with the place where it begins. They are of one state, because the same transaction checks the row.
    pub async fn read(
        self: &Rc<Self>,
        file: usize,
        generation: u64,
        from: u64,
        at: u64,
        end: u64,
    ) -> Result<Vec<(u64, js_sys::Uint8Array)>> {
        let (name, this, found) = (FILES[file], self.clone(), Rc::new(RefCell::new(Vec::new())));
        let result = found.clone();
        let first = move |transaction: &Transaction| {
            let meta = transaction.store(META)?;
            transaction.then(meta.get(&META_KEY.into()), move |row| this.check_epoch(&row))?;
            let extents = transaction.store(EXTENTS)?;
            let range = between(name, generation, from, end)?;
            let keys: Rc<RefCell<Array>> = Rc::default();
            let filled = keys.clone();
            transaction.then(extents.get_all_keys_with_key(&range), move |all| {
                *filled.borrow_mut() = all.unchecked_into();
                Ok(())
            })?;
            transaction.then(extents.get_all_with_key(&range), move |values| {
                let mut next = at;
                for (key, value) in keys.borrow().iter().zip(values.unchecked_into::<Array>().iter()) {
                    let begins = place(&key).ok_or_else(|| damaged(name, next))?;
                    let bytes = extent(value).ok_or_else(|| damaged(name, begins))?;
                    let ends = begins + u64::from(bytes.length());
                    if ends <= at {
                        continue;
                    }
                    if begins > next || (next > at && begins != next) {
                        return Err(damaged(name, next));
                    }
                    next = ends;
                    result.borrow_mut().push((begins, bytes));
                }
                if next == at { Err(damaged(name, at)) } else { Ok(()) }
            })
        };
        self.check()?;
        let answer = self.owed(transact(&self.db, &[META, EXTENTS], "readonly", first, |_| {}));
        answer.await.map_err(Ended::into_error).context(&format!("read the {name} of \"{}\"", self.name))?;
        Ok(found.take())
    }
}

fn is_invalid_state(error: &Error) -> bool {
    code_of(error) == Code::StorageFailed
        && error.chain().any(|cause| cause.to_string().starts_with("InvalidStateError"))
}
