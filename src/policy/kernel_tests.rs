use std::time::Duration;

use shellproof_api::facts::{
    Abi, Answer, Call, Executable, Interpreter, Kind, Session, Trace, Traced, Unread,
};
use shellproof_wire::Recording;

use super::super::wire::tests::{recording, run};
use super::*;

#[path = "kernel_gaps_tests.rs"]
mod gaps_tests;

/// A program that was started by its first argument, as a file of that name.
pub(crate) fn program(argv: &[&str]) -> Program {
    let path = argv.first().copied().unwrap_or_default().to_owned();
    Program {
        at: Duration::ZERO,
        pid: 7,
        parent: None,
        caller: Some("/usr/bin/runc".into()),
        call: Call::Execve(Abi::X86_64),
        path: path.clone(),
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        argv_cut: false,
        readable: true,
        file: file(&path, None),
        interpreters: Vec::new(),
        loader: None,
        answer: Answer::Continued,
        look: Look::Same,
        ran_argv: None,
    }
}

pub(crate) fn session(kind: Kind, programs: Vec<Program>) -> Session {
    Session {
        container: "1".into(),
        pid: 7,
        kind,
        started_at: Duration::ZERO,
        ended: Some(Duration::ZERO),
        programs,
        lost: 0,
        withdrawn: 0,
        unread: 0,
    }
}

fn file(path: &str, likeness: Option<Likeness>) -> Option<Executable> {
    Some(Executable {
        path: path.to_owned(),
        likeness,
        ..Executable::default()
    })
}

/// A program at `path` whose real path is `real`.
fn linked(path: &str, real: &str, argv: &[&str]) -> Program {
    Program {
        path: path.to_owned(),
        file: file(real, None),
        ..program(argv)
    }
}

fn script(path: &str, interpreter: &str, real: &str, argument: Option<&str>) -> Program {
    Program {
        interpreters: vec![Interpreter {
            path: interpreter.to_owned(),
            argument: argument.map(str::to_owned),
            file: file(real, None),
        }],
        ..program(&[path])
    }
}

pub(crate) fn like(path: &str, likeness: Likeness, argv: &[&str]) -> Program {
    Program {
        path: path.to_owned(),
        file: file(path, Some(likeness)),
        ..program(argv)
    }
}

pub(crate) fn traced(sessions: Vec<Session>) -> Vec<Traced> {
    vec![Traced {
        container: "job".into(),
        trace: Trace {
            sessions,
            faults: Vec::new(),
        },
    }]
}

/// A container whose engine says that it runs, with a health check.
fn started(test: &[&str]) -> Recording {
    let mut recording = recording(run("1", &["/app"], test));
    for record in &mut recording.records {
        if let Some(subject) = &mut record.subject {
            subject.name = "job".into();
        }
    }
    recording
}

/// What both witnesses saw.
pub(crate) fn facts_of(traced: &[Traced], recording: &Recording) -> Vec<Fact> {
    let mut facts = recording.facts();
    facts.extend(traced.iter().flat_map(shellproof_kernel::facts));
    facts
}

fn rules(mode: Mode, traced: &[Traced], recording: &Recording) -> Vec<Rule> {
    let facts = facts_of(traced, recording);
    let evidence = gaps(&facts, &[]).into_iter();
    evidence
        .chain(judge(mode, &facts))
        .map(|one| {
            assert_eq!(one.witness, Witness::Kernel);
            assert_eq!(one.container.as_deref(), Some("job"));
            one.rule
        })
        .collect()
}

fn of_programs(mode: Mode, programs: Vec<Program>) -> Vec<Rule> {
    rules(mode, &traced(vec![session(Kind::Start, programs)]), &started(&[]))
}

/// A program that the kernel starts by way of a loader.
fn loaded(path: &str, loader: &str, likeness: Option<Likeness>, argv: &[&str]) -> Program {
    Program {
        path: path.to_owned(),
        file: file(path, None),
        loader: Some(Interpreter {
            path: loader.to_owned(),
            argument: None,
            file: file(loader, likeness),
        }),
        ..program(argv)
    }
}

