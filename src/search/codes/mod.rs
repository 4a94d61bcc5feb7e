//! Small integers beside the rows: a twelfth of their bytes tells of nearly every row that it cannot be among the best. What is
//! proven is only ever a bound; scores come from the rows themselves.

mod basis;
pub mod bound;
mod chunk;
pub mod kernel;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod rows;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

use std::rc::Rc;

use crate::Result;
use crate::error::reserve;
use crate::segment::Matrix;
use basis::{Basis, Builder, Found};
pub use chunk::QueryCodes;
use chunk::{Chunk, Space};
use kernel::GROUP;

/// When codes are made, and how many rows lie in one chunk.
#[derive(Clone, Copy)]
pub struct Tuning {
    /// Fewer rows are scanned as they are.
    pub least_rows: usize,
    /// From here on a basis is looked for, and again whenever there are [`GROWTH`] times as many rows.
    pub basis_rows: usize,
    /// Codes in a layer of a chunk, at most (but for a group of rows).
    pub chunk: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { least_rows: 1024, basis_rows: 4096, chunk: 1 << 18 }
    }
}

const GROWTH: usize = 4;
/// Rows whose codes are made in a step, at a dimension of 384; fewer if there are more.
const STEP: usize = 128 * 384;
/// Rows after which the basis may be found not to fit any more, and by how much more it must leave of them. They must be a part
/// ([`GROWTH`]) of all rows too: else a store whose later rows differ for good would be coded anew every few thousand rows.
const DRIFTED: (usize, f32) = (4096, 1.15);

/// The codes of the rows `0..rows()`, a multiple of [`GROUP`].
pub struct Codes {
    dimension: usize,
    tuning: Tuning,
    chunk_rows: usize,
    chunks: Vec<Chunk>,
    rows: usize,
    /// Rows among them that have none.
    exceptions: Vec<u32>,
    basis: Option<Rc<Basis>>,
    builder: Option<Builder>,
    /// Rows when a basis was last looked for.
    looked_at: usize,
    /// What the basis left of the rows that came after it was looked for: their number, and the sum.
    since: (usize, f32),
    /// A chunk that is being made again, in the current basis.
    again: Option<(usize, Chunk)>,
    space: Space,
    /// There was no memory for more.
    full: bool,
}

impl Codes {
    pub fn new(dimension: usize, tuning: Tuning) -> Self {
        let chunk_rows = (tuning.chunk / dimension).max(GROUP) / GROUP * GROUP;
        Self {
            dimension,
            tuning,
            chunk_rows,
            chunks: Vec::new(),
            rows: 0,
            exceptions: Vec::new(),
            basis: None,
            builder: None,
            looked_at: 0,
            since: (0, 0.0),
            again: None,
            space: Space::default(),
            full: false,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that are scored as they are, among those that have codes.
    pub fn exceptions(&self) -> &[u32] {
        &self.exceptions
    }

    pub fn is_exception(&self, row: usize) -> bool {
        self.chunks[row / self.chunk_rows].is_exception(row % self.chunk_rows)
    }

    pub fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(Chunk::memory_bytes).sum()
    }

    /// Rows have changed their places: begin again. The basis is still as good.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.exceptions.clear();
        self.rows = 0;
        self.since = (0, 0.0);
        self.again = None;
        self.full = false;
    }

    /// Does some milliseconds of what there is to do for the first `rows` rows. True: nothing is left.
    pub fn step(&mut self, matrix: &Matrix, rows: usize) -> bool {
        if self.full || rows < self.tuning.least_rows {
            return true;
        }
        let done = self.try_step(matrix, rows);
        if done.is_err() {
            // Searches do without; the memory is better left for rows.
            (self.full, self.again, self.builder, self.space) = (true, None, None, Space::default());
        }
        done.unwrap_or(true)
    }

    fn try_step(&mut self, matrix: &Matrix, rows: usize) -> Result<bool> {
        // A compaction may have left fewer: what comes from here on is what is new.
        self.looked_at = self.looked_at.min(rows);
        if self.builder.is_none() && self.is_basis_due(rows) {
            self.looked_at = rows;
            self.since = (0, 0.0);
            self.builder = Builder::new(self.dimension);
        }
        if let Some(builder) = &mut self.builder {
            match builder.step(matrix, rows)? {
                Found::NotYet => return Ok(false),
                Found::Flat => self.basis = None,
                Found::Basis(basis) => self.basis = Some(Rc::new(basis)),
            }
            self.builder = None;
            return Ok(false);
        }
        if self.rows + GROUP <= rows {
            self.add(matrix, rows)?;
            return Ok(false);
        }
        self.make_again(matrix)
    }

