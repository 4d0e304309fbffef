//! Tests of files: whether they are there, what is in them, and their licences.

use shellproof_image::{Files, Found, Kind, Looked, WantedFiles};

use super::expand::{Env, expand};
use super::go_pattern;
use super::schema::{ContentTest, ExistenceTest, LicenceTest, Output, Tests};
use super::sheet::Sheet;
use crate::source::{Span, Spanned};

/// Where Debian's packages have their licences, each in a directory of its own.
const DEBIAN: &str = "/usr/share/doc";
const LICENCE: &str = "copyright";
/// Packages that are passed whatever their licence says, as container-structure-test does.
const PASSED: &[&str] = &["libgnutls30"];
/// Licences that it fails.
const REFUSED: &[&str] = &["AGPL", "WTFPL"];

/// The files that tests are about. Variables in paths have to be put in; without them, such paths are left out.
pub(super) fn wanted(tests: &Tests, env: Option<&Env>) -> WantedFiles {
    let mut wanted = WantedFiles::default();
    for test in &tests.existence {
        let path = &test.path.value;
        match env {
            Some(env) => wanted.path(&expand(path, env)),
            None if !path.contains('$') => wanted.path(path),
            None => {}
        }
    }
    for test in &tests.contents {
        wanted.content(&test.path.value);
    }
    for test in &tests.licences {
        test.files.iter().for_each(|file| wanted.content(&file.value));
        if test.debian {
            wanted.each(DEBIAN, LICENCE);
        }
    }
    wanted
}

/// Compares the image's files with what is expected of them.
pub(super) fn check(tests: &Tests, looked: &Looked, env: &Env, sheet: &mut Sheet) {
    let files = &looked.files;
    let first = tests.existence.first().map(|test| test.path.span);
    let first = first.or_else(|| tests.contents.first().map(|test| test.path.span));
    let first = first.or_else(|| tests.licences.first().map(|test| test.place));
    if let (Some(span), Some(link)) = (first, looked.crossed.first()) {
        let why = format!(
            "layers have files below `{link}`, which is a link: engines unpack them to different places"
        );
        sheet.skip(span, "what a test says of files", why);
    }
    for test in &tests.contents {
        content(test, files, sheet);
    }
    for test in &tests.existence {
        existence(test, files, env, sheet);
    }
    for test in &tests.licences {
        licence(test, files, sheet);
    }
}

fn existence(test: &ExistenceTest, files: &Files, env: &Env, sheet: &mut Sheet) {
    let path = expand(&test.path.value, env);
    let of = |what: &str| format!("`{path}` {what} (file existence test `{}`)", test.name);
    let found = match (files.at(&path), test.should_exist) {
        (
            Some(Found {
                kind: Kind::Other, ..
            }),
            _,
        ) => {
            let why = "it is a device or a pipe, which container-structure-test's drivers do not see alike";
            return sheet.skip(test.path.span, of("to be looked for"), why);
        }
        (Some(found), true) => found,
        (None, true) => {
            return sheet.check(test.path.span, of("to be there"), Some("there is nothing".into()));
        }
        (found, false) => {
            let actual = found.map(|found| format!("there is {}", describe(&found.kind)));
            return sheet.check(test.path.span, of("not to be there"), actual);
        }
    };
    sheet.check(test.path.span, of("to be there"), None);
    let asks_for_more = test.permissions.is_some()
        || test.uid.is_some()
        || test.gid.is_some()
        || test.executable_by.is_some();
    if found.kind == Kind::ImpliedDirectory && asks_for_more {
        let why = "no layer has an entry for this directory, so that whoever unpacks the image chooses its owner and mode";
        return sheet.skip(test.path.span, of("to have its owner and mode"), why);
    }
    let mode = permissions(found);
    if let Some(expected) = &test.permissions {
        let actual = (mode != expected.value).then(|| format!("it has `{mode}`"));
        sheet.check(expected.span, of(&format!("to have `{expected}`")), actual);
    }
    if let Some(whom) = &test.executable_by {
        let word = format!("{:?}", whom.value).to_lowercase();
        let actual = (found.mode & whom.value.bits() == 0).then(|| format!("it has `{mode}`"));
        sheet.check(whom.span, of(&format!("to be executable by {word}")), actual);
    }
    for (expected, actual, what) in [
        (test.uid, found.owner.0, "user"),
        (test.gid, found.owner.1, "group"),
    ] {
        if let Some(expected) = expected {
            let actual = (expected.value != actual).then(|| format!("it is of {what} {actual}"));
            sheet.check(expected.span, of(&format!("to be of {what} {expected}")), actual);
        }
    }
}

