//! The two streams of a store: `data` (header and rows) and `log` (operations).

mod crc32;
mod data;
mod header;
pub mod log;
mod matrix;
mod supplied;
pub mod op;
mod reader;
pub mod receipt;
pub mod rescue;

pub use data::DataSegment;
pub use header::{HEADER_LEN, MAX_DIMENSION};
pub use matrix::Matrix;
pub use reader::{DataFound, DataReader};
pub use supplied::Supplied;
pub(crate) use data::fill_rows;
pub(crate) use header::header_bytes;
