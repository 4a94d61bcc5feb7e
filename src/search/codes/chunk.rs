//! Rows as integers, a chunk at a time.

use std::rc::Rc;

use super::basis::Basis;
use super::bound::{self, NORMS, Reach, Skew, Sums};
use super::kernel::{self, GROUP};
use crate::Result;
use crate::error::reserve;
use crate::segment::Matrix;

/// What a row's `inside` is if it has no codes: it is scored as it is.
const EXCEPTION: f32 = -1.0;

/// A number for each row: what one code is worth, and the two norms of [`bound`](super::bound).
#[derive(Default)]
struct Layer {
    codes: Vec<i8>,
    scale: Vec<f32>,
    inside: Vec<f32>,
    rest: Vec<f32>,
}

impl Layer {
    fn new(rows: usize, width: usize) -> Result<Self> {
        let mut layer = Self::default();
        reserve(&mut layer.codes, rows * width, "codes")?;
        for numbers in [&mut layer.scale, &mut layer.inside, &mut layer.rest] {
            reserve(numbers, rows, "the bounds of codes")?;
        }
        Ok(layer)
    }

    fn push(&mut self, scale: f32, bounds: Option<(f32, f32)>) {
        let (inside, rest) = bounds.unwrap_or((EXCEPTION, 0.0));
        self.scale.push(if bounds.is_some() { scale } else { 0.0 });
        self.inside.push(inside);
        self.rest.push(rest);
    }

    fn memory_bytes(&self) -> usize {
        self.codes.capacity() + 4 * (self.scale.capacity() + self.inside.capacity() + self.rest.capacity())
    }
}

/// Codes of a number of rows in one basis. The first layer holds the strongest directions, [`GROUP`] rows side by side, so that a
/// pass reads it alone and in order; the second one, which few rows need, holds as many more, row by row. Without a basis there is one
/// layer with the row's own numbers.
pub struct Chunk {
    basis: Option<Rc<Basis>>,
    layers: Vec<Layer>,
    rows: usize,
}

/// Space for the numbers of one group of rows, kept between groups.
#[derive(Default)]
pub struct Space {
    rows: Vec<f32>,
    numbers: Vec<f32>,
    codes: Vec<i8>,
}

fn zeros(vec: &mut Vec<f32>, len: usize) -> Result<()> {
    vec.clear();
    reserve(vec, len, "codes")?;
    vec.resize(len, 0.0);
    Ok(())
}

/// The width of the first layer.
fn width(basis: Option<&Basis>, dimension: usize) -> usize {
    basis.map_or(dimension.next_multiple_of(2), Basis::width)
}

