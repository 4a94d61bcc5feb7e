// The numbers that the core returns, with their names in Rust. pkg-tests/node/units.test.ts compares both.

/** `Step` in src/segment/supplied.rs: how far a step into the core came. */
export const enum Step {
  /** Another step is to follow. */
  More = 0,
  /** Nothing is left to do. */
  Done = 1,
  /** Rows are missing. Read what `Rows.wanted` lists, supply it, and take the step again. */
  Wanting = 2,
}

/** `NoReceipt` in src/bindings/store.rs: why `Store.receipt` has no result of a write. */
export const enum NoReceipt {
  /** The write was never made. */
  Unmade = -1,
  /** The write was refused. */
  Refused = -2,
  /** The write was asked for so long ago that nobody can tell. */
  Forgotten = -3,
}
