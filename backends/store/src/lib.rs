//! Images on this machine, where there is no engine to have them.
//!
//! A [`Store`] is a directory, `$XDG_DATA_HOME/shellproof` unless somebody says otherwise. It is an OCI layout (`index.json`
//! and `blobs/sha256`), so that whoever reads layouts can read it; beside the blobs each layer is unpacked once, into a
//! directory of its own that overlays take as a lower one.
//!
//! ```no_run
//! use shellproof_store::Store;
//! use shellproof_userns::{Started, Wanted};
//! # const HOLDER: shellproof_userns::Stub = shellproof_userns::Stub { name: "x", main: |_| Ok(()) };
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Before anything else: layers are unpacked in a process of this binary.
//!     if shellproof_userns::run_if_meant(&[shellproof_store::STUB, HOLDER]) {
//!         return Ok(());
//!     }
//!     let store = Store::open()?;
//!     let imported = store.import(std::fs::File::open("image.tar")?, None)?;
//!     let image = store.image(&imported.id)?.expect("it was imported");
//!     // In the namespace in which its containers will run.
//!     let holder = Started::start(&HOLDER, Wanted::Many)?;
//!     let lower = image.lower_directories(holder.ids())?;
//!     println!("lowerdir={lower:?}, to run {:?}", image.config().entrypoint);
//!     Ok(())
//! }
//! ```
//!
//! Everything here blocks but [`Store::pull`]; whoever has an async runtime calls it on a thread for that.
//!
//! Several processes may use one store. Whoever imports or uses an image holds `lock` shared; what nothing refers to is
//! removed by somebody who has it alone, and whatever somebody left unfinished with it. A blob, an index and an unpacked
//! layer appear whole or not at all.
//!
//! Invariants:
//! - a digest is checked before anything is kept under it, and each layer's second one when it is unpacked;
//! - layers are unpacked by a process whose root is the layer's directory, in a user namespace: no path of a layer means
//!   anything outside of it ([`STUB`]);
//! - nothing but [`Store::pull`] reaches the network, and no other program is started but a credential helper that the user's
//!   own files name;
//! - neither the size of a file nor that of an image is a size of memory.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod apply;
mod blobs;
mod clean;
pub mod credentials;
mod error;
mod image;
mod import;
mod index;
mod place;
mod pull;
mod registries;
mod save;
mod stub;
mod transfer;
mod trust;
mod unpack;

pub use clean::Cleaned;
pub use error::{Error, Result};
pub use image::{Image, Settings};
pub use import::Imported;
pub use index::Named;
pub use place::{Limits, Store};
pub use stub::STUB;
