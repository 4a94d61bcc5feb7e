//! The data segment: a header of 64 bytes, and rows of `dimension` little-endian `f32`. The rows are in memory, too,
//! except those that compact memory has removed.

use super::header::{HEADER_LEN, MAX_ROWS, check_dimension, header_bytes};
use super::matrix::Matrix;
use super::reader::{DataFound, DataReader};
use crate::Result;
use crate::error::{Context, fail, within};
use crate::sink::{ByteSink, ByteSource};

/// Rows in memory and on a sink. Without a sink, they are only in memory.
pub struct DataSegment {
    sink: Option<Box<dyn ByteSink>>,
    matrix: Matrix,
    /// The number of rows on the sink. The rows behind them are staged.
    written: usize,
    broken: bool,
}

impl DataSegment {
    /// Makes a segment that is only in memory. Fails if the dimension is not 1 to 65,536.
    pub fn in_memory(dimension: usize) -> Result<Self> {
        Ok(Self { sink: None, matrix: Matrix::new(check_dimension(dimension)?), written: 0, broken: false })
    }

    /// Makes a new segment on a sink, and removes what the sink holds. Nothing is flushed.
    pub fn create(mut sink: Box<dyn ByteSink>, dimension: usize) -> Result<Self> {
        let segment = Self::in_memory(dimension)?;
        sink.truncate_to(0).context("clear the data")?;
        sink.append(&header_bytes(dimension)).context("write the data's header")?;
        Ok(Self { sink: Some(sink), ..segment })
    }

    /// Makes a segment of rows that were read and the sink that they are on. The caller must have cut off a partial row
    /// behind them.
    pub(crate) fn with_rows(sink: Option<Box<dyn ByteSink>>, matrix: Matrix) -> Self {
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

    /// Returns the number of numbers in a row.
    pub fn dimension(&self) -> usize {
        self.matrix.dimension()
    }

    /// Returns the number of rows on the sink.
    pub fn row_count(&self) -> usize {
        self.written
    }

    pub(crate) fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    pub(crate) fn matrix_mut(&mut self) -> &mut Matrix {
        &mut self.matrix
    }

    /// Returns the length of the stream in bytes: header and rows.
    pub fn bytes(&self) -> u64 {
        HEADER_LEN + self.written as u64 * self.dimension() as u64 * 4
    }

    /// Returns a row as it was given. Fails with `INVALID_ARGUMENT` if there is no such row.
    pub fn row(&self, row: usize) -> Result<&[f32]> {
        if row >= self.written {
            fail!(InvalidArgument, "row {row} is not within the {} rows", self.written);
        }
        Ok(self.matrix.row(row))
    }

    /// Makes room for `count` rows behind all others. The caller fills them. Returns the number of the first one.
    pub(crate) fn stage(&mut self, count: usize) -> Result<usize> {
        let first = self.matrix.len();
        if (first as u64).saturating_add(count as u64) > MAX_ROWS {
            fail!(Capacity, "{first} rows and {count} more are above the limit of {MAX_ROWS}");
        }
        self.matrix.reserve(count)?;
        Ok(first)
    }

    /// Removes the staged rows from `rows` on.
    pub(crate) fn unstage(&mut self, rows: usize) {
        self.matrix.truncate(rows.max(self.written));
    }

    /// Appends the staged rows to the sink. After an error call [`roll_back`](Self::roll_back).
    pub(crate) fn write_staged(&mut self) -> Result<()> {
        self.usable()?;
        if let Some(sink) = &mut self.sink {
            for (_, rows) in self.matrix.spans(self.written, self.matrix.len()) {
                sink.append(bytemuck::cast_slice(rows)).context("append rows to the data")?;
            }
        }
        self.written = self.matrix.len();
        Ok(())
    }

    /// Cuts sink and memory back to the first `rows` rows.
    pub(crate) fn roll_back(&mut self, rows: usize) -> Result<()> {
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
    pub(crate) fn append(&mut self, count: usize, fill: impl FnOnce(&mut Matrix, usize)) -> Result<usize> {
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

    /// Adds complete rows, all or none, as they are. Returns the number of the first one.
    pub fn append_rows(&mut self, rows: &[f32]) -> Result<usize> {
        let count = self.whole_rows(rows.len())?;
        self.append(count, |matrix, first| fill_rows(matrix, first, rows))
    }

    pub(crate) fn whole_rows(&self, floats: usize) -> Result<usize> {
        let dimension = self.dimension();
        if !floats.is_multiple_of(dimension) {
            fail!(DimensionMismatch, "{floats} numbers are no multiple of the dimension ({dimension})");
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

    /// Makes all rows durable.
    pub fn sync(&mut self) -> Result<()> {
        self.usable()?;
        match &mut self.sink {
            Some(sink) => sink.flush().context("flush the data"),
            None => Ok(()),
        }
    }

    /// Writes exactly `rows` to another sink, flushes it, and uses that sink from then on. After an error this segment
    /// is unchanged.
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
