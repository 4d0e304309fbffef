//! What a file is by its content, whatever it is called: the words of a shell in it, the interpreter or loader that it
//! names. The kernel witness asks this of what was executed, the image witness of what an image holds, so that both mean
//! the same by "a shell".
//!
//! Nothing here opens a file, and nothing here judges.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod format;
mod likeness;

pub use format::{Bytes, Format, HEAD, Next, Shebang};
pub use likeness::Signs;
