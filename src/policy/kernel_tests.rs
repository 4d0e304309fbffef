use std::time::Duration;

use shellproof_api::facts::{
    Abi, Answer, Call, Executable, Interpreter, Kind, Session, Trace, Traced, Unread,
};
use shellproof_wire::Recording;

use super::super::wire::tests::{recording, run};
use super::*;

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

#[test]
fn a_container_that_nobody_watched_is_a_gap_wherever_it_came_from() {
    let trace = |name: &str| Traced {
        container: name.into(),
        ..traced(vec![session(Kind::Start, vec![program(&["/app"])])]).remove(0)
    };
    let details = |traced: &[Traced], recording: &Recording, started: &[String]| -> Vec<String> {
        let gaps = gaps(&facts_of(traced, recording), started).into_iter();
        gaps.map(|gap| gap.detail).collect()
    };
    let unwatched = ["its programs were not watched"];
    assert_eq!(details(&[], &started(&[]), &[]), unwatched);
    assert_eq!(details(&[], &started(&[]), &["2".into()]), unwatched);
    // A probe of ours, a container of ours.
    assert_eq!(details(&[], &started(&[]), &["1".into()]), [""; 0]);
    assert_eq!(details(&[trace("job")], &started(&[]), &[]), [""; 0]);
    assert_eq!(details(&[trace("other")], &started(&[]), &[]), unwatched);
    let mut refused = started(&[]);
    for record in &mut refused.records {
        record.status = Some(400);
    }
    assert_eq!(details(&[], &refused, &[]), [""; 0]);
}

#[test]
fn an_exec_is_a_violation_unless_it_is_the_health_check() {
    let seen = |argv: &[&str], test: &[&str]| {
        let sessions = vec![
            session(Kind::Start, vec![program(&["/app"])]),
            session(Kind::Exec, vec![program(argv)]),
        ];
        rules(Mode::Prebuilt, &traced(sessions), &started(test))
    };
    assert_eq!(seen(&["/tiny", "healthy"], &["CMD", "/tiny", "healthy"]), []);
    assert_eq!(
        seen(&["/tiny", "other"], &["CMD", "/tiny", "healthy"]),
        [Rule::Exec]
    );
    assert_eq!(seen(&["/tiny", "healthy"], &[]), [Rule::Exec]);
    assert_eq!(seen(&["/tiny", "healthy"], &["NONE"]), [Rule::Exec]);
    // A shell either way, and no exec of somebody's.
    assert_eq!(
        seen(&["/bin/sh", "-c", "exit 0"], &["CMD-SHELL", "exit 0"]),
        [Rule::Shell]
    );
    assert_eq!(
        seen(&["/bin/sh", "-c", "exit 1"], &["CMD-SHELL", "exit 0"]),
        [Rule::Shell, Rule::Exec]
    );
}

#[test]
fn an_exec_that_started_nothing_was_an_exec() {
    let sessions = || {
        vec![
            session(Kind::Start, vec![program(&["/app"])]),
            session(Kind::Exec, Vec::new()),
        ]
    };
    assert_eq!(
        rules(Mode::Prebuilt, &traced(sessions()), &started(&[])),
        [Rule::Exec]
    );
    assert_eq!(rules(Mode::Layered, &traced(sessions()), &started(&[])), []);
    // Its health check may have been what could not be started.
    assert_eq!(
        rules(Mode::Prebuilt, &traced(sessions()), &started(&["CMD", "/nope"])),
        [Rule::HealthCheckUnknown]
    );
}

#[test]
fn a_health_check_of_many_words_is_compared_as_far_as_they_were_kept() {
    let long = Program {
        argv_cut: true,
        ..program(&["/app", "check", "x"])
    };
    let seen = |test: &[&str]| {
        let sessions = vec![
            session(Kind::Start, vec![program(&["/app"])]),
            session(Kind::Exec, vec![long.clone()]),
        ];
        rules(Mode::Prebuilt, &traced(sessions), &started(test))
    };
    assert_eq!(seen(&["CMD", "/app", "check", "xyz"]), []);
    assert_eq!(seen(&["CMD", "/app"]), [Rule::Exec]);
    assert_eq!(seen(&["CMD", "/app", "other", "xyz"]), [Rule::Exec]);
}