/// As Go writes a mode: letters for what it is, then nine for who may do what.
fn permissions(found: &Found) -> String {
    let bit = |bit: u32, letter: char| (found.mode & bit != 0).then_some(letter);
    let kind = match found.kind {
        Kind::Directory | Kind::ImpliedDirectory => Some('d'),
        Kind::Symlink(_) => Some('L'),
        Kind::File(_) | Kind::Other => None,
    };
    let special = [kind, bit(0o4000, 'u'), bit(0o2000, 'g'), bit(0o1000, 't')];
    let special: String = special.into_iter().flatten().collect();
    let letters = "rwxrwxrwx".chars().enumerate();
    let rest: String = letters
        .map(|(place, letter)| bit(1 << (8 - place), letter).unwrap_or('-'))
        .collect();
    match special.is_empty() {
        true => format!("-{rest}"),
        false => special + &rest,
    }
}

fn describe(kind: &Kind) -> &'static str {
    match kind {
        Kind::File(_) => "a file",
        Kind::Directory | Kind::ImpliedDirectory => "a directory",
        Kind::Symlink(_) => "a link",
        Kind::Other => "a device or a pipe",
    }
}

/// The content of a file, or why there is none; what is not kept is noted.
fn read(
    files: &Files,
    path: &str,
    span: Span,
    what: &str,
    sheet: &mut Sheet,
) -> Option<Result<String, String>> {
    match files.behind(path).map(|found| &found.kind) {
        Some(Kind::File(Some(content))) => Some(Ok(go_pattern::text(content))),
        Some(Kind::File(None)) => {
            sheet.skip(span, what, "files of more than 8 MiB are not read");
            None
        }
        Some(Kind::Other) => {
            sheet.skip(span, what, "it is a device or a pipe");
            None
        }
        Some(Kind::Symlink(_)) | None => Some(Err("there is nothing".into())),
        Some(kind) => Some(Err(format!("it is {}", describe(kind)))),
    }
}

fn content(test: &ContentTest, files: &Files, sheet: &mut Sheet) {
    let of = format!("`{}`", test.path);
    let name = format!("(file content test `{}`)", test.name);
    let what = format!("{of} to be a file {name}");
    match read(files, &test.path.value, test.path.span, &what, sheet) {
        Some(Ok(text)) => {
            sheet.check(test.path.span, what, None);
            matches(&test.contents, &of, &name, &text, sheet);
        }
        Some(Err(why)) => sheet.check(test.path.span, what, Some(why)),
        None => {}
    }
}

fn matches(expected: &Output, of: &str, name: &str, text: &str, sheet: &mut Sheet) {
    let mut check = |pattern: &Spanned<String>, is_wanted: bool| {
        let not = if is_wanted { "" } else { "not " };
        let what = format!("{of} {not}to match `{pattern}` {name}");
        let Some(compiled) = sheet.pattern(pattern, &what) else {
            return;
        };
        let actual = match (compiled.is_match(text), is_wanted) {
            (true, true) | (false, false) => None,
            (false, true) => Some("it does not".to_owned()),
            (true, false) => Some("it does".to_owned()),
        };
        sheet.check(pattern.span, what, actual);
    };
    expected.expected.iter().for_each(|pattern| check(pattern, true));
    expected.excluded.iter().for_each(|pattern| check(pattern, false));
}

fn licence(test: &LicenceTest, files: &Files, sheet: &mut Sheet) {
    if test.debian {
        debian(test, files, sheet);
    }
    for file in &test.files {
        of_file(&file.value, file.span, files, sheet);
    }
}

fn debian(test: &LicenceTest, files: &Files, sheet: &mut Sheet) {
    let is_there = files.behind(DEBIAN).is_some();
    let actual = (!is_there).then(|| "there is nothing".to_owned());
    sheet.check(
        test.place,
        format!("`{DEBIAN}` to be there (licence test)"),
        actual,
    );
    for package in files.directories(DEBIAN) {
        if !PASSED.contains(&package.as_str()) {
            of_file(&format!("{DEBIAN}/{package}/{LICENCE}"), test.place, files, sheet);
        }
    }
}

fn of_file(path: &str, span: Span, files: &Files, sheet: &mut Sheet) {
    let what = format!("`{path}` to be a licence that is allowed (licence test)");
    let actual = match read(files, path, span, &what, sheet) {
        None => return,
        Some(Err(why)) => Some(why),
        Some(Ok(text)) => {
            let text = text.to_uppercase();
            let refused = REFUSED.iter().find(|refused| text.contains(**refused));
            refused.map(|refused| format!("it has `{refused}`"))
        }
    };
    sheet.check(span, what, actual);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_written_as_go_does() {
        for (kind, mode, expected) in [
            (Kind::File(None), 0o644, "-rw-r--r--"),
            (Kind::File(None), 0o4755, "urwxr-xr-x"),
            (Kind::File(None), 0o6755, "ugrwxr-xr-x"),
            (Kind::Directory, 0o1777, "dtrwxrwxrwx"),
            (Kind::Symlink(Vec::new()), 0o777, "Lrwxrwxrwx"),
        ] {
            let found = Found {
                kind,
                mode,
                owner: (0, 0),
            };
            assert_eq!(permissions(&found), expected);
        }
    }
}
