//! What is fuzzed lies with the tests, which replay the corpus through the same functions.

#[path = "../../tests/fuzz/targets/mod.rs"]
pub mod targets;
