//! The data segment: a header of 64 bytes, and rows of `dimension` little-endian `f32`. All rows are in memory.

use super::matrix::{Matrix, widen};
use crate::error::{Context, error, fail, out_of_memory, within};
use crate::sink::{ByteSink, ByteSource};
use crate::{Code, Result};

const MAGIC: &[u8; 6] = b"NIDUS\0";
const VERSION: u16 = 1;
pub const HEADER_LEN: u64 = 64;
pub const MAX_DIMENSION: usize = 65_536;
/// While rows are read, memory for so many bytes of them is taken at a time.
const PIECE: usize = 1 << 18;
/// A row number has 32 bits, and one of the values means "none".
const MAX_ROWS: u64 = u32::MAX as u64 - 1;

fn header(dimension: usize) -> [u8; HEADER_LEN as usize] {
    let mut header = [0; HEADER_LEN as usize];
    header[..6].copy_from_slice(MAGIC);
    header[6..8].copy_from_slice(&VERSION.to_le_bytes());
    header[8..12].copy_from_slice(&(dimension as u32).to_le_bytes());
    header
}

/// Returns whether these first bytes can be those of a header that was not completely written.
fn begins_header(bytes: &[u8]) -> bool {
    let whole = header(0);
    bytes.iter().zip(whole).enumerate().all(|(at, (byte, expected))| (8..12).contains(&at) || *byte == expected)
}

fn decode_header(header: &[u8; HEADER_LEN as usize]) -> Result<usize> {
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
        fail!(UnsupportedVersion, "byte {} of the data's header is not zero: it asks for something that this version does not know", set + 12);
    }
    Ok(dimension)
}

pub(crate) fn check_dimension(dimension: usize) -> Result<usize> {
    if !(1..=MAX_DIMENSION).contains(&dimension) {
        fail!(InvalidArgument, "dimension {dimension} is not within 1 to {MAX_DIMENSION}");
    }
    Ok(dimension)
}

/// Reads the bytes of a data stream in pieces.
pub struct DataReader {
    total: u64,
    got: u64,
    header: [u8; HEADER_LEN as usize],
    expected: Option<usize>,
    max_bytes: Option<u64>,
    /// If true, the given dimension counts, whatever the header says.
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
    Rows { matrix: Matrix, cut_bytes: u64 },
}

impl DataReader {
    /// `total` is the real length of the stream. `expected` is a dimension that it must have.
    #[inline(never)]
    pub fn new(total: u64, expected: Option<usize>, max_bytes: Option<u64>) -> Result<Self> {
        let expected = expected.map(check_dimension).transpose()?;
        let header = [0; HEADER_LEN as usize];
        Ok(Self { total, got: 0, header, expected, max_bytes, lenient: false, keeps: false, all_zero: true, matrix: None, spill: Vec::new() })
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
            let at = usize::try_from(self.got - HEADER_LEN).map_err(|_| error(Code::Capacity, "the data is too long"))?;
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

    /// Says that the first `n` bytes of the last [`space`](Self::space) were filled.
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
            fail!(DimensionMismatch, "the store has dimension {dimension}, not {expected}: open it without one, or take another name for vectors of another model");
        }
        let rows = (self.total - HEADER_LEN) / (dimension as u64 * 4);
        let bytes = rows.saturating_mul(dimension as u64 * 4);
        if let Some(max) = self.max_bytes.filter(|max| bytes > *max) {
            fail!(Capacity, "the store has {bytes} bytes of vectors, more than maxVectorBytes ({max})");
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

    /// Reads at most `most` more bytes from `source`. Returns how many there were: 0 at the end.
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
                    fail!(Corrupt, "the data has {} bytes, and they are not those of nidus data; nothing was changed", self.total);
                }
                Ok(DataFound::Unfinished)
            }
        }
    }
}

/// Rows in memory and on a sink. Without a sink, they are only in memory.
pub struct DataSegment {
    sink: Option<Box<dyn ByteSink>>,
    matrix: Matrix,
    /// The number of rows on the sink. The rows behind them are staged.
    written: usize,
    broken: bool,
}

