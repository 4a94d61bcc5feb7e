//! The origin's register of stores: which kind of storage each one has. The TypeScript package looks there first, so a
//! store that Rust made is found by it, and neither makes a second store of the same name in another kind.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

use super::database::{connect, transact};
use crate::error::{Context, code_of, fail};
use crate::sink::from_js;
use crate::{Code, Result};

const DATABASE: &str = "nidus-wasm";
const STORES: &str = "stores";

/// Returns the recorded kind of a store. With `record`, a store without a kind gets this one, durably.
async fn recorded(name: &str, kind: &str, record: bool) -> Result<Option<String>> {
    let make = |db: &web_sys::IdbDatabase| db.create_object_store(STORES).map(drop);
    let db = match connect(DATABASE, "list of stores", record.then_some(make)).await {
        Err(missing) if code_of(&missing) == Code::NotFound => return Ok(None),
        db => db?,
    };
    let found: Rc<RefCell<Option<String>>> = Rc::default();
    let (to, name, kind) = (found.clone(), JsValue::from(name), kind.to_string());
    let mode = if record { "readwrite" } else { "readonly" };
    let answer = transact(
        &db,
        &[STORES],
        mode,
        move |transaction| {
            let stores = transaction.store(STORES)?;
            transaction.then(stores.get(&name), move |row| {
                let known = Reflect::get(&row, &"kind".into()).ok().and_then(|kind| kind.as_string());
                if known.is_none() && record {
                    let row = Object::new();
                    Reflect::set(&row, &"kind".into(), &kind.as_str().into()).map_err(from_js)?;
                    stores.put_with_key(&row, &name).map_err(from_js)?;
                }
                *to.borrow_mut() = known;
                Ok(())
            })
        },
        |_| {},
    );
    answer.await.map_err(|ended| ended.into_error())?;
    Ok(found.take())
}

/// Checks that a store of this name is of this kind, or is none yet. With `record` it is of this kind from now on.
///
/// Where IndexedDB cannot be used, there is no register. A store in OPFS does without: whoever named the kind will name
/// it again.
pub async fn agree(name: &str, kind: &str, record: bool) -> Result<()> {
    match recorded(name, kind, record).await {
        Ok(Some(other)) if other != kind => {
            fail!(
                StorageUnavailable,
                "the store \"{name}\" is kept in {other}, not in {kind}: open it there, or use another name"
            )
        }
        Err(blind) if code_of(&blind) == Code::StorageUnavailable && kind == "opfs" => Ok(()),
        found => found.map(drop).context(&format!("the kind of storage of \"{name}\" could not be recorded")),
    }
}
