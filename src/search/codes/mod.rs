//! Codes are small integers beside the rows. The first layer of a row's codes has about a twelfth of the row's bytes.
//! For nearly every row it shows that the row cannot be among the best. Codes only give bounds. Scores are computed
//! from the rows themselves.

mod basis;
pub mod bound;
mod chunk;
pub mod kernel;
mod layout;
#[cfg(any(test, feature = "relaxed-simd"))]
#[cfg_attr(not(feature = "relaxed-simd"), allow(dead_code, reason = "tests use a part of it without the feature"))]
pub mod relaxed;
#[cfg(all(test, not(target_arch = "wasm32")))]
pub mod rows;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

use std::rc::Rc;

use crate::Result;
use crate::error::reserve;
use crate::segment::{Matrix, Step, Supplied};
use basis::{Basis, Builder, Found};
use chunk::{Chunk, Space};
pub use chunk::{QueryCodes, has_codes};
use kernel::GROUP;

/// When codes are made, and how many rows lie in one chunk.
#[derive(Clone, Copy)]
pub struct Tuning {
    /// With fewer rows there are no codes: the rows are scanned.
    pub least_rows: usize,
    /// From this many rows on, a basis is looked for. It is looked for again whenever there are `GROWTH` times as many
    /// rows as at the last time.
    pub basis_rows: usize,
    /// The number of codes in one layer of a chunk, at most. (A chunk has at least one group of rows.)
    pub chunk: usize,
    /// True if the second layer has twice as many directions as the first. That makes bounds closer and takes a tenth
    /// more memory.
    pub whole: bool,
}

impl Tuning {
    /// The tuning of every store that is not a test.
    pub const DEFAULT: Self = Self { least_rows: 1024, basis_rows: 4096, chunk: 1 << 18, whole: true };
}

impl Default for Tuning {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const GROWTH: usize = 4;
/// The work of one step: codes for 128 rows of dimension 384, and for fewer rows of a higher dimension.
const STEP: usize = 128 * 384;
/// The number of bytes of codes that are read for one query after the other. They stay in the first cache.
const BLOCK: usize = 1 << 14;
/// A new basis is looked for if there are this many new rows, and the old basis leaves 1.15 times the remainder on them
/// that it leaves on its own rows. The new rows must also be a certain part (one in `GROWTH`) of the rows before them.
/// Otherwise a store whose later rows always differ would be coded again every few thousand rows.
const DRIFTED: (usize, f32) = (4096, 1.15);

/// The codes of the rows `0..rows()`. Their number is a multiple of [`GROUP`].
pub struct Codes {
    dimension: usize,
    tuning: Tuning,
    chunk_rows: usize,
    chunks: Vec<Chunk>,
    rows: usize,
    /// The rows among them that have no codes.
    exceptions: Vec<u32>,
    basis: Option<Rc<Basis>>,
    builder: Option<Builder>,
    /// The number of rows when a basis was last looked for.
    looked_at: usize,
    /// The rows that came after the basis was looked for: their number, and the sum of what the basis left of them.
    since: (usize, f32),
    /// A chunk that is being coded again in the current basis, and its place.
    again: Option<(usize, Chunk)>,
    space: Space,
    /// True if there was no memory for more codes.
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

    /// Returns the number of rows in each chunk but the last.
    pub fn chunk_rows(&self) -> usize {
        self.chunk_rows
    }

    /// Returns the rows that have no codes and are scored without them.
    pub fn exceptions(&self) -> &[u32] {
        &self.exceptions
    }

    pub fn is_exception(&self, row: usize) -> bool {
        self.chunks[row / self.chunk_rows].is_exception(row % self.chunk_rows)
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(Chunk::memory_bytes).sum()
    }

    /// Drops all codes, because rows have moved. The basis stays, because it fits as well as before.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.exceptions.clear();
        self.rows = 0;
        self.since = (0, 0.0);
        self.again = None;
        self.full = false;
    }

    /// Works for some milliseconds on the codes of the first `rows` rows.
    pub fn step(&mut self, matrix: &Matrix, rows: usize, supplied: &mut Supplied) -> Step {
        if self.full || rows < self.tuning.least_rows {
            return Step::Done;
        }
        let done = self.try_step(matrix, rows, supplied);
        if done.is_err() {
            // Searches work without codes. The memory is more useful for rows.
            (self.full, self.again, self.builder, self.space) = (true, None, None, Space::default());
        }
        done.unwrap_or(Step::Done)
    }

