//! Proves that a data platform runs on locked-down container images.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod audit;
pub mod cli;
mod doctor;
pub mod engines;
pub mod exit;
mod failure;
mod image_name;
pub mod invocation;
mod keeper;
mod kernel;
mod out_file;
pub mod platform;
pub mod policy;
pub mod report;
pub mod result;
pub mod run;
mod saved_image;
pub mod scenario;
pub mod source;
pub mod testing;
mod verify;
pub mod vocabulary;

pub use image_name::ImageName;
pub use shellproof_api::{ImageReference, ReferenceError};
