//! The pass over codes with the processor's own product of bytes (relaxed SIMD). The second of the two bytes that are
//! multiplied never has its top bit set, and the sum of two products is within `i16` (127 × 127 × 2). So the result is
//! the same whichever of the allowed instructions an engine uses.

use super::layout::{GROUP, Pairs, QUAD};

/// Added to a query's code, so that two numbers of seven bits hold it.
const BIAS: i32 = 8192;

/// The start of a group's sums: for each row, −[`BIAS`] times the sum of its codes.
pub type Base = [i32; GROUP];

/// Returns the start of the sums of a group.
pub fn base(codes: &[i8], width: usize) -> Base {
    let mut base = [0; GROUP];
    for (base, row) in base.iter_mut().zip(codes.chunks_exact(width)) {
        *base = row.iter().fold(0i32, |sum, code| sum.wrapping_sub(BIAS * *code as i32));
    }
    base
}

/// Here codes are kept as they are, in their order.
pub fn place(at: usize, _: usize, code: i8) -> (usize, i8) {
    (at, code)
}

/// Returns the least value of one unit of the query's codes, from the greatest numbers of both halves.
pub fn least_scale(coarse: f32, fine: f32) -> f32 {
    (if coarse > fine { coarse } else { fine }) / (BIAS - 1) as f32
}

/// Writes four upper halves and four lower halves for each [`QUAD`].
pub fn pairs(codes: &[i16], out: &mut [Pairs]) -> i32 {
    for (codes, pairs) in codes.as_chunks::<QUAD>().0.iter().zip(out) {
        let biased = codes.map(|code| (code as i32 + BIAS) as u32);
        *pairs =
            [biased.map(|code| (code >> 7 & 127) as u8), biased.map(|code| (code & 127) as u8)].map(i32::from_le_bytes);
    }
    0
}

/// See [`group_sums`](super::kernel::group_sums).
#[inline(always)]
pub fn group_sums(codes: &[i8], query: &[Pairs], base: &Base) -> [i32; GROUP] {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return simd(codes, query, base);
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    scalar(codes, query, base)
}

/// Returns the same sums without simd, for tests and for processors without it.
pub fn scalar(codes: &[i8], query: &[Pairs], base: &Base) -> [i32; GROUP] {
    let mut sums = *base;
    for (quads, halves) in codes.as_chunks::<{ QUAD * GROUP }>().0.iter().zip(query) {
        let [high, low] = halves.map(i32::to_le_bytes);
        for (sum, quad) in sums.iter_mut().zip(quads.as_chunks::<QUAD>().0) {
            for i in 0..QUAD {
                *sum = sum.wrapping_add(quad[i] as i32 * (128 * high[i] as i32 + low[i] as i32));
            }
        }
    }
    sums
}

/// Only this function has the feature. Elsewhere the compiler might fuse or approximate operations whose result must be
/// the same everywhere.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[target_feature(enable = "relaxed-simd")]
pub fn simd(codes: &[i8], query: &[Pairs], base: &Base) -> [i32; GROUP] {
    use core::arch::wasm32::{
        i8x16, i32x4, i32x4_add, i32x4_extract_lane, i32x4_relaxed_dot_i8x16_i7x16_add as dot, i32x4_shl, i32x4_splat,
    };
    let mut low = [i32x4_splat(0); 4];
    for (sums, base) in low.iter_mut().zip(base.as_chunks::<4>().0) {
        *sums = i32x4(base[0], base[1], base[2], base[3]);
    }
    let mut high = [i32x4_splat(0); 4];
    for (quads, halves) in codes.as_chunks::<16>().0.as_chunks::<4>().0.iter().zip(query) {
        let [a, b] = [i32x4_splat(halves[0]), i32x4_splat(halves[1])];
        for i in 0..4 {
            let x = &quads[i];
            #[rustfmt::skip]
            let codes = i8x16(
                x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7],
                x[8], x[9], x[10], x[11], x[12], x[13], x[14], x[15],
            );
            high[i] = dot(codes, a, high[i]);
            low[i] = dot(codes, b, low[i]);
        }
    }
    let mut out = [0; GROUP];
    for i in 0..4 {
        let sums = i32x4_add(i32x4_shl(high[i], 7), low[i]);
        out[4 * i] = i32x4_extract_lane::<0>(sums);
        out[4 * i + 1] = i32x4_extract_lane::<1>(sums);
        out[4 * i + 2] = i32x4_extract_lane::<2>(sums);
        out[4 * i + 3] = i32x4_extract_lane::<3>(sums);
    }
    out
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The sums equal those of codes times query, added one after the other.
        #[test]
        fn sums_are_exact(
            rows in (1usize..40).prop_flat_map(|quads| {
                prop::collection::vec(
                    prop::collection::vec(prop_oneof![-127i8..=127, Just(-127), Just(127)], quads * QUAD),
                    GROUP,
                )
            }),
            query in prop::collection::vec(prop_oneof![-8191i16..=8191, Just(-8191), Just(8191)], 40 * QUAD),
        ) {
            let width = rows[0].len();
            let query = &query[..width];
            let mut pairs_of = vec![[0; 2]; width / QUAD];
            prop_assert_eq!(pairs(query, &mut pairs_of), 0);
            prop_assert!(pairs_of.iter().flatten().all(|four| *four as u32 & 0x8080_8080 == 0));
            let mut codes = vec![0; width * GROUP];
            for (row, own) in rows.iter().enumerate() {
                for (at, code) in own.iter().enumerate() {
                    codes[(at / QUAD * GROUP + row) * QUAD + at % QUAD] = *code;
                }
            }
            let sums = scalar(&codes, &pairs_of, &base(&rows.concat(), width));
            for (row, sum) in rows.iter().zip(sums) {
                prop_assert_eq!(sum, row.iter().zip(query).map(|(code, q)| *code as i32 * *q as i32).sum::<i32>());
            }
        }
    }
}
