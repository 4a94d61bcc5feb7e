use crate::Result;
use crate::error::{fail, out_of_memory, reserve};

const CHUNK_BYTES: usize = 1 << 20;

/// While rows are added, the wasm's memory grows by about this at most at a time.
const STEP_BYTES: usize = 16 << 20;

/// Takes memory that will soon be asked for, and frees it untouched. Without this, a wasm's memory grows many times by
/// a little. At each growth JavaScript gets a new buffer that is as long as all the memory, and the garbage collector
/// counts that length.
pub(crate) fn widen(bytes: usize) {
    let mut room: Vec<u8> = Vec::new();
    let _ = room.try_reserve_exact(bytes);
    std::hint::black_box(&room);
}

/// Rows of `f32` in chunks of about 1 MiB. Growing takes one chunk more. It never needs twice the memory, and moves
/// nothing.
pub struct Matrix {
    dimension: usize,
    /// A power of two.
    chunk_rows: usize,
    len: usize,
    chunks: Vec<Vec<f32>>,
    /// The rows below this one were removed from memory. It is a multiple of `chunk_rows`.
    gone: usize,
}

impl Matrix {
    pub(crate) fn new(dimension: usize) -> Self {
        let dimension = dimension.max(1);
        let fitting = (CHUNK_BYTES / (dimension * 4)).max(1);
        Self { dimension, chunk_rows: 1 << fitting.ilog2(), len: 0, chunks: Vec::new(), gone: 0 }
    }

