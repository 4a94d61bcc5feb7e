//! Both directions with the native crate `nidus` 0.3.0: the same operations give the same files, and each opens the
//! other's store.
#![cfg(not(target_arch = "wasm32"))]

mod beside;
mod crash;
#[path = "../shared/crc32.rs"]
mod crc32;
mod generate;
mod golden;
#[path = "../golden/mod.rs"]
mod golden_files;
mod lock;
mod newer;
mod normalize;
mod operations;
mod pair;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../shared/random.rs"]
mod random;
mod receipts;
mod search;
mod updates;
