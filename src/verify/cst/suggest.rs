//! The scenario that says what a file of tests says, as far as a scenario can.

use std::fmt::Write;

use shellproof_image::{Kind, Looked};

use super::schema::{CommandTest, ContentTest, ExistenceTest, Tests};
use super::sheet::Sheet;
use crate::scenario::{Argv, Container, Pattern, TextExpect};
use crate::source::Spanned;
use shellproof_api::facts::What;

/// How many containers a scenario can have.
const MOST: usize = 64;

/// Its text. `called` is the image as a scenario names it.
pub(super) fn scenario(
    tests: &Tests,
    containers: &[Container],
    looked: &Looked,
    called: &str,
    sheet: &Sheet,
) -> String {
    let mut unsaid = Vec::new();
    let files = files(tests, looked, &mut unsaid);
    let mut text = format!(
        "# What {} says, as far as a scenario can.\nschema: 1\nname: command-tests\nmodes: [prebuilt]\n\ncontainers:\n",
        one_line(&tests.file.path().display().to_string())
    );
    if containers.is_empty() {
        text.push_str("  # A scenario starts what it looks at: write here what the image is to do, and how it is to end.\n");
        let _ = writeln!(
            text,
            "  image:\n    image: {}\n    expect:\n      exit: 0",
            quoted(called)
        );
        text.push_str(&files);
    }
    for (place, container) in containers.iter().take(MOST).enumerate() {
        text.push_str(&container_text(tests, container, called));
        if place == 0 {
            text.push_str(&files);
        }
    }
    let rest = containers.iter().skip(MOST);
    unsaid.extend(rest.map(|one| {
        format!(
            "command test `{}`: a scenario has {MOST} containers at most",
            one.name
        )
    }));
    let is_told = |test: &CommandTest| {
        let name = format!("command test `{}`", test.name);
        sheet
            .gaps
            .iter()
            .any(|fact| matches!(&fact.what, What::Unseen { why, .. } if why.starts_with(&name)))
    };
    let is_said = |test: &CommandTest| containers.iter().any(|one| one.name.span == test.name.span);
    for test in tests
        .commands
        .iter()
        .filter(|test| !is_said(test) && !is_told(test))
    {
        unsaid.push(format!("command test `{}`", test.name));
    }
    let may_start = |code: u8| matches!(code, 126 | 127);
    for test in tests.commands.iter().filter(|test| may_start(test.exit.value)) {
        unsaid.push(format!(
            "command test `{}`: that its program could be started",
            test.name
        ));
    }
    for fact in &sheet.gaps {
        if let What::Unseen { why, .. } = &fact.what {
            unsaid.push(why.clone());
        }
    }
    if let Some(name) = tests.options.env.first() {
        unsaid.push(format!(
            "`{name}` and other variables of whoever asks, in `containerRunOptions`"
        ));
    }
    if tests.metadata.is_some() {
        unsaid.push("the metadata test".to_owned());
    }
    if !tests.licences.is_empty() {
        unsaid.push("the licence tests".to_owned());
    }
    if !unsaid.is_empty() {
        text.push_str("\n# What it cannot say; `shellproof verify --cst` can, unless it is not honoured:\n");
        for one in unsaid {
            let _ = writeln!(text, "# - {}", one_line(&one));
        }
    }
    text
}

fn container_text(tests: &Tests, container: &Container, called: &str) -> String {
    let settings = &container.base;
    let mut text = format!("  {}:\n    image: {}\n", container.name, quoted(called));
    let mut argv = |key: &str, words: &Option<Spanned<Argv>>| {
        if let Some(words) = words {
            let words: Vec<_> = words.value.iter().map(|word| quoted(&word.value)).collect();
            let _ = writeln!(text, "    {key}: [{}]", words.join(", "));
        }
    };
    argv("entrypoint", &settings.entrypoint);
    argv("args", &settings.args);
    let is_own = |name: &Spanned<String>| !tests.options.env.contains(name);
    let env = settings.env.iter().flatten().filter(|one| is_own(&one.name));
    let env: Vec<_> = env
        .map(|one| format!("{}: {}", quoted(&one.name.value), quoted(&one.value.value)))
        .collect();
    if !env.is_empty() {
        let _ = writeln!(text, "    env: {{ {} }}", env.join(", "));
    }
    if let Some(user) = &settings.user {
        let _ = writeln!(text, "    user: {}", quoted(&user.value));
    }
    if let Some(timeout) = settings.timeout {
        let _ = writeln!(text, "    timeout: {}s", timeout.value.as_secs());
    }
    text.push_str("    expect:\n");
    let Some(expect) = &settings.expect else {
        return text;
    };
    if let Some(exit) = expect.exit {
        let _ = writeln!(text, "      exit: {exit}");
    }
    for (key, stream) in [("stdout", &expect.stdout), ("stderr", &expect.stderr)] {
        if let Some(stream) = stream {
            let _ = writeln!(text, "      {key}:\n{}", stream_text(stream).join("\n"));
        }
    }
    text
}

