//! What a handle threw, kept beside the error that it became.

use std::cell::RefCell;
use std::fmt;

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};

use crate::error::error_from;
use crate::{Code, Error};

thread_local! {
    /// What a handle threw last. An `anyhow` error must be `Send`, which a `JsValue` is not, so it travels beside.
    static THROWN: RefCell<(u32, JsValue)> = const { RefCell::new((0, JsValue::UNDEFINED)) };
}

/// Stands in an error's chain for the JavaScript value that caused it.
struct Thrown {
    #[cfg_attr(not(feature = "bindings"), expect(dead_code, reason = "only JavaScript is given the value itself"))]
    number: u32,
    text: String,
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Thrown {}

fn text(value: &JsValue, property: &str) -> Option<String> {
    Reflect::get(value, &property.into()).ok()?.as_string()
}

fn code_of_thrown(value: &JsValue) -> Code {
    let code = text(value, "code");
    if let Some(known) = code.as_deref().and_then(Code::from_name) {
        return known;
    }
    let name = match value.dyn_ref::<web_sys::DomException>() {
        Some(exception) => Some(exception.name()),
        None => text(value, "name"),
    };
    match (name.as_deref(), code.as_deref()) {
        (Some("QuotaExceededError"), _) | (_, Some("ENOSPC" | "EDQUOT")) => Code::QuotaExceeded,
        _ => Code::StorageFailed,
    }
}

/// What a handle threw, as an error of ours.
pub fn from_js(value: JsValue) -> Error {
    let name = text(&value, "name").unwrap_or_else(|| "an exception".into());
    let message = text(&value, "message").or_else(|| value.as_string()).unwrap_or_default();
    let code = code_of_thrown(&value);
    let number = THROWN.with_borrow_mut(|thrown| {
        *thrown = (thrown.0.wrapping_add(1), value);
        thrown.0
    });
    let thrown = Thrown { number, text: format!("{name}: {message}") };
    error_from(code, "the storage threw", thrown)
}

/// The JavaScript value that caused this error, if it was the last one that a handle threw.
#[cfg(feature = "bindings")]
pub fn thrown_by(error: &Error) -> Option<JsValue> {
    let thrown = error.chain().find_map(|cause| cause.downcast_ref::<Thrown>())?;
    THROWN.with_borrow(|(number, value)| (*number == thrown.number).then(|| value.clone()))
}
