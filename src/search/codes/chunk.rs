//! Codes of rows, a chunk at a time.

use std::ops::Range;
use std::rc::Rc;

use super::basis::Basis;
use super::bound::{self, NORMS, Reach, Skew, Sums};
use super::kernel::{self, Base, GROUP, Pairs, QUAD, place};
use crate::Result;
use crate::error::{fail, reserve, zeros};
use crate::search::kernel::dots;

const LAYERS: usize = 2;
/// The value of `inside` for a row that has no codes and is scored without them.
const EXCEPTION: f32 = -1.0;

/// For each row of a group, the value of one unit of its codes and the two norms of [`bound`](super::bound).
#[derive(Clone, Copy)]
struct Meta {
    scale: [f32; GROUP],
    inside: [f32; GROUP],
    rest: [f32; GROUP],
    base: Base,
}

#[derive(Default)]
struct Layer {
    codes: Vec<i8>,
    /// One for each group.
    metas: Vec<Meta>,
}

/// Codes of some rows in one basis.
///
/// The first layer holds the strongest directions, with [`GROUP`] rows side by side, so that a pass reads only this
/// layer, and in order. Few rows need the second layer. It holds as many directions as the first layer, or twice as
/// many, and its codes lie row by row. Without a basis there is one layer with the row's own numbers.
pub struct Chunk {
    dimension: usize,
    basis: Option<Rc<Basis>>,
    layers: [Layer; LAYERS],
    rows: usize,
}

/// Memory for the numbers of one group of rows, kept between groups.
#[derive(Default)]
pub struct Space {
    rows: Vec<f32>,
    numbers: Vec<f32>,
    codes: Vec<i8>,
}

/// Returns the widths of the layers. A second layer of width 0 does not exist.
fn shape(basis: Option<&Basis>, dimension: usize) -> [usize; LAYERS] {
    basis.map_or([dimension.next_multiple_of(QUAD), 0], Basis::widths)
}

/// Returns the place of each layer's numbers among those of a row.
fn layers(widths: [usize; LAYERS]) -> impl Iterator<Item = Range<usize>> {
    let [first, second] = widths;
    [0..first, first..first + second].into_iter().take(if second == 0 { 1 } else { LAYERS })
}

impl Chunk {
    pub fn new(capacity: usize, dimension: usize, basis: Option<Rc<Basis>>) -> Result<Self> {
        let mut made = <[Layer; LAYERS]>::default();
        for (layer, own) in made.iter_mut().zip(layers(shape(basis.as_deref(), dimension))) {
            reserve(&mut layer.codes, capacity * own.len(), "codes")?;
            reserve(&mut layer.metas, capacity / GROUP, "codes")?;
        }
        Ok(Self { dimension, basis, layers: made, rows: 0 })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn basis(&self) -> Option<&Rc<Basis>> {
        self.basis.as_ref()
    }

    /// Returns the number of bytes of a group in the first layer.
    pub fn group_bytes(&self) -> usize {
        (self.layers[0].codes.len() * GROUP / self.rows.max(1)).max(1)
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.codes.capacity() + layer.metas.capacity() * size_of::<Meta>()).sum()
    }

    pub fn is_exception(&self, row: usize) -> bool {
        self.layers[0].metas[row / GROUP].inside[row % GROUP] < 0.0
    }