fn stream_text(expected: &TextExpect) -> Vec<String> {
    let line = |(key, patterns): (&str, &Vec<Spanned<Pattern>>)| {
        let patterns: Vec<_> = patterns
            .iter()
            .map(|pattern| quoted(pattern.value.as_str()))
            .collect();
        (!patterns.is_empty()).then(|| format!("        {key}: [{}]", patterns.join(", ")))
    };
    let lines = [
        ("matches", &expected.matches),
        ("not_matches", &expected.not_matches),
    ];
    lines.into_iter().filter_map(line).collect()
}

/// `files:` of a container, and what it cannot say.
fn files(tests: &Tests, looked: &Looked, unsaid: &mut Vec<String>) -> String {
    let existence = tests.existence.iter().filter_map(|test| existing(test, unsaid));
    let mut lines: Vec<String> = existence.collect();
    let contents = tests
        .contents
        .iter()
        .filter_map(|test| content(test, looked, unsaid));
    lines.extend(contents);
    match lines.is_empty() {
        true => String::new(),
        false => format!("      files:\n{}", lines.concat()),
    }
}

fn existing(test: &ExistenceTest, unsaid: &mut Vec<String>) -> Option<String> {
    let path = &test.path.value;
    if !is_plain(path) {
        unsaid.push(format!("file existence test `{}`: the path", test.name));
        return None;
    }
    let path = quoted(path);
    if !test.should_exist {
        return Some(format!("        - {{ path: {path}, absent: true }}\n"));
    }
    let mode = test.permissions.as_ref().and_then(|text| mode(&text.value));
    let permissions = mode.is_none() && test.permissions.is_some();
    for (is_asked, what) in [
        (permissions, "`permissions`"),
        (test.uid.is_some() || test.gid.is_some(), "the owner"),
        (test.executable_by.is_some(), "`isExecutableBy`"),
    ] {
        if is_asked {
            unsaid.push(format!("file existence test `{}`: {what}", test.name));
        }
    }
    let mode = mode
        .map(|mode| format!(", mode: \"{mode:04o}\""))
        .unwrap_or_default();
    Some(format!("        - {{ path: {path}, present: true{mode} }}\n"))
}

fn content(test: &ContentTest, looked: &Looked, unsaid: &mut Vec<String>) -> Option<String> {
    let path = &test.path.value;
    let is_file = looked
        .files
        .at(path)
        .is_some_and(|found| matches!(found.kind, Kind::File(_)));
    let is_literal = |text: &&Spanned<String>| regex::escape(&text.value) == text.value;
    let all = &test.contents.expected;
    let literals: Vec<_> = all
        .iter()
        .filter(is_literal)
        .map(|text| quoted(&text.value))
        .collect();
    let is_sayable = is_plain(path) && is_file;
    if !is_sayable || literals.len() < all.len() || !test.contents.excluded.is_empty() {
        unsaid.push(format!(
            "file content test `{}`: what is no plain text in a file",
            test.name
        ));
    }
    let contains = match literals.is_empty() {
        true => String::new(),
        false => format!(", contains: [{}]", literals.join(", ")),
    };
    is_sayable.then(|| {
        format!(
            "        - {{ path: {}, present: true{contains} }}\n",
            quoted(path)
        )
    })
}

/// The bits of a mode as Go writes it, of a plain file or a directory.
fn mode(text: &str) -> Option<u32> {
    let at = text.len().checked_sub(9)?;
    let (special, rest) = (text.get(..at)?, text.get(at..)?);
    let special = special.chars().try_fold(0, |bits, letter| {
        Some(
            bits | match letter {
                '-' | 'd' => 0,
                'u' => 0o4000,
                'g' => 0o2000,
                't' => 0o1000,
                _ => return None,
            },
        )
    })?;
    let bits =
        rest.chars()
            .zip("rwxrwxrwx".chars())
            .try_fold(0, |bits, (letter, expected)| match letter {
                '-' => Some(bits << 1),
                letter if letter == expected => Some(bits << 1 | 1),
                _ => None,
            })?;
    Some(special | bits)
}

/// Whether a scenario can name a path.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.contains('$') && !path.split('/').any(|part| part == "..")
}

/// A text in double quotes, as YAML reads it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// For a comment.
fn one_line(text: &str) -> String {
    text.escape_debug()
        .to_string()
        .replace("\\\"", "\"")
        .replace("\\'", "'")
}