#[test]
fn a_container_without_a_program_is_silent_unless_its_engine_refused_to_start_it() {
    let exec_alone = vec![session(Kind::Exec, vec![program(&["/app"])])];
    for mode in [Mode::Layered, Mode::Prebuilt] {
        assert_eq!(
            rules(mode, &traced(Vec::new()), &started(&[])),
            [Rule::KernelSilent]
        );
        let empty = vec![session(Kind::Start, Vec::new())];
        assert_eq!(rules(mode, &traced(empty), &started(&[])), [Rule::KernelSilent]);
    }
    assert_eq!(
        rules(Mode::Layered, &traced(exec_alone), &started(&[])),
        [Rule::KernelSilent]
    );
    let mut refused = started(&[]);
    for record in &mut refused.records {
        record.status = Some(404);
    }
    assert_eq!(rules(Mode::Prebuilt, &traced(Vec::new()), &refused), []);
    for record in &mut refused.records {
        record.status = None;
    }
    assert_eq!(
        rules(Mode::Prebuilt, &traced(Vec::new()), &refused),
        [Rule::KernelSilent]
    );
    assert_eq!(
        rules(Mode::Prebuilt, &traced(Vec::new()), &Recording::default()),
        [Rule::KernelSilent]
    );
}

#[test]
fn whatever_is_missing_of_a_trace_is_a_gap_in_every_mode() {
    let start = || session(Kind::Start, vec![program(&["/app"])]);
    let unreadable = Program {
        readable: false,
        ..program(&["/app"])
    };
    let gaps = [
        Session { lost: 1, ..start() },
        Session { unread: 1, ..start() },
        session(Kind::Start, vec![unreadable]),
    ];
    for mode in [Mode::Layered, Mode::Prebuilt] {
        for gap in &gaps {
            let seen = rules(mode, &traced(vec![gap.clone()]), &started(&[]));
            assert_eq!(seen, [Rule::KernelFault], "{gap:?}");
        }
        let mut faulty = traced(vec![start()]);
        faulty[0].trace.faults.push("no listener".into());
        assert_eq!(rules(mode, &faulty, &started(&[])), [Rule::KernelFault]);
        assert_eq!(rules(mode, &traced(vec![start()]), &started(&[])), []);
    }
}

#[test]
fn evidence_is_bounded_and_says_how_much_more_there_was() {
    let many = |count| traced(vec![session(Kind::Start, vec![program(&["sh"]); count])]);
    let seen = |count| judge(Mode::Prebuilt, &facts_of(&many(count), &started(&[])));
    assert_eq!(seen(SHOWN).len(), SHOWN);
    let more = seen(SHOWN + 2);
    assert_eq!(more.len(), SHOWN + 1);
    assert_eq!(more[SHOWN].detail, "2 more of rule `shell`");
}

#[test]
fn evidence_names_what_was_run_by_whom() {
    let shown = |program: Program| {
        let traced = traced(vec![session(Kind::Start, vec![program])]);
        let evidence = judge(Mode::Prebuilt, &facts_of(&traced, &started(&[])));
        (evidence[0].detail.clone(), evidence[0].source.clone())
    };
    let (detail, source) = shown(program(&["/bin/sh", "-c", "true"]));
    assert_eq!(detail, "`/bin/sh -c true`, a shell, was started");
    assert_eq!(source, "execve of `/bin/sh` by `/usr/bin/runc`, process 7");
    let (detail, _) = shown(linked(
        "/opt/tool",
        "/usr/bin/dash",
        &["tool", "--password=geheim"],
    ));
    assert_eq!(
        detail,
        "`tool --password=redacted`, a shell (`/usr/bin/dash`), was started"
    );
    let absent = Program {
        file: None,
        ..program(&["sh"])
    };
    assert_eq!(
        shown(absent).0,
        "`sh`, a shell, was to be started, and is not there"
    );
}

