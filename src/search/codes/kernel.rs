//! The inner loops over codes and over the basis. Integers are exact, so every version gives the same result. Sums of
//! `f32` are within `bound::product_error`, whatever their order.

pub use super::layout::{GROUP, Pairs, QUAD};

/// Added to a fine code (see [`place`]), so that it is not negative.
#[cfg(not(feature = "relaxed-simd"))]
const BIAS: i32 = 128;

#[cfg(feature = "relaxed-simd")]
pub use super::relaxed::{Base, base, least_scale, pairs, place};

/// The start of a group's sums, besides the query's own start. Here there is none.
#[cfg(not(feature = "relaxed-simd"))]
pub type Base = ();

/// Computes the start of a group's sums from the codes of [`GROUP`] rows, one row after the other. Here there is
/// nothing to compute.
#[cfg(not(feature = "relaxed-simd"))]
pub fn base(_: &[i8], _: usize) -> Base {}

/// Returns the least value of one unit of the query's codes, from the greatest numbers of both halves. The numbers that
/// are multiplied must be within i16.
#[cfg(not(feature = "relaxed-simd"))]
pub fn least_scale(coarse: f32, fine: f32) -> f32 {
    ((coarse + 256.0 * fine) / 32_600.0).max(fine / 127.0)
}

/// Returns the place of the code of direction `at` of `width` among those of its row, and the form in which it is kept.
///
/// In a [`GROUP`], the codes of the first half of the directions are *coarse*: they are the upper bytes of 16-bit
/// numbers. The *fine* codes of the second half are the lower bytes. A number is multiplied as it is (`256 coarse +
/// fine`), and its upper byte is multiplied alone. So no byte has to be separated from its neighbour.
#[cfg(not(feature = "relaxed-simd"))]
pub fn place(at: usize, width: usize, code: i8) -> (usize, i8) {
    let half = width / 2;
    if at < half { (2 * at + 1, code) } else { (2 * (at - half), (code as i32 + BIAS) as u8 as i8) }
}

/// Arranges the query's codes for [`group_sums`]. They come in the order of the directions. Returns the start of the
/// sums, and writes a pair of pairs for each [`QUAD`]. A coarse code and 256 times the fine code beside it are together
/// within ±32,767.
#[cfg(not(feature = "relaxed-simd"))]
pub fn pairs(codes: &[i16], out: &mut [Pairs]) -> i32 {
    let (coarse, fine) = codes.split_at(codes.len() / 2);
    let both = |low: i32, high: i32| low as u16 as i32 | high << 16;
    for ((coarse, fine), pairs) in coarse.as_chunks::<2>().0.iter().zip(fine.as_chunks::<2>().0).zip(out) {
        let [a, b] = fine.map(i32::from);
        *pairs = [both(a, b), both(coarse[0] as i32 - 256 * a, coarse[1] as i32 - 256 * b)];
    }
    -BIAS * fine.iter().map(|code| *code as i32).sum::<i32>()
}

/// Returns the sums of code times query for [`GROUP`] rows. The codes are a [`QUAD`] of row 0, one of row 1, ..., then
/// the next one of row 0. On the way a sum may overflow `i32` and wrap around. The final sum is within `i32`.
#[cfg_attr(feature = "relaxed-simd", allow(unreachable_code, unused_variables))]
pub fn group_sums(codes: &[i8], query: &[Pairs], begin: i32, base: &Base) -> [i32; GROUP] {
    #[cfg(feature = "relaxed-simd")]
    return super::relaxed::group_sums(codes, query, base);
    #[cfg(not(feature = "relaxed-simd"))]
    let () = base;
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return simd::group_sums(codes, query, begin);
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    scalar::group_sums(codes, query, begin)
}

/// Returns the sum of one row's codes times the query, both in order. The number of codes is a multiple of [`GROUP`].
pub fn row_sum(codes: &[i8], query: &[i16]) -> i32 {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return simd::row_sum(codes, query);
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    scalar::row_sum(codes, query)
}

/// Returns a bit for each number that is at least the limit. NaN is not.
#[inline(always)]
pub fn at_least(numbers: &[f32; GROUP], limit: f32) -> u32 {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return simd::at_least(numbers, limit);
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    scalar::at_least(numbers, limit)
}

/// Iterates over the places of the bits that are set, the lowest first.
#[inline(always)]
pub fn ones(mut bits: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = bits.trailing_zeros() as usize;
        (bits > 0).then(|| {
            bits &= bits - 1;
            lowest
        })
    })
}

