//! Keyword search: texts are cut into words, which are folded so that what is typed meets what is written.
//!
//! This module needs the feature `text`.

#[cfg(all(target_arch = "wasm32", feature = "text-bindings"))]
mod bindings;
pub mod index;
pub mod search;
pub mod words;
