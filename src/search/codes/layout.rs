//! How codes lie in memory. Every version of the inner loops shares this.

/// The number of rows whose codes lie side by side.
pub const GROUP: usize = 16;

/// The number of codes of one row that lie side by side in a group.
pub const QUAD: usize = 4;

/// The query's part of a [`QUAD`]: two fine codes, and two coarse codes less 256 times the fine ones. Each pair shares
/// a number, with the first one in the lower half.
pub type Pairs = [i32; 2];
