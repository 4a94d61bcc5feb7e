//! Reads the data, which comes in pieces.

use super::header::{HEADER_LEN, MAX_ROWS, begins_header, check_dimension, decode_header};
use super::matrix::{Matrix, widen};
use crate::error::{Context, error, fail, out_of_memory};
use crate::sink::ByteSource;
use crate::{Code, Result};

/// The bytes of rows that memory is taken for at a time, while rows are read.
const PIECE: usize = 1 << 18;

/// Reads the bytes of a data stream in pieces.
pub struct DataReader {
    total: u64,
    got: u64,
    header: [u8; HEADER_LEN as usize],
    expected: Option<usize>,
    max_bytes: Option<u64>,
    /// If true, the given dimension is used, whatever the header says.
    lenient: bool,
    /// If true, all rows stay in memory, and room for all of them may be taken at once.
    pub keeps: bool,
    all_zero: bool,
    matrix: Option<Matrix>,
    /// For bytes that belong to no row.
    spill: Vec<u8>,
}

/// The contents of a data stream.
pub enum DataFound {
    /// The stream is empty, or is the beginning of a header, or consists of zeros: its creation was interrupted.
    Unfinished,
    Rows {
        matrix: Matrix,
        cut_bytes: u64,
    },
}

impl DataReader {
    /// Makes a reader for a stream of `total` bytes. `expected` is the dimension that the stream must have, and
    /// `max_bytes` the most bytes that its rows may take.
    #[inline(never)]
    pub fn new(total: u64, expected: Option<usize>, max_bytes: Option<u64>) -> Result<Self> {
        let expected = expected.map(check_dimension).transpose()?;
        let header = [0; HEADER_LEN as usize];
        Ok(Self {
            total,
            got: 0,
            header,
            expected,
            max_bytes,
            lenient: false,
            keeps: false,
            all_zero: true,
            matrix: None,
            spill: Vec::new(),
        })
    }

