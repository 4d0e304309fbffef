//! The built binary with containers of its own: programs that take what they can get, and a run that is killed.

#[path = "support/ended.rs"]
mod ended;
#[path = "../backends/embedded/tests/robust/world.rs"]
#[expect(dead_code, reason = "the engine's own tests use more of it")]
mod world;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use shellproof_conformance::{Subject, lab};

use ended::Ended;

/// A user with a runtime directory, and one image.
struct User(tempfile::TempDir);

impl User {
    fn new() -> Self {
        let user = Self(tempfile::tempdir().expect("a directory"));
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let subject = Subject::build(kept).expect("the suite's image");
        for directory in ["run", "fixtures"] {
            fs::create_dir(user.0.path().join(directory)).expect("a directory");
        }
        fs::copy(subject.archive, user.0.path().join("fixtures/subject.tar")).expect("a file");
        user
    }

    /// Starts a run of one scenario, whose containers are given.
    fn start(&self, containers: &str, options: &[&str]) -> Child {
        let scenario = self.0.path().join("scenario.yaml");
        let text =
            format!("schema: 1\nname: x\nmodes: [prebuilt]\nnetworks: [net]\ncontainers:\n{containers}");
        fs::write(&scenario, text).expect("a file");
        Command::new(env!("CARGO_BIN_EXE_shellproof"))
            .current_dir(self.0.path())
            .args([
                "run",
                "--engine",
                "embedded",
                "--fixtures",
                "fixtures",
                "scenario.yaml",
            ])
            .args(options)
            .env("XDG_RUNTIME_DIR", self.0.path().join("run"))
            .env("XDG_DATA_HOME", self.0.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }

    fn run(&self, containers: &str, options: &[&str]) -> Ended {
        let child = self.start(containers, options);
        child.wait_with_output().expect("it ends").into()
    }
}

/// A job that runs a subcommand of the image's one program.
fn job(arguments: &str, rest: &str) -> String {
    format!("  job: {{ image: \"fixture:subject\", args: [{arguments}], network: net, {rest} }}\n")
}

fn check(ended: &Ended, code: i32, texts: &[&str]) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(code), "{said}");
    for text in texts {
        assert!(said.contains(text), "no `{text}` in: {said}");
    }
}

fn a_program_that_does_not_end_is_ended(user: &User) {
    let since = Instant::now();
    for arguments in ["wait", "serve-a-daemon", "bomb"] {
        let ended = user.run(&job(arguments, "expect: { exit: 0 }"), &["--timeout", "2s"]);
        check(&ended, 1, &["expected the scenario to end within 2s"]);
    }
    assert!(since.elapsed() < Duration::from_secs(60), "{:?}", since.elapsed());
}

fn a_gigabyte_of_output_is_bounded(user: &User) {
    let mut child = user.start(&job("gush, \"1073741824\"", "expect: { exit: 0 }"), &[]);
    let (mut peak, since) = (0, Instant::now());
    while child.try_wait().expect("it is a child of this").is_none() {
        assert!(since.elapsed() < Duration::from_secs(120), "it does not end");
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(number.unwrap_or_default());
        thread::sleep(Duration::from_millis(20));
    }
    check(
        &child.wait_with_output().expect("it ended").into(),
        0,
        &["1 passed"],
    );
    assert!((1..160 << 10).contains(&peak), "{peak} kB");
}

fn a_killed_run_leaves_nothing(user: &User) {
    let containers = "  server: { image: \"fixture:subject\", args: [serve, \"80\"], network: net, ready: { tcp: 80, within: 20s } }\n"
        .to_owned()
        + "  job: { image: \"fixture:subject\", args: [wait], network: net, after: { server: ready }, expect: { exit: 0 } }\n";
    let mut most = 0;
    for after in [5, 20, 60, 150, 400, 1000] {
        let mut child = user.start(&containers, &[]);
        thread::sleep(Duration::from_millis(after));
        let all = world::descendants(child.id());
        let namespaces = world::namespaces(&all);
        most = most.max(all.len());
        child.kill().expect("it is there");
        child.wait().expect("it is a child of this");
        world::eventually("all processes have ended", || {
            !all.iter().any(|one| one.is_there())
        });
        world::eventually("nobody is in its namespaces", || {
            world::who_is_in(&namespaces).is_empty()
        });
        assert!(!world::is_mounted(user.0.path()));
    }
    // The stub, the holder and a container: at one of these moments there was something to leave.
    assert!(most >= 3, "at most {most} processes were killed");
    // Its directory goes with the next run, and the store is whole.
    check(
        &user.run(&job("echo, hi", "expect: { exit: 0 }"), &[]),
        0,
        &["1 passed"],
    );
    let left = fs::read_dir(user.0.path().join("run/shellproof"))
        .expect("it is there")
        .flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["scan.lock"]);
    assert_eq!(
        fs::read_dir(user.0.path().join("data/shellproof/partial"))
            .expect("it is there")
            .count(),
        0
    );
}

/// A program that fails since it cannot reach another machine says nothing of its image.
fn what_is_outside_is_unproven(user: &User) {
    let ended = user.run(&job("dial, \"packages.invalid:80\"", "expect: { exit: 0 }"), &[]);
    check(&ended, 3, &["no-way-out", "`packages.invalid`", "http_proxy"]);
    // A container that is not there is a mistake, and what did not need it is none.
    let ended = user.run(&job("dial, \"other:80\"", "expect: { exit: 0 }"), &[]);
    check(&ended, 1, &["expected `job` to exit with 0"]);
    let ended = user.run(&job("dial, \"packages.invalid:80\"", "expect: { exit: 1 }"), &[]);
    check(&ended, 0, &["1 passed"]);
}

fn nothing_can_be_kept(user: &User) {
    let ended = user.run(&job("echo, hi", "expect: { exit: 0 }"), &["--keep"]);
    check(
        &ended,
        2,
        &["error: containers of engine `embedded` cannot be kept", "help: "],
    );
}

/// A test, which gets a user of its own.
type Test = fn(&User);

const TESTS: &[(&str, Test)] = &[
    (
        "a_program_that_does_not_end_is_ended",
        a_program_that_does_not_end_is_ended,
    ),
    ("a_gigabyte_of_output_is_bounded", a_gigabyte_of_output_is_bounded),
    ("a_killed_run_leaves_nothing", a_killed_run_leaves_nothing),
    ("what_is_outside_is_unproven", what_is_outside_is_unproven),
    ("nothing_can_be_kept", nothing_can_be_kept),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Where it is forbidden nothing of this can be tested, and it is a failure where everything must be.
    let forbidden = !arguments.list && {
        let ended = User::new().run(&job("echo, hi", "expect: { exit: 0 }"), &[]);
        if ended.code == Some(4) {
            eprintln!("ignored: {}", ended.stderr);
        }
        ended.code == Some(4)
    };
    let trial = |(name, test): &(&'static str, Test)| {
        let test = *test;
        let run = move || -> Result<(), Failed> {
            test(&User::new());
            Ok(())
        };
        Trial::test(*name, run).with_ignored_flag(forbidden && !lab::is_required())
    };
    libtest_mimic::run(&arguments, TESTS.iter().map(trial).collect()).exit_code()
}