#[test]
fn a_shell_as_a_loader_is_one() {
    for (shell, likeness) in [
        ("/opt/tool", Some(Likeness::Shell)),
        ("/bin/sh", None),
        ("/proc/self/fd/0", Some(Likeness::Shell)),
    ] {
        let rules = of_programs(
            Mode::Prebuilt,
            vec![loaded("/opt/app", shell, likeness, &["app"])],
        );
        assert_eq!(rules, [Rule::Shell], "{shell}");
    }
    let applet = |name| loaded("/opt/app", "/opt/box", Some(Likeness::MultiCall), &[name]);
    assert_eq!(of_programs(Mode::Prebuilt, vec![applet("ash")]), [Rule::Shell]);
    assert_eq!(of_programs(Mode::Prebuilt, vec![applet("ls")]), []);
    // It is told what the program is told.
    let told = loaded(
        "/opt/app",
        "/opt/box",
        Some(Likeness::MultiCall),
        &["busybox", "ash"],
    );
    assert_eq!(of_programs(Mode::Prebuilt, vec![told]), [Rule::Shell]);
    for (loader, likeness) in [
        ("/lib64/ld-linux-x86-64.so.2", Some(Likeness::Loader)),
        ("/lib64/ld-linux-x86-64.so.2", None),
        ("/lib/ld-musl-x86_64.so.1", Some(Likeness::Loader)),
        ("/opt/own-loader", None),
    ] {
        let app = loaded("/opt/app", loader, likeness, &["app", "-c", "true"]);
        assert_eq!(of_programs(Mode::Prebuilt, vec![app]), [], "{loader}");
        // What it is told is not what its loader is told.
        let reader = loaded("/usr/bin/cat", loader, likeness, &["cat", "/bin/sh"]);
        assert_eq!(of_programs(Mode::Prebuilt, vec![reader]), [], "{loader}");
    }
}

#[test]
fn arguments_that_are_not_there_are_a_gap_where_they_decide() {
    let cut = |argv: &[&str]| Program {
        argv_cut: true,
        ..program(argv)
    };
    let flags = ["-B"; 50];
    let python = [&["/usr/bin/python3"][..], &flags].concat();
    for argv in [
        &python[..],
        &["/usr/bin/apt-get", "-q"],
        &["/usr/bin/dpkg", "--force-all"],
        &["/bin/busybox"],
        &["/lib64/ld-linux-x86-64.so.2", "--library-path", "/x"],
    ] {
        assert_eq!(
            of_programs(Mode::Prebuilt, vec![cut(argv)]),
            [Rule::KernelFault],
            "{argv:?}"
        );
        assert_eq!(of_programs(Mode::Layered, vec![cut(argv)]), [], "{argv:?}");
    }
    for argv in [
        &["/usr/bin/java", "-cp", "x"][..],
        &["/usr/bin/python3", "app.py", "x"],
        &["/usr/bin/postgres", "-c", "x"],
    ] {
        assert_eq!(of_programs(Mode::Prebuilt, vec![cut(argv)]), [], "{argv:?}");
    }
    let shell = cut(&["/bin/sh", "-c"]);
    assert_eq!(of_programs(Mode::Prebuilt, vec![shell]), [Rule::Shell]);
}

#[test]
fn what_ran_counts_whatever_was_asked_for() {
    let ran = |likeness| Program {
        look: Look::Other(file("/opt/other", likeness).unwrap()),
        ..program(&["/opt/tool", "-c", "true"])
    };
    let shell = ran(Some(Likeness::Shell));
    let seen = of_programs(Mode::Prebuilt, vec![shell]);
    assert_eq!(seen, [Rule::KernelFault, Rule::Shell]);
    for mode in [Mode::Prebuilt, Mode::Layered] {
        assert_eq!(of_programs(mode, vec![ran(None)]), [Rule::KernelFault]);
    }
    let same = Program {
        look: Look::Same,
        ..program(&["/opt/tool"])
    };
    assert_eq!(of_programs(Mode::Prebuilt, vec![same]), []);
}

