//! The header of the data: its first 64 bytes.

use crate::Result;
use crate::error::fail;

const MAGIC: &[u8; 6] = b"NIDUS\0";
const VERSION: u16 = 1;
/// The bytes of the header of `data`, before the first row.
pub const HEADER_LEN: u64 = 64;
/// The most numbers in a vector.
pub const MAX_DIMENSION: usize = 65_536;
/// The most rows. The number of a row has 32 bits, and one of the values means "none".
pub(super) const MAX_ROWS: u64 = u32::MAX as u64 - 1;

pub(crate) fn header_bytes(dimension: usize) -> [u8; HEADER_LEN as usize] {
    let mut header = [0; HEADER_LEN as usize];
    header[..6].copy_from_slice(MAGIC);
    header[6..8].copy_from_slice(&VERSION.to_le_bytes());
    header[8..12].copy_from_slice(&(dimension as u32).to_le_bytes());
    header
}

/// Returns whether these first bytes can be those of a header that was not completely written.
pub(super) fn begins_header(bytes: &[u8]) -> bool {
    let whole = header_bytes(0);
    bytes.iter().zip(whole).enumerate().all(|(at, (byte, expected))| (8..12).contains(&at) || *byte == expected)
}

pub(super) fn decode_header(header: &[u8; HEADER_LEN as usize]) -> Result<usize> {
    if &header[..6] != MAGIC {
        fail!(Corrupt, "the data does not begin as nidus data does");
    }
    let version = u16::from_le_bytes([header[6], header[7]]);
    if version != VERSION {
        fail!(UnsupportedVersion, "the data has format version {version}; this version reads {VERSION}");
    }
    let dimension = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
    if !(1..=MAX_DIMENSION).contains(&dimension) {
        fail!(Corrupt, "the data's header has dimension {dimension}");
    }
    // Later natives name another metric than cosine here. 0.3.0 writes zeros, and would take such rows for unit
    // vectors.
    if let Some(set) = header[12..].iter().position(|byte| *byte != 0) {
        fail!(
            UnsupportedVersion,
            "byte {} of the data's header is not zero: it asks for something that this version does not know",
            set + 12
        );
    }
    Ok(dimension)
}

pub(crate) fn check_dimension(dimension: usize) -> Result<usize> {
    if !(1..=MAX_DIMENSION).contains(&dimension) {
        fail!(InvalidArgument, "dimension {dimension} is not within 1 to {MAX_DIMENSION}");
    }
    Ok(dimension)
}