    /// Returns how many of the first `rows` rows have no codes yet: 0 if there are too few rows for codes.
    pub fn uncoded(&self, rows: usize) -> usize {
        if rows < self.tuning.least_rows { 0 } else { rows - self.rows }
    }

    /// Makes a basis from a sample of a store that is about to be read. Then no basis has to be looked for when all
    /// rows are there.
    #[inline(never)]
    pub fn prime(&mut self, sample: &Matrix, rows: usize) -> Result<()> {
        if let Some(mut builder) = Builder::new(self.dimension, self.tuning.whole) {
            let mut supplied = Supplied::default();
            self.basis = loop {
                match builder.step(sample, sample.len(), &mut supplied)? {
                    Found::NotYet | Found::Wanting => {}
                    Found::Flat => break None,
                    Found::Basis(basis) => break Some(Rc::new(basis)),
                }
            };
        }
        self.looked_at = rows;
        Ok(())
    }

    /// Returns codes for the same rows in another order. Only the basis is kept.
    pub fn successor(&self) -> Self {
        Self { basis: self.basis.clone(), looked_at: self.looked_at, ..Self::new(self.dimension, self.tuning) }
    }

    /// Makes codes for all of the first `rows` rows, except for an incomplete last group. The rows must be in memory.
    #[inline(never)]
    pub fn catch_up(&mut self, matrix: &Matrix, rows: usize) -> Result<()> {
        while !self.full && self.rows + GROUP <= rows {
            self.add(matrix, rows)?;
        }
        Ok(())
    }

    fn try_step(&mut self, matrix: &Matrix, rows: usize, supplied: &mut Supplied) -> Result<Step> {
        // A compaction may have left fewer rows. All rows from here on count as new.
        self.looked_at = self.looked_at.min(rows);
        if self.builder.is_none() && self.is_basis_due(rows) {
            self.looked_at = rows;
            self.since = (0, 0.0);
            self.builder = Builder::new(self.dimension, self.tuning.whole);
        }
        if let Some(builder) = &mut self.builder {
            match builder.step(matrix, rows, supplied)? {
                Found::NotYet => return Ok(Step::More),
                Found::Wanting => return Ok(Step::Wanting),
                Found::Flat => self.basis = None,
                Found::Basis(basis) => self.basis = Some(Rc::new(basis)),
            }
            self.builder = None;
            return Ok(Step::More);
        }
        if self.rows + GROUP <= rows {
            self.add(matrix, rows)?;
            return Ok(Step::More);
        }
        self.make_again(matrix, supplied)
    }

