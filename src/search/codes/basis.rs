//! A basis whose first directions hold most of the rows' length, found by subspace iteration on a sample, in small
//! steps.

use super::bound::{NORMS, Skew, norm_squared, product_error};
use super::kernel::products;
use crate::Result;
use crate::error;
use crate::search::kernel::dot;
use crate::segment::{Matrix, Supplied};

/// The number of rows of a sample that are in memory at the same time.
const PART: usize = 2048;
/// The length of a dimension's numbers of a part, with zeros at its end. A power of two would put the same row's numbers
/// of all dimensions in the same places of the cache.
const SIDE: usize = PART + 16;
/// A sample has half of the rows, but at least one part and at most this many rows. What it leaves of the other rows
/// falls with its size, and so does the number of rows that a search must look at twice. A larger one would take longer
/// than it saves.
const MOST: usize = 8 * PART;
/// The rounds of the iteration. Directions are made orthogonal after every second one.
const ROUNDS: usize = 8;
/// If the first layer leaves more than this of the sample's rows (root mean square), codes without a basis are quicker.
const MOST_REST: f32 = 0.6;
/// The approximate number of multiplications in a step.
const STEP: usize = 1 << 23;
/// In lower dimensions a basis does not pay. In higher ones, rotating rows takes too long.
const DIMENSIONS: std::ops::RangeInclusive<usize> = 96..=2048;

/// Two layers of directions, the strongest first.
pub struct Basis {
    widths: [usize; 2],
    directions: Vec<f32>,
    skew: f64,
    /// How much of a row the first layer left when the basis was made.
    rest: f32,
}

impl Basis {
    /// Returns the number of directions in each layer.
    pub fn widths(&self) -> [usize; 2] {
        self.widths
    }

    /// Returns the directions, one after the other.
    pub fn directions(&self) -> &[f32] {
        &self.directions
    }

    pub fn skew(&self, dimension: usize) -> Skew {
        Skew { skew: self.skew, each: product_error(dimension) }
    }

    pub fn rest(&self) -> f32 {
        self.rest
    }
}

/// Returns the width of the first layer: about a third of the dimension.
fn width(dimension: usize) -> usize {
    ((dimension / 3 + 16) / 32 * 32).clamp(32, 192)
}

/// Returns the widths of both layers. The second one is as wide as the first, or twice as wide if `whole`, but not
/// wider than the directions that are left.
fn widths(dimension: usize, whole: bool) -> [usize; 2] {
    let first = width(dimension);
    [first, (if whole { 2 * first } else { first }).min((dimension - first) / 16 * 16)]
}

/// Returns the number of rows of a sample. If rows must be read for it, one part has to do.
fn sample_of(matrix: &Matrix, rows: usize) -> usize {
    let most = if matrix.gone() == 0 { MOST } else { PART };
    (rows / 2).clamp(PART, most).min(rows)
}

enum Stage {
    /// The rows of the sample before this one are done.
    Sampling(usize),
    /// The number of rows of the sample so far, and of finished dimensions.
    Moments(usize, usize),
    Multiplying(usize, usize),
    Orthonormal(usize, usize),
    Skew(usize),
}

/// The result of a step.
pub enum Found {
    NotYet,
    /// Rows of the sample are missing.
    Wanting,
    /// A basis does not pay for these rows.
    Flat,
    Basis(Basis),
}

/// Makes a basis, in steps.
pub struct Builder {
    dimension: usize,
    widths: [usize; 2],
    stage: Stage,
    /// A part of the sample, with the numbers of one dimension side by side. It is dropped once the moments are known.
    sample: Vec<f32>,
    sampled: usize,
    /// The sums of the products of each two dimensions.
    moments: Vec<f32>,
    directions: Vec<f32>,
    next: Vec<f32>,
    off: f64,
    held: f64,
}

fn zeros(len: usize) -> Result<Vec<f32>> {
    let mut vec = Vec::new();
    error::zeros(&mut vec, len, "the basis of codes")?;
    Ok(vec)
}

impl Builder {
    /// Returns None for dimensions in which a basis never pays, and for those that hardly any model has.
    pub fn new(dimension: usize, whole: bool) -> Option<Self> {
        (DIMENSIONS.contains(&dimension) && dimension.is_multiple_of(4)).then(|| Self {
            dimension,
            widths: widths(dimension, whole),
            stage: Stage::Sampling(0),
            sample: Vec::new(),
            sampled: 0,
            moments: Vec::new(),
            directions: Vec::new(),
            next: Vec::new(),
            off: 0.0,
            held: 0.0,
        })
    }

