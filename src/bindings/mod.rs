//! What JavaScript sees, and the only place that knows of it. `src/ts/core.d.ts` is the same interface in TypeScript.

mod error;
mod numbers;
mod opening;
mod results;
mod rows;
mod salvage;
mod search;
mod segment;
mod sinks;
mod store;