#[test]
fn the_arguments_that_a_program_ran_with_count_as_those_that_were_asked_for() {
    let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
    let ran = |given: &[&str], ran: &[&str]| Program {
        ran_argv: words(ran),
        ..program(given)
    };
    let multi_call = |called: &str| Program {
        file: file("/bin/busybox", Some(Likeness::MultiCall)),
        ..ran(&["/bin/busybox", "true"], &["/bin/busybox", called])
    };
    let script = |rest: &[&str]| Program {
        interpreters: vec![Interpreter {
            path: "/usr/bin/python3".into(),
            argument: None,
            file: file("/usr/bin/python3", None),
        }],
        file: file("/opt/job", Some(Likeness::Script)),
        ..ran(&["/opt/job", "x"], rest)
    };
    for (program, rule) in [
        (multi_call("sh"), Some(Rule::Shell)),
        (multi_call("ls"), None),
        (
            ran(
                &["/usr/bin/python3", "job.py"],
                &["/usr/bin/python3", "-mpip", "install", "x"],
            ),
            Some(Rule::PackageManager),
        ),
        // What was asked for counts, also if something else ran.
        (
            ran(
                &["/usr/bin/python3", "-mpip", "install", "x"],
                &["/usr/bin/python3", "job.py"],
            ),
            Some(Rule::PackageManager),
        ),
        (
            script(&["/usr/bin/python3", "-mpip", "install", "x"]),
            Some(Rule::PackageManager),
        ),
        (script(&["/usr/bin/python3", "/opt/job", "y"]), None),
    ] {
        let seen = of_programs(Mode::Prebuilt, vec![program.clone()]);
        let expected: Vec<_> = std::iter::once(Rule::KernelFault).chain(rule).collect();
        assert_eq!(seen, expected, "{program:?}");
    }
}

#[test]
fn a_removed_file_has_its_name_still() {
    let removed = linked("/proc/self/fd/3", "/usr/bin/dash (deleted)", &["x"]);
    assert_eq!(of_programs(Mode::Prebuilt, vec![removed]), [Rule::Shell]);
    let other = linked("/proc/self/fd/3", "/usr/bin/dashing (deleted)", &["x"]);
    assert_eq!(of_programs(Mode::Prebuilt, vec![other]), []);
}

#[test]
fn a_file_that_could_not_be_read_is_named() {
    let mut hidden = program(&["/opt/tool"]);
    hidden.file.as_mut().unwrap().unread = Some(Unread::OutOfReach);
    let start = Session {
        unread: 1,
        ..session(Kind::Start, vec![program(&["/app"]), hidden])
    };
    let [gap] = gaps(&facts_of(&traced(vec![start]), &started(&[])), &[])
        .try_into()
        .unwrap();
    assert_eq!(
        gap.detail,
        "the content of 1 programs could not be read: it is out of reach (`/opt/tool`)"
    );
}