    /// Does a step of making a basis of the first `rows` rows.
    #[inline(never)]
    pub fn step(&mut self, matrix: &Matrix, rows: usize, supplied: &mut Supplied) -> Result<Found> {
        let d = self.dimension;
        let count: usize = self.widths.iter().sum();
        // After these, any directions will do if they are orthogonal to all others.
        let strong = count.min(2 * self.widths[0]);
        match self.stage {
            Stage::Sampling(from) => {
                let wanted = sample_of(matrix, rows);
                let to = (from + PART).min(wanted);
                let sample = (from..to).map(|n| (n as u64 * rows as u64 / wanted as u64) as usize);
                if !supplied.want(matrix, &mut sample.clone())? {
                    return Ok(Found::Wanting);
                }
                self.take_sample(&mut sample.filter_map(|row| supplied.get(matrix, row)))?;
                if from == 0 {
                    self.moments = zeros(d * d)?;
                }
                self.stage = Stage::Moments(to, 0);
            }
            Stage::Moments(taken, from) => {
                let to = (from + (STEP / (d * SIDE)).next_multiple_of(4)).min(d);
                let side = |i: usize| i * SIDE;
                products(
                    &self.sample[side(from)..side(to)],
                    &self.sample[..side(to)],
                    SIDE,
                    &mut self.next[..(to - from) * to],
                );
                for i in from..to {
                    for j in 0..=i {
                        let moment = self.moments[i * d + j] + self.next[(i - from) * to + j];
                        self.moments[i * d + j] = moment;
                        self.moments[j * d + i] = moment;
                    }
                }
                self.stage = Stage::Moments(taken, to);
                if to == d && taken < sample_of(matrix, rows) {
                    self.stage = Stage::Sampling(taken);
                } else if to == d {
                    self.sample = Vec::new();
                    self.directions = noise(count * d)?;
                    self.next = noise(count * d)?;
                    self.stage = Stage::Multiplying(0, 0);
                }
            }
            Stage::Multiplying(round, from) => {
                let to = (from + (STEP / (d * d)).next_multiple_of(4)).min(strong);
                products(&self.directions[from * d..to * d], &self.moments, d, &mut self.next[from * d..to * d]);
                self.stage = Stage::Multiplying(round, to);
                if to == strong {
                    if round == ROUNDS {
                        self.measure_held();
                        self.stage = Stage::Skew(0);
                    } else {
                        std::mem::swap(&mut self.directions, &mut self.next);
                        self.stage = if round % 2 == 1 {
                            Stage::Orthonormal(round, 0)
                        } else {
                            Stage::Multiplying(round + 1, 0)
                        };
                    }
                }
            }
            Stage::Orthonormal(round, from) => {
                let last = round + 1 == ROUNDS;
                let end = if last { count } else { strong };
                let to = (from + STEP / (4 * count * d) + 1).min(end);
                for i in from..to {
                    self.straighten(i, last);
                }
                self.stage = if to == end { Stage::Multiplying(round + 1, 0) } else { Stage::Orthonormal(round, to) };
            }
            Stage::Skew(from) => {
                let to = (from + STEP / (4 * count * d) + 1).min(count);
                for i in from..to {
                    self.measure_skew(i);
                }
                self.stage = Stage::Skew(to);
                if to == count {
                    return Ok(self.finish());
                }
            }
        }
        Ok(Found::NotYet)
    }

    fn take_sample(&mut self, rows: &mut dyn Iterator<Item = &[f32]>) -> Result<()> {
        let d = self.dimension;
        error::zeros(&mut self.sample, d * SIDE, "the basis of codes")?;
        error::zeros(&mut self.next, (STEP / (d * SIDE)).next_multiple_of(4) * d, "the basis of codes")?;
        for (n, row) in rows.enumerate() {
            if NORMS.contains(&norm_squared(row).sqrt()) {
                for (i, x) in row.iter().enumerate() {
                    self.sample[i * SIDE + n] = *x;
                }
                self.sampled += 1;
            }
        }
        Ok(())
    }

