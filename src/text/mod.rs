//! Keyword search. Texts and questions are cut into words. Words are folded, so that a question finds a word that is
//! written in another way, for instance with a capital or an accent.
//!
//! This module needs the feature `text`.

#[cfg(all(target_arch = "wasm32", feature = "text-bindings"))]
mod bindings;
pub mod index;
pub mod search;
pub mod words;
