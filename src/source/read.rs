//! From a path to the text of a file that a person wrote.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use super::{Diagnostic, Diagnostics, SourceFile};

/// The largest file that is read.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What a file should be, as messages call it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileKind {
    /// As in "too large for a scenario".
    pub(crate) what: &'static str,
    /// As in "expected a scenario file".
    pub(crate) file: &'static str,
}

impl FileKind {
    /// Reads a file. What is no regular file or is too large is refused before it is read, and no text after it.
    pub(crate) fn read(self, path: &Path) -> Result<Arc<SourceFile>, Diagnostics> {
        let refuse = |problem: String| Diagnostics::from(about(path, problem));
        let metadata = fs::metadata(path).map_err(|error| refuse(cannot_read(&error)))?;
        if metadata.is_dir() {
            return Err(refuse(format!("expected {}, found a directory", self.file)));
        }
        if !metadata.is_file() {
            return Err(refuse(format!("expected {}, found no regular file", self.file)));
        }
        if metadata.len() > MAX_FILE_BYTES {
            return Err(self.too_large(path, metadata.len()).into());
        }
        let mut bytes = Vec::new();
        // What grew since it was looked at is read no further, and refused by `check`.
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| refuse(cannot_read(&error)))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
            refuse(format!(
                "the file is no UTF-8 text: line {line} holds other bytes"
            ))
        })?;
        let file = Arc::new(SourceFile::new(path, text));
        self.check(&file)?;
        Ok(file)
    }

    /// Refuses a text that no editor wrote. Nothing of it goes along with the message: it may hold secrets.
    pub(crate) fn check(self, file: &SourceFile) -> Result<(), Diagnostics> {
        let source = file.source();
        if source.len() as u64 > MAX_FILE_BYTES {
            return Err(self.too_large(file.path(), source.len() as u64).into());
        }
        let Some(at) = source.find('\0') else {
            return Ok(());
        };
        let line = line_of(source.as_bytes(), at);
        let title = format!("the file is no text: line {line} holds a NUL byte");
        Err(about(file.path(), title).into())
    }

    fn too_large(self, path: &Path, size: u64) -> Diagnostic {
        let what = self.what;
        about(path, format!("the file is too large for {what}: {size} bytes"))
            .help(format!("{what} has at most {MAX_FILE_BYTES} bytes"))
    }
}

/// A mistake of a file whose text is not at hand.
pub(crate) fn about(path: &Path, title: impl Into<String>) -> Diagnostic {
    Diagnostic::whole_file(&Arc::new(SourceFile::new(path, "")), title)
}

/// The operating system's reason, in this project's voice.
pub(crate) fn cannot_read(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".into(),
        ErrorKind::PermissionDenied => "no permission to read this".into(),
        _ => format!("failed to read this: {error}"),
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().filter(|b| **b == b'\n').count() + 1
}
