use shellproof_api::OutputChunk;

use super::*;
use crate::run::output::Collector;
use crate::scenario::{self, ContainerPlan, Scenario};
use crate::vocabulary::Mode;

/// A scenario whose container `job` expects this, in YAML's flow style.
fn scenario(expect: &str) -> Scenario {
    let text = format!(
        "schema: 1\nname: checked\ncontainers:\n  job:\n    image: x:1\n    network: n\n    ready: {{ log: x }}\n    expect: {expect}\nnetworks: [n]\n"
    );
    scenario::parse("checked.yaml", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn plan(scenario: &Scenario) -> ContainerPlan {
    let mut plan = scenario.for_mode(Mode::Prebuilt).unwrap();
    plan.containers.remove(0)
}

fn wrote(stdout: &str, stderr: &str) -> Collected {
    let collector = Collector::default();
    for (stream, text) in [(StdStream::Stdout, stdout), (StdStream::Stderr, stderr)] {
        let bytes = text.to_owned().into();
        collector.push(&OutputChunk { stream, bytes });
    }
    collector.snapshot()
}

/// What each expectation came to: `ok: …` or `FAILED: … | … @ …` with the piece of the file that the caret points at.
fn told(expectations: &[Expectation]) -> Vec<String> {
    let tell = |one: &Expectation| match &one.failure {
        None => format!("ok: {}", one.what),
        Some(failure) => {
            assert_eq!(failure.diagnostic.title, format!("expected {}", one.what));
            let span = failure.diagnostic.span.expect("a failure has a place");
            let actual = failure.diagnostic.label.as_deref().unwrap_or_default();
            let place = &failure.diagnostic.file.source()[span.start..span.end];
            format!("FAILED: {} | {actual} @ {place}", one.what)
        }
    };
    expectations.iter().map(tell).collect()
}

fn ended(expect: &str, ended: Result<i64, String>) -> Vec<String> {
    let ended = ended.map(Exited::with);
    let scenario = scenario(expect);
    let checked = Checked {
        file: &scenario.file,
        container: "job",
        output: &Collected::default(),
    };
    let expected = plan(&scenario).expect.exit.unwrap();
    told(&[checked.exit(&expected, &ended)])
}

fn streams(expect: &str, output: &Collected) -> Vec<String> {
    let scenario = scenario(expect);
    let checked = Checked {
        file: &scenario.file,
        container: "job",
        output,
    };
    let expected = plan(&scenario).expect;
    let stdout = expected
        .stdout
        .iter()
        .flat_map(|text| checked.stream(StdStream::Stdout, text));
    let stderr = expected
        .stderr
        .iter()
        .flat_map(|text| checked.stream(StdStream::Stderr, text));
    told(&stdout.chain(stderr).collect::<Vec<_>>())
}

fn http(expect: &str, answer: Result<&str, &str>) -> Vec<String> {
    let scenario = scenario(&format!("{{ http: [{expect}] }}"));
    let checked = Checked {
        file: &scenario.file,
        container: "job",
        output: &Collected::default(),
    };
    let answer = answer.map(str::to_owned).map_err(str::to_owned);
    told(&checked.answer(&plan(&scenario).expect.http[0], &answer))
}

fn file(expect: &str, found: Option<ImageFile>) -> Vec<String> {
    let scenario = scenario(&format!("{{ files: [{expect}] }}"));
    let checked = Checked {
        file: &scenario.file,
        container: "job",
        output: &Collected::default(),
    };
    told(&checked.file(&plan(&scenario).expect.files[0], found.as_ref()))
}

fn regular(mode: u32, content: &str) -> ImageFile {
    ImageFile {
        kind: FileKind::File,
        mode,
        owner: (0, 0),
        size: content.len() as u64,
        content: content.into(),
    }
}

fn of_kind(kind: FileKind) -> ImageFile {
    ImageFile {
        kind,
        ..regular(0o755, "")
    }
}

#[test]
fn exit() {
    assert_eq!(ended("{ exit: 3 }", Ok(3)), ["ok: `job` to exit with 3"]);
    assert_eq!(
        ended("{ exit: 3 }", Ok(0)),
        ["FAILED: `job` to exit with 3 | it exited with 0 @ 3"]
    );
    // 259 is 3 in eight bits: the code is compared as it came.
    assert_eq!(
        ended("{ exit: 3 }", Ok(259)),
        ["FAILED: `job` to exit with 3 | it exited with 259 @ 3"]
    );
    assert_eq!(
        ended("{ exit: 3 }", Err("it still ran after 1s".into())),
        ["FAILED: `job` to exit with 3 | it still ran after 1s @ 3"]
    );
}

#[test]
fn contains() {
    let expected = "{ stdout: { contains: [one, two] } }";
    assert_eq!(
        streams(expected, &wrote("one two", "")),
        [
            "ok: stdout of `job` to contain \"one\"",
            "ok: stdout of `job` to contain \"two\""
        ]
    );
    assert_eq!(
        streams(expected, &wrote("one\n", "two")),
        [
            "ok: stdout of `job` to contain \"one\"",
            "FAILED: stdout of `job` to contain \"two\" | it is \"one\\n\" @ two"
        ]
    );
}

#[test]
fn not_contains() {
    let expected = "{ stderr: { not_contains: Traceback } }";
    assert_eq!(
        streams(expected, &wrote("Traceback", "fine")),
        ["ok: stderr of `job` not to contain \"Traceback\""]
    );
    assert_eq!(
        streams(expected, &wrote("", "Traceback (most recent call last)")),
        [
            "FAILED: stderr of `job` not to contain \"Traceback\" | it is \"Traceback (most recent call last)\" @ Traceback"
        ]
    );
}

#[test]
fn matches() {
    let expected = r"{ stdout: { matches: '^job \d+$' } }";
    assert_eq!(
        streams(expected, &wrote("start\njob 12\nend", "")),
        [r"ok: stdout of `job` to match `^job \d+$`"]
    );
    assert_eq!(
        streams(expected, &wrote("a job 12", "job 12")),
        [r#"FAILED: stdout of `job` to match `^job \d+$` | it is "a job 12" @ '^job \d+$'"#]
    );
    let several = "{ stdout: { matches: [a, b], not_matches: [c, '^d'] } }";
    assert_eq!(
        streams(several, &wrote("a\ned c", "")),
        [
            "ok: stdout of `job` to match `a`",
            r#"FAILED: stdout of `job` to match `b` | it is "a\ned c" @ b"#,
            r#"FAILED: stdout of `job` not to match `c` | it is "a\ned c" @ c"#,
            "ok: stdout of `job` not to match `^d`",
        ]
    );
}

#[test]
fn equals() {
    let expected = r#"{ stderr: { equals: "hi\n" } }"#;
    assert_eq!(
        streams(expected, &wrote("", "hi\n")),
        [r#"ok: stderr of `job` to be "hi\n""#]
    );
    assert_eq!(
        streams(expected, &wrote("hi\n", "hi")),
        [r#"FAILED: stderr of `job` to be "hi\n" | it is "hi" @ "hi\n""#]
    );
    assert_eq!(
        streams(r#"{ stdout: { equals: "" } }"#, &wrote("", "noise")),
        [r#"ok: stdout of `job` to be """#]
    );
}

#[test]
fn both_streams_are_looked_at() {
    let expected = "{ stdout: { contains: out }, stderr: { contains: err } }";
    assert_eq!(
        streams(expected, &wrote("out", "err")),
        [
            "ok: stdout of `job` to contain \"out\"",
            "ok: stderr of `job` to contain \"err\""
        ]
    );
    let told = streams(expected, &wrote("err", "out"));
    assert!(told.iter().all(|one| one.starts_with("FAILED")), "{told:?}");
}

#[test]
fn of_output_that_was_cut_nothing_holds() {
    let whole = "x".repeat((4 << 20) + 1);
    for expected in ["contains: x", "not_contains: y", "matches: x", "equals: x"] {
        assert_eq!(
            streams(&format!("{{ stdout: {{ {expected} }} }}"), &wrote(&whole, "")),
            [
                "FAILED: stdout of `job` to be kept as a whole | it wrote more than is kept, so that nothing can be said of all of it @ stdout"
            ]
        );
    }
}

#[test]
fn a_long_text_is_quoted_in_part() {
    let told = streams("{ stdout: { contains: y } }", &wrote(&"é".repeat(500), ""));
    let quoted = format!("it is \"{}\"… (1000 bytes)", "é".repeat(400));
    assert_eq!(
        told,
        [format!("FAILED: stdout of `job` to contain \"y\" | {quoted} @ y")]
    );
}

#[test]
fn http_status() {
    let expected = "{ port: 80, path: /health }";
    assert_eq!(
        http(expected, Ok("200\nok")),
        ["ok: `http://job:80/health` to answer 200"]
    );
    assert_eq!(
        http("{ port: 80, path: /health, status: 204 }", Ok("503\nbusy")),
        ["FAILED: `http://job:80/health` to answer 204 | it answered 503 @ 204"]
    );
    assert_eq!(
        http(expected, Err("tcp job:80: Connection refused")),
        [
            "FAILED: `http://job:80/health` to answer 200 | tcp job:80: Connection refused @ { port: 80, path: /health }"
        ]
    );
}

#[test]
fn http_body() {
    let expected = "{ port: 80, path: /, body: { contains: ready } }";
    assert_eq!(
        http(expected, Ok("200\nall\nready")),
        [
            "ok: `http://job:80/` to answer 200",
            "ok: the body of `http://job:80/` to contain \"ready\""
        ]
    );
    assert_eq!(
        http(expected, Ok("200\nstarting")),
        [
            "ok: `http://job:80/` to answer 200",
            "FAILED: the body of `http://job:80/` to contain \"ready\" | it is \"starting\" @ ready"
        ]
    );
    // The status line is no part of the body.
    assert_eq!(
        http(
            "{ port: 80, path: /, body: { not_contains: \"200\" } }",
            Ok("200\n")
        )[1],
        "ok: the body of `http://job:80/` not to contain \"200\""
    );
}

#[test]
fn file_present() {
    let expected = "{ path: /app/job, present: true }";
    for found in [
        regular(0o644, ""),
        of_kind(FileKind::Directory),
        of_kind(FileKind::Symlink("/nowhere".into())),
        of_kind(FileKind::Other),
    ] {
        assert_eq!(
            file(expected, Some(found)),
            ["ok: `/app/job` in the image of `job` to exist"]
        );
    }
    assert_eq!(
        file(expected, None),
        ["FAILED: `/app/job` in the image of `job` to exist | there is nothing @ /app/job"]
    );
}

#[test]
fn file_absent() {
    let expected = "{ path: /bin/sh, absent: true }";
    assert_eq!(file(expected, None), ["ok: no `/bin/sh` in the image of `job`"]);
    for (found, what) in [
        (regular(0o755, "ELF"), "a file of 3 bytes"),
        (of_kind(FileKind::Directory), "a directory"),
        (
            of_kind(FileKind::Symlink("busybox".into())),
            "a link to `busybox`",
        ),
        (of_kind(FileKind::Other), "a device, pipe or socket"),
    ] {
        assert_eq!(
            file(expected, Some(found)),
            [format!(
                "FAILED: no `/bin/sh` in the image of `job` | there is {what} @ /bin/sh"
            )]
        );
    }
}

#[test]
fn file_mode() {
    let expected = r#"{ path: /su, mode: "4755" }"#;
    assert_eq!(
        file(expected, Some(regular(0o4755, "")))[1],
        "ok: `/su` in the image of `job` to have mode 4755"
    );
    assert_eq!(
        file(expected, Some(regular(0o755, "")))[1],
        r#"FAILED: `/su` in the image of `job` to have mode 4755 | its mode is 0755 @ "4755""#
    );
    // Of what is not there only that is said.
    assert_eq!(
        file(expected, None),
        ["FAILED: `/su` in the image of `job` to exist | there is nothing @ /su"]
    );
}

#[test]
fn file_contains() {
    let expected = "{ path: /a, contains: word }";
    assert_eq!(
        file(expected, Some(regular(0o644, "a word")))[1],
        "ok: `/a` in the image of `job` to contain \"word\""
    );
    let failed =
        |actual: &str| format!("FAILED: `/a` in the image of `job` to contain \"word\" | {actual} @ word");
    assert_eq!(
        file(expected, Some(regular(0o644, "nothing")))[1],
        failed("it is \"nothing\"")
    );
    // Links are not followed: where they lead may not be in the image at all.
    let link = of_kind(FileKind::Symlink("word".into()));
    assert_eq!(file(expected, Some(link))[1], failed("it is a link to `word`"));
    assert_eq!(
        file(expected, Some(of_kind(FileKind::Directory)))[1],
        failed("it is a directory")
    );
    assert_eq!(
        file(expected, Some(of_kind(FileKind::Other)))[1],
        failed("it is a device, pipe or socket")
    );
}

#[test]
fn of_a_file_that_is_too_large_only_the_beginning_is_read() {
    let large = |beginning: &str| ImageFile {
        size: 5 << 20,
        ..regular(0o644, beginning)
    };
    let expected = "{ path: /a, contains: word }";
    assert_eq!(
        file(expected, Some(large("word and more")))[1],
        "ok: `/a` in the image of `job` to contain \"word\""
    );
    assert_eq!(
        file(expected, Some(large("beginning")))[1],
        "FAILED: `/a` in the image of `job` to contain \"word\" | its first 9 bytes do not, and no more is read @ word"
    );
}

#[test]
fn a_failure_names_the_container_and_shows_its_last_lines() {
    let scenario = scenario("{ exit: 0 }");
    let lines: String = (1..=20).map(|number| format!("line {number}\n")).collect();
    let output = wrote(&lines, "the cause\n");
    let checked = Checked {
        file: &scenario.file,
        container: "job",
        output: &output,
    };
    let expected = plan(&scenario).expect.exit.unwrap();
    let failure = checked.exit(&expected, &Ok(Exited::with(1))).failure.unwrap();
    assert_eq!(failure.container.as_deref(), Some("job"));
    assert_eq!(failure.log.len(), 12);
    assert_eq!(failure.log[0], "line 10");
    assert_eq!(failure.log[11], "the cause");
}