    fn is_basis_due(&self, rows: usize) -> bool {
        if rows < self.tuning.basis_rows {
            return false;
        }
        let (count, sum) = self.since;
        let drifted = self.basis.as_ref().is_some_and(|basis| count >= DRIFTED.0.max(self.looked_at / GROWTH) && sum > basis.rest() * DRIFTED.1 * count as f32);
        self.looked_at == 0 || rows / GROWTH >= self.looked_at || drifted
    }

    fn groups_in_step(&self) -> usize {
        (STEP / self.dimension / GROUP).max(1)
    }

    #[inline(never)]
    fn add(&mut self, matrix: &Matrix, rows: usize) -> Result<()> {
        for _ in 0..self.groups_in_step().min((rows - self.rows) / GROUP) {
            if self.rows == self.chunks.len() * self.chunk_rows {
                reserve(&mut self.chunks, 1, "codes")?;
                self.chunks.push(Chunk::new(self.chunk_rows, self.dimension, self.basis.clone())?);
            }
            let first = self.rows;
            let Some(chunk) = self.chunks.last_mut() else { break };
            reserve(&mut self.exceptions, GROUP, "rows without codes")?;
            let rest = chunk.push_group(matrix, first, &mut self.space)?;
            for row in first..first + GROUP {
                if chunk.is_exception(row % self.chunk_rows) {
                    self.exceptions.push(row as u32);
                }
            }
            self.rows += GROUP;
            if first >= self.looked_at && same(chunk.basis(), self.basis.as_ref()) {
                self.since = (self.since.0 + GROUP, self.since.1 + rest);
            }
        }
        Ok(())
    }

    /// Chunks that were made in another basis, one after the other. Their exceptions are the same ones: what codes stand for can be
    /// too long only from a dimension of some thousands on, where there is no basis, so that a row's norm alone decides.
    #[inline(never)]
    fn make_again(&mut self, matrix: &Matrix) -> Result<bool> {
        let (at, mut chunk) = match self.again.take() {
            Some(again) => again,
            None => match self.chunks.iter().position(|chunk| !same(chunk.basis(), self.basis.as_ref())) {
                Some(at) => (at, Chunk::new(self.chunk_rows, self.dimension, self.basis.clone())?),
                None => {
                    self.space = Space::default();
                    return Ok(true);
                }
            },
        };
        for _ in 0..self.groups_in_step() {
            let first = at * self.chunk_rows + chunk.rows();
            if chunk.rows() == self.chunks[at].rows() {
                self.chunks[at] = chunk;
                return Ok(false);
            }
            chunk.push_group(matrix, first, &mut self.space)?;
        }
        self.again = Some((at, chunk));
        Ok(false)
    }

    /// As [`Chunk::bound_all`] for every row. None: the query has no codes. `upper` has [`rows`](Self::rows) numbers.
    pub fn bound_all(&self, query: &[f32], upper: &mut [f32], mut limit: f32, visit: &mut dyn FnMut(usize, f32) -> f32) -> Result<Option<Bounded<'_>>> {
        let mut queries: Vec<(Option<Rc<Basis>>, QueryCodes)> = Vec::new();
        for (n, (chunk, upper)) in self.chunks.iter().zip(upper.chunks_mut(self.chunk_rows)).enumerate() {
            let at = match queries.iter().position(|(basis, _)| same(basis.as_ref(), chunk.basis())) {
                Some(at) => at,
                None => {
                    let Some(codes) = QueryCodes::new(query, chunk.basis().map(Rc::as_ref))? else { return Ok(None) };
                    reserve(&mut queries, 1, "the query's codes")?;
                    queries.push((chunk.basis().cloned(), codes));
                    queries.len() - 1
                }
            };
            let first = n * self.chunk_rows;
            limit = chunk.bound_all(&queries[at].1, upper, limit, &mut |row, near| visit(first + row, near));
        }
        Ok(Some(Bounded { codes: self, queries }))
    }
}

/// A query after [`Codes::bound_all`].
pub struct Bounded<'a> {
    codes: &'a Codes,
    queries: Vec<(Option<Rc<Basis>>, QueryCodes)>,
}

impl Bounded<'_> {
    /// As [`Chunk::bound_closer`].
    pub fn closer(&self, row: usize, upper: f32) -> f32 {
        let chunk = &self.codes.chunks[row / self.codes.chunk_rows];
        let query = self.queries.iter().find(|(basis, _)| same(basis.as_ref(), chunk.basis()));
        query.map_or(upper, |(_, query)| chunk.bound_closer(query, row % self.codes.chunk_rows, upper))
    }
}

fn same(a: Option<&Rc<Basis>>, b: Option<&Rc<Basis>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        _ => false,
    }
}
