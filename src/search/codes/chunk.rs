//! Codes of rows, a chunk at a time.

use std::ops::Range;
use std::rc::Rc;

use super::basis::Basis;
use super::bound::{self, NORMS, Reach, Skew, Sums};
use super::kernel::{self, Base, GROUP, Pairs, QUAD, place};
use crate::Result;
use crate::error::{fail, reserve, zeros};
use crate::search::kernel::dots;

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
struct First {
    codes: Vec<i8>,
    /// One for each group.
    metas: Vec<Meta>,
}

/// The number of directions of the second layer that are *early*, at most. They alone rule out most of the rows that
/// the first layer did not rule out.
const EARLY: usize = 48;

/// The part of a row's second layer that is read first. Such rows are far apart, so reading one costs as much as the
/// memory lines that it touches: this is one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Early {
    /// The value of one unit of the codes of both parts, and the norms of [`bound`](super::bound) over all directions.
    scale: f32,
    inside: f32,
    rest: f32,
    /// The norm of what the early directions leave of the row.
    early_rest: f32,
    codes: [i8; EARLY],
}

#[derive(Default)]
struct Second {
    /// One for each row.
    early: Vec<Early>,
    /// The codes of the other directions, row by row.
    codes: Vec<i8>,
}

/// Codes of some rows in one basis.
///
/// The first layer holds the strongest directions, with [`GROUP`] rows side by side, so that a pass reads only this
/// layer, and in order. Few rows need the second layer. It holds as many directions as the first layer, or twice as
/// many, and its codes lie row by row. Without a basis there is one layer with the row's own numbers.
pub struct Chunk {
    dimension: usize,
    basis: Option<Rc<Basis>>,
    first: First,
    second: Second,
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
fn shape(basis: Option<&Basis>, dimension: usize) -> [usize; 2] {
    basis.map_or([dimension.next_multiple_of(QUAD), 0], Basis::widths)
}

impl Chunk {
    pub fn new(capacity: usize, dimension: usize, basis: Option<Rc<Basis>>) -> Result<Self> {
        let (mut one, mut two) = (First::default(), Second::default());
        let [first, second] = shape(basis.as_deref(), dimension);
        reserve(&mut one.codes, capacity * first, "codes")?;
        reserve(&mut one.metas, capacity / GROUP, "codes")?;
        if second > 0 {
            reserve(&mut two.early, capacity, "codes")?;
            reserve(&mut two.codes, capacity * second.saturating_sub(EARLY), "codes")?;
        }
        Ok(Self { dimension, basis, first: one, second: two, rows: 0 })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn basis(&self) -> Option<&Rc<Basis>> {
        self.basis.as_ref()
    }

    /// Returns the number of bytes of a group in the first layer.
    pub fn group_bytes(&self) -> usize {
        (self.first.codes.len() * GROUP / self.rows.max(1)).max(1)
    }

    /// Returns the numbers that the codes of a row stand for: of the first layer, of the early directions, and of the
    /// others.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    pub fn numbers(&self, row: usize) -> [Vec<f64>; 3] {
        let [first, second] = shape(self.basis.as_deref(), self.dimension);
        let group = &self.first.codes[row / GROUP * GROUP * first..];
        let code = |at: usize| {
            let (to, _) = place(at, first, 0);
            let kept = group[(to / QUAD * GROUP + row % GROUP) * QUAD + to % QUAD];
            (-127..=127).find(|code| place(at, first, *code).1 == kept).unwrap()
        };
        let scale = self.first.metas[row / GROUP].scale[row % GROUP] as f64;
        let Early { scale: second_scale, codes: early, .. } = &self.second.early[row];
        let end = EARLY.min(second);
        let later = &self.second.codes[row * (second - end)..(row + 1) * (second - end)];
        let second = |codes: &[i8]| codes.iter().map(|code| *code as f64 * *second_scale as f64).collect();
        [(0..first).map(|at| code(at) as f64 * scale).collect(), second(&early[..end]), second(later)]
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        let Self { first, second, .. } = self;
        let codes = first.codes.capacity() + second.codes.capacity();
        codes + first.metas.capacity() * size_of::<Meta>() + second.early.capacity() * size_of::<Early>()
    }