impl DataSegment {
    pub fn in_memory(dimension: usize) -> Result<Self> {
        Ok(Self { sink: None, matrix: Matrix::new(check_dimension(dimension)?), written: 0, broken: false })
    }

    /// Makes a new segment on a sink, and removes what the sink holds. Nothing is flushed.
    pub fn create(mut sink: Box<dyn ByteSink>, dimension: usize) -> Result<Self> {
        let segment = Self::in_memory(dimension)?;
        sink.truncate_to(0).context("clear the data")?;
        sink.append(&header(dimension)).context("write the data's header")?;
        Ok(Self { sink: Some(sink), ..segment })
    }

    /// Makes a segment of rows that were read and the sink that they are on. The caller must have cut off a partial row
    /// behind them.
    pub fn with_rows(sink: Option<Box<dyn ByteSink>>, matrix: Matrix) -> Self {
        Self { sink, written: matrix.len(), matrix, broken: false }
    }

    /// Opens or creates a segment on storage that can be read synchronously. Reads everything, and cuts off a partial
    /// row at the end.
    pub fn open<S: ByteSink + ByteSource + 'static>(mut sink: S, dimension: usize) -> Result<Self> {
        let mut reader = DataReader::new(ByteSink::len(&sink)?, Some(dimension), None)?;
        if (1..HEADER_LEN).contains(&reader.total()) {
            fail!(Corrupt, "the data has {} bytes, fewer than its header", reader.total());
        }
        while reader.pull(&mut sink, 1 << 22)? > 0 {}
        match reader.finish()? {
            DataFound::Unfinished if ByteSink::is_empty(&sink)? => Self::create(Box::new(sink), dimension),
            DataFound::Unfinished => fail!(Corrupt, "the data has a blank header"),
            DataFound::Rows { matrix, cut_bytes } => {
                if cut_bytes > 0 {
                    let keep = ByteSink::len(&sink)? - cut_bytes;
                    sink.truncate_to(keep).context("cut a partial row")?;
                }
                Ok(Self::with_rows(Some(Box::new(sink)), matrix))
            }
        }
    }

    pub fn dimension(&self) -> usize {
        self.matrix.dimension()
    }

    /// The number of rows on the sink.
    pub fn row_count(&self) -> usize {
        self.written
    }

    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    pub(crate) fn matrix_mut(&mut self) -> &mut Matrix {
        &mut self.matrix
    }

    /// The length of the stream: header and rows.
    pub fn bytes(&self) -> u64 {
        HEADER_LEN + self.written as u64 * self.dimension() as u64 * 4
    }

    pub fn row(&self, row: usize) -> Result<&[f32]> {
        if row >= self.written {
            fail!(InvalidArgument, "row {row} is not within the {} rows", self.written);
        }
        Ok(self.matrix.row(row))
    }

    /// Makes room for `count` rows behind all others. The caller fills them. Returns the number of the first one.
    pub fn stage(&mut self, count: usize) -> Result<usize> {
        let first = self.matrix.len();
        if (first as u64).saturating_add(count as u64) > MAX_ROWS {
            fail!(Capacity, "{count} rows more than {first} are too many");
        }
        self.matrix.reserve(count)?;
        Ok(first)
    }

    /// Forgets the staged rows from `rows` on.
    pub fn unstage(&mut self, rows: usize) {
        self.matrix.truncate(rows.max(self.written));
    }

    /// Appends the staged rows to the sink. After an error call [`roll_back`](Self::roll_back).
    pub fn write_staged(&mut self) -> Result<()> {
        self.usable()?;
        if let Some(sink) = &mut self.sink {
            for (_, rows) in self.matrix.spans(self.written, self.matrix.len()) {
                sink.append(bytemuck::cast_slice(rows)).context("append rows to the data")?;
            }
        }
        self.written = self.matrix.len();
        Ok(())
    }

    /// Returns sink and memory to `rows` rows.
    pub fn roll_back(&mut self, rows: usize) -> Result<()> {
        self.matrix.truncate(rows);
        self.written = self.written.min(rows);
        let len = self.bytes();
        match &mut self.sink {
            Some(sink) => sink.truncate_to(len).context("truncate the data"),
            None => Ok(()),
        }
    }

    fn usable(&self) -> Result<()> {
        if self.broken {
            fail!(Failed, "an earlier write could not be taken back: open the segment again");
        }
        Ok(())
    }

    /// Appends rows as they are: all of them, or none. Returns the number of the first one. They are durable after
    /// [`sync`](Self::sync).
    pub fn append(&mut self, count: usize, fill: impl FnOnce(&mut Matrix, usize)) -> Result<usize> {
        self.usable()?;
        let first = self.stage(count)?;
        self.matrix.grow(count)?;
        fill(&mut self.matrix, first);
        if let Err(error) = self.write_staged() {
            if let Err(second) = self.roll_back(first) {
                self.broken = true;
                return Err(within(error, &format!("the data could not be taken back ({second:#}) after this failed")));
            }
            return Err(error);
        }
        Ok(first)
    }

    /// Does what [`append`](Self::append) does, from a slice of complete rows.
    pub fn append_rows(&mut self, rows: &[f32]) -> Result<usize> {
        let count = self.whole_rows(rows.len())?;
        self.append(count, |matrix, first| fill_rows(matrix, first, rows))
    }

    pub fn whole_rows(&self, floats: usize) -> Result<usize> {
        let dimension = self.dimension();
        if !floats.is_multiple_of(dimension) {
            fail!(DimensionMismatch, "{floats} numbers are no whole rows of {dimension}");
        }
        Ok(floats / dimension)
    }

    /// Removes all rows but the first `rows`.
    pub fn truncate_to(&mut self, rows: usize) -> Result<()> {
        self.usable()?;
        if rows > self.written {
            fail!(InvalidArgument, "cannot truncate to {rows} rows: there are {}", self.written);
        }
        let len = HEADER_LEN + rows as u64 * self.dimension() as u64 * 4;
        if let Some(sink) = &mut self.sink {
            // The cut may have been made although it failed. Rows that are appended behind it would leave a gap.
            self.broken = true;
            sink.truncate_to(len).context("truncate the data")?;
            self.broken = false;
        }
        self.matrix.truncate(rows);
        self.written = rows;
        Ok(())
    }

    pub fn sync(&mut self) -> Result<()> {
        self.usable()?;
        match &mut self.sink {
            Some(sink) => sink.flush().context("flush the data"),
            None => Ok(()),
        }
    }

    /// Writes exactly `rows` to another sink, flushes it, and goes on there. After an error this segment is unchanged.
    pub fn rewrite_to(&mut self, sink: Box<dyn ByteSink>, rows: &[f32]) -> Result<()> {
        let count = self.whole_rows(rows.len())?;
        let mut other = Self::create(sink, self.dimension())?;
        other.append(count, |matrix, first| fill_rows(matrix, first, rows))?;
        other.sync()?;
        *self = other;
        Ok(())
    }

    /// Moves the segment to another sink, which already has its rows.
    pub(crate) fn adopt(&mut self, sink: Box<dyn ByteSink>) {
        self.sink = Some(sink);
    }

    pub(crate) fn adopted_rows(&mut self, rows: usize) {
        self.matrix.truncate(rows);
        self.written = rows;
    }

}

pub(crate) fn fill_rows(matrix: &mut Matrix, first: usize, mut rows: &[f32]) {
    let (mut at, end) = (first, matrix.len());
    while !rows.is_empty() && at < end {
        let dimension = matrix.dimension();
        let span = matrix.span_mut(at, end);
        let (now, later) = rows.split_at(span.len().min(rows.len()));
        span[..now.len()].copy_from_slice(now);
        at += now.len() / dimension;
        rows = later;
    }
}

pub(crate) fn header_bytes(dimension: usize) -> [u8; HEADER_LEN as usize] {
    header(dimension)
}
