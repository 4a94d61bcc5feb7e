//! A store in the origin private file system.

#[cfg(target_arch = "wasm32")]
mod files;
#[cfg(target_arch = "wasm32")]
mod folder;
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "only its tests run natively"))]
mod head;
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "only its tests run natively"))]
mod owner;
#[cfg(target_arch = "wasm32")]
mod sink;

#[cfg(target_arch = "wasm32")]
pub use files::OpfsFiles;
#[cfg(target_arch = "wasm32")]
pub use sink::OpfsSink;
