//! Sequences of calls, failures and bytes that once lost, mixed up or wasted something. They were found by attacking
//! the core.
#![cfg(not(target_arch = "wasm32"))]

#[path = "../shared/counting.rs"]
mod counting;
mod groups;
mod memory;
mod refusals;
mod sequences;
mod setup;
