//! The built binary without any engine: help, wrong input, and engines that are not there.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rstest::rstest;
use tempfile::TempDir;

#[path = "cli/embedded.rs"]
mod embedded;
#[path = "support/ended.rs"]
mod ended;
#[path = "cli/engines.rs"]
mod engines;

use ended::Ended;

/// Runs the binary in an empty directory of its own, where nothing names an engine or a configuration.
fn shellproof(directory: &Path, arguments: &[&str]) -> Ended {
    with_environment(directory, arguments, &[])
}

fn with_environment(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    Command::new(env!("CARGO_BIN_EXE_shellproof"))
        .current_dir(directory)
        .args(arguments)
        .env_remove("CONTAINER_HOST")
        .env_remove("DOCKER_HOST")
        .env_remove("DOCKER_CONTEXT")
        .env("DOCKER_CONFIG", directory)
        .env("XDG_DATA_HOME", directory.join("data"))
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
        .into()
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

const JOB: &str =
    "schema: 1\nname: job\ncontainers:\n  job: { image: 'fixture:tiny', expect: { exit: 0 } }\n";

#[rstest]
#[case(&["--help"], &["Usage: shellproof <COMMAND>", "run ", "check ", "config ", "doctor ", "clean ", "130 interrupted"])]
#[case(&["run", "--help"], &[
    "Usage: shellproof run", "--engine <ENGINE>", "--mode <MODE>", "--env-file <FILE>", "--jobs <N>", "--timeout <TIME>",
    "--keep", "--offline", "--format <FORMAT>", "--junit <FILE>", "--fixtures <DIR>", "[PATH]...",
])]
#[case(&["check", "--help"], &["Usage: shellproof check", "--env-file <FILE>", "[PATH]..."])]
#[case(&["config", "--help"], &["Usage: shellproof config", "--env-file <FILE>", "--mode <MODE>", "--format <FORMAT>"])]
#[case(&["doctor", "--help"], &["Usage: shellproof doctor", "--format <FORMAT>"])]
#[case(&["clean", "--help"], &["Usage: shellproof clean", "--engine <ENGINE>", "--images"])]
fn help_names_what_there_is(#[case] arguments: &[&str], #[case] parts: &[&str]) {
    let ended = shellproof(directory().path(), arguments);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for part in parts {
        assert!(ended.stdout.contains(part), "no `{part}` in:\n{}", ended.stdout);
    }
}

#[test]
fn the_version_is_the_packages() {
    let ended = shellproof(directory().path(), &["--version"]);
    let version = format!("shellproof {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ended.code, ended.stdout), (Some(0), version));
}

#[rstest]
#[case(&[], "Usage: shellproof")]
#[case(&["rnu"], "unrecognized subcommand 'rnu'")]
#[case(&["run", "--engine", "dokcer"], "expected `auto`, `all`, `docker`, `podman`, `embedded` or `NAME=unix:///path`")]
#[case(&["clean", "--engine", "fake"], "expected `auto`, `all`, `docker`, `podman`, `embedded` or `NAME=unix:///path`")]
#[case(&["run", "--mode", "distroless"], "invalid value 'distroless' for '--mode <MODE>'")]
#[case(&["run", "--timeout", "10"], "expected a number with a unit, such as `30s` or `5m`, found `10`")]
#[case(&["run", "-j", "0"], "invalid value '0'")]
#[case(&["run", "--format", "xml"], "invalid value 'xml'")]
#[case(&["keep"], "only `shellproof audit` starts a keeper")]
#[case(&["keep", "x"], "unrecognized subcommand 'keep'")]
fn a_wrong_command_line_is_bad_input(#[case] arguments: &[&str], #[case] part: &str) {
    let ended = shellproof(directory().path(), arguments);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
}

#[test]
fn what_proves_nothing_and_what_has_ended_is_bad_input() {
    let directory = directory();
    let idle = JOB.replace(", expect: { exit: 0 }", "");
    let waived =
        format!("{JOB}waivers: [{{ rule: exec, program: /tiny, reason: known, until: 2020-01-31 }}]\n");
    for (text, parts) in [
        (
            idle,
            [
                "`job` is neither a job nor a service",
                "job.yaml:4:3",
                "`expect: { exit: 0 }`",
            ],
        ),
        (
            waived,
            [
                "the waiver for `/tiny` has ended",
                "job.yaml:5:63",
                "was its last day",
            ],
        ),
    ] {
        fs::write(directory.path().join("job.yaml"), text).expect("a file can be written");
        for command in ["check", "run"] {
            let ended = shellproof(directory.path(), &[command, "job.yaml"]);
            assert_eq!(
                (ended.code, ended.stdout.as_str()),
                (Some(2), ""),
                "{}",
                ended.stderr
            );
            for part in parts {
                assert!(ended.stderr.contains(part), "no `{part}` in:\n{}", ended.stderr);
            }
        }
    }
}

/// Nine levels of nine aliases: what would be 9⁹ words if a reader followed them.
fn yaml_bomb() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    text
}

