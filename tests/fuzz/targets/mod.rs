//! The fuzzed functions. Each target takes any bytes and panics if a promise does not hold. The tests in `tests/fuzz`
//! replay the corpus of this crate. The crate `fuzz` gives the same functions to libFuzzer.

mod codec;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../shared/counting.rs"]
mod counting;
#[path = "../../shared/crc32.rs"]
mod crc32;
pub mod data;
pub mod glob_filter;
mod input;
pub mod log;
mod medium;
mod memory;
mod model;
mod naive_filter;
pub mod ops;
mod oracle;
pub mod segment;
