//! Proves that a data platform runs on locked-down container images.

pub mod scenario;