#[test]
fn a_search_along_the_path_is_one_finding() {
    let absent = || Program {
        file: None,
        ..program(&["sh"])
    };
    let other = Program { pid: 8, ..absent() };
    assert_eq!(
        of_programs(Mode::Prebuilt, vec![absent(), absent(), program(&["sh"])]),
        [Rule::Shell]
    );
    assert_eq!(
        of_programs(Mode::Prebuilt, vec![absent(), absent()]),
        [Rule::Shell]
    );
    assert_eq!(
        of_programs(Mode::Prebuilt, vec![absent(), other, program(&["bash"])]),
        [Rule::Shell; 3]
    );
    // Another program with the same arguments is no second try.
    let disguised = || linked("/opt/tool", "/opt/tool", &["tool"]);
    let shell = Program {
        file: None,
        ..linked("/bin/sh", "", &["tool"])
    };
    assert_eq!(
        of_programs(Mode::Prebuilt, vec![shell, disguised()]),
        [Rule::Shell]
    );
    // One that was there was started, and so is what it starts.
    assert_eq!(
        of_programs(Mode::Prebuilt, vec![program(&["sh"]), program(&["sh"])]),
        [Rule::Shell; 2]
    );
}

#[test]
fn a_long_line_is_cut_and_says_so() {
    let long = "x".repeat(LINE + 1);
    assert_eq!(line(&program(&[&long])), format!("{}…", "x".repeat(LINE)));
    let exact = "x".repeat(LINE);
    assert_eq!(line(&program(&[&exact])), exact);
    let cut = Program {
        argv_cut: true,
        ..program(&["app"])
    };
    assert_eq!(line(&cut), "app…");
    assert_eq!(line(&linked("/opt/tool", "/opt/tool", &[])), "/opt/tool");
}

#[test]
fn a_container_that_outlives_its_supervisor_is_named() {
    let start = || session(Kind::Start, vec![program(&["/app"])]);
    let outlives = |sessions| {
        let fact = shellproof_kernel::outliving(&traced(sessions)[0])?;
        judge(Mode::Prebuilt, &[fact]).pop()
    };
    assert_eq!(outlives(vec![start()]), None);
    let still_runs = Session {
        ended: None,
        ..start()
    };
    let note = outlives(vec![start(), still_runs]).unwrap();
    assert_eq!(note.rule, Rule::Outlives);
    assert_eq!(note.container.as_deref(), Some("job"));
    assert!(note.help.unwrap().contains("--kernel off"));
}

#[test]
fn a_health_check_that_fails_to_start_is_one_finding_with_a_count() {
    let sessions = |failed: usize| {
        let mut sessions = vec![session(Kind::Start, vec![program(&["/app"])])];
        sessions.extend((0..failed).map(|_| session(Kind::Exec, Vec::new())));
        traced(sessions)
    };
    let found = |failed, test: &[&str]| {
        let found = judge(Mode::Prebuilt, &facts_of(&sessions(failed), &started(test)));
        let [one] = found.try_into().unwrap();
        (one.rule, one.detail)
    };
    let (rule, detail) = found(5, &["CMD", "curl", "-f", "http://x"]);
    assert_eq!(rule, Rule::HealthCheckUnknown);
    assert!(detail.starts_with("health check `curl -f http://x`"), "{detail}");
    assert!(detail.contains(", 5 times:"), "{detail}");
    let (rule, detail) = found(1, &["CMD-SHELL", "exit 0"]);
    assert_eq!(rule, Rule::HealthCheckShell);
    assert!(!detail.contains("times"), "{detail}");
    let (rule, detail) = found(2, &[]);
    assert_eq!(rule, Rule::Exec);
    assert_eq!(detail, "exec of a program that could not be started, 2 times");
}
