//! From a path to an env file's text.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use crate::source::{Diagnostic, Diagnostics, SourceFile};

/// The largest env file that is read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Whether there is something at a path. What cannot be looked at counts: reading it tells why.
pub(super) fn exists(path: &Path) -> bool {
    // A link that leads nowhere is there, and a mistake.
    fs::symlink_metadata(path)
        .err()
        .is_none_or(|error| !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

/// Reads an env file. What is no regular file, is too large or is no text is refused.
pub(super) fn read_file(path: &Path) -> Result<Arc<SourceFile>, Diagnostics> {
    let refuse = |title: String| about(path, title);
    let metadata = fs::metadata(path).map_err(|error| refuse(cannot_read(&error)))?;
    if metadata.is_dir() {
        return Err(refuse("expected an env file, found a directory".into()).into());
    }
    if !metadata.is_file() {
        return Err(refuse("expected an env file, found no regular file".into()).into());
    }
    let mut bytes = Vec::new();
    if metadata.len() <= MAX_FILE_BYTES {
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| refuse(cannot_read(&error)))?;
    }
    let size = metadata.len().max(bytes.len() as u64);
    if size > MAX_FILE_BYTES {
        let error = refuse(format!("the file is too large for an env file: {size} bytes"));
        return Err(error
            .help(format!("an env file has at most {MAX_FILE_BYTES} bytes"))
            .into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        refuse(format!(
            "the file is no UTF-8 text: line {line} holds other bytes"
        ))
    })?;
    Ok(Arc::new(SourceFile::new(path, text)))
}

/// Refuses a text that no editor wrote.
pub(super) fn check_text(file: &SourceFile) -> Result<(), Diagnostics> {
    let source = file.source();
    let size = source.len();
    if size as u64 > MAX_FILE_BYTES {
        let error = about(
            file.path(),
            format!("the file is too large for an env file: {size} bytes"),
        );
        let error = error.help(format!("an env file has at most {MAX_FILE_BYTES} bytes"));
        return Err(error.into());
    }
    match source.find('\0') {
        Some(at) => {
            let line = line_of(source.as_bytes(), at);
            let title = format!("the file is no text: line {line} holds a NUL byte");
            Err(about(file.path(), title).into())
        }
        None => Ok(()),
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().filter(|b| **b == b'\n').count() + 1
}

/// A mistake of a file as a whole; none of its text goes along.
fn about(path: &Path, title: String) -> Diagnostic {
    Diagnostic::whole_file(&Arc::new(SourceFile::new(path, "")), title)
}

/// The operating system's reason, in this project's voice.
fn cannot_read(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such env file".into(),
        ErrorKind::PermissionDenied => "no permission to read this env file".into(),
        _ => format!("failed to read this env file: {error}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_there_and_a_mistake() {
        let link = std::env::temp_dir().join(format!("shellproof-link-{}.env", std::process::id()));
        assert!(!exists(&link));
        assert!(!exists(&link.join("below")));
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        let (is_there, mistakes) = (exists(&link), read_file(&link).unwrap_err());
        fs::remove_file(&link).unwrap();
        assert!(is_there);
        assert!(mistakes.to_string().contains("no such env file"));
    }
}
