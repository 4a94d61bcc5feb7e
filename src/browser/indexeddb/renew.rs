//! What Chromium needs before a store is opened.

use js_sys::Reflect;

use crate::Result;
use crate::browser::database::{ANSWER_MS, connect, factory};
use crate::browser::wait::{Handlers, Slot, Timer};
use crate::sink::from_js;

/// The name of a scratch database. No store's database has this name.
const SCRATCH: &str = "nidus-wasm-log";

async fn remove(database: &str) -> Result<()> {
    let request = factory()?.delete_database(database).map_err(from_js)?;
    let answer = Slot::new();
    let handlers = Handlers::default();
    let end = || {
        let (answer, handlers) = (answer.clone(), handlers.clone());
        move |_| {
            handlers.done();
            answer.set(());
        }
    };
    let (success, failure) = (handlers.add(end()), handlers.add(end()));
    request.set_onsuccess(Some(&success));
    request.set_onerror(Some(&failure));
    let late = answer.clone();
    let _timer = Timer::new(ANSWER_MS, move || late.set(()));
    answer.await;
    Ok(())
}

/// Makes Chromium begin a new log for the databases of this origin. A killed browser may leave half a record at the end
/// of that log, and Chromium then takes what it appends for damage. It begins a new log when a database is deleted, so
/// this makes a database and deletes it. A failure is ignored: a full disk must not prevent the opening of a store.
pub async fn renew_log() {
    // Only Chromium has this property.
    let event = Reflect::get(&js_sys::global(), &"IDBVersionChangeEvent".into());
    let is_chromium = event
        .and_then(|event| Reflect::get(&event, &"prototype".into()))
        .and_then(|prototype| Reflect::has(&prototype, &"dataLoss".into()))
        .unwrap_or(false);
    if !is_chromium {
        return;
    }
    if let Ok(db) = connect(SCRATCH, "scratch database", Some(|_| Ok(()))).await {
        drop(db);
        // If this hinders the opening of the store, that opening reports it.
        let _ = remove(SCRATCH).await;
    }
}