    /// Makes a reader for damaged data. With a dimension it needs no header.
    pub fn lenient(total: u64, dimension: Option<usize>) -> Result<Self> {
        let mut reader = Self { lenient: dimension.is_some(), ..Self::new(total, dimension, None)? };
        if let Some(dimension) = dimension.filter(|_| total < HEADER_LEN) {
            reader.matrix = Some(Matrix::new(dimension));
        }
        Ok(reader)
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the number of rows, once the header has been read.
    pub fn rows(&self) -> Option<u64> {
        let stride = self.matrix.as_ref()?.dimension() as u64 * 4;
        Some(self.total.saturating_sub(HEADER_LEN) / stride)
    }

    /// Returns the rows so far, and how many of them are complete.
    pub fn rows_so_far(&mut self) -> Option<(&mut Matrix, usize)> {
        let matrix = self.matrix.as_mut()?;
        let whole = (self.got.saturating_sub(HEADER_LEN) / (matrix.dimension() as u64 * 4)) as usize;
        let rows = matrix.len().min(whole);
        Some((matrix, rows))
    }

    /// Returns room for the next bytes: at most `most`, perhaps fewer, and none at the end. Call
    /// [`filled`](Self::filled) with the number of bytes that were written there.
    pub fn space(&mut self, most: usize) -> Result<&mut [u8]> {
        let most = most.min(usize::try_from(self.total - self.got).unwrap_or(usize::MAX));
        if self.got < HEADER_LEN {
            let at = self.got as usize;
            let end = (at + most).min(HEADER_LEN as usize);
            return Ok(&mut self.header[at..end]);
        }
        if let Some(matrix) = &mut self.matrix {
            let stride = matrix.dimension() * 4;
            let rows = ((self.total - HEADER_LEN) / stride as u64) as usize;
            let at =
                usize::try_from(self.got - HEADER_LEN).map_err(|_| error(Code::Capacity, "the data is too long"))?;
            let (row, within) = (at / stride, at % stride);
            if row < rows {
                if row == matrix.len() {
                    // The pieces are so small that they are still in the cache when they are filled.
                    matrix.grow(most.min(PIECE).div_ceil(stride).clamp(1, rows - row))?;
                }
                let to = matrix.len();
                let bytes: &mut [u8] = bytemuck::cast_slice_mut(matrix.span_mut(row, to));
                let end = bytes.len().min(within.saturating_add(most));
                return Ok(&mut bytes[within..end]);
            }
        }
        let take = most.min(1 << 16);
        if self.spill.len() < take {
            self.spill.try_reserve_exact(take).map_err(|_| out_of_memory("reading", take))?;
            self.spill.resize(take, 0);
        }
        Ok(&mut self.spill[..take])
    }

    /// Takes over the first `n` bytes of the last [`space`](Self::space), which the caller has filled.
    pub fn filled(&mut self, n: usize) -> Result<()> {
        let before = self.got;
        self.got += n as u64;
        if before >= HEADER_LEN {
            if self.matrix.is_none() && self.all_zero {
                self.all_zero = self.spill[..n].iter().all(|byte| *byte == 0);
                if !self.all_zero {
                    fail!(Corrupt, "the data's header is blank, yet rows follow");
                }
            }
            return Ok(());
        }
        self.all_zero = self.header.iter().all(|byte| *byte == 0);
        if self.got < HEADER_LEN || (self.all_zero && !self.lenient) {
            return Ok(());
        }
        let dimension = match self.expected {
            Some(dimension) if self.lenient => dimension,
            _ => decode_header(&self.header)?,
        };
        if let Some(expected) = self.expected.filter(|expected| *expected != dimension) {
            fail!(
                DimensionMismatch,
                "the store has dimension {dimension}, not {expected}: open it with {dimension}, or use another name \
                 for vectors of another model"
            );
        }
        let rows = (self.total - HEADER_LEN) / (dimension as u64 * 4);
        let bytes = rows.saturating_mul(dimension as u64 * 4);
        if let Some(max) = self.max_bytes.filter(|max| bytes > *max) {
            fail!(Capacity, "the store has {bytes} bytes of vectors: raise maxVectorBytes ({max})");
        }
        if rows > MAX_ROWS || usize::try_from(bytes).is_err() {
            fail!(Capacity, "the store has {rows} rows, too many for this machine's addresses");
        }
        if self.keeps {
            widen(bytes as usize);
        }
        self.matrix = Some(Matrix::new(dimension));
        Ok(())
    }

    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let space = self.space(bytes.len())?;
            if space.is_empty() {
                fail!(StorageFailed, "the data was said to have {} bytes and has more", self.total);
            }
            let (now, later) = bytes.split_at(space.len());
            space.copy_from_slice(now);
            let n = now.len();
            self.filled(n)?;
            bytes = later;
        }
        Ok(())
    }

    /// Reads at most `most` more bytes from `source`. Returns the number of bytes read: 0 at the end.
    pub fn pull(&mut self, source: &mut dyn ByteSource, most: usize) -> Result<usize> {
        let mut read = 0;
        while read < most {
            let at = self.got;
            let space = self.space(most - read)?;
            if space.is_empty() {
                break;
            }
            source.read_exact_at(at, space).context("read the data")?;
            let n = space.len();
            self.filled(n)?;
            read += n;
        }
        Ok(read)
    }

    pub fn finish(self) -> Result<DataFound> {
        if self.got != self.total {
            fail!(StorageFailed, "the data was said to have {} bytes and has {}", self.total, self.got);
        }
        match self.matrix {
            Some(matrix) => {
                let cut_bytes = self.total.saturating_sub(HEADER_LEN) % (matrix.dimension() as u64 * 4);
                Ok(DataFound::Rows { matrix, cut_bytes })
            }
            None => {
                let begun = &self.header[..self.total.min(HEADER_LEN) as usize];
                if !self.all_zero && !begins_header(begun) {
                    fail!(
                        Corrupt,
                        "the data has {} bytes, and they are not those of nidus data; nothing was changed",
                        self.total
                    );
                }
                Ok(DataFound::Unfinished)
            }
        }
    }
}
