//! The two streams of a store: `data` (header and rows) and `log` (operations).

mod batch;
pub(crate) mod changes;
mod crc32;
mod data;
pub(crate) mod frame;
mod header;
mod log;
mod matrix;
pub(crate) mod op;
mod reader;
pub(crate) mod receipt;
mod replay;
pub(crate) mod rescue;
mod run;
mod supplied;

pub use batch::Batch;
pub use data::DataSegment;
pub use header::{HEADER_LEN, MAX_DIMENSION};
pub use matrix::Matrix;
pub use receipt::{Receipt, Sender};
pub use rescue::LogDamage;
pub use supplied::{Step, Supplied};

#[cfg(any(all(target_arch = "wasm32", feature = "opfs"), not(target_arch = "wasm32"), test))]
pub(crate) use crc32::crc32;
#[cfg(feature = "text")]
pub(crate) use crc32::crc32_more;
pub(crate) use data::fill_rows;
pub(crate) use header::header_bytes;
pub(crate) use log::{Failure, LogContents, LogSegment};
pub(crate) use reader::{DataFound, DataReader};
pub(crate) use replay::Replay;
pub(crate) use run::{Run, RunMark};