    fn is_basis_due(&self, rows: usize) -> bool {
        if rows < self.tuning.basis_rows {
            return false;
        }
        let (count, sum) = self.since;
        let drifted = self.basis.as_ref().is_some_and(|basis| {
            count >= DRIFTED.0.max(self.looked_at / GROWTH) && sum > basis.rest() * DRIFTED.1 * count as f32
        });
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
            let rest = chunk.push_group(&mut |n| matrix.get(first + n), &mut self.space)?;
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

    /// Codes the chunks of an older basis again, one after the other. Their exceptions stay the same. The numbers that
    /// codes stand for can be too long only in dimensions of some thousands. In those there is no basis, so where there
    /// is one, the norm of a row alone decides whether it is an exception.
    #[inline(never)]
    fn make_again(&mut self, matrix: &Matrix, supplied: &mut Supplied) -> Result<Step> {
        let (at, mut chunk) = match self.again.take() {
            Some(again) => again,
            None => match self.chunks.iter().position(|chunk| !same(chunk.basis(), self.basis.as_ref())) {
                Some(at) => (at, Chunk::new(self.chunk_rows, self.dimension, self.basis.clone())?),
                None => {
                    self.space = Space::default();
                    return Ok(Step::Done);
                }
            },
        };
        let (first, left) = (at * self.chunk_rows + chunk.rows(), self.chunks[at].rows() - chunk.rows());
        let now = left.min(self.groups_in_step() * GROUP);
        if !supplied.want(matrix, &mut (first..first + now))? {
            self.again = Some((at, chunk));
            return Ok(Step::Wanting);
        }
        for row in (first..first + now).step_by(GROUP) {
            chunk.push_group(&mut |n| supplied.get(matrix, row + n), &mut self.space)?;
        }
        if now == left {
            self.chunks[at] = chunk;
        } else {
            self.again = Some((at, chunk));
        }
        Ok(Step::More)
    }

    /// Returns the codes of a query in every basis that is in use, or None if it can have none.
    pub fn query(&self, query: &[f32]) -> Result<Option<Bounded>> {
        let mut bases: Vec<(Option<Rc<Basis>>, QueryCodes)> = Vec::new();
        for chunk in &self.chunks {
            if !bases.iter().any(|(basis, _)| same(basis.as_ref(), chunk.basis())) {
                let Some(codes) = QueryCodes::new(query, chunk.basis().map(Rc::as_ref))? else { return Ok(None) };
                reserve(&mut bases, 1, "the query's codes")?;
                bases.push((chunk.basis().cloned(), codes));
            }
        }
        Ok(Some(Bounded { bases, upper: Vec::new(), limit: f32::NEG_INFINITY }))
    }

    /// Runs `Chunk::bound` for every row and every query. `visit` gets the query's number first. Queries whose `upper`
    /// is too short get a longer one. Codes are read once for all the queries.
    pub fn bound_all(
        &self,
        queries: &mut [Bounded],
        among: Option<&[u16]>,
        share: Share,
        visit: &mut dyn FnMut(usize, usize, f32) -> f32,
    ) -> Result<()> {
        for query in &mut *queries {
            let more = self.rows.saturating_sub(query.upper.len());
            reserve(&mut query.upper, more, "bounds")?;
            // The bounds of an earlier search are overwritten.
            query.upper.resize(self.rows, 0.0);
        }
        let together = if queries.len() > 1 { BLOCK } else { usize::MAX };
        for (n, chunk) in self.chunks.iter().enumerate() {
            let first = n * self.chunk_rows;
            if share.is_elsewhere(n) {
                queries.iter_mut().for_each(|query| query.upper[first..first + chunk.rows()].fill(NEVER));
                continue;
            }
            let groups = chunk.rows() / GROUP;
            let among = among.map(|among| among.get(first / GROUP..).unwrap_or(&[]));
            let step = (together / chunk.group_bytes()).clamp(1, groups.max(1));
            for from in (0..groups).step_by(step) {
                for (q, Bounded { bases, upper, limit }) in queries.iter_mut().enumerate() {
                    let Some((_, query)) = bases.iter().find(|(basis, _)| same(basis.as_ref(), chunk.basis())) else {
                        continue;
                    };
                    let upper = &mut upper[first..first + chunk.rows()];
                    *limit =
                        chunk.bound(from..(from + step).min(groups), query, upper, among, *limit, &mut |row, near| {
                            visit(q, first + row, near)
                        });
                }
            }
        }
        Ok(())
    }

    /// Runs `Chunk::bound_closer` for the rows of a group whose bits are set.
    #[inline(always)]
    pub fn closer(&self, query: &Bounded, group: usize, bits: u32, limit: f32, mut visit: impl FnMut(usize, f32)) {
        let (first, groups) = (group * GROUP, self.chunk_rows / GROUP);
        let chunk = &self.chunks[group / groups];
        let found = query.bases.iter().find(|(basis, _)| same(basis.as_ref(), chunk.basis()));
        let upper = &query.upper[first..first + GROUP];
        for i in kernel::ones(bits) {
            let bound =
                found.map_or(upper[i], |(_, query)| chunk.bound_closer(query, group % groups, i, upper[i], limit));
            visit(first + i, bound);
        }
    }
}

/// The bound of a row that must not be looked at any more.
pub const NEVER: f32 = f32::NEG_INFINITY;

/// Tells which chunks other threads search. Of the first `dealt` chunks, this thread keeps every `parts`th, beginning
/// with the first. It also keeps all later ones.
#[derive(Clone, Copy)]
pub struct Share {
    pub parts: usize,
    pub dealt: usize,
}

impl Share {
    pub const ALL: Share = Share { parts: 1, dealt: 0 };

    fn is_elsewhere(&self, chunk: usize) -> bool {
        chunk < self.dealt && !chunk.is_multiple_of(self.parts)
    }

    /// Iterates over the rows of a part, in order. They come in runs of `rows`: each run's first row is returned.
    pub fn runs(&self, part: usize, rows: usize) -> impl Iterator<Item = usize> {
        (part..self.dealt).step_by(self.parts).map(move |chunk| chunk * rows)
    }
}

/// A query for [`Codes::bound_all`].
pub struct Bounded {
    bases: Vec<(Option<Rc<Basis>>, QueryCodes)>,
    /// For each row, a number that its score cannot exceed.
    pub upper: Vec<f32>,
    /// The limit that `visit` returned last.
    pub limit: f32,
}

fn same(a: Option<&Rc<Basis>>, b: Option<&Rc<Basis>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        _ => false,
    }
}