/// Computes two numbers for each sum. `near` is the sum times its `scale` and `by`. `upper` is `near` plus `along`
/// times `inside`, plus `off` times `rest`, plus `slack`.
#[inline(always)]
pub fn bounds(sums: &[i32; GROUP], scale: [&[f32; GROUP]; 3], by: [f32; 4]) -> [[f32; GROUP]; 2] {
    let [scale, inside, rest] = scale.map(|numbers| numbers.as_chunks::<4>().0);
    let [by, along, off, slack] = by.map(|x| lanes::splat(x));
    let mut out = [[0.0; GROUP]; 2];
    let [near_out, upper_out] = &mut out;
    let outs = near_out.as_chunks_mut::<4>().0.iter_mut().zip(upper_out.as_chunks_mut::<4>().0);
    for (i, (near_out, upper_out)) in outs.enumerate() {
        let sums = lanes::from_integers(&sums.as_chunks::<4>().0[i]);
        let near = lanes::multiply(sums, lanes::multiply(lanes::load(&scale[i]), by));
        let upper =
            lanes::multiply_add(lanes::multiply_add(near, along, lanes::load(&inside[i])), off, lanes::load(&rest[i]));
        *near_out = lanes::store(near);
        *upper_out = lanes::store(lanes::add(upper, slack));
    }
    out
}

/// Writes the product of row `r` of `rows` and direction `j` of the `n` in `directions` to `out[r * n + j]`. Each of
/// them has `dimension` numbers. Rows, directions and dimension come in fours.
#[inline(never)]
pub fn products(rows: &[f32], directions: &[f32], dimension: usize, out: &mut [f32]) {
    let n = directions.len() / dimension;
    for (quad, out) in rows.chunks_exact(4 * dimension).zip(out.chunks_exact_mut(4 * n)) {
        for (j, pair) in directions.chunks_exact(2 * dimension).enumerate() {
            let sums = eight_products(quad, pair, dimension / 4);
            for (r, [a, b]) in sums.into_iter().enumerate() {
                out[r * n + 2 * j] = a;
                out[r * n + 2 * j + 1] = b;
            }
        }
    }
}

