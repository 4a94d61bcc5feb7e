//! What JavaScript sees, and the only place that knows of it. `src/ts/core.d.ts` is the same interface in TypeScript.

mod error;
pub mod handle;
mod numbers;
mod opening;
mod results;
mod salvage;
mod segment;
mod store;
