//! One way to hash, for every table.

/// What a table of numbers goes by. One type for all: each other one would bring a kilobyte of its own way to grow.
pub type Hasher<'a> = &'a dyn Fn(&u32) -> u64;

/// Of an id, for the tables: eight bytes a step. No secret is mixed in: the wasm has none, whatever the hash.
#[inline(never)]
pub fn hash(id: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        product ^ (product >> 32)
    };
    let (eights, rest) = id.as_chunks::<8>();
    // Not copied into eight: a copy of a length that only the run knows is a call out of the wasm.
    let last = rest.iter().fold(0, |last, byte| (last << 8) | u64::from(*byte));
    let hash = eights.iter().fold(id.len() as u64, |hash, eight| mix(hash, u64::from_le_bytes(*eight)));
    mix(mix(hash, last), 0)
}