/// Returns the products of four rows and two directions. The eight sums fit into the registers, and each number is read
/// once for several of them.
#[inline(always)]
fn eight_products(rows: &[f32], directions: &[f32], n: usize) -> [[f32; 2]; 4] {
    let (rows, directions) = (rows.as_chunks::<4>().0, directions.as_chunks::<4>().0);
    let row = |r: usize| &rows[r * n..][..n];
    let (a, b, c, d) = (row(0), row(1), row(2), row(3));
    let (p, q) = (&directions[..n], &directions[n..][..n]);
    let mut sums = [[lanes::zero(); 2]; 4];
    for i in 0..n {
        let (p, q) = (lanes::load(&p[i]), lanes::load(&q[i]));
        for (sums, row) in sums.iter_mut().zip([a, b, c, d]) {
            let row = lanes::load(&row[i]);
            sums[0] = lanes::multiply_add(sums[0], row, p);
            sums[1] = lanes::multiply_add(sums[1], row, q);
        }
    }
    sums.map(|pair| pair.map(lanes::sum))
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lanes {
    use core::arch::wasm32::{
        f32x4, f32x4_add, f32x4_convert_i32x4, f32x4_extract_lane, f32x4_mul, f32x4_splat, i32x4, v128,
    };
    pub use core::arch::wasm32::{f32x4_add as add, f32x4_mul as multiply, f32x4_splat as splat};

    #[inline(always)]
    pub fn from_integers(x: &[i32; 4]) -> v128 {
        f32x4_convert_i32x4(i32x4(x[0], x[1], x[2], x[3]))
    }

    #[inline(always)]
    pub fn store(x: v128) -> [f32; 4] {
        [f32x4_extract_lane::<0>(x), f32x4_extract_lane::<1>(x), f32x4_extract_lane::<2>(x), f32x4_extract_lane::<3>(x)]
    }

    pub fn zero() -> v128 {
        f32x4_splat(0.0)
    }

    #[inline(always)]
    pub fn load(x: &[f32; 4]) -> v128 {
        f32x4(x[0], x[1], x[2], x[3])
    }

    #[inline(always)]
    pub fn multiply_add(sum: v128, a: v128, b: v128) -> v128 {
        f32x4_add(sum, f32x4_mul(a, b))
    }

    pub fn sum(x: v128) -> f32 {
        (f32x4_extract_lane::<0>(x) + f32x4_extract_lane::<1>(x))
            + (f32x4_extract_lane::<2>(x) + f32x4_extract_lane::<3>(x))
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod lanes {
    pub fn zero() -> [f32; 4] {
        [0.0; 4]
    }

    pub fn splat(x: f32) -> [f32; 4] {
        [x; 4]
    }

    pub fn from_integers(x: &[i32; 4]) -> [f32; 4] {
        x.map(|x| x as f32)
    }

    pub fn store(x: [f32; 4]) -> [f32; 4] {
        x
    }

    pub fn add(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    pub fn multiply(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    pub fn load(x: &[f32; 4]) -> [f32; 4] {
        *x
    }

    #[inline(always)]
    pub fn multiply_add(sum: [f32; 4], a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| sum[i] + a[i] * b[i])
    }

    pub fn sum(x: [f32; 4]) -> f32 {
        (x[0] + x[1]) + (x[2] + x[3])
    }
}

/// The version without simd. It runs where there is none, and the tests compare the simd version with it.
pub mod scalar {
    use super::{GROUP, Pairs, QUAD};

    /// See [`group_sums`](super::group_sums).
    pub fn group_sums(codes: &[i8], query: &[Pairs], begin: i32) -> [i32; GROUP] {
        let mut sums = [begin; GROUP];
        for (quads, [fine, coarse]) in codes.as_chunks::<{ QUAD * GROUP }>().0.iter().zip(query) {
            let halves = |both: i32| [both as i16 as i32, both >> 16];
            let (fine, coarse) = (halves(*fine), halves(*coarse));
            for (sum, quad) in sums.iter_mut().zip(quads.as_chunks::<QUAD>().0) {
                for i in 0..2 {
                    let number = i16::from_le_bytes([quad[2 * i] as u8, quad[2 * i + 1] as u8]) as i32;
                    *sum = sum.wrapping_add(number * fine[i]).wrapping_add((number >> 8) * coarse[i]);
                }
            }
        }
        sums
    }

    /// See [`at_least`](super::at_least).
    pub fn at_least(numbers: &[f32; GROUP], limit: f32) -> u32 {
        numbers.iter().enumerate().fold(0, |bits, (i, x)| bits | u32::from(*x >= limit) << i)
    }

    /// See [`row_sum`](super::row_sum).
    pub fn row_sum(codes: &[i8], query: &[i16]) -> i32 {
        codes.iter().zip(query).map(|(code, q)| *code as i32 * *q as i32).sum()
    }
}

/// The same with the instructions of wasm's simd.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub mod simd {
    use super::{GROUP, Pairs};
    use core::arch::wasm32::{
        f32x4, f32x4_ge, f32x4_splat, i8x16, i16x8, i16x8_extend_high_i8x16, i16x8_extend_low_i8x16, i16x8_shr,
        i32x4_add, i32x4_bitmask, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_splat, v128,
    };

    #[rustfmt::skip]
    #[inline(always)]
    fn load(x: &[i8; 16]) -> v128 {
        i8x16(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11], x[12], x[13], x[14], x[15])
    }

    #[inline(always)]
    fn lanes(x: v128) -> [i32; 4] {
        [i32x4_extract_lane::<0>(x), i32x4_extract_lane::<1>(x), i32x4_extract_lane::<2>(x), i32x4_extract_lane::<3>(x)]
    }

    /// Uses two broadcast pairs of the query for 64 bytes that are read in order. It needs no sum across lanes, and ran
    /// at the speed of memory.
    #[inline(always)]
    pub fn group_sums(codes: &[i8], query: &[Pairs], begin: i32) -> [i32; GROUP] {
        let begin = i32x4_splat(begin);
        let (mut a, mut b, mut c, mut d) = (begin, begin, begin, begin);
        for (quads, [fine, coarse]) in codes.as_chunks::<16>().0.as_chunks::<4>().0.iter().zip(query) {
            let (fine, coarse) = (i32x4_splat(*fine), i32x4_splat(*coarse));
            let both = |sum, numbers: &[i8; 16]| {
                let numbers = load(numbers);
                i32x4_add(
                    i32x4_add(sum, i32x4_dot_i16x8(numbers, fine)),
                    i32x4_dot_i16x8(i16x8_shr(numbers, 8), coarse),
                )
            };
            (a, b, c, d) = (both(a, &quads[0]), both(b, &quads[1]), both(c, &quads[2]), both(d, &quads[3]));
        }
        let mut sums = [0; GROUP];
        for (four, sum) in sums.as_chunks_mut::<4>().0.iter_mut().zip([a, b, c, d]) {
            *four = lanes(sum);
        }
        sums
    }

    /// See [`at_least`](super::at_least).
    #[inline(always)]
    pub fn at_least(numbers: &[f32; GROUP], limit: f32) -> u32 {
        let limit = f32x4_splat(limit);
        let fours = numbers.as_chunks::<4>().0.iter().enumerate();
        fours.fold(0, |bits, (i, x)| {
            bits | u32::from(i32x4_bitmask(f32x4_ge(f32x4(x[0], x[1], x[2], x[3]), limit))) << (4 * i)
        })
    }

    /// See [`row_sum`](super::row_sum).
    #[inline(always)]
    pub fn row_sum(codes: &[i8], query: &[i16]) -> i32 {
        let mut sum = i32x4_splat(0);
        for (codes, q) in codes.as_chunks::<16>().0.iter().zip(query.as_chunks::<16>().0) {
            let codes = load(codes);
            let low = i16x8(q[0], q[1], q[2], q[3], q[4], q[5], q[6], q[7]);
            let high = i16x8(q[8], q[9], q[10], q[11], q[12], q[13], q[14], q[15]);
            sum = i32x4_add(sum, i32x4_dot_i16x8(i16x8_extend_low_i8x16(codes), low));
            sum = i32x4_add(sum, i32x4_dot_i16x8(i16x8_extend_high_i8x16(codes), high));
        }
        lanes(sum).iter().sum()
    }
}
