//! Files that are none.

use std::fs;

use tempfile::TempDir;

use super::{Held, archive, image, verify};

#[test]
fn a_mistake_is_told_at_its_line() {
    for (text, expected) in [
        ("", "starts with `schemaVersion: 2.0.0`"),
        ("schemaVersion: 2.0.0", "the file holds no test"),
        ("schemaVersion: 1.0.0", "schema version `1.0.0` is not read here"),
        (
            "commandTests: [{ name: a, command: b }]",
            "needs the key `schemaVersion`",
        ),
        (
            "schemaVersion: 2.0.0\ncomandTests: []",
            "did you mean `commandTests`?",
        ),
        (
            "schemaVersion: 2.0.0\nfileExistenceTests:\n- name: a\n  path: /a\n  shouldExists: true",
            "tests.yaml:5:3",
        ),
        (
            "schemaVersion: 2.0.0\nfileExistenceTests: [{ name: a, path: /a, isExecutableBy: everyone }]",
            "expected `any`, `owner`, `group` or `other`",
        ),
        (
            "schemaVersion: 2.0.0\nmetadataTest: { env: [{ key: A, value: b }] }",
            "did you mean `envVars`?",
        ),
        (
            "schemaVersion: 2.0.0\ncommandTests: [{ name: a, command: b, exitCode: 300 }]",
            "from 0 to 255",
        ),
        (
            "schemaVersion: 2.0.0\ncommandTests: [{ name: a, command: b, envVars: [{ key: A }] }]",
            "variable `A` of a command test has no value",
        ),
        (
            "schemaVersion: 2.0.0\ncommandTests: [{ command: b }]",
            "needs the key `name`",
        ),
        (
            "schemaVersion: 2.0.0\nlicenseTests: [{ debian: false }]",
            "would always pass",
        ),
        (
            "schemaVersion: 2.0.0\nfileContentTests: [{ name: a, path: /a, expectedContents: [''] }]",
            "at least one",
        ),
        (
            "schemaVersion: 2.0.0\ncommandTests: &a [{ name: a, command: b }]",
            "a YAML anchor has no meaning here",
        ),
    ] {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("image.tar"), archive(&image().saved())).unwrap();
        let ended = verify(&directory, "docker-archive:image.tar", "tests.yaml", text, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{text}");
        assert!(ended.stderr.contains(expected), "{text}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    }
}

#[test]
fn json_is_read_with_the_defaults_that_it_has_there() {
    let held = |test: &str| {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("image.tar"), archive(&image().saved())).unwrap();
        let text = format!(
            "{{\n\t\"schemaVersion\": \"2.0.0\",\n\t\"fileExistenceTests\": [\n\t\t{{ \"name\": \"it\", {test} }}\n\t]\n}}\n"
        );
        let ended = verify(
            &directory,
            "docker-archive:image.tar",
            "tests.json",
            &text,
            &["--format", "json"],
        );
        Held::of(&ended)
    };
    assert_eq!(held(r#""path": "/app/data", "shouldExist": true"#).code, Some(0));
    assert_eq!(held(r#""path": "/nope", "shouldExist": true"#).code, Some(1));
    // Where nothing is said, it is not to be there.
    assert_eq!(held(r#""path": "/app/data""#).code, Some(1));
    assert_eq!(held(r#""path": "/nope""#).code, Some(0));
}