impl Chunk {
    pub fn new(capacity: usize, dimension: usize, basis: Option<Rc<Basis>>) -> Result<Self> {
        let width = width(basis.as_deref(), dimension);
        let mut layers = Vec::new();
        for _ in 0..if basis.is_some() { 2 } else { 1 } {
            reserve(&mut layers, 1, "codes")?;
            layers.push(Layer::new(capacity, width)?);
        }
        Ok(Self { basis, layers, rows: 0 })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn basis(&self) -> Option<&Rc<Basis>> {
        self.basis.as_ref()
    }

    pub fn memory_bytes(&self) -> usize {
        self.layers.iter().map(Layer::memory_bytes).sum()
    }

    pub fn is_exception(&self, row: usize) -> bool {
        self.layers[0].inside[row] < 0.0
    }

    /// Adds the [`GROUP`] rows from `first` on; there is room. Returns the sum of what the first layer leaves of them, for finding out whether the basis still fits.
    #[inline(never)]
    pub fn push_group(&mut self, matrix: &Matrix, first: usize, space: &mut Space) -> Result<f32> {
        let dimension = matrix.dimension();
        let width = width(self.basis.as_deref(), dimension);
        let depth = width * self.layers.len();
        let Space { rows: copied, numbers, codes } = space;
        zeros(copied, GROUP * dimension)?;
        zeros(numbers, GROUP * depth)?;
        codes.clear();
        reserve(codes, GROUP * width, "codes")?;
        codes.resize(GROUP * width, 0);
        for (n, to) in copied.chunks_exact_mut(dimension).enumerate() {
            to.copy_from_slice(matrix.row(first + n));
        }
        let skew = match &self.basis {
            Some(basis) => {
                kernel::products(copied, basis.directions(), dimension, numbers);
                basis.skew(dimension)
            }
            None => {
                for (to, from) in numbers.chunks_exact_mut(depth).zip(copied.chunks_exact(dimension)) {
                    to[..dimension].copy_from_slice(from);
                }
                Skew::NONE
            }
        };
        let mut all_rest = 0.0;
        let mut sums = [Sums::default(); GROUP];
        for (n, layer) in self.layers.iter_mut().enumerate() {
            for row in 0..GROUP {
                let numbers = &numbers[row * depth + n * width..][..width];
                let norm_squared = bound::norm_squared(&copied[row * dimension..(row + 1) * dimension]);
                let own = &mut codes[row * width..(row + 1) * width];
                let valid = NORMS.contains(&norm_squared.sqrt());
                let scale = if valid { quantize(numbers, own) } else { 0.0 };
                sums[row].add(numbers, own, scale);
                let bounds = if valid { sums[row].bounds(norm_squared, skew) } else { None };
                if bounds.is_none() {
                    own.fill(0);
                }
                layer.push(scale, bounds);
                all_rest += if n == 0 { bounds.map_or(0.0, |(_, rest)| rest) } else { 0.0 };
            }
            if n == 0 {
                for pair in 0..width / 2 {
                    layer.codes.extend((0..2 * GROUP).map(|i| codes[i / 2 * width + 2 * pair + i % 2]));
                }
            } else {
                layer.codes.extend_from_slice(codes);
            }
        }
        self.rows += GROUP;
        Ok(all_rest)
    }

    /// Writes of each row an upper bound of its score to `upper`, and shows to `visit` those whose approximate score is not below a
    /// limit, which `visit` returns anew.
    pub fn bound_all(&self, query: &QueryCodes, upper: &mut [f32], mut limit: f32, visit: &mut dyn FnMut(usize, f32) -> f32) -> f32 {
        let Layer { codes, scale, inside, rest } = &self.layers[0];
        let QueryLayer { pairs, scale: query_scale, reach, .. } = &query.layers[0];
        let groups = codes.chunks_exact(pairs.len() * 2 * GROUP).zip(upper.as_chunks_mut::<GROUP>().0);
        let metas = scale.as_chunks::<GROUP>().0.iter().zip(inside.as_chunks::<GROUP>().0).zip(rest.as_chunks::<GROUP>().0);
        for (group, ((codes, upper), ((scale, inside), rest))) in groups.zip(metas).enumerate() {
            let sums = kernel::group_sums(codes, pairs);
            let mut near = [0.0f32; GROUP];
            let mut any = false;
            for i in 0..GROUP {
                near[i] = sums[i] as f32 * (scale[i] * query_scale);
                upper[i] = near[i] + reach.along * inside[i] + reach.off * rest[i] + reach.slack;
                any |= near[i] >= limit;
            }
            if any {
                for (i, near) in near.iter().enumerate() {
                    if *near >= limit {
                        limit = visit(group * GROUP + i, *near);
                    }
                }
            }
        }
        limit
    }

    /// A closer upper bound, from the one that [`bound_all`](Self::bound_all) found.
    pub fn bound_closer(&self, query: &QueryCodes, row: usize, upper: f32) -> f32 {
        let (first, Some(layer), Some(query_layer)) = (&self.layers[0], self.layers.get(1), query.layers.get(1)) else { return upper };
        let Reach { along, off, slack } = query.layers[0].reach;
        let near = upper - slack - off * first.rest[row] - along * first.inside[row];
        let width = query_layer.codes.len();
        let sum = kernel::row_sum(&layer.codes[row * width..(row + 1) * width], &query_layer.codes);
        let Reach { along, off, slack } = query_layer.reach;
        near + sum as f32 * (layer.scale[row] * query_layer.scale) + along * layer.inside[row] + off * layer.rest[row] + slack
    }
}

/// Codes from −127 to 127 and what one of them is worth. Any rounding will do: what it loses is measured.
fn quantize(numbers: &[f32], codes: &mut [i8]) -> f32 {
    /// Adding it leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let most = numbers.iter().fold(0.0f32, |most, x| if x.abs() > most { x.abs() } else { most });
    if !(most > 1e-20) {
        codes.fill(0);
        return 0.0;
    }
    let inverse = 127.0 / most;
    for (code, x) in codes.iter_mut().zip(numbers) {
        *code = ((x * inverse + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).clamp(-127, 127) as i8;
    }
    most / 127.0
}

struct QueryLayer {
    codes: Vec<i16>,
    /// The same, two in one number.
    pairs: Vec<i32>,
    scale: f32,
    reach: Reach,
}

/// A query in one basis.
pub struct QueryCodes {
    layers: Vec<QueryLayer>,
}

impl QueryCodes {
    /// None if the query's norm is not near 1.
    pub fn new(query: &[f32], basis: Option<&Basis>) -> Result<Option<Self>> {
        if !NORMS.contains(&bound::norm_squared(query).sqrt()) {
            return Ok(None);
        }
        let dimension = query.len();
        let width = width(basis, dimension);
        let mut numbers = Vec::new();
        let depth = basis.map_or(width, |basis| basis.directions().len() / dimension);
        reserve(&mut numbers, depth, "the query's codes")?;
        numbers.resize(depth, 0.0);
        let skew = match basis {
            Some(basis) => {
                super::super::kernel::dots(query, basis.directions(), &mut numbers);
                basis.skew(dimension)
            }
            None => {
                numbers[..dimension].copy_from_slice(query);
                Skew::NONE
            }
        };
        // So that no sum leaves i32.
        let most = (i32::MAX / (127 * width as i32)).min(32_767) as f32;
        let mut layers = Vec::new();
        let mut lost = 0.0;
        for (n, own) in numbers.chunks_exact(width).enumerate() {
            let greatest = own.iter().fold(0.0f32, |greatest, x| if x.abs() > greatest { x.abs() } else { greatest });
            let scale = if greatest > 1e-20 { greatest / most } else { 0.0 };
            let (mut codes, mut pairs) = (Vec::new(), Vec::new());
            reserve(&mut codes, width, "the query's codes")?;
            reserve(&mut pairs, width / 2, "the query's codes")?;
            for x in own {
                let code = if scale > 0.0 { (x / scale).max(-most).min(most) as i16 } else { 0 };
                let left = *x as f64 - code as f64 * scale as f64;
                lost += left * left;
                codes.push(code);
            }
            pairs.extend(codes.as_chunks::<2>().0.iter().map(|[low, high]| *low as u16 as i32 | (*high as i32) << 16));
            let reach = Reach::new(query, &numbers[..(n + 1) * width], lost, skew, basis.is_none());
            reserve(&mut layers, 1, "the query's codes")?;
            layers.push(QueryLayer { codes, pairs, scale, reach });
        }
        Ok(Some(Self { layers }))
    }
}
