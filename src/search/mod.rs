//! Exact search: dot products, the best k of them, and the predicates on attributes.

pub mod filter;
pub mod glob;
pub mod kernel;
mod scan;
mod topk;

pub use filter::Filter;
pub use scan::scan_rows;
pub use topk::TopK;
