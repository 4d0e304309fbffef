//! What was not seen, and what was put into running containers.

use super::*;
use crate::policy::Weight;

#[test]
fn a_container_that_nobody_watched_is_a_gap_wherever_it_came_from() {
    let trace = |name: &str, id: &str| {
        let session = Session {
            container: id.into(),
            ..session(Kind::Start, vec![program(&["/app"])])
        };
        Traced {
            container: name.into(),
            ..traced(vec![session]).remove(0)
        }
    };
    let details = |traced: &[Traced], recording: &Recording, started: &[String]| -> Vec<String> {
        let gaps = gaps(&facts_of(traced, recording), started).into_iter();
        gaps.map(|gap| {
            assert_eq!(
                (gap.witness, gap.source.as_str()),
                (Witness::Kernel, "shellproof")
            );
            gap.detail
        })
        .collect()
    };
    let unwatched = ["its programs were not watched"];
    assert_eq!(details(&[], &started(&[]), &[]), unwatched);
    assert_eq!(details(&[], &started(&[]), &["2".into()]), unwatched);
    // A probe of ours, a container of ours.
    assert_eq!(details(&[], &started(&[]), &["1".into()]), [""; 0]);
    assert_eq!(details(&[trace("job", "2")], &started(&[]), &[]), [""; 0]);
    assert_eq!(details(&[trace("other", "2")], &started(&[]), &[]), unwatched);
    // It has another name by now.
    assert_eq!(details(&[trace("other", "1")], &started(&[]), &[]), [""; 0]);
    let mut refused = started(&[]);
    for record in &mut refused.records {
        record.status = Some(400);
    }
    assert_eq!(details(&[], &refused, &[]), [""; 0]);
}

#[test]
fn a_program_was_there_where_one_ran_or_was_put_in() {
    let is_there = |sessions| has_programs(&facts_of(&traced(sessions), &started(&[])));
    let absent = Program {
        file: None,
        ..program(&["/nope"])
    };
    assert!(is_there(vec![session(Kind::Start, vec![program(&["/app"])])]));
    assert!(!is_there(vec![session(Kind::Start, vec![absent])]));
    assert!(!is_there(vec![session(Kind::Exec, Vec::new())]));
    let entered = facts_of(
        &traced(vec![session(Kind::Exec, vec![program(&["/app"])])]),
        &started(&[]),
    );
    let entered: Vec<_> = entered
        .into_iter()
        .filter(|fact| matches!(fact.what, What::Entered(_)))
        .collect();
    assert!(has_programs(&entered));
}

#[test]
fn a_start_that_was_not_passed_on_is_none() {
    let mut facts = facts_of(&[], &started(&[]));
    assert_eq!(starts(&facts).len(), 1);
    for fact in &mut facts {
        if let What::Start(start) = &mut fact.what {
            start.outcome = Outcome::Denied;
        }
    }
    assert_eq!(starts(&facts).len(), 0);
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
        look: Look::Once,
        ran_argv: None,
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
    // One that was not there until it ran is no attempt.
    let appeared = Program {
        look: Look::Other(file("/tmp/sh", Some(Likeness::Shell)).unwrap()),
        ..absent()
    };
    assert_eq!(
        of_programs(Mode::Prebuilt, vec![appeared, program(&["sh"])]),
        [Rule::KernelFault, Rule::Shell, Rule::Shell]
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
    let outlives = |sessions, keeper: Result<u32, String>| {
        let fact = shellproof_kernel::outliving(&traced(sessions)[0], &keeper)?;
        judge(Mode::Prebuilt, &[fact]).pop()
    };
    assert_eq!(outlives(vec![start()], Ok(7)), None);
    let still_runs = Session {
        ended: None,
        ..start()
    };
    for (keeper, said, help) in [
        (
            Ok(7),
            "left running, kept by process 7 in `job`",
            "`shellproof clean` ends",
        ),
        (
            Err("no".to_owned()),
            "nothing keeps it: no in `job`",
            "make it anew",
        ),
    ] {
        let note = outlives(vec![start(), still_runs.clone()], keeper).unwrap();
        assert_eq!(note.rule, Rule::Outlives);
        assert_eq!(note.weight(), Weight::Note);
        assert!(note.to_string().ends_with(said), "{note}");
        assert!(note.help.unwrap().contains(help));
    }
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