    /// Returns the number of numbers in a row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the bytes of memory that the rows take.
    pub fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.capacity() * 4).sum()
    }

    /// Returns a row, or None if it is not in memory.
    pub fn get(&self, row: usize) -> Option<&[f32]> {
        (row >= self.gone).then(|| self.row(row))
    }

    /// Returns the first row that is in memory. Compact memory removes the rows before it once they have codes.
    pub fn gone(&self) -> usize {
        self.gone
    }

    /// Frees the memory of the rows below `row`, in whole chunks. The rows can be read from the storage.
    pub(crate) fn let_go(&mut self, row: usize) {
        let to = row.min(self.len) & !(self.chunk_rows - 1);
        for chunk in &mut self.chunks[self.gone / self.chunk_rows..to.max(self.gone) / self.chunk_rows] {
            *chunk = Vec::new();
        }
        self.gone = to.max(self.gone);
    }

    /// Returns a row that is in memory. `row` must be below `len`.
    pub fn row(&self, row: usize) -> &[f32] {
        let at = (row & (self.chunk_rows - 1)) * self.dimension;
        &self.chunks[row / self.chunk_rows][at..at + self.dimension]
    }

    #[cfg(test)]
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let at = (row & (self.chunk_rows - 1)) * self.dimension;
        &mut self.chunks[row / self.chunk_rows][at..at + self.dimension]
    }

    /// Makes room for `count` more rows, or fails and changes nothing.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<()> {
        let Some(after) = self.len.checked_add(count) else { fail!(Capacity, "{count} more rows are too many") };
        let floats = self.chunk_rows * self.dimension;
        while self.chunks.len() < after.div_ceil(self.chunk_rows) {
            let held = self.chunks.len() - self.gone / self.chunk_rows;
            let step = (held / 8).min(STEP_BYTES / (floats * 4));
            if step > 1 && held.is_multiple_of(step) {
                widen(step * (floats * 4 + 64));
            }
            let mut chunk = Vec::new();
            let made = reserve(&mut self.chunks, 1, "a row chunk")
                .and_then(|()| chunk.try_reserve_exact(floats).map_err(|_| out_of_memory("rows", floats * 4)));
            if let Err(error) = made {
                self.truncate(self.len);
                return Err(error);
            }
            self.chunks.push(chunk);
        }
        Ok(())
    }

    /// Returns the chunk that the next row goes to, and how many floats still fit into it.
    fn last(&mut self) -> (&mut Vec<f32>, usize) {
        let room = self.chunk_rows - (self.len & (self.chunk_rows - 1));
        (&mut self.chunks[self.len / self.chunk_rows], room * self.dimension)
    }

    /// Adds `count` rows of zeros, or fails and adds none.
    pub(crate) fn grow(&mut self, count: usize) -> Result<()> {
        self.reserve(count)?;
        let mut left = count * self.dimension;
        while left > 0 {
            let (chunk, room) = self.last();
            let take = room.min(left);
            chunk.resize(chunk.len() + take, 0.0);
            self.len += take / self.dimension;
            left -= take;
        }
        Ok(())
    }

    /// Adds rows. Room for them must have been [reserved](Self::reserve).
    pub(crate) fn extend(&mut self, mut rows: &[f32]) {
        while !rows.is_empty() {
            let (chunk, room) = self.last();
            let (now, later) = rows.split_at(room.min(rows.len()));
            chunk.extend_from_slice(now);
            self.len += now.len() / self.dimension;
            rows = later;
        }
    }

    /// Keeps the first `rows` rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if rows >= self.len && self.chunks.len() <= self.len.div_ceil(self.chunk_rows) {
            return;
        }
        self.len = self.len.min(rows);
        self.gone = self.gone.min(self.len & !(self.chunk_rows - 1));
        self.chunks.truncate(self.len.div_ceil(self.chunk_rows));
        let last = self.len & (self.chunk_rows - 1);
        if last > 0
            && let Some(chunk) = self.chunks.last_mut()
        {
            chunk.truncate(last * self.dimension);
        }
    }

    /// Returns the rows `from..to` as contiguous slices, in order, each with the number of its first row.
    pub fn spans(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, &[f32])> {
        let mut at = from;
        std::iter::from_fn(move || {
            if at >= to {
                return None;
            }
            let first = at;
            let start = at & (self.chunk_rows - 1);
            let take = (self.chunk_rows - start).min(to - at);
            at += take;
            let chunk = &self.chunks[first / self.chunk_rows];
            Some((first, &chunk[start * self.dimension..(start + take) * self.dimension]))
        })
    }

    /// Returns the contiguous part of the rows `from..to` that begins at `from`.
    pub(crate) fn span_mut(&mut self, from: usize, to: usize) -> &mut [f32] {
        let start = from & (self.chunk_rows - 1);
        let take = (self.chunk_rows - start).min(to - from);
        &mut self.chunks[from / self.chunk_rows][start * self.dimension..(start + take) * self.dimension]
    }

    pub(crate) fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        let (first, second) = (a.min(b), a.max(b));
        let (first_chunk, second_chunk) = (first / self.chunk_rows, second / self.chunk_rows);
        let at = |row: usize| (row & (self.chunk_rows - 1)) * self.dimension;
        let (p, q, n) = (at(first), at(second), self.dimension);
        if first_chunk == second_chunk {
            let (head, tail) = self.chunks[first_chunk].split_at_mut(q);
            head[p..p + n].swap_with_slice(&mut tail[..n]);
        } else {
            let (head, tail) = self.chunks.split_at_mut(second_chunk);
            head[first_chunk][p..p + n].swap_with_slice(&mut tail[0][q..q + n]);
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Act {
        Reserve(usize),
        Grow(usize),
        Extend(usize),
        Truncate(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        let rows = 0usize..60;
        prop_oneof![
            rows.clone().prop_map(Act::Reserve),
            rows.clone().prop_map(Act::Grow),
            rows.clone().prop_map(Act::Extend),
            (0usize..200).prop_map(Act::Truncate),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// With chunks of eight rows, a matrix does what one vector does.
        #[test]
        fn holds_what_a_vector_would(acts in prop::collection::vec(act(), 0..12)) {
            let dimension = 1 << 15;
            let mut matrix = Matrix::new(dimension);
            // A row is represented by one number, which is its first and its last element.
            let mut rows: Vec<f32> = Vec::new();
            for (n, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Reserve(count) => matrix.reserve(count).unwrap(),
                    Act::Grow(count) => {
                        matrix.grow(count).unwrap();
                        rows.extend(std::iter::repeat_n(0.0, count));
                    }
                    Act::Extend(count) => {
                        let count = count % 20;
                        matrix.reserve(count).unwrap();
                        let mark = |i: usize| (n * 100 + i + 1) as f32;
                        let mut given = vec![0.0; count * dimension];
                        for (i, row) in given.chunks_exact_mut(dimension).enumerate() {
                            (row[0], row[dimension - 1]) = (mark(i), mark(i));
                        }
                        matrix.extend(&given);
                        rows.extend((0..count).map(mark));
                    }
                    Act::Truncate(to) => {
                        matrix.truncate(to);
                        rows.truncate(to);
                        prop_assert_eq!(matrix.memory_bytes(), matrix.len().div_ceil(8) * 8 * dimension * 4);
                    }
                }
                prop_assert_eq!(matrix.len(), rows.len());
                for (n, row) in rows.iter().enumerate() {
                    prop_assert_eq!(
                        [matrix.row(n)[0], matrix.row(n)[dimension - 1], matrix.row(n)[1]],
                        [*row, *row, 0.0]
                    );
                }
            }
        }
    }
}
