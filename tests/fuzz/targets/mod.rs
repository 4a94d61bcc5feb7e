//! What is fuzzed. Each target takes any bytes and panics where a promise does not hold. The corpus in this crate is replayed by the
//! tests beside; the crate `fuzz` hands the same functions to libFuzzer.

mod codec;
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
