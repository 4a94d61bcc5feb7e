//! An allocator that counts the memory of each thread, and refuses a large allocation if a test asks for that.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the memory that this thread takes.
struct Counting;

thread_local! {
    pub static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
    /// How many more large allocations succeed before one is refused.
    pub static GIVEN: Cell<u64> = const { Cell::new(u64::MAX) };
}

const LARGE: usize = 2048;

fn refused(size: usize) -> bool {
    size >= LARGE
        && GIVEN
            .try_with(|given| {
                let left = given.get();
                given.set(left.checked_sub(1).unwrap_or(u64::MAX));
                left == 0
            })
            .unwrap_or(false)
}

fn took(bytes: i64) {
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + u64::from(bytes > 0)));
    let _ = BYTES.try_with(|all| {
        all.set(all.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(all.get())));
    });
}

// SAFETY: everything is handed to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refused(layout.size()) {
            return std::ptr::null_mut();
        }
        took(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        took(-(layout.size() as i64));
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

pub const MIB: i64 = 1 << 20;

/// Returns the result of `work`, the bytes that it still holds at its end, and the most bytes that it held at a time.
pub fn taken<T>(work: impl FnOnce() -> T) -> (T, i64, i64) {
    let before = BYTES.get();
    PEAK.set(before);
    let result = work();
    (result, BYTES.get() - before, PEAK.get() - before)
}