#[test]
fn a_shell_is_found_whatever_hides_it() {
    let absent = Program {
        file: None,
        ..program(&["/bin/sh", "-c", "true"])
    };
    let nested = Program {
        interpreters: ["/opt/outer", "/bin/sh"]
            .map(|path| Interpreter {
                path: path.to_owned(),
                argument: None,
                file: file(path, None),
            })
            .to_vec(),
        ..program(&["/opt/inner"])
    };
    let shells = [
        program(&["/bin/sh", "-c", "true"]),
        absent,
        linked("/opt/tool", "/usr/bin/dash", &["tool"]),
        linked("/proc/self/fd/3", "/usr/bin/bash", &["x"]),
        like("/opt/tool", Likeness::Shell, &["tool"]),
        like("/memfd:x (deleted)", Likeness::Shell, &["python3"]),
        like("/opt/box", Likeness::MultiCall, &["ash"]),
        like(
            "/opt/busybox",
            Likeness::MultiCall,
            &["busybox", "sh", "-c", "true"],
        ),
        linked("/bin/sh", "/bin/busybox", &["sh"]),
        linked("/bin/ash", "/bin/busybox", &["/bin/ash"]),
        program(&["/bin/busybox", "sh"]),
        script("/opt/run", "/bin/sh", "/usr/bin/dash", None),
        script("/opt/run", "/opt/interpreter", "/usr/bin/dash", None),
        script("/opt/run", "/bin/busybox", "/bin/busybox", Some("sh")),
        script(
            "/opt/run",
            "/bin/busybox.static",
            "/bin/busybox.static",
            Some("sh"),
        ),
        script(
            "/opt/run",
            "/lib64/ld-linux-x86-64.so.2",
            "/usr/lib/ld-2.31.so",
            Some("/bin/dash"),
        ),
        script("/opt/busybox", "/bin/sh", "/usr/bin/dash", None),
        program(&["/bin/busybox-x86_64", "sh", "-c", "true"]),
        program(&["/usr/lib/ld-2.31.so", "/bin/dash"]),
        like("/opt/loader", Likeness::Loader, &["loader", "/bin/dash"]),
        nested,
        program(&["/lib64/ld-linux-x86-64.so.2", "/bin/dash", "-c", "true"]),
    ];
    for shell in shells {
        assert_eq!(rule(&shell), Some(Rule::Shell), "{shell:?}");
        assert_eq!(of_programs(Mode::Prebuilt, vec![shell.clone()]), [Rule::Shell]);
        assert_eq!(of_programs(Mode::Layered, vec![shell]), []);
    }
}

#[test]
fn what_looks_like_a_shell_is_none() {
    let programs = [
        linked("/bin/ls", "/bin/busybox", &["ls", "-l"]),
        linked("/bin/ls", "/bin/busybox", &["/bin/ls", "sh"]),
        like("/opt/box", Likeness::MultiCall, &["cat", "sh"]),
        program(&["/usr/bin/fish-counter"]),
        program(&["python3", "sh"]),
        script("/opt/run", "/usr/bin/env", "/usr/bin/env", Some("python3")),
        script("/opt/run", "/usr/bin/env", "/usr/bin/env", Some("sh")),
        program(&["dpkg", "-l"]),
        program(&["env", "sh"]),
        program(&["/usr/bin/script"]),
        program(&["/lib64/ld-linux-x86-64.so.2"]),
        program(&[]),
    ];
    for program in programs {
        assert_eq!(
            of_programs(Mode::Prebuilt, vec![program.clone()]),
            [],
            "{program:?}"
        );
    }
}

#[test]
fn a_package_manager_violates_prebuilt_mode_and_is_what_layered_mode_wants() {
    for argv in [
        &["apt-get", "install", "x"][..],
        &["/usr/bin/python3.11", "-m", "pip", "install", "x"],
        &["busybox", "apk", "add", "krb5"],
    ] {
        assert_eq!(
            of_programs(Mode::Prebuilt, vec![program(argv)]),
            [Rule::PackageManager]
        );
        assert_eq!(of_programs(Mode::Layered, vec![program(argv)]), [Rule::Installed]);
    }
}

#[test]
fn what_a_package_manager_runs_is_part_of_its_own_run() {
    let dpkg = Program {
        caller: Some("/usr/bin/apt-get".into()),
        ..program(&["dpkg", "--configure", "--pending"])
    };
    assert_eq!(of_programs(Mode::Layered, vec![dpkg.clone()]), []);
    assert_eq!(of_programs(Mode::Prebuilt, vec![dpkg]), [Rule::PackageManager]);
}

#[test]
fn what_a_loader_loads_is_unproven_unless_it_is_a_shell() {
    let loaded = program(&["/lib64/ld-linux-x86-64.so.2", "/opt/tool"]);
    assert_eq!(
        of_programs(Mode::Prebuilt, vec![loaded.clone()]),
        [Rule::UnreadableWrapper]
    );
    assert_eq!(of_programs(Mode::Layered, vec![loaded]), []);
    let renamed = like("/opt/loader", Likeness::Loader, &["loader", "/opt/tool"]);
    assert_eq!(
        of_programs(Mode::Prebuilt, vec![renamed]),
        [Rule::UnreadableWrapper]
    );
}
