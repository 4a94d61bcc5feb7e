//! A store in IndexedDB.

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "only its tests run natively"))]
mod extents;
#[cfg(target_arch = "wasm32")]
mod files;
#[cfg(target_arch = "wasm32")]
mod opening;
#[cfg(target_arch = "wasm32")]
mod put;
#[cfg(target_arch = "wasm32")]
mod renew;
#[cfg(target_arch = "wasm32")]
mod row;
#[cfg(target_arch = "wasm32")]
mod shared;
#[cfg(target_arch = "wasm32")]
mod sink;

#[cfg(target_arch = "wasm32")]
pub use files::IdbFiles;
#[cfg(target_arch = "wasm32")]
pub use sink::IdbSink;
