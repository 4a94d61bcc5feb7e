//! The core of nidus-wasm: an exact, durable vector store over a pluggable byte sink.
//!
//! - In a browser: the module `browser`, by the features `opfs` (in a worker) and `indexeddb` (in a page).
//! - In files: `Store::open_dir`, which takes no lock.
//! - In memory: [`Store::in_memory`].
//!
//! A store is two append-only byte streams, `data` (rows of `f32`) and `log` (operations). Their bytes are those that
//! the native crate `nidus` 0.3.0 writes. The core itself opens no file: it is fed the bytes of both streams, and it
//! writes to two [`sink::ByteSink`]s. The three above do that for you.
//!
//! ```
//! use nidus_wasm::{Batch, OpenOptions, Query, Store, sink::MemorySink};
//!
//! let options = OpenOptions { dimension: Some(3), ..Default::default() };
//! let mut db = Store::create(MemorySink::new(), MemorySink::new(), options)?;
//! let mut batch = Batch::new();
//! batch.push("a", &[("lang", "rust".into())]);
//! db.stage_upsert("docs", batch.len(), batch.bytes(), &[1.0, 0.0, 0.0])?;
//! db.commit()?;
//! let hits = db.search(&[1.0, 0.1, 0.0], &Query { top_k: 5, ..Default::default() })?;
//! assert_eq!(hits[0].id, "a");
//! # Ok::<(), nidus_wasm::Error>(())
//! ```
//!
//! Other wasm modules can use the core, too. The default feature `bindings` is what the npm package exports to
//! JavaScript. Without it, the core needs nothing from its host except the sinks that you pass. `examples/rust-wasm` in
//! the repository is such a module.
//!
//! In a browser, the features `opfs` and `indexeddb` keep a store from Rust alone. Leave out the default features
//! (`cargo add nidus-wasm --no-default-features --features indexeddb`). `docs/guides/rust.md` in the repository is the
//! guide. With only the feature `handle` there is `sink::HandleSink`, over handles that you open. These features work
//! with any wasm-bindgen 0.2 from 0.2.130 on, and export nothing.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(not(target_endian = "little"))]
compile_error!("rows are kept in memory exactly as they are on the medium, which is little-endian");

mod attrs;
#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
mod bindings;
#[cfg(any(all(target_arch = "wasm32", any(feature = "opfs", feature = "indexeddb")), test))]
pub mod browser;
mod bytes;
mod error;
mod hash;
#[doc(hidden)]
pub mod internals;
mod lower;
mod mutant;
mod order;
pub mod search;
pub mod segment;
pub mod sink;
pub mod store;
#[cfg(feature = "text")]
pub mod text;
mod types;

pub use error::{Code, Error, Result, code_of, error, error_from};
pub use search::Filter;
pub use segment::{Batch, DataSegment};
pub use store::{OpenOptions, Opening, Query, Salvage, Salvaged, Store};
pub use types::{Footprint, Hit, Meta, Record, Recovery, Value};

/// Returns the number of cases that a generated test runs: `all` in `npm run test:long`, and `few` otherwise.
#[cfg(test)]
pub(crate) fn few_or(few: u32, all: u32) -> u32 {
    if std::env::var_os("NIDUS_EVERY_CASE").is_some() { all } else { few }
}
