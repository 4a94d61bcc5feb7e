//! Stores in a browser's own storage, from Rust alone: the features `opfs` and `indexeddb`.
//!
//! Both kinds keep what the TypeScript package keeps, under the same names and locks. So each opens the other's stores,
//! and one that is open in one of them is [`LOCKED`](crate::Code::Locked) for the other.
//!
//! | | [`OpfsFiles`] | [`IdbFiles`] |
//! | --- | --- | --- |
//! | where | in a dedicated worker | in a page, in every kind of worker |
//! | opening a store | synchronous, once the files are open | asynchronous |
//! | a write is durable when | [`Store::commit`](crate::Store::commit) returns | the future of `commit_store` is ready |
//! | compaction | synchronous | asynchronous |
//! | how fast | synchronous, quick for small writes | one transaction for each commit |
//!
//! Write with `commit_store` of the files in both. At the end, flush a relaxed store, drop the store, and close the
//! files.
//!
//! `docs/guides/rust.md` in the repository is the guide, and `examples/rust-opfs` and `examples/rust-indexeddb` are pages
//! that use them.

#[cfg(target_arch = "wasm32")]
mod database;
#[cfg(target_arch = "wasm32")]
mod errors;
#[cfg(any(feature = "indexeddb", test))]
mod indexeddb;
#[cfg(target_arch = "wasm32")]
mod locks;
#[cfg(any(feature = "opfs", test))]
mod opfs;
#[cfg(target_arch = "wasm32")]
mod register;
#[cfg(target_arch = "wasm32")]
mod wait;

#[cfg(all(target_arch = "wasm32", feature = "indexeddb"))]
pub use indexeddb::{IdbFiles, IdbSink};
#[cfg(all(target_arch = "wasm32", feature = "opfs"))]
pub use opfs::{OpfsFiles, OpfsSink};

/// A compaction of a store, until its new files are current. If it is dropped before, the store goes on with the old
/// ones, or fails if nobody knows which are current.
#[cfg(target_arch = "wasm32")]
struct Compacting<'a, F: FnOnce()> {
    store: &'a mut crate::Store,
    is_promoting: bool,
    is_over: bool,
    forget: Option<F>,
}

#[cfg(target_arch = "wasm32")]
impl<'a, F: FnOnce()> Compacting<'a, F> {
    /// `forget` is called if this is dropped.
    fn new(store: &'a mut crate::Store, forget: F) -> Self {
        Self { store, is_promoting: false, is_over: false, forget: Some(forget) }
    }

    fn store(&mut self) -> &mut crate::Store {
        self.store
    }

    fn promoting(&mut self) {
        self.is_promoting = true;
    }

    fn give_up(&mut self) {
        self.is_over = true;
        self.store.abandon_compaction();
    }

    fn adopt(mut self) -> crate::Result<()> {
        self.is_over = true;
        self.store.adopt_compaction()?;
        while !self.store.adopt_step()? {}
        Ok(())
    }
}

#[cfg(target_arch = "wasm32")]
impl<F: FnOnce()> Drop for Compacting<'_, F> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.store.abandon_compaction();
        if self.is_promoting {
            self.store.fail("a compaction was interrupted while its files became current");
        }
        if let Some(forget) = self.forget.take() {
            forget();
        }
    }
}

/// The code of the guide, compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/rust.md")]
struct Guide;
