//! Errors become JavaScript errors with `code` and `cause`.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::sink::thrown_by;
use crate::{Error, code_of};

/// Makes a JavaScript `Error` from an error.
pub fn to_js(error: Error) -> JsValue {
    let js = js_sys::Error::new(&format!("{error:#}"));
    // Setting a property of a new object cannot fail.
    let _ = Reflect::set(&js, &"code".into(), &code_of(&error).name().into());
    if let Some(cause) = thrown_by(&error) {
        let _ = Reflect::set(&js, &"cause".into(), &cause);
    }
    js.into()
}

pub trait OrThrow<T> {
    fn or_throw(self) -> Result<T, JsValue>;
}

impl<T> OrThrow<T> for crate::Result<T> {
    fn or_throw(self) -> Result<T, JsValue> {
        self.map_err(to_js)
    }
}
