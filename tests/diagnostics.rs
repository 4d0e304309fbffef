//! Every kind of mistake in a scenario, with the message that a person reads.
//!
//! Each `tests/diagnostics/NAME.yaml` must be refused with the text in `NAME.stderr`. To write the
//! expected texts anew, set `UPDATE_DIAGNOSTICS=1`, and read the difference before committing it.

use std::fs;
use std::path::{Path, PathBuf};

use shellproof::scenario;
use shellproof::source::Color;

const DIRECTORY: &str = "tests/diagnostics";

fn files(extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(DIRECTORY)
        .expect("the directory is there")
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn every_mistake_has_its_message() {
    let update = std::env::var_os("UPDATE_DIAGNOSTICS").is_some();
    let cases = files("yaml");
    assert!(cases.len() > 50, "only {} cases found", cases.len());
    let mut different = Vec::new();
    for case in &cases {
        let actual = match scenario::load(case) {
            Ok(_) => "accepted\n".to_owned(),
            Err(mistakes) => mistakes.render(Color::Never),
        };
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
        let case = expected.with_extension("yaml");
        assert!(case.exists(), "{} belongs to no case", expected.display());
    }
}

#[test]
fn every_message_keeps_to_the_voice() {
    for case in files("yaml") {
        for mistake in &scenario::load(&case).expect_err("a case is a mistake") {
            let title = &mistake.title;
            let texts = [Some(title), mistake.label.as_ref(), mistake.help.as_ref()];
            for text in texts.into_iter().flatten() {
                assert!(
                    !text.ends_with('.'),
                    "{}: a full stop in {text:?}",
                    case.display()
                );
                assert!(
                    !text.is_empty(),
                    "{}: an empty text with {title:?}",
                    case.display()
                );
                assert!(!text.contains(char::is_control), "{}: {text:?}", case.display());
            }
            assert!(
                !title.starts_with(char::is_uppercase),
                "{}: {title:?}",
                case.display()
            );
        }
    }
}

#[test]
fn colour_changes_no_word() {
    let mistakes = scenario::load(Path::new("tests/diagnostics/after.yaml")).expect_err("it is a mistake");
    let plain = mistakes.render(Color::Never);
    let colored = mistakes.render(Color::Always);
    assert!(!plain.contains('\u{1b}'));
    assert!(colored.contains('\u{1b}'));
    let mut stripped = String::new();
    let mut parts = colored.split('\u{1b}');
    stripped.push_str(parts.next().unwrap_or_default());
    for part in parts {
        stripped.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    assert_eq!(stripped, plain);
}
