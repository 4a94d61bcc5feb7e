//! Exact search: dot products, the best k of them, and the predicates on attributes.

mod bits;
mod cascade;
pub(crate) mod codes;
mod column;
mod columns;
pub(crate) mod filter;
pub(crate) mod kernel;
mod scan;
mod state;
mod topk;

pub use filter::{Bound, Filter, MAX_DEPTH, MAX_PARTS, MAX_PATTERN, MAX_PATTERNS, MAX_VALUES};

pub(crate) use bits::Bits;
pub(crate) use cascade::{Among, Cascade, Memo, TOGETHER};
pub(crate) use codes::{Codes, Share, Tuning};
pub(crate) use columns::Columns;
pub(crate) use scan::scan_rows;
pub(crate) use state::SearchState;
pub(crate) use topk::TopK;
