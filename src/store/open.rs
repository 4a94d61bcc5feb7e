use super::Store;
use super::index::{Index, row_beyond_data};
use super::receipts::Receipts;
use super::staged::Staged;
use crate::error::{Context, error, fail};
use crate::mutant::mutant;
use crate::search::{Codes, SearchState, Tuning};
use crate::segment::{
    DataFound, DataReader, DataSegment, HEADER_LEN, LogContents, LogSegment, Matrix, Replay, fill_rows,
};
use crate::sink::{ByteSink, ByteSource};
use crate::{Code, Recovery, Result};

/// How a store is opened. By default it can be written to, every write is durable when it is acknowledged, and there
/// are no limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// The number of numbers in a vector: 1 to 65,536. Needed only to create a store.
    pub dimension: Option<usize>,
    /// Refuses every write, and leaves the files as they are.
    pub read_only: bool,
    /// Writes are acknowledged before they are durable. The log is held back until the data is flushed.
    pub relaxed: bool,
    /// The sinks only keep the bytes. The host makes them durable with its `commit`: all of them, or none.
    pub transactional: bool,
    /// The most bytes that the rows may take, dead rows included.
    pub max_vector_bytes: Option<u64>,
    /// Refuses values that native 0.3.0 does not know.
    pub only_0_3: bool,
    /// Compact memory: rows that have codes are not kept in memory. The caller of a read or a search supplies the rows
    /// that it asks for.
    pub compact: bool,
}

/// The tuning for compact memory. Rows get no codes until there are enough of them for a basis. Codes that are made
/// earlier would have to be made again with the basis, and for that the rows would have to be read again.
const COMPACT: Tuning = Tuning { least_rows: Tuning::DEFAULT.basis_rows, whole: false, ..Tuning::DEFAULT };

/// A store that is being opened. It is fed the bytes of the log and of the data, each from its beginning, in pieces of
/// any size, and in any order between the two.
pub struct Opening {
    options: OpenOptions,
    data: DataReader,
    log_total: u64,
    replay: Replay,
    max_rows: u64,
    index: Index,
    contents: LogContents,
    receipts: Receipts,
    /// With compact memory, codes are made while the rows are read.
    codes: Option<Codes>,
}

impl Opening {
    /// Begins an opening. The lengths are the real ones of the two streams, in bytes.
    pub fn new(options: OpenOptions, data_len: u64, log_len: u64) -> Result<Self> {
        let mut data = DataReader::new(data_len, options.dimension, options.max_vector_bytes)?;
        data.keeps = !options.compact;
        Ok(Self {
            options,
            data,
            log_total: log_len,
            replay: Replay::new(log_len),
            // This is an upper limit. The number of rows is known once the header of the data has been read.
            max_rows: data_len.saturating_sub(HEADER_LEN) / 4,
            index: Index::default(),
            contents: LogContents::default(),
            receipts: Receipts::default(),
            codes: None,
        })
    }

    /// Takes the next bytes of the data. Fails with `CORRUPT` or `UNSUPPORTED_VERSION` if they are not the data of a
    /// store.
    pub fn feed_data(&mut self, bytes: &[u8]) -> Result<()> {
        self.data.feed(bytes)?;
        self.code()
    }

    /// Returns the number of rows if the store has compact memory and enough rows for a basis, once the header of the
    /// data has been read. Then give some thousand of the rows, from all over the data, to [`sample`](Self::sample),
    /// before the rows are fed. Returns `None` in every other case, and after `sample`.
    pub fn wants_sample(&self) -> Option<u64> {
        let rows = self.data.rows().filter(|_| self.options.compact && self.codes.is_none())?;
        (rows >= COMPACT.basis_rows as u64).then_some(rows)
    }

    /// Returns the number of numbers in a vector, or 0 before the header of the data has been read.
    pub fn dimension(&mut self) -> usize {
        self.data.rows_so_far().map_or(0, |(matrix, _)| matrix.dimension())
    }

