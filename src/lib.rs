//! Proves that a data platform runs on locked-down container images.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod audit;
pub mod engines;
pub mod platform;
pub mod run;
pub mod scenario;
