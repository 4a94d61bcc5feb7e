//! Exact search: dot products, the best k of them, and the predicates on attributes.

mod bits;
mod cascade;
pub mod codes;
mod columns;
pub mod filter;
pub mod glob;
pub mod kernel;
mod scan;
mod state;
mod topk;

pub use bits::Bits;
pub use cascade::{Among, Cascade, Memo, TOGETHER};
pub use codes::{Codes, Share, Tuning};
pub use columns::Columns;
pub use filter::Filter;
pub use scan::scan_rows;
pub(crate) use state::SearchState;
pub use topk::TopK;
