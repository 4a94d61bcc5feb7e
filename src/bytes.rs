//! Short runs of bytes.

/// The most bytes that are copied here. A longer run is worth the call out of the wasm that copies it.
const SHORT: usize = 64;

/// Appends `bytes` to `out`. In the wasm, a copy of a length that is known only at run time is a call out of it, which
/// takes longer than copying some words one by one.
#[inline(never)]
pub fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > SHORT {
        out.extend_from_slice(bytes);
        return;
    }
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().for_each(|word| out.extend_from_slice(word));
    rest.iter().for_each(|byte| out.push(*byte));
}
