//! Web Locks, by the same names as those of the TypeScript package. So its tabs and those from Rust alone exclude each
//! other. The browser releases a lock whenever its holder ends, for any reason.

use js_sys::futures::{JsFuture, spawn_local};
use js_sys::{Date, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

use super::errors::storage_error;
use super::wait::{Slot, sleep};
use crate::Result;
use crate::error::fail;

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`. web-sys has it only among its unstable interfaces.
    type Locks;

    #[wasm_bindgen(method, catch)]
    fn request(this: &Locks, name: &str, options: &Object, callback: &Function) -> Result<Promise, JsValue>;
}

/// This long an opening waits for somebody who removes the store.
const REMOVAL_MS: f64 = 10_000.0;
const PAUSE_MS: i32 = 40;

/// A lock that is held until this is dropped. Where the browser has no locks (plain http), it holds nothing.
pub struct Lock {
    /// Resolves the promise for which the browser holds the lock.
    over: Option<Function>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(over) = &self.over {
            let _ = over.call0(&JsValue::UNDEFINED);
        }
    }
}

/// Returns `navigator.locks`, or `None` where the browser has no locks: they need https or localhost.
fn locks() -> Option<Locks> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    let locks = Reflect::get(&navigator, &"locks".into()).ok()?;
    locks.is_object().then(|| locks.unchecked_into())
}

/// Asks for the lock once. Returns `None` if somebody else has it.
async fn ask(locks: &Locks, name: &str, mode: &str) -> Result<Option<Lock>> {
    let options = Object::new();
    for (key, value) in [("ifAvailable", JsValue::TRUE), ("mode", mode.into())] {
        Reflect::set(&options, &key.into(), &value).map_err(|thrown| storage_error(&thrown, "ask for a lock"))?;
    }
    let mut over = None;
    let held = Promise::new(&mut |resolve, _| over = Some(resolve));
    // The browser answers always, and at once: with `ifAvailable` it does not wait for the lock. Either it calls back,
    // or it rejects. A later rejection (Chromium drops its locks when storage is cleared) is not heard.
    let answered: Slot<Result<Option<Lock>, JsValue>> = Slot::new();
    let answer = answered.clone();
    let lock = Lock { over };
    let callback = Closure::once_into_js(move |granted: JsValue| -> JsValue {
        let is_granted = !granted.is_null();
        // If nobody waits for it any more, the lock is dropped here, and so released.
        answer.set(Ok(is_granted.then_some(lock)));
        if is_granted { held.into() } else { JsValue::UNDEFINED }
    });
    let asked = locks.request(name, &options, callback.unchecked_ref());
    let asked = asked.map_err(|thrown| storage_error(&thrown, "ask for a lock"))?;
    let answer = answered.clone();
    spawn_local(async move {
        if let Err(thrown) = JsFuture::from(asked).await {
            answer.set(Err(thrown));
        }
    });
    answered.await.map_err(|thrown| storage_error(&thrown, "the browser gives no lock"))
}

async fn take(name: &str, mode: &str, patience_ms: f64) -> Result<Option<Lock>> {
    let Some(locks) = locks() else { return Ok(Some(Lock { over: None })) };
    let deadline = Date::now() + patience_ms;
    loop {
        if let Some(lock) = ask(&locks, name, mode).await? {
            return Ok(Some(lock));
        }
        if Date::now() >= deadline {
            return Ok(None);
        }
        sleep(PAUSE_MS).await;
    }
}

/// Takes a lock that nobody shares. Returns `None` if somebody else keeps it.
#[cfg(feature = "indexeddb")]
pub async fn hold(name: &str) -> Result<Option<Lock>> {
    /// Browsers release the locks of a page or worker a little after it has ended.
    const LATE_RELEASE_MS: f64 = 1000.0;
    take(name, "exclusive", LATE_RELEASE_MS).await
}

/// Takes the lock under which a store is opened. Openings share it, and a removal has it alone.
pub async fn opening(name: &str) -> Result<Lock> {
    match take(&format!("nidus-wasm:kind:{name}"), "shared", REMOVAL_MS).await? {
        Some(lock) => Ok(lock),
        None => fail!(Locked, "the store \"{name}\" is being removed elsewhere: open it again when that is done"),
    }
}
