use super::Matrix;
use crate::Result;
use crate::error::{fail, reserve, zeros};
use crate::order::sort_by;

/// Rows that a caller read from the medium, since memory does not hold them: what is asked for with [`want`](Self::want), and is there
/// when the same is asked again.
#[derive(Default)]
pub struct Supplied {
    /// Ascending.
    rows: Vec<u32>,
    vectors: Vec<f32>,
    /// What was asked for since, in no order.
    wanted: Vec<u32>,
}

impl Supplied {
    /// True: all these rows can be had from [`get`](Self::get). Else those that memory does not hold are noted, also what was supplied
    /// before, which the next supply replaces.
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

    pub fn get<'a>(&'a self, matrix: &'a Matrix, row: usize) -> Option<&'a [f32]> {
        matrix.get(row).or_else(|| {
            let d = matrix.dimension();
            let at = self.rows.binary_search(&(row as u32)).ok()?;
            self.vectors.get(at * d..(at + 1) * d)
        })
    }

    /// The rows that are to be read, ascending; what was supplied before is forgotten. None: nothing is missing.
    pub fn wanted(&mut self) -> Result<&[u32]> {
        self.vectors.clear();
        self.rows.clear();
        std::mem::swap(&mut self.rows, &mut self.wanted);
        sort_by(&mut self.rows, &|a, b| a.cmp(&b))?;
        self.rows.dedup();
        Ok(&self.rows)
    }

    /// Room for the rows last told by [`wanted`](Self::wanted), one behind the other.
    pub fn space(&mut self, floats: usize, dimension: usize) -> Result<&mut [f32]> {
        if floats != self.rows.len() * dimension {
            fail!(InvalidArgument, "{} rows were asked for, not {floats} numbers", self.rows.len());
        }
        zeros(&mut self.vectors, floats, "rows that were read")?;
        Ok(&mut self.vectors)
    }
}
