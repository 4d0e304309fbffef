//! What a run looks like to a person, to a program and to a CI server: one document, and what is made of it.

mod build;
mod criteria;
pub mod document;
mod files;
mod human;
mod images;
mod junit;
mod progress;
mod sarif;
mod styles;
mod summary;
mod tree;
mod usage;

pub use document::Document;
pub use human::{human, human_result};
pub use junit::junit;
pub use progress::Progress;
pub use sarif::sarif;
pub use styles::Styles;
