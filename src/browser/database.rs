//! Databases and transactions. A transaction runs in the handlers of its own events, so it does not depend on when an
//! executor polls: a transaction that waits for something else ends.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use js_sys::futures::JsFuture;
use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{IdbDatabase, IdbFactory, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransaction};

use crate::browser::errors::{name_of, storage_error};
use crate::browser::wait::{Handlers, Slot, Timer};
use crate::error::{error, fail};
use crate::sink::from_js;
use crate::{Code, Error, Result};

const VERSION: u32 = 1;
/// A request is given up after this time. While a deletion is pending, a request may wait for ever, without any event.
pub const ANSWER_MS: i32 = 10_000;

#[wasm_bindgen]
extern "C" {
    /// A database whose transactions take options. web-sys has those only among its unstable interfaces.
    type Strict;

    #[wasm_bindgen(method, catch)]
    fn transaction(this: &Strict, names: &Array, mode: &str, options: &Object) -> Result<IdbTransaction, JsValue>;
}

/// A connection to a database, which is closed when this is dropped. An open connection delays others for seconds.
pub struct Connection(IdbDatabase);

impl Deref for Connection {
    type Target = IdbDatabase;

    fn deref(&self) -> &IdbDatabase {
        &self.0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Makes the object stores of a new database.
pub type Make = fn(&IdbDatabase) -> Result<(), JsValue>;

pub fn factory() -> Result<IdbFactory> {
    // In some embedded pages even reading the property throws.
    match Reflect::get(&js_sys::global(), &"indexedDB".into()) {
        Ok(found) if found.is_object() => Ok(found.unchecked_into()),
        Ok(_) => fail!(StorageUnavailable, "IndexedDB does not exist here"),
        Err(thrown) => Err(error(Code::StorageUnavailable, format!("IndexedDB is denied here: {}", name_of(&thrown)))),
    }
}

/// Returns false if the browser says that there is no database of this name.
async fn may_exist(factory: &IdbFactory, database: &str) -> bool {
    let list = async || {
        let databases: Function = Reflect::get(factory, &"databases".into())?.dyn_into()?;
        let all = JsFuture::from(databases.call0(factory)?.dyn_into::<Promise>()?).await?;
        let named = |one: JsValue| Reflect::get(&one, &"name".into()).is_ok_and(|name| name == database);
        Ok::<_, JsValue>(all.dyn_into::<Array>()?.iter().any(named))
    };
    list().await.unwrap_or(true)
}

/// Opens a database. Without `make`, a database that does not exist is `NOT_FOUND` and is not made. `what` names it in
/// errors. If the future is dropped, the connection is closed as soon as it is there.
pub async fn connect(database: &str, what: &str, make: Option<Make>) -> Result<Connection> {
    let factory = factory()?;
    let none = format!("there is no {what} in IndexedDB");
    // Opening it would be enough of a check, but WebKit lists a database even if its creation was aborted.
    if make.is_none() && !may_exist(&factory, database).await {
        fail!(NotFound, "{none}");
    }
    let request = factory.open_with_u32(database, VERSION).map_err(|thrown| storage_error(&thrown, what))?;
    let answer: Slot<Result<Connection>> = Slot::new();
    let handlers = Handlers::default();
    let missing = Rc::new(RefCell::new(false));
    let upgrade = {
        let (request, missing, answer) = (request.clone(), missing.clone(), answer.clone());
        move |_| match make {
            // A throw here would make the browser abort the creation. So does this, and the error says the same.
            Some(make) if !answer.is_set() => {
                if request.result().and_then(|db| make(&db.unchecked_into())).is_err() {
                    abort(&request);
                }
            }
            _ => {
                *missing.borrow_mut() = true;
                abort(&request);
            }
        }
    };
    request.set_onupgradeneeded(Some(&handlers.add(upgrade)));
    let success = {
        let (request, answer, handlers) = (request.clone(), answer.clone(), handlers.clone());
        move |_| {
            handlers.done();
            match request.result() {
                Ok(db) => answer.set(Ok(Connection(db.unchecked_into()))),
                Err(thrown) => answer.set(Err(from_js(thrown))),
            }
        }
    };
    request.set_onsuccess(Some(&handlers.add(success)));
    let failure = {
        let (request, answer, handlers) = (request.clone(), answer.clone(), handlers.clone());
        let what = what.to_string();
        move |event: JsValue| {
            handlers.done();
            event.unchecked_into::<web_sys::Event>().prevent_default();
            let thrown = request.error().ok().flatten().map(JsValue::from).unwrap_or_default();
            let failed = match (*missing.borrow(), name_of(&thrown).as_str()) {
                (true, _) => error(Code::NotFound, none.clone()),
                (_, "VersionError") => error(
                    Code::UnsupportedVersion,
                    format!("the {what} was made by a later version of nidus-wasm: use that version"),
                ),
                // Firefox fails like this where storage is forbidden.
                (_, "InvalidStateError") => {
                    error(Code::StorageUnavailable, "IndexedDB cannot be used here: the browser forbids it")
                }
                _ => storage_error(&thrown, &format!("the {what} could not be opened")),
            };
            answer.set(Err(failed));
        }
    };
    request.set_onerror(Some(&handlers.add(failure)));
    let _timer = {
        let (answer, what) = (answer.clone(), what.to_string());
        Timer::new(ANSWER_MS, move || {
            let late = format!(
                "the browser did not open the {what} within {} s: close other tabs that have it, and try again",
                ANSWER_MS / 1000
            );
            answer.set(Err(error(Code::StorageUnavailable, late)));
        })
    };
    answer.await
}

fn abort(request: &IdbOpenDbRequest) {
    if let Some(transaction) = request.transaction() {
        let _ = transaction.abort();
    }
}

/// How a transaction ended that is not complete.
pub enum Ended {
    /// It was certainly not applied: the browser said so, or this code aborted it.
    NotApplied(Error),
    /// The browser did not say whether it was applied.
    Unsure(Error),
}

impl Ended {
    pub fn into_error(self) -> Error {
        match self {
            Ended::NotApplied(error) | Ended::Unsure(error) => error,
        }
    }
}

/// The future of a transaction. The transaction goes on without it.
pub type Answer = Slot<Result<(), Ended>>;

struct Inner {
    transaction: IdbTransaction,
    handlers: Handlers,
    own: RefCell<Option<Error>>,
}

/// A transaction that is under way.
#[derive(Clone)]
pub struct Transaction(Rc<Inner>);

impl Transaction {
    pub fn store(&self, name: &str) -> Result<IdbObjectStore> {
        self.0.transaction.object_store(name).map_err(from_js)
    }

    /// Calls `step` with the result of a request, or, for a cursor, with each of its results. If it fails, the
    /// transaction aborts and ends with that error.
    pub fn then(
        &self,
        request: Result<IdbRequest, JsValue>,
        mut step: impl FnMut(JsValue) -> Result<()> + 'static,
    ) -> Result<()> {
        let request = request.map_err(from_js)?;
        let (this, of) = (self.clone(), request.clone());
        let handler = self.0.handlers.add(move |_| {
            let done = of.result().map_err(from_js).and_then(&mut step);
            this.attempt(done);
        });
        request.set_onsuccess(Some(&handler));
        Ok(())
    }

    fn attempt(&self, done: Result<()>) {
        if let Err(error) = done {
            self.0.own.borrow_mut().get_or_insert(error);
            // If it is aborted already, the event reports it.
            let _ = self.0.transaction.abort();
        }
    }
}

/// Runs a transaction over some object stores. `work` makes its first requests. The answer is good on `complete`, when
/// all of it is on the medium; `complete` is called first. One of the two events comes always, except if the connection
/// is lost: then the caller sets the answer.
pub fn transact(
    db: &IdbDatabase,
    names: &[&str],
    mode: &str,
    work: impl FnOnce(&Transaction) -> Result<()>,
    complete: impl FnOnce(bool) + 'static,
) -> Answer {
    let answer = Answer::new();
    let options = Object::new();
    // Every transaction is strict. Chromium keeps large values in files beside the database, and syncs them only then.
    let _ = Reflect::set(&options, &"durability".into(), &"strict".into());
    let names: Array = names.iter().map(|name| JsValue::from(*name)).collect();
    let transaction = match db.unchecked_ref::<Strict>().transaction(&names, mode, &options) {
        Ok(transaction) => transaction,
        Err(thrown) => {
            complete(false);
            answer.set(Err(Ended::NotApplied(from_js(thrown))));
            return answer;
        }
    };
    let handlers = Handlers::default();
    let inner =
        Rc::new(Inner { transaction: transaction.clone(), handlers: handlers.clone(), own: RefCell::default() });
    let this = Transaction(inner.clone());
    let complete = Rc::new(RefCell::new(Some(complete)));
    let end = |outcome: Rc<dyn Fn() -> Result<(), Ended>>| {
        let (answer, handlers, complete) = (answer.clone(), handlers.clone(), complete.clone());
        move |_| {
            handlers.done();
            let outcome = outcome();
            if let Some(complete) = complete.borrow_mut().take() {
                complete(outcome.is_ok());
            }
            answer.set(outcome);
        }
    };
    let aborted = move || {
        if let Some(own) = inner.own.borrow_mut().take() {
            return Err(Ended::NotApplied(own));
        }
        match inner.transaction.error() {
            Some(thrown) if thrown.name() == "QuotaExceededError" => Err(Ended::NotApplied(from_js(thrown.into()))),
            Some(thrown) => Err(Ended::Unsure(from_js(thrown.into()))),
            None => Err(Ended::Unsure(error(Code::StorageFailed, "the browser aborted the transaction"))),
        }
    };
    transaction.set_oncomplete(Some(&handlers.add(end(Rc::new(|| Ok(()))))));
    transaction.set_onabort(Some(&handlers.add(end(Rc::new(aborted)))));
    let begun = work(&this);
    this.attempt(begun);
    answer
}
