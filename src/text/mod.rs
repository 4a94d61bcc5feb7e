//! Keyword search: texts are cut into words, which are folded so that what is typed meets what is written.
//!
//! This module needs the feature `text`.

pub mod index;
pub mod search;
pub mod words;
