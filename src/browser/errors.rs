//! Errors from what the browser throws while a store is being opened.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::error::error;
use crate::{Code, Error};

/// Returns the name of an error of JavaScript, or nothing.
pub fn name_of(thrown: &JsValue) -> String {
    Reflect::get(thrown, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default()
}

/// Makes an error from a value that the browser threw while `doing` something that an opening needs. Some kinds of error
/// mean there that the storage cannot be used at all.
pub fn storage_error(thrown: &JsValue, doing: &str) -> Error {
    let name = name_of(thrown);
    let code = match name.as_str() {
        "QuotaExceededError" => Code::QuotaExceeded,
        "NoModificationAllowedError" => Code::Locked,
        "NotFoundError" => Code::NotFound,
        "SecurityError" | "UnknownError" | "NotSupportedError" | "NotAllowedError" => Code::StorageUnavailable,
        _ => Code::StorageFailed,
    };
    let text = Reflect::get(thrown, &"message".into()).ok().and_then(|message| message.as_string());
    let text = text.or_else(|| thrown.as_string()).unwrap_or_else(|| "something that has no text".into());
    error(code, format!("{doing}: {name}: {text}"))
}
