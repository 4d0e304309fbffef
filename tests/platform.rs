//! Every kind of mistake in an env file, with the message that a person reads.
//!
//! Each `tests/platform/NAME.env` must be refused with the text in `NAME.stderr`. To write the
//! expected texts anew, set `UPDATE_DIAGNOSTICS=1`, and read the difference before committing it.
//! The text `hunter2` plays the secret in these files: no message may show it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shellproof::platform::Platform;
use shellproof::source::{Color, SourceFile};

const DIRECTORY: &str = "tests/platform";

fn files(extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(DIRECTORY)
        .expect("the directory is there")
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// What is said of a file; the test process has no platform variables of its own.
fn messages(path: &Path) -> String {
    match Platform::load(Some(path)) {
        Ok(_) => "accepted\n".to_owned(),
        Err(mistakes) => mistakes.render(Color::Never),
    }
}

#[test]
fn every_mistake_has_its_message() {
    let update = std::env::var_os("UPDATE_DIAGNOSTICS").is_some();
    let cases = files("env");
    assert!(cases.len() > 25, "only {} cases found", cases.len());
    let mut different = Vec::new();
    for case in &cases {
        let actual = messages(case);
        let expected_file = case.with_extension("stderr");
        if update {
            fs::write(&expected_file, &actual).expect("the expected text can be written");
        }
        let expected = fs::read_to_string(&expected_file).unwrap_or_default();
        if actual != expected || actual == "accepted\n" {
            different.push(format!(
                "{}\n--- expected\n{expected}--- actual\n{actual}",
                case.display()
            ));
        }
    }
    assert!(
        different.is_empty(),
        "{} cases differ:\n{}",
        different.len(),
        different.join("\n")
    );
}

#[test]
fn every_message_has_its_case() {
    for expected in files("stderr") {
        let case = expected.with_extension("env");
        assert!(case.exists(), "{} belongs to no case", expected.display());
    }
}

#[test]
fn no_message_shows_a_secret() {
    let cases = files("env");
    let with_secret = cases
        .iter()
        .filter(|case| fs::read(case).is_ok_and(|bytes| bytes.windows(7).any(|window| window == b"hunter2")));
    assert!(with_secret.count() > 8);
    for case in &cases {
        let message = messages(case).to_lowercase();
        assert!(!message.contains("hunter2"), "{}:\n{message}", case.display());
    }
}

#[test]
fn what_is_no_env_file_is_refused() {
    let refused = |path: &str| Platform::load(Some(Path::new(path))).unwrap_err().to_string();
    assert_eq!(
        refused("tests/platform/none.env"),
        "error: no such file or directory\n--> tests/platform/none.env"
    );
    assert_eq!(
        refused("tests/platform"),
        "error: expected an env file, found a directory\n--> tests/platform"
    );
    assert_eq!(
        refused("/dev/zero"),
        "error: expected an env file, found no regular file\n--> /dev/zero"
    );
}

#[test]
fn a_huge_file_is_refused_unread() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("huge-{}.env", std::process::id()));
    let file = fs::File::create(&path).expect("the file can be made");
    file.set_len(100 * 1024 * 1024)
        .expect("a sparse file takes no room");
    let mistakes = Platform::load(Some(&path)).unwrap_err().to_string();
    fs::remove_file(&path).expect("the file can be removed");
    let expected = "error: the file is too large for an env file: 104857600 bytes\n--> PATH\n \
                    = help: an env file has at most 1048576 bytes";
    assert_eq!(mistakes.replace(&path.display().to_string(), "PATH"), expected);

    let text = "#".repeat(1024 * 1024 + 1);
    let file = SourceFile::new("long.env", text);
    let mistakes = Platform::from_parts(Some(Arc::new(file)), []).unwrap_err();
    assert!(
        mistakes
            .to_string()
            .contains("too large for an env file: 1048577 bytes")
    );
}
