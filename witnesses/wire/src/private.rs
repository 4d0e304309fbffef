//! Files that are written when all is over, some of which only their owner may read.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// `O_NONBLOCK` on Linux: a FIFO that nobody reads is an error, and nothing to wait for.
const NON_BLOCKING: i32 = 0o4000;

/// Writes a file, such as a recording, that only its owner may read, also where it was there before. A FIFO or a device is
/// written to as it is.
///
/// # Errors
/// It cannot be written, or it is a FIFO that nobody reads.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    write(path, text, Some(0o600))
}

/// Writes a file that others may read as the user's mask has it. One that was there before keeps its mode.
///
/// # Errors
/// As [`write_private`].
pub fn write_public(path: &Path, text: &str) -> io::Result<()> {
    write(path, text, None)
}

fn write(path: &Path, text: &str, mode: Option<u32>) -> io::Result<()> {
    let mut file = open(path, mode.unwrap_or(0o666))?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        if let Some(mode) = mode {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        file.set_len(0)?;
    }
    if kind.is_fifo() {
        // Its reader is there, so that this one does not wait; what is written may.
        file = OpenOptions::new().write(true).open(path)?;
    }
    file.write_all(text.as_bytes())
}

fn open(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .mode(mode)
        .custom_flags(NON_BLOCKING);
    options.open(path).map_err(|error| {
        let is_fifo = std::fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo());
        // The kernel's own word is "no such device or address".
        if is_fifo && error.raw_os_error() == Some(6) {
            io::Error::new(io::ErrorKind::BrokenPipe, "it is a FIFO that nobody reads")
        } else {
            error
        }
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_is_private_also_when_it_was_not_before() {
        let path = std::env::temp_dir().join(format!("shellproof-private-{}", std::process::id()));
        std::fs::write(&path, "something longer").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write_private(&path, "text").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((mode, text.as_str()), (0o600, "text"));
    }

    #[test]
    fn a_public_file_keeps_its_mode_and_none_of_its_text() {
        let path = std::env::temp_dir().join(format!("shellproof-public-{}", std::process::id()));
        std::fs::write(&path, "something longer").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write_public(&path, "text").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((mode, text.as_str()), (0o640, "text"));
    }

    #[test]
    fn a_fifo_without_a_reader_is_an_error_at_once() {
        let path = std::env::temp_dir().join(format!("shellproof-fifo-{}", std::process::id()));
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = write_private(&path, "text").unwrap_err();
        assert_eq!(
            write_public(&path, "text").unwrap_err().to_string(),
            error.to_string()
        );
        assert_eq!(error.to_string(), "it is a FIFO that nobody reads");
        let reader = {
            let path = path.clone();
            std::thread::spawn(move || std::fs::read_to_string(path).unwrap())
        };
        // The reader is there as soon as its thread has come so far.
        let text = "x".repeat(200 << 10);
        while write_private(&path, &text).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let read = reader.join().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, text);
    }
}
