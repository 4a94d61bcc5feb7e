//! One way of hashing for every table.

/// The hasher of a table of numbers. There is one type for all tables, because each further type would add a kilobyte
/// of code for growing.
pub type Hasher<'a> = &'a dyn Fn(&u32) -> u64;

/// Hashes an id, eight bytes at a step. No secret is mixed in, because the wasm has none.
#[inline(never)]
pub fn hash(id: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        product ^ (product >> 32)
    };
    let (eights, rest) = id.as_chunks::<8>();
    // These bytes are not copied into an array of eight. Copying a length that is known only at run time would be a
    // call out of the wasm.
    let last = rest.iter().fold(0, |last, byte| (last << 8) | u64::from(*byte));
    let hash = eights.iter().fold(id.len() as u64, |hash, eight| mix(hash, u64::from_le_bytes(*eight)));
    mix(mix(hash, last), 0)
}