    /// Takes some of the rows, one after the other, and makes the basis from them. See
    /// [`wants_sample`](Self::wants_sample).
    pub fn sample(&mut self, rows: &[f32]) -> Result<()> {
        let (Some(total), Some((matrix, _))) = (self.data.rows(), self.data.rows_so_far()) else { return Ok(()) };
        let mut sample = Matrix::new(matrix.dimension());
        sample.grow(rows.len() / matrix.dimension())?;
        fill_rows(&mut sample, 0, rows);
        let mut codes = Codes::new(matrix.dimension(), COMPACT);
        codes.prime(&sample, total as usize)?;
        self.codes = Some(codes);
        Ok(())
    }

    fn code(&mut self) -> Result<()> {
        if let (Some(codes), Some((matrix, rows))) = (&mut self.codes, self.data.rows_so_far()) {
            codes.catch_up(matrix, rows)?;
            matrix.let_go(codes.rows());
        }
        Ok(())
    }

    /// Takes the next bytes of the log. Fails with `CORRUPT` or `UNSUPPORTED_VERSION` if no crash can have left them.
    pub fn feed_log(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { replay, index, contents, receipts, max_rows, data, log_total, .. } = self;
        if data.total() < HEADER_LEN && !bytes.is_empty() {
            fail!(Corrupt, "the log has {log_total} bytes, yet the data has only {}", data.total());
        }
        if index.is_empty() {
            // There cannot be more documents than rows, nor more than frames.
            index.reserve(data.rows().unwrap_or(0).min(*log_total / 36) as usize, 0, 0)?;
        }
        let max_rows = data.rows().unwrap_or(*max_rows);
        replay.feed(bytes, &mut |op, behind| {
            contents.note(&op);
            receipts.replay(behind)?;
            index.replay(op, max_rows)
        })
    }

    /// Reads at most `most` more bytes of the data from a source that can be read synchronously. Returns the number of
    /// bytes read: 0 at the end.
    pub fn pull_data(&mut self, source: &mut dyn ByteSource, most: usize) -> Result<usize> {
        let read = self.data.pull(source, most)?;
        self.code()?;
        Ok(read)
    }

    /// Ends the opening, after all bytes were fed. Cuts off what recovery must cut off, unless the store is opened
    /// read-only. If there is no store yet, makes a new one.
    pub fn finish(self, mut data: Box<dyn ByteSink>, mut log: Box<dyn ByteSink>) -> Result<Store> {
        let Self { options, data: reader, log_total, replay, index, mut contents, receipts, codes, .. } = self;
        let begun = reader.total() > 0;
        let found = reader.finish()?;
        let end = replay.finish()?;
        let mut recovery = Recovery { log_bytes: end.cut_bytes, log_frames: end.cut_frames, ..Recovery::default() };
        let mut segment = match found {
            DataFound::Unfinished if log_total > 0 => {
                fail!(Corrupt, "the log has {log_total} bytes, yet the data has no header; nothing was changed")
            }
            DataFound::Unfinished => {
                if options.read_only {
                    fail!(NotFound, "the store's creation was never finished: open it for writing, with a dimension");
                }
                let Some(dimension) = options.dimension else {
                    fail!(InvalidArgument, "there is no store yet: pass a dimension to create one")
                };
                recovery.created = true;
                // The old bytes go first. Otherwise a crash could leave a file that is as long as the new header and
                // still has old bytes.
                if begun && !options.transactional && !mutant!(HeaderOverHeader) {
                    data.truncate_to(0).and_then(|()| data.flush()).context("clear the data")?;
                }
                DataSegment::create(data, dimension)?
            }
            DataFound::Rows { matrix, cut_bytes } => {
                if index.rows() > matrix.len() {
                    return Err(row_beyond_data(index.rows() as u64 - 1));
                }
                recovery.data_bytes = cut_bytes;
                if options.read_only {
                    DataSegment::with_rows(None, matrix)
                } else {
                    cut(&mut log, end.keep, end.cut_bytes).context("cut the end of the log")?;
                    let keep = HEADER_LEN + (matrix.len() * matrix.dimension() * 4) as u64;
                    cut(&mut data, keep, cut_bytes).context("cut a partial row")?;
                    DataSegment::with_rows(Some(data), matrix)
                }
            }
        };
        // This is done even if nothing was cut off. A killed process may have left bytes that are not on the disk yet,
        // and everything that follows builds on them.
        if !options.read_only && !options.transactional && !mutant!(OpenUnflushed) {
            segment.sync()?;
            log.flush().context("flush the log")?;
        }
        (contents.len, contents.mark) = (end.keep, end.mark);
        let log = LogSegment::new((!options.read_only).then_some(log), contents, options.transactional);
        let mut store = Store::of(options, segment, log, index)?;
        (store.recovery, store.receipts) = (recovery, receipts);
        if let Some(codes) = codes {
            store.quick = SearchState::new(codes);
        }
        Ok(store)
    }
}

