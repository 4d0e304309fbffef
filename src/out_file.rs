//! Files that are written when all is over: whether that can be is asked before anything begins.

use std::path::Path;

use rustix::fs::{Access, access};

use crate::failure::Failure;

/// Finds out whether a file can be written at the end, and leaves it as it is. `option` names it.
///
/// # Errors
/// It is a directory, its own directory is not there, or either may not be written to.
pub(crate) fn check(option: &str, file: &Path) -> Result<(), Failure> {
    let wrong = |reason: String, help: &str| {
        let file = file.display();
        Err(Failure::Input(format!(
            "`{option} {file}` cannot be written: {reason}\nhelp: {help}"
        )))
    };
    if file.is_dir() {
        return wrong("it is a directory".into(), "name a file in it");
    }
    let directory = match file.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    if !directory.is_dir() {
        let reason = format!("there is no directory `{}`", directory.display());
        return wrong(reason, "make the directory first");
    }
    let written_to = if file.exists() { file } else { directory };
    if access(written_to, Access::WRITE_OK).is_err() {
        let reason = format!("`{}` may not be written to", written_to.display());
        return wrong(reason, "name a file elsewhere");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_found_and_nothing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().join("here");
        std::fs::write(&here, "kept").unwrap();
        let at =
            |path: &str| check("--junit", &directory.path().join(path)).map_err(|error| error.to_string());
        assert!(at("new").is_ok() && !directory.path().join("new").exists());
        assert!(at("here").is_ok());
        assert_eq!(std::fs::read_to_string(&here).unwrap(), "kept");
        assert!(check("--junit", Path::new("new-in-the-working-directory")).is_ok());
        assert!(check("--junit", Path::new("/dev/null")).is_ok());
        for (path, reason) in [
            ("", "it is a directory"),
            ("nowhere/new", "there is no directory `"),
            ("here/new", "there is no directory `"),
        ] {
            let told = at(path).unwrap_err();
            assert!(told.contains(reason) && told.contains("help: "), "{told}");
        }
    }
}