    /// Makes direction `i` orthogonal to those before it. `last` also does so where little is left of the direction:
    /// twice, since once is not exact enough. If less is left than rounding alone leaves, there is no such direction,
    /// and zeros take its place.
    fn straighten(&mut self, i: usize, last: bool) {
        let d = self.dimension;
        let (before, from) = self.directions.split_at_mut(i * d);
        let direction = &mut from[..d];
        let (times, least) = if last { (2, norm_squared(direction) * 1e-10) } else { (1, 0.0) };
        for _ in 0..times {
            for other in before.chunks_exact(d) {
                let shared = dot(other, direction);
                direction.iter_mut().zip(other).for_each(|(x, y)| *x -= shared * y);
            }
        }
        let squared = norm_squared(direction);
        let inverse = if squared > least.max(1e-60) && squared.is_finite() { 1.0 / squared.sqrt() } else { 0.0 };
        direction.iter_mut().for_each(|x| *x *= inverse as f32);
    }

    /// Measures how much of the sample's squared length the first layer holds, from each direction and its image.
    fn measure_held(&mut self) {
        let d = self.dimension;
        let both = self.directions.chunks_exact(d).zip(self.next.chunks_exact(d));
        self.held = both.take(self.widths[0]).map(|(direction, image)| dot(direction, image) as f64).sum();
    }

    /// Adds the part of direction `i` to the square of the Frobenius norm of `BᵀB − I`. That norm is not below the
    /// spectral norm `‖BᵀB − I‖`. A direction of zeros is left out.
    fn measure_skew(&mut self, i: usize) {
        let d = self.dimension;
        let own = &self.directions[i * d..(i + 1) * d];
        let own_norm = norm_squared(own);
        if own_norm == 0.0 {
            return;
        }
        for other in self.directions.chunks_exact(d).take(i) {
            let product: f64 = own.iter().zip(other).map(|(x, y)| *x as f64 * *y as f64).sum();
            self.off += 2.0 * product * product;
        }
        self.off += (own_norm - 1.0) * (own_norm - 1.0);
    }

    fn finish(&mut self) -> Found {
        let rest = (1.0 - self.held / self.sampled.max(1) as f64).max(0.0).sqrt() as f32;
        let skew = self.off.sqrt() + 1e-9;
        // Either a basis does not pay for these rows, or the skew is larger than rounding alone can make it.
        if !(rest <= MOST_REST) || !(skew < 0.01) {
            return Found::Flat;
        }
        Found::Basis(Basis { widths: self.widths, directions: std::mem::take(&mut self.directions), skew, rest })
    }
}

/// Returns the directions that the iteration begins with. Any will do, but they must be the same every time.
fn noise(len: usize) -> Result<Vec<f32>> {
    let mut noise = zeros(len)?;
    let mut state = 0x9E37_79B9u32;
    for x in &mut noise {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *x = state as i32 as f32 / i32::MAX as f32;
    }
    Ok(noise)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// The rows of each quarter lie in 30 dimensions of their own. A basis of all quarters holds them all.
    #[test]
    fn every_part_of_the_sample_counts() {
        let (dimension, rows, quarter) = (384, 8 * PART, 2 * PART);
        let random = noise(rows * 30).unwrap();
        let mut matrix = Matrix::new(dimension);
        matrix.grow(rows).unwrap();
        for (n, numbers) in random.chunks_exact(30).enumerate() {
            let row = matrix.row_mut(n);
            row[n / quarter * 30..][..30].copy_from_slice(numbers);
            crate::search::kernel::normalize(row);
        }
        let mut builder = Builder::new(dimension, true).unwrap();
        let basis = loop {
            match builder.step(&matrix, rows, &mut Supplied::default()).unwrap() {
                Found::NotYet => {}
                Found::Basis(basis) => break basis,
                Found::Flat | Found::Wanting => panic!("no basis was found"),
            }
        };
        assert_eq!(builder.sampled, 4 * PART);
        assert!(basis.rest() < 0.01, "the basis leaves {}", basis.rest());
        for n in (0..rows).step_by(97) {
            let first = basis.directions().chunks_exact(dimension).take(basis.widths()[0]);
            let held: f32 = first.map(|direction| dot(direction, matrix.row(n)).powi(2)).sum();
            assert!(held > 0.999, "the basis holds {held} of row {n}");
        }
    }
}