fn cut(sink: &mut Box<dyn ByteSink>, keep: u64, bytes: u64) -> Result<()> {
    if bytes > 0 && !mutant!(CutLeftOut) {
        sink.truncate_to(keep)?;
    }
    Ok(())
}

impl Store {
    #[inline(never)]
    pub(super) fn of(options: OpenOptions, data: DataSegment, log: LogSegment, mut index: Index) -> Result<Store> {
        let rows = data.row_count();
        let (orphaned, left_by_writes) = (index.unnamed(rows), index.left_by_writes(rows));
        index.reserve_rows(rows)?;
        index.grow_rows(rows);
        let (staged, recovery) = (Staged::default(), Recovery::default());
        let tuning = if options.compact { COMPACT } else { Tuning::default() };
        let quick = SearchState::new(Codes::new(data.dimension(), tuning));
        let receipts = Receipts::default();
        Ok(Store {
            options,
            data,
            log,
            index,
            staged,
            receipts,
            recovery,
            orphaned,
            left_by_writes,
            quick,
            compaction: None,
            failed: None,
            #[cfg(not(target_arch = "wasm32"))]
            dir: None,
        })
    }

    /// Opens (or, with a dimension, creates) a store on storage that can be read synchronously.
    pub fn open<S: ByteSink + ByteSource + 'static>(mut data: S, mut log: S, options: OpenOptions) -> Result<Store> {
        const PIECE: usize = 1 << 22;
        let log_len = ByteSink::len(&log)?;
        let mut opening = Opening::new(options, ByteSink::len(&data)?, log_len)?;
        while opening.pull_data(&mut data, PIECE)? > 0 {}
        let mut piece = vec![0; PIECE.min(usize::try_from(log_len)?)];
        let mut at = 0;
        while at < log_len {
            let n = PIECE.min((log_len - at) as usize);
            log.read_exact_at(at, &mut piece[..n]).context("read the log")?;
            opening.feed_log(&piece[..n])?;
            at += n as u64;
        }
        opening.finish(Box::new(data), Box::new(log))
    }

    /// Makes a new store on two empty sinks.
    pub fn create<S: ByteSink + 'static>(data: S, log: S, options: OpenOptions) -> Result<Store> {
        if !data.is_empty()? || !log.is_empty()? {
            return Err(error(Code::AlreadyExists, "the sinks of a new store must be empty"));
        }
        Opening::new(options, 0, 0)?.finish(Box::new(data), Box::new(log))
    }

    /// Makes a store that is only in memory.
    pub fn in_memory(dimension: usize) -> Result<Store> {
        let sink = || Box::new(crate::sink::CountingSink::default());
        Opening::new(OpenOptions { dimension: Some(dimension), ..OpenOptions::default() }, 0, 0)?.finish(sink(), sink())
    }
}
