//! The fuzzed functions are in the tests, which replay the corpus through them.

#[path = "../../tests/fuzz/targets/mod.rs"]
pub mod targets;
