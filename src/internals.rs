//! Parts of the crate that its own tests and fuzz targets reach. They are no part of the API: any release may change
//! them or take them away.

pub use crate::attrs::{Interner, Packed};
pub use crate::search::codes::Tuning;

use crate::search::Filter;
use crate::segment::op::{self, Op, Reader};
use crate::{Meta, Result, Store};

/// The dot product and the norm.
pub mod kernel {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    pub use crate::search::kernel::simd;
    pub use crate::search::kernel::{dot, dots, norm_squared, normalize, norms_squared, scalar};
}

/// The inner loops over codes.
pub mod codes {
    pub use crate::search::codes::kernel;
    #[cfg(feature = "relaxed-simd")]
    pub use crate::search::codes::relaxed;
}

/// A sink that fails as it is told.
pub mod fault {
    pub use crate::sink::fault::{Fault, FaultSink, Faults};
}

/// Returns whether a text fits a glob pattern.
pub fn glob(pattern: &str, text: &str) -> bool {
    crate::search::filter::glob::matches(pattern, text)
}

/// Returns whether a text fits a glob pattern, both in lower case.
pub fn glob_any_case(pattern: &str, text: &str) -> bool {
    crate::search::filter::glob::matches_any_case(pattern, text)
}

/// Returns whether a filter matches packed attributes.
pub fn matches(filter: &Filter, attrs: Packed<'_>) -> bool {
    filter.matches(attrs)
}

/// Sets when and how a store makes codes, so that it can have codes for few rows.
pub fn tune(store: &mut Store, tuning: Tuning) {
    store.tune(tuning);
}

/// Adds metadata in the log's encoding.
pub fn put_meta(out: &mut Vec<u8>, meta: &Meta) {
    op::put_meta(out, meta);
}

/// Adds a frame that gives a row to a document without attributes.
pub fn put_upsert(out: &mut Vec<u8>, collection: &str, id: &str, row: u64) -> Result<()> {
    let no_attrs = [0; 8];
    let attrs = Reader::new(&no_attrs).attrs().map_err(|bad| bad.error(crate::Code::Corrupt, "attributes"))?;
    crate::segment::frame::put_frame(out, &Op::Upsert { collection, id, row, attrs, named: false })
}