#[rstest]
#[case::bomb("bomb.yaml", "a YAML alias has no meaning here")]
#[case::large("large.yaml", "the file is too large for a scenario: 104857600 bytes")]
#[case::binary("binary.yaml", "the file is no UTF-8 text: line 1 holds other bytes")]
#[case::nul("nul.yaml", "the file is no text: line 1 holds a NUL byte")]
#[case::empty("empty.yaml", "empty.yaml")]
#[case::directory("empty", "no scenario in this directory")]
#[case::missing("missing.yaml", "no such file or directory")]
#[case::device("/dev/zero", "expected a scenario file, found no regular file")]
fn what_is_no_scenario_is_bad_input_and_quickly_so(
    #[values("run", "check")] command: &str,
    #[case] path: &str,
    #[case] part: &str,
) {
    let directory = directory();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(directory.path().join(name), bytes).expect("a file can be written")
    };
    write("bomb.yaml", yaml_bomb().as_bytes());
    write("large.yaml", &[]);
    let large = fs::File::options()
        .write(true)
        .open(directory.path().join("large.yaml"));
    large
        .and_then(|file| file.set_len(100 << 20))
        .expect("a file with a hole takes no space");
    write("binary.yaml", &[0x7f, b'E', b'L', b'F', 0xff, 0xfe]);
    write("nul.yaml", b"schema\0: 1\n");
    write("empty.yaml", b"");
    fs::create_dir(directory.path().join("empty")).expect("a directory can be made");
    let begun = Instant::now();
    let ended = shellproof(directory.path(), &[command, path]);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(path),
        "the message names the file: {}",
        ended.stderr
    );
}

#[test]
fn a_large_text_is_refused_as_quickly() {
    let directory = directory();
    let line = format!("# {}\n", "x".repeat(1021));
    fs::write(directory.path().join("large.yaml"), line.repeat(100 << 10)).expect("a file can be written");
    let begun = Instant::now();
    let ended = shellproof(directory.path(), &["run", "large.yaml"]);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[rstest]
fn a_typo_points_at_its_place_and_suggests(#[values("run", "check")] command: &str) {
    let directory = directory();
    fs::write(directory.path().join("job.yaml"), JOB.replace("image:", "imgae:"))
        .expect("a file can be written");
    let ended = shellproof(directory.path(), &[command, "job.yaml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for part in [
        "unknown key `imgae`",
        "job.yaml:4:10",
        "^^^^^",
        "did you mean `image`?",
    ] {
        assert!(ended.stderr.contains(part), "no `{part}` in:\n{}", ended.stderr);
    }
}

#[rstest]
fn an_unknown_rule_is_a_mistake_in_the_file(#[values("run", "check")] command: &str) {
    let directory = directory();
    let text = format!("{JOB}expect: {{ verdict: violated, rule: shel }}\n");
    fs::write(directory.path().join("job.yaml"), text).expect("a file can be written");
    let ended = shellproof(directory.path(), &[command, "job.yaml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for part in ["`shel`", "job.yaml:5:36", "did you mean `shell`?"] {
        assert!(ended.stderr.contains(part), "no `{part}` in:\n{}", ended.stderr);
    }
}

#[test]
fn without_a_path_the_shipped_scenarios_are_meant() {
    let ended = shellproof(directory().path(), &["run"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--> scenarios"), "{}", ended.stderr);
}

#[test]
fn check_lists_what_it_read() {
    let directory = directory();
    fs::write(directory.path().join("job.yaml"), JOB).expect("a file can be written");
    let ended = shellproof(directory.path(), &["check", "job.yaml"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        ended.stdout,
        "job.yaml: job (layered, prebuilt)\n1 scenario is well-formed\n"
    );
    fs::write(
        directory.path().join("other.yaml"),
        JOB.replace("name: job", "name: other\nmodes: [prebuilt]"),
    )
    .expect("a file can be written");
    let ended = shellproof(directory.path(), &["check", "."]);
    assert_eq!(
        ended.stdout,
        "./job.yaml: job (layered, prebuilt)\n./other.yaml: other (prebuilt)\n2 scenarios are well-formed\n"
    );
}

#[test]
fn check_tells_the_mistakes_of_scenarios_and_env_file_at_once() {
    let directory = directory();
    fs::write(
        directory.path().join("job.yaml"),
        JOB.replace("exit: 0", "exit: 256"),
    )
    .expect("a file can be written");
    fs::write(directory.path().join("my.env"), "IMAGE_MODE=distroless\n").expect("a file can be written");
    let ended = shellproof(directory.path(), &["check", "job.yaml", "--env-file", "my.env"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for part in ["job.yaml:4:", "my.env:1:"] {
        assert!(ended.stderr.contains(part), "no `{part}` in:\n{}", ended.stderr);
    }
}

#[test]
fn config_shows_where_each_image_comes_from() {
    let directory = directory();
    fs::write(
        directory.path().join("my.env"),
        "IMAGE_PYTHON=registry.example/python:3.12\n",
    )
    .expect("a file can be written");
    let arguments = ["config", "--env-file", "my.env"];
    let environment = [("IMAGE_POSTGRES", "registry.example/postgres:17")];
    let ended = with_environment(directory.path(), &arguments, &environment);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for part in [
        "registry.example/python:3.12",
        "IMAGE_PYTHON",
        "my.env",
        "registry.example/postgres:17",
        "kerberos-test",
        "openmetadata-server",
        "opensearch",
    ] {
        assert!(ended.stdout.contains(part), "no `{part}` in:\n{}", ended.stdout);
    }
    let arguments = ["config", "--env-file", "my.env", "--format", "json"];
    let ended = with_environment(directory.path(), &arguments, &environment);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("one JSON document");
    assert!(document.to_string().contains("registry.example/python:3.12"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn an_env_file_that_was_named_must_be_there() {
    let ended = shellproof(directory().path(), &["config", "--env-file", "none.env"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("none.env"), "{}", ended.stderr);
}
