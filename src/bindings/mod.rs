//! The interface for JavaScript. No other module knows of JavaScript. `src/ts/core/core.d.ts` is the same interface in
//! TypeScript.

mod documents;
mod error;
mod numbers;
mod opening;
mod results;
mod rows;
#[cfg(feature = "whole")]
mod salvage;
mod search;
#[cfg(feature = "whole")]
mod segment;
mod sinks;
mod store;
