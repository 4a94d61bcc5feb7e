//! The two streams of a store: `data` (header and rows) and `log` (operations).

mod batch;
mod crc32;
mod data;
pub mod frame;
mod header;
mod log;
mod matrix;
pub mod op;
mod reader;
pub mod receipt;
mod replay;
pub mod rescue;
mod run;
mod supplied;

pub use batch::Batch;
pub use data::DataSegment;
pub(crate) use data::fill_rows;
pub(crate) use header::header_bytes;
pub use header::{HEADER_LEN, MAX_DIMENSION};
pub(crate) use log::{Failure, LogContents, LogSegment};
pub use matrix::Matrix;
pub use reader::{DataFound, DataReader};
pub(crate) use replay::Replay;
pub(crate) use run::{Run, RunMark};
pub use supplied::{Step, Supplied};
