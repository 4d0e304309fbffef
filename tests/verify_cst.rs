//! `shellproof verify --cst`: files of container-structure-test.

#[path = "../witnesses/image/tests/images/build.rs"]
#[expect(dead_code, reason = "not every test needs every kind of entry")]
mod build;
#[path = "verify_cst/commands.rs"]
mod commands;
#[path = "verify_cst/compared.rs"]
mod compared;
#[path = "support/ended.rs"]
mod ended;
#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "verify_cst/mistakes.rs"]
mod mistakes;

use std::fs;
use std::process::Command;

use build::{Image, Layer, OTHER, archive};
use ended::Ended;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Holds an image to the tests of a file.
fn verify(directory: &TempDir, image: &str, file: &str, text: &str, more: &[&str]) -> Ended {
    let path = directory.path().join(file);
    fs::write(&path, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_shellproof"))
        .args(["verify", "--cst", file, image])
        .args(more)
        .current_dir(directory.path())
        .env("XDG_DATA_HOME", directory.path().join("data"))
        .output()
        .expect("the binary starts")
        .into()
}

/// What came of tests: how it ended, what was expected, each with whether it was met, and what was not honoured.
#[derive(Debug)]
struct Held {
    code: Option<i32>,
    expectations: Vec<(String, bool)>,
    gaps: Vec<String>,
}

impl Held {
    fn of(ended: &Ended) -> Self {
        let report: Value =
            serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stderr));
        let results = report["results"].as_array().unwrap();
        let all = |key: &'static str| results.iter().flat_map(move |one| one[key].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            code: ended.code,
            expectations: all("expectations")
                .map(|one| (text(&one["what"]), one["passed"].as_bool().unwrap()))
                .collect(),
            gaps: all("evidence")
                .filter(|one| one["rule"] == "test-not-honoured")
                .map(|one| text(&one["detail"]))
                .collect(),
        }
    }

    fn failed(&self) -> Vec<&str> {
        let failed = self.expectations.iter().filter(|(_, is_met)| !is_met);
        failed.map(|(what, _)| what.as_str()).collect()
    }
}

/// One of everything.
fn image() -> Image {
    let layers = vec![
        Layer::new()
            .file("app/server", 0o755, OTHER)
            .file("app/data", 0o640, b"one\ntwo\nthree\n")
            .file("app/setuid", 0o4755, OTHER)
            .file("etc/gone", 0o644, b"x")
            .symlink("bin", "usr/bin")
            .file("usr/bin/tool", 0o711, OTHER)
            .symlink("etc/data", "/app/data")
            .entry("tmp", tar::EntryType::Directory, 0o1777, "", b"")
            .file("usr/share/doc/good/copyright", 0o644, b"License: MIT")
            .file("usr/share/doc/libgnutls30/copyright", 0o644, b"agpl"),
        Layer::new().file("etc/.wh.gone", 0o644, b""),
    ];
    Image::new(layers).config(json!({
        "Entrypoint": ["/app/server"], "Cmd": ["--port", "80"], "User": "65532", "WorkingDir": "/app",
        "Env": ["PATH=/usr/bin", "HOME=/app", "EMPTY"], "Labels": { "team": "data 7" },
        "ExposedPorts": { "80/tcp": {}, "53/udp": {} }, "Volumes": { "/data": {} },
    }))
}

/// Holds that image to tests that are written without their first line.
fn held(tests: &str) -> Held {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("image.tar"), archive(&image().saved())).unwrap();
    let text = format!("schemaVersion: 2.0.0\n{tests}\n");
    let more = ["--format", "json"];
    Held::of(&verify(
        &directory,
        "docker-archive:image.tar",
        "tests.yaml",
        &text,
        &more,
    ))
}

/// Each test passes as it stands, and fails with the second text in place of the first.
fn both(tests: &str, right: &str, wrong: &str) {
    let passes = held(tests);
    assert_eq!(passes.code, Some(0), "{tests}: {passes:?}");
    assert!(!passes.expectations.is_empty(), "{tests}");
    assert!(tests.contains(right), "{tests}: {right}");
    let tests = tests.replace(right, wrong);
    let fails = held(&tests);
    assert_eq!(fails.code, Some(1), "{tests}: {fails:?}");
    assert_eq!(fails.failed().len(), 1, "{tests}: {fails:?}");
}

#[test]
fn files_are_there_or_not() {
    for (test, right, wrong) in [
        ("path: /app/server", "server", "serve"),
        ("path: app/server", "server", "server/x"),
        ("path: /etc/gone, shouldExist: false", "gone", "data"),
        ("path: /bin/tool", "/bin/tool", "/sbin/tool"),
        ("path: $HOME/data", "$HOME", "$NOPE"),
        ("path: '${HOME}/data', shouldExist: yes", "yes", "no"),
        ("path: /app, shouldExist: true", "true", "false"),
        (
            "path: /app/data, permissions: -rw-r-----",
            "-rw-r-----",
            "-rw-r--r--",
        ),
        ("path: /app/setuid, permissions: urwxr-xr-x", "urwx", "-rwx"),
        ("path: /tmp, permissions: dtrwxrwxrwx", "dtrwx", "drwx"),
        ("path: /etc/data, permissions: Lrwxrwxrwx", "L", "-"),
        ("path: /app/data, uid: 0, gid: 0", "uid: 0", "uid: 1"),
        ("path: /app/data, uid: -1, gid: 0", "gid: 0", "gid: 7"),
        ("path: /app/server, isExecutableBy: group", "server", "data"),
        ("path: /app/server, isExecutableBy: any", "server", "data"),
        ("path: /app/server, isExecutableBy: owner", "server", "data"),
        ("path: /app/server, isExecutableBy: other", "server", "data"),
    ] {
        both(
            &format!("fileExistenceTests: [{{ name: it, {test} }}]"),
            right,
            wrong,
        );
    }
}

