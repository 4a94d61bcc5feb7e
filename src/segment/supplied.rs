use super::Matrix;
use crate::Result;
use crate::error::{fail, reserve, zeros};
use crate::order::sort_by;

/// The result of a step of some work. JavaScript gets the number, and `src/ts/core/steps.ts` has the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Step {
    /// Another step is to follow.
    More = 0,
    /// Nothing is left to do.
    Done = 1,
    /// Rows are missing. [`Supplied::wanted`] lists them.
    Wanting = 2,
}

/// The number of the step, for JavaScript.
impl From<Step> for u32 {
    fn from(step: Step) -> Self {
        step as Self
    }
}

/// Rows that the caller reads from the storage, because they are not in memory. A call asks for them with
/// [`want`](Self::want). When the call is made again, they are here.
#[derive(Default)]
pub struct Supplied {
    /// Ascending.
    rows: Vec<u32>,
    vectors: Vec<f32>,
    /// The rows that were asked for since, in no order.
    wanted: Vec<u32>,
}

impl Supplied {
    /// Returns true if all these rows can be had from [`get`](Self::get). Otherwise notes those that are not in memory.
    /// That includes rows that were supplied before, because the next supply replaces them.
    pub fn want(&mut self, matrix: &Matrix, rows: &mut dyn Iterator<Item = usize>) -> Result<bool> {
        let before = self.wanted.len();
        let mut all = true;
        for row in rows.filter(|row| *row < matrix.gone()) {
            all &= self.get(matrix, row).is_some();
            reserve(&mut self.wanted, 1, "rows to be read")?;
            self.wanted.push(row as u32);
        }
        if all {
            self.wanted.truncate(before);
        }
        Ok(all)
    }

    /// Returns a row that is in memory or was supplied.
    pub fn get<'a>(&'a self, matrix: &'a Matrix, row: usize) -> Option<&'a [f32]> {
        matrix.get(row).or_else(|| {
            let d = matrix.dimension();
            let at = self.rows.binary_search(&(row as u32)).ok()?;
            self.vectors.get(at * d..(at + 1) * d)
        })
    }

    /// Returns the rows that must be read, ascending, and forgets what was supplied before. Returns none if nothing is
    /// missing.
    pub fn wanted(&mut self) -> Result<&[u32]> {
        self.vectors.clear();
        self.rows.clear();
        std::mem::swap(&mut self.rows, &mut self.wanted);
        sort_by(&mut self.rows, &|a, b| a.cmp(&b))?;
        self.rows.dedup();
        Ok(&self.rows)
    }

    /// Returns room for the rows that [`wanted`](Self::wanted) returned last, one after the other. `floats` is the
    /// number of their numbers.
    pub fn space(&mut self, floats: usize, dimension: usize) -> Result<&mut [f32]> {
        if floats != self.rows.len() * dimension {
            fail!(InvalidArgument, "{} rows were asked for, not {floats} numbers", self.rows.len());
        }
        zeros(&mut self.vectors, floats, "rows that were read")?;
        Ok(&mut self.vectors)
    }
}
