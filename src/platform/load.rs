//! From a path to an env file's text.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::source::FileKind;

pub(super) const ENV_FILE: FileKind = FileKind {
    what: "an env file",
    file: "an env file",
};

/// Whether there is something at a path. What cannot be looked at counts: reading it tells why.
pub(super) fn exists(path: &Path) -> bool {
    // A link that leads nowhere is there, and a mistake.
    fs::symlink_metadata(path)
        .err()
        .is_none_or(|error| !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
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
        let (is_there, mistakes) = (exists(&link), ENV_FILE.read(&link).unwrap_err());
        fs::remove_file(&link).unwrap();
        assert!(is_there);
        assert!(mistakes.to_string().contains("no such file or directory"));
    }
}