    /// Adds [`GROUP`] rows. `row` returns them by their numbers from 0 to 15. There must be room. Returns the sum of
    /// the norms that the first layer leaves of them. It tells whether the basis still fits.
    #[inline(never)]
    pub fn push_group<'a>(
        &mut self,
        row: &mut dyn FnMut(usize) -> Option<&'a [f32]>,
        space: &mut Space,
    ) -> Result<f32> {
        let dimension = self.dimension;
        let widths = shape(self.basis.as_deref(), dimension);
        let both = widths.iter().sum();
        let Space { rows: copied, numbers, codes } = space;
        zeros(copied, GROUP * dimension, "codes")?;
        zeros(numbers, GROUP * both, "codes")?;
        zeros(codes, GROUP * both, "codes")?;
        for (n, to) in copied.chunks_exact_mut(dimension).enumerate() {
            let Some(row) = row(n) else { fail!(Failed, "a row to be coded is missing") };
            to.copy_from_slice(row);
        }
        let skew = match &self.basis {
            Some(basis) => {
                kernel::products(copied, basis.directions(), dimension, numbers);
                basis.skew(dimension)
            }
            None => {
                for (to, from) in numbers.chunks_exact_mut(both).zip(copied.chunks_exact(dimension)) {
                    to[..dimension].copy_from_slice(from);
                }
                Skew::NONE
            }
        };
        let mut norms = [0.0; GROUP];
        for (norm, row) in norms.iter_mut().zip(copied.chunks_exact(dimension)) {
            *norm = bound::norm_squared(row);
        }
        let mut all_rest = 0.0;
        let mut sums = [Sums::default(); GROUP];
        for (n, (layer, own)) in self.layers.iter_mut().zip(layers(widths)).enumerate() {
            let width = own.len();
            let codes = &mut codes[..GROUP * width];
            let mut meta =
                Meta { scale: [0.0; GROUP], inside: [EXCEPTION; GROUP], rest: [0.0; GROUP], base: Base::default() };
            for (row, codes) in codes.chunks_exact_mut(width).enumerate() {
                let numbers = &numbers[row * both..][own.clone()];
                let scale = quantize(numbers, codes);
                sums[row].add(numbers, codes, scale);
                match sums[row].bounds(norms[row], skew) {
                    Some((inside, rest)) => (meta.scale[row], meta.inside[row], meta.rest[row]) = (scale, inside, rest),
                    None => codes.fill(0),
                }
                all_rest += if n == 0 { meta.rest[row] } else { 0.0 };
            }
            if n == 0 {
                meta.base = kernel::base(codes, width);
            }
            layer.metas.push(meta);
            if n == 0 {
                let begin = layer.codes.len();
                layer.codes.resize(begin + GROUP * width, 0);
                let group = &mut layer.codes[begin..];
                for (row, own) in codes.chunks_exact(width).enumerate() {
                    for (at, code) in own.iter().enumerate() {
                        let (to, code) = place(at, width, *code);
                        group[(to / QUAD * GROUP + row) * QUAD + to % QUAD] = code;
                    }
                }
            } else {
                layer.codes.extend_from_slice(codes);
            }
        }
        self.rows += GROUP;
        Ok(all_rest)
    }

    /// Writes an upper bound of the score of each row of `groups` to `upper`. Calls `visit` for each row whose
    /// approximate score is not below the limit, and takes the new limit from it. `upper` and `among` are those of this
    /// chunk. Groups without any row in `among` are skipped. Returns the last limit.
    pub fn bound(
        &self,
        groups: Range<usize>,
        query: &QueryCodes,
        upper: &mut [f32],
        among: Option<&[u16]>,
        mut limit: f32,
        visit: &mut dyn FnMut(usize, f32) -> f32,
    ) -> f32 {
        let Layer { codes, metas } = &self.layers[0];
        let QueryLayer { pairs, begin, scale: query_scale, reach, .. } = &query.layers[0];
        let bytes = pairs.len() * QUAD * GROUP;
        let first = groups.start;
        let codes = codes[groups.start * bytes..groups.end * bytes].chunks_exact(bytes);
        let upper = upper.as_chunks_mut::<GROUP>().0[groups.clone()].iter_mut();
        for (n, ((codes, Meta { scale, inside, rest, base }), upper)) in
            codes.zip(&metas[groups]).zip(upper).enumerate()
        {
            let group = first + n;
            let among = among.map_or(u32::MAX, |among| u32::from(*among.get(group).unwrap_or(&0)));
            if among == 0 {
                continue;
            }
            let sums = kernel::group_sums(codes, pairs, *begin, base);
            let near;
            [near, *upper] =
                kernel::bounds(&sums, [scale, inside, rest], [*query_scale, reach.along, reach.off, reach.slack]);
            for i in kernel::ones(kernel::at_least(&near, limit) & among) {
                if near[i] >= limit {
                    limit = visit(group * GROUP + i, near[i]);
                }
            }
        }
        limit
    }

    /// Returns a closer upper bound for row `i` of a group, from the one that [`bound`](Self::bound) found.
    #[inline(always)]
    pub fn bound_closer(&self, query: &QueryCodes, group: usize, i: usize, upper: f32) -> f32 {
        let ([first, layer], [first_query, query]) = (&self.layers, &query.layers);
        let width = query.codes.len();
        let row = group * GROUP + i;
        if width == 0 || layer.metas[group].inside[i] < 0.0 {
            return upper;
        }
        let Reach { along, off, slack } = first_query.reach;
        let meta = &first.metas[group];
        let near = upper - slack - off * meta.rest[i] - along * meta.inside[i];
        let sum = kernel::row_sum(&layer.codes[row * width..(row + 1) * width], &query.codes);
        let Reach { along, off, slack } = query.reach;
        let meta = &layer.metas[group];
        near + sum as f32 * (meta.scale[i] * query.scale) + along * meta.inside[i] + off * meta.rest[i] + slack
    }
}

