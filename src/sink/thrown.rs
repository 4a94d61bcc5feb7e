//! The JavaScript values that handles throw, kept beside the errors that they cause.

use std::cell::RefCell;
use std::fmt;

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};

use crate::error::error_from;
use crate::{Code, Error};

thread_local! {
    /// The last value that a handle threw, and its number. An `anyhow` error must be `Send`, and a `JsValue` is not, so
    /// the error cannot hold it.
    static THROWN: RefCell<(u32, JsValue)> = const { RefCell::new((0, JsValue::UNDEFINED)) };
}

/// Stands for the JavaScript value in an error's chain of causes.
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

/// Makes an error from a value that a handle threw.
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

/// Returns the JavaScript value that caused this error, if it is the last one that a handle threw.
#[cfg(feature = "bindings")]
pub fn thrown_by(error: &Error) -> Option<JsValue> {
    let thrown = error.chain().find_map(|cause| cause.downcast_ref::<Thrown>())?;
    THROWN.with_borrow(|(number, value)| (*number == thrown.number).then(|| value.clone()))
}
