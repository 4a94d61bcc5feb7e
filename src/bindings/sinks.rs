use wasm_bindgen::JsValue;
use web_sys::FileSystemSyncAccessHandle;

use super::error::OrThrow;
use crate::sink::{ByteSink, HandleSink};

type Sink = Box<dyn ByteSink>;

/// Makes the two sinks of a store.
pub fn sinks(
    data: FileSystemSyncAccessHandle,
    log: FileSystemSyncAccessHandle,
    lend_views: bool,
) -> Result<(Sink, Sink), JsValue> {
    let data = HandleSink::new(data, lend_views).or_throw()?;
    let log = HandleSink::new(log, lend_views).or_throw()?;
    Ok((Box::new(data), Box::new(log)))
}