/// Writes codes from −127 to 127, and returns the value of one unit. Any rounding will do, because its loss is
/// measured.
fn quantize(numbers: &[f32], codes: &mut [i8]) -> f32 {
    let most = greatest(numbers);
    let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
    for (code, x) in codes.iter_mut().zip(numbers) {
        *code = nearest(x * inverse).clamp(-127, 127) as i8;
    }
    most / 127.0
}

/// Returns the nearest integer. It is right for numbers up to some millions.
fn nearest(x: f32) -> i32 {
    /// Adding it leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    ((x + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32)
}

#[derive(Default)]
struct QueryLayer {
    codes: Vec<i16>,
    /// The same codes in the order in which a pass over groups takes them.
    pairs: Vec<Pairs>,
    begin: i32,
    scale: f32,
    reach: Reach,
}

/// Returns whether a query can be bounded: its norm must be near 1.
pub fn has_codes(query: &[f32]) -> bool {
    NORMS.contains(&bound::norm_squared(query).sqrt())
}

/// A query in one basis.
pub struct QueryCodes {
    layers: [QueryLayer; LAYERS],
}

impl QueryCodes {
    /// Returns None if the query's norm is not near 1.
    #[inline(never)]
    pub fn new(query: &[f32], basis: Option<&Basis>) -> Result<Option<Self>> {
        if !has_codes(query) {
            return Ok(None);
        }
        let dimension = query.len();
        let widths = shape(basis, dimension);
        let mut numbers = Vec::new();
        zeros(&mut numbers, widths.iter().sum(), "codes")?;
        let skew = match basis {
            Some(basis) => {
                dots(query, basis.directions(), &mut numbers);
                basis.skew(dimension)
            }
            None => {
                numbers[..dimension].copy_from_slice(query);
                Skew::NONE
            }
        };
        let mut made = <[QueryLayer; LAYERS]>::default();
        let mut lost = 0.0;
        for (n, (layer, own)) in made.iter_mut().zip(layers(widths)).enumerate() {
            let (width, end) = (own.len(), own.end);
            let own = &numbers[own];
            // If no code is greater than this, no sum leaves i32.
            let most = (i32::MAX / (128 * width as i32)).min(32_700) as f32;
            zeros(&mut layer.codes, width, "codes")?;
            let greatest = greatest(own);
            // A sum must end within i32, and a number that is multiplied must be within i16.
            layer.scale = greatest / most;
            if n == 0 {
                let (coarse, fine) = own.split_at(width / 2);
                let [coarse, fine] = [coarse, fine].map(self::greatest);
                layer.scale = layer.scale.max(kernel::least_scale(coarse, fine));
            }
            let inverse = if greatest > 0.0 { 1.0 / layer.scale } else { 0.0 };
            for (code, x) in layer.codes.iter_mut().zip(own) {
                *code = nearest(x * inverse) as i16;
                let left = *x as f64 - *code as f64 * layer.scale as f64;
                lost += left * left;
            }
            if n == 0 {
                zeros(&mut layer.pairs, width / QUAD, "codes")?;
                layer.begin = kernel::pairs(&layer.codes, &mut layer.pairs);
            }
            layer.reach = Reach::new(query, &numbers[..end], lost, skew, basis.is_none());
        }
        Ok(Some(Self { layers: made }))
    }
}

fn greatest(numbers: &[f32]) -> f32 {
    let most = numbers.iter().fold(0.0f32, |most, x| if x.abs() > most { x.abs() } else { most });
    // A number this small counts as 0, because dividing by it might overflow.
    if most > 1e-20 { most } else { 0.0 }
}
