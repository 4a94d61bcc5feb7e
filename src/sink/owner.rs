//! Whose files the sinks of [`browser`](crate::browser) are, and which of them may write.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::Result;
use crate::error::fail;

/// The state that all sinks of a store's opened files share. At most one pair of them writes at a time: two writers
/// would overwrite each other's bytes.
pub(crate) struct Files {
    name: String,
    writer: RefCell<Weak<Pair>>,
    /// The number of pairs that have written so far.
    writers: Cell<u64>,
}

struct Pair {
    files: Rc<Files>,
    /// The number of writers before this pair was made, or `None` if one was there. A writer that came since, or was
    /// there already, may have written: then this pair does not know where the files end.
    before: Option<u64>,
    /// The bytes of a relaxed store's log that are not in the sinks yet.
    held: Cell<usize>,
}

/// Whose file a sink is: the files of the store, and the pair of sinks that it belongs to. See
/// [`ByteSink::owner`](super::ByteSink::owner).
#[derive(Clone)]
pub struct Owner(Rc<Pair>);

impl Files {
    pub(crate) fn new(name: &str) -> Rc<Self> {
        Rc::new(Self { name: name.to_string(), writer: RefCell::default(), writers: Cell::new(0) })
    }

    /// Returns an owner for a new pair of sinks.
    pub(crate) fn owner(self: &Rc<Self>) -> Owner {
        let before = self.writer.borrow().upgrade().is_none().then_some(self.writers.get());
        Owner(Rc::new(Pair { files: self.clone(), before, held: Cell::new(0) }))
    }

    /// Checks that a store is on these files and may write to them. `what` says what is to be done with the store.
    /// Returns the owner of its sinks.
    pub(crate) fn of_store(self: &Rc<Self>, store: &crate::Store, what: &str) -> Result<Owner> {
        let owner = store.owner();
        if let Some(owner) = owner.as_ref().filter(|owner| Rc::ptr_eq(&owner.0.files, self)) {
            owner.claim()?;
            return Ok(owner.clone());
        }
        let name = &self.name;
        match owner {
            Some(other) if other.0.files.name != *name => fail!(
                InvalidArgument,
                "{what}: the store is on the files of \"{}\", not on those of \"{name}\". Call this of the files that \
                 opened it",
                other.0.files.name
            ),
            Some(_) => fail!(
                InvalidArgument,
                "{what}: the store is on files of \"{name}\" that were opened before. Open the store with these ones"
            ),
            None => fail!(
                InvalidArgument,
                "{what}: the store is not on the files of \"{name}\" (in memory, or on sinks of your own?). Call this of \
                 the files that opened it"
            ),
        }
    }

    /// Fails if the writer holds acknowledged bytes back.
    pub(crate) fn check_held(&self) -> Result<()> {
        let held = self.writer.borrow().upgrade().map_or(0, |pair| pair.held.get());
        if held > 0 {
            fail!(
                InvalidArgument,
                "the store \"{}\" is relaxed, and {held} bytes of its log are not written yet. Nothing was closed: call \
                 `flush` of the store, drop it, and then close its files",
                self.name
            );
        }
        Ok(())
    }
}

impl Owner {
    /// Makes the pair the writer, or fails if another one is it, or was it since the pair was made.
    pub(crate) fn claim(&self) -> Result<()> {
        let files = &self.0.files;
        match files.writer.borrow().upgrade() {
            Some(writer) if Rc::ptr_eq(&writer, &self.0) => return Ok(()),
            Some(_) => fail!(
                Locked,
                "the store \"{}\" is open already, on the same files: drop that `Store` before you open another one",
                files.name
            ),
            None => {}
        }
        if self.0.before != Some(files.writers.get()) {
            fail!(
                InvalidArgument,
                "these sinks are older than the last writes to \"{}\", so they do not know where its files end: take new \
                 ones",
                files.name
            );
        }
        *files.writer.borrow_mut() = Rc::downgrade(&self.0);
        files.writers.set(files.writers.get() + 1);
        Ok(())
    }

    /// Tells how many bytes of its log a relaxed store holds back.
    pub(crate) fn holds(&self, bytes: usize) {
        self.0.held.set(bytes);
    }
}
