//! Measures how much memory a piece of work takes.

use super::counting::taken;

/// Does the work and returns its result. Panics if at any time it took more than `fixed` bytes, and `each` bytes for
/// each byte of the input.
pub fn within<T>(input: usize, fixed: i64, each: i64, work: impl FnOnce() -> T) -> T {
    let (result, _, took) = taken(work);
    let allowed = fixed + each * input as i64;
    assert!(took <= allowed, "{took} bytes of memory for {input} bytes of input, more than {allowed}");
    result
}
