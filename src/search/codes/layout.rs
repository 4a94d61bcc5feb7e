//! How codes lie in memory, which every version of the inner loops shares.

/// Rows whose codes lie side by side.
pub const GROUP: usize = 16;

/// Codes of one row that lie side by side in a group's layout.
pub const QUAD: usize = 4;

/// The query's side of a [`QUAD`]: two fine codes, and two coarse ones less 256 times the fine ones, as halves of a number, the first one low.
pub type Pairs = [i32; 2];
