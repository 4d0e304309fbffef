//! The image witness: what an image is and contains, read from where it lies, without anything of it being started.
//!
//! [`read`] takes an OCI layout, an OCI archive or a docker archive and gives an [`ImageContent`]: the configuration, the
//! layers with the instructions that made them, and every file that could be started, as the image has it after all its
//! layers. Nothing here judges.
//!
//! Each layer is read once, from its first byte to its last, on its own; what it deletes from lower ones is settled when all
//! are known. So an archive is read in one pass, whatever the order of its files, also where it comes as a stream.
//!
//! Invariants:
//! - nothing is ever written, and no path of an image is a path of this machine: an entry that leads out of the root, a
//!   device or a link is a line in a table;
//! - digests are checked before anything is said of an image;
//! - memory is bounded by the number of files (`limits.rs`), not by their size; what is beyond a bound is an error;
//! - what is unclear is there rather than gone: a deletion counts only where every engine takes it for one.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod archive;
mod assemble;
mod change;
mod choose;
mod content;
mod document;
mod entry;
mod error;
mod form;
mod known;
mod layer;
mod layout;
mod limits;
mod path;
mod read;
mod source;
mod stack;
mod stream;
mod take;
mod tape;
mod wanted;

pub use change::{Change, Entry};
pub use choose::{Sign, Way};
pub use document::{Check, Configuration, Defaults, Descriptor};
pub use error::{Error, Result};
pub use form::Form;
pub use known::Layers;
pub use layer::{Digests, visit};
pub use layout::Stored;
pub use read::{look_stream, read_stream};
pub use shellproof_api::facts::ImageContent;
pub use source::{Source, look, read};
pub use stream::digest_of;
pub use take::{Taken, take_all, take_layout, take_source, take_stream};
pub use wanted::{Files, Found, Kind, Looked, WantedFiles};
