//! Text files that people write, and how mistakes in them are shown: what scenarios and env files share.

pub(crate) mod decode;
mod diagnostics;
mod file;
mod read;
pub(crate) mod spelling;
pub(crate) mod yaml;

pub use diagnostics::{Color, Diagnostic, Diagnostics};
pub use file::{SourceFile, Span, Spanned};
pub use read::MAX_FILE_BYTES;
pub(crate) use read::{FileKind, about, cannot_read};
