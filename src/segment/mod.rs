//! The two streams of a store: `data` (header and rows) and `log` (operations).

mod crc32;
mod data;
pub mod log;
mod matrix;
mod supplied;
pub mod op;
pub mod receipt;
pub mod rescue;

pub use data::{DataFound, DataReader, DataSegment, HEADER_LEN, MAX_DIMENSION};
pub use matrix::Matrix;
pub use supplied::Supplied;
pub(crate) use data::{fill_rows, header_bytes};
