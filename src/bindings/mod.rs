//! What JavaScript sees, and the only place that knows of it. `src/ts/core.d.ts` is the same interface in TypeScript.

mod error;
pub mod handle;
mod numbers;
mod opening;
mod results;
mod rows;
mod salvage;
mod search;
mod segment;
mod store;