#[test]
fn files_contain_what_they_are_to() {
    for (test, right, wrong) in [
        ("path: /app/data, expectedContents: [one, 't.o']", "t.o", "t.x"),
        ("path: /etc/data, expectedContents: ['(?m)^two$']", "(?m)", ""),
        ("path: /app/data, excludedContents: [four]", "four", "three"),
        ("path: /app/data", "/app/data", "/app"),
        ("path: /app/data", "/app/data", "/etc/gone"),
        ("path: /app/data, excludedContents: [four]", "four", "(four"),
    ] {
        both(
            &format!("fileContentTests: [{{ name: it, {test} }}]"),
            right,
            wrong,
        );
    }
}

#[test]
fn the_configuration_says_what_it_is_to() {
    for (test, right, wrong) in [
        ("envVars: [{ key: HOME, value: /app }]", "/app", "/ap"),
        ("envVars: [{ key: EMPTY, value: '' }]", "EMPTY", "NOPE"),
        (
            "envVars: [{ key: HOME, value: '^/a.p$', isRegex: true }]",
            "true",
            "false",
        ),
        ("unboundEnvVars: [{ key: NOPE }]", "NOPE", "EMPTY"),
        ("labels: [{ key: team, value: data 7 }]", "7", "8"),
        (
            "labels: [{ key: team, value: '\\d$', isRegex: true }]",
            "\\d",
            "\\D",
        ),
        ("exposedPorts: [80, '53']", "80", "80/tcp"),
        ("unexposedPorts: ['81']", "81", "80"),
        ("volumes: [/data]", "/data", "/dat"),
        ("unmountedVolumes: [/dat]", "/dat", "/data"),
        ("entrypoint: [/app/server]", "[/app/server]", "[]"),
        ("cmd: [--port, '80']", "80", "81"),
        ("workdir: /app", "/app", "/"),
        ("user: 65532", "65532", "0"),
    ] {
        both(&format!("metadataTest: {{ {test} }}"), right, wrong);
    }
}

#[test]
fn licences_are_those_that_are_allowed() {
    both(
        "licenseTests: [{ debian: true, files: [/app/data] }]",
        "/app/data",
        "/usr/share/doc/libgnutls30/copyright",
    );
    both("licenseTests: [{ files: [/app/data] }]", "/app/data", "/nope");
}

#[test]
fn files_below_a_link_are_unproven() {
    let directory = TempDir::new().unwrap();
    let layers = vec![
        Layer::new().symlink("bin", "usr/bin"),
        Layer::new().file("bin/server", 0o755, OTHER),
    ];
    let image = Image::new(layers).config(json!({ "Entrypoint": ["/bin/server"] }));
    fs::write(directory.path().join("image.tar"), archive(&image.saved())).unwrap();
    let text = "{ schemaVersion: 2.0.0, fileExistenceTests: [{ name: it, path: /usr/bin/server, shouldExist: false }] }";
    let ended = verify(
        &directory,
        "docker-archive:image.tar",
        "tests.yaml",
        text,
        &["--format", "json"],
    );
    let held = Held::of(&ended);
    assert_eq!(held.code, Some(3), "{held:?}");
    assert!(held.gaps[0].contains("below `/bin`"), "{held:?}");
}

#[test]
fn what_is_not_honoured_is_unproven_and_named() {
    for (tests, expected) in [
        (
            r"fileContentTests: [{ name: it, path: /app/data, expectedContents: ['o\B'] }]",
            r"`\B`",
        ),
        (
            "fileExistenceTests: [{ name: it, path: /usr/share, uid: 0 }]",
            "no layer has an entry",
        ),
        (
            r"commandTests: [{ name: it, command: tool, expectedOutput: ['\B'] }]",
            "command test `it`",
        ),
        (
            "commandTests: [{ name: it, command: tool, setup: [[tool]] }]",
            "no image is committed",
        ),
        (
            "containerRunOptions: { privileged: true }\ncommandTests: [{ name: it, command: tool }]",
            "`privileged`",
        ),
        (
            "containerRunOptions: { user: root }\ncommandTests: [{ name: it, command: tool, envVars: [{ key: A, value: b }] }]",
            "drops the test's own `envVars`",
        ),
    ] {
        let held = held(tests);
        assert_eq!(held.code, Some(3), "{tests}: {held:?}");
        assert!(
            held.gaps.iter().any(|gap| gap.contains(expected)),
            "{tests}: {held:?}"
        );
    }
}