    pub fn is_exception(&self, row: usize) -> bool {
        self.first.metas[row / GROUP].inside[row % GROUP] < 0.0
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
            let Some(row) = row(n) else { fail!(Failed, "a row is missing") };
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
        let [first, second] = widths;
        let (codes, closer) = codes.split_at_mut(GROUP * first);
        let mut meta =
            Meta { scale: [0.0; GROUP], inside: [EXCEPTION; GROUP], rest: [0.0; GROUP], base: Base::default() };
        for (row, codes) in codes.chunks_exact_mut(first).enumerate() {
            let numbers = &numbers[row * both..][..first];
            let scale = quantize(numbers, codes);
            sums[row].add(numbers, codes, scale);
            match sums[row].bounds(norms[row], skew) {
                Some((inside, rest)) => (meta.scale[row], meta.inside[row], meta.rest[row]) = (scale, inside, rest),
                None => codes.fill(0),
            }
            all_rest += meta.rest[row];
        }
        meta.base = kernel::base(codes, first);
        self.first.metas.push(meta);
        let begin = self.first.codes.len();
        self.first.codes.resize(begin + GROUP * first, 0);
        let group = &mut self.first.codes[begin..];
        for (row, own) in codes.chunks_exact(first).enumerate() {
            for (at, code) in own.iter().enumerate() {
                let (to, code) = place(at, first, *code);
                group[(to / QUAD * GROUP + row) * QUAD + to % QUAD] = code;
            }
        }
        if second > 0 {
            let end = EARLY.min(second);
            for (row, codes) in closer.chunks_exact_mut(second).enumerate() {
                let numbers = &numbers[row * both + first..][..second];
                let scale = quantize(numbers, codes);
                let mut made = Early { scale, inside: EXCEPTION, rest: 0.0, early_rest: 0.0, codes: [0; EARLY] };
                made.codes[..end].copy_from_slice(&codes[..end]);
                for part in [0..end, end..second] {
                    made.early_rest = made.rest;
                    sums[row].add(&numbers[part.clone()], &codes[part], scale);
                    (made.inside, made.rest) = sums[row].bounds(norms[row], skew).unwrap_or((EXCEPTION, 0.0));
                }
                self.second.early.push(made);
                self.second.codes.extend_from_slice(&codes[end..]);
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
        let First { codes, metas } = &self.first;
        let FirstOfQuery { pairs, begin, scale: query_scale, reach } = &query.first;
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

    /// Returns a closer upper bound for row `i` of a group, from the one that [`bound`](Self::bound) found. Looks at
    /// the early directions first, and at no others if these show that the score is below the limit.
    #[inline(always)]
    pub fn bound_closer(&self, query: &QueryCodes, group: usize, i: usize, upper: f32, limit: f32) -> f32 {
        let SecondOfQuery { early: early_query, codes: query_codes, scale: query_scale, early_reach, reach } =
            &query.second;
        let row = group * GROUP + i;
        let Some(early) = self.second.early.get(row).filter(|early| early.inside >= 0.0) else { return upper };
        let Reach { along, off, slack } = query.first.reach;
        let meta = &self.first.metas[group];
        let near = upper - slack - off * meta.rest[i] - along * meta.inside[i];
        let scale = early.scale * query_scale;
        // `inside` is that of all directions. That of the early ones is not greater.
        let bound = |sum: i32, Reach { along, off, slack }: &Reach, rest: f32| {
            near + sum as f32 * scale + along * early.inside + off * rest + slack
        };
        let sum = kernel::row_sum(&early.codes, early_query);
        let first = bound(sum, early_reach, early.early_rest);
        if first < limit {
            return first;
        }
        let width = query_codes.len();
        let codes = &self.second.codes[row * width..(row + 1) * width];
        bound(sum + kernel::row_sum(codes, query_codes), reach, early.rest)
    }
}

/// Writes codes from −127 to 127, and returns the value of one unit. Any rounding will do, because its loss is
/// measured.
#[inline(never)]
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
struct FirstOfQuery {
    /// The codes in the order in which a pass over groups takes them.
    pairs: Vec<Pairs>,
    begin: i32,
    scale: f32,
    reach: Reach,
}

struct SecondOfQuery {
    early: [i16; EARLY],
    codes: Vec<i16>,
    scale: f32,
    early_reach: Reach,
    reach: Reach,
}

/// Returns whether a query can be bounded: its norm must be near 1.
pub fn has_codes(query: &[f32]) -> bool {
    NORMS.contains(&bound::norm_squared(query).sqrt())
}

/// A query in one basis.
pub struct QueryCodes {
    first: FirstOfQuery,
    second: SecondOfQuery,
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
        let [width, second_width] = widths;
        let mut numbers = Vec::new();
        zeros(&mut numbers, width + second_width, "codes")?;
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
        let (own, own_of_second) = numbers.split_at(width);
        let mut lost = 0.0;
        let reach = |end: usize, lost: f64| Reach::new(query, &numbers[..end], lost, skew, basis.is_none());

        let (coarse, fine) = own.split_at(width / 2);
        let [coarse, fine] = [coarse, fine].map(greatest);
        let scale = scale_of(own).max(kernel::least_scale(coarse, fine));
        let mut first = FirstOfQuery { scale, ..FirstOfQuery::default() };
        let mut codes = Vec::new();
        zeros(&mut codes, width, "codes")?;
        quantize_query(own, scale, &mut codes, &mut lost);
        zeros(&mut first.pairs, width / QUAD, "codes")?;
        first.begin = kernel::pairs(&codes, &mut first.pairs);
        first.reach = reach(width, lost);

        let scale = scale_of(own_of_second);
        let (own, later) = own_of_second.split_at(EARLY.min(second_width));
        let mut early = [0; EARLY];
        quantize_query(own, scale, &mut early, &mut lost);
        let early_reach = reach(width + own.len(), lost);
        let mut codes = Vec::new();
        zeros(&mut codes, later.len(), "codes")?;
        quantize_query(later, scale, &mut codes, &mut lost);
        let reach = reach(width + second_width, lost);
        Ok(Some(Self { first, second: SecondOfQuery { early, codes, scale, early_reach, reach } }))
    }
}

/// Returns the value of one unit of a query's codes. A sum must end within i32, and a number that is multiplied must be
/// within i16.
fn scale_of(numbers: &[f32]) -> f32 {
    // If no code is greater than this, no sum leaves i32.
    let most = (i32::MAX / (128 * numbers.len().max(1) as i32)).min(32_700) as f32;
    greatest(numbers) / most
}

/// Writes a query's codes, and adds their squared distance from the numbers to `lost`.
#[inline(never)]
fn quantize_query(numbers: &[f32], scale: f32, codes: &mut [i16], lost: &mut f64) {
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    for (code, x) in codes.iter_mut().zip(numbers) {
        *code = nearest(x * inverse) as i16;
        let left = *x as f64 - *code as f64 * scale as f64;
        *lost += left * left;
    }
}

fn greatest(numbers: &[f32]) -> f32 {
    let most = numbers.iter().fold(0.0f32, |most, x| if x.abs() > most { x.abs() } else { most });
    // A number this small counts as 0, because dividing by it might overflow.
    if most > 1e-20 { most } else { 0.0 }
}
