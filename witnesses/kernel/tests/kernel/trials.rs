use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use sha2::{Digest as _, Sha256};
use shellproof_kernel::{Abi, Answer, Call, Kind, Options, Program, Supervisor};

use crate::{Lab, Programs, confined, elf, kept, looks, measures, names, programs_of, random, succeed};

/// A test and its name.
pub type Test = (&'static str, fn(&Programs));

pub fn all(programs: &Arc<Programs>) -> Vec<Trial> {
    let tests: [Test; 26] = [
        ("a_program_is_recorded_with_all_that_is_known", a_program),
        ("every_way_to_the_same_file_finds_it", every_way),
        ("a_file_without_a_name", memfd),
        ("interpreters_are_followed", interpreters),
        ("attempts_that_fail_are_recorded", failed_attempts),
        ("32_bit_programs_and_calls", i386),
        ("who_started_whom", family),
        ("a_denied_program_does_not_run", denied),
        ("a_call_whose_process_is_killed_is_withdrawn", killed),
        ("a_call_that_a_signal_interrupts_is_one_program", interrupted),
        (
            "a_call_that_signals_interrupt_again_and_again_is_answered",
            interrupted_again,
        ),
        (
            "a_call_that_changes_when_it_is_interrupted_is_another",
            interrupted_and_changed,
        ),
        ("names_mean_what_they_mean_to_the_kernel", names::check),
        ("random_names_mean_what_they_mean_to_the_kernel", few_random_names),
        ("sessions_are_told_apart", sessions),
        ("a_session_of_another_container_is_a_fault", other_container),
        ("more_sessions_than_the_bound_are_a_fault", too_many_sessions),
        ("what_is_no_listener_is_a_fault", no_listener),
        ("nothing_is_lost_in_ten_thousand", ten_thousand),
        ("beyond_a_bound_programs_are_counted", bounds),
        ("a_dropped_supervisor_ends_at_once_and_calls_fail", dropped),
        ("what_a_supervisor_leaves_goes_on", kept::goes_on),
        (
            "no_runtime_is_lost_when_a_supervisor_leaves",
            kept::no_runtime_is_lost,
        ),
        (
            "a_keeper_waits_as_long_as_a_container_is_there",
            kept::waits_for_a_container,
        ),
        ("nothing_is_leaked", no_leaks),
        ("a_socket_is_made_with_the_mode_asked_for", socket),
    ];
    let trial = |ignored: bool| {
        let programs = programs.clone();
        move |(name, test): Test| {
            let programs = programs.clone();
            let run = move || {
                test(&programs);
                Ok(())
            };
            Trial::test(name, run).with_ignored_flag(ignored)
        }
    };
    tests
        .into_iter()
        .chain(looks::all())
        .map(trial(false))
        .chain(measures::all().into_iter().map(trial(true)))
        .collect()
}

/// The place of a program's file, without who called and when.
fn file_of(program: &Program) -> &str {
    &program.file.as_ref().unwrap().path
}

fn a_program(programs: &Programs) {
    let [program] = programs_of(programs, "execve").try_into().unwrap();
    let exit = programs.path("exit");
    assert_eq!(program.path, exit);
    assert_eq!(program.argv, ["name", "one argument"]);
    assert!(program.readable && !program.argv_cut);
    assert_eq!(program.answer, Answer::Continued);
    assert_eq!((program.parent, program.interpreters.len()), (None, 0));
    let own = std::env::current_exe().unwrap();
    assert_eq!(program.caller.as_deref(), own.to_str());
    let file = program.file.unwrap();
    assert_eq!(file.path, exit);
    assert_eq!(
        file.content.unwrap().0,
        <[u8; 32]>::from(Sha256::digest(elf::exit()))
    );
    assert_ne!(program.pid, std::process::id());
}

fn every_way(programs: &Programs) {
    let exit = programs.path("exit");
    let native = match cfg!(target_arch = "aarch64") {
        true => Abi::Aarch64,
        false => Abi::X86_64,
    };
    let (execve, execveat) = (Call::Execve(native), Call::Execveat(native));
    let link = programs.path("link");
    let cases = [
        ("relative", "./exit", execve),
        ("link", link.as_str(), execve),
        ("thread", exit.as_str(), execve),
        ("no-argv", exit.as_str(), execve),
        ("many", exit.as_str(), execve),
        ("directory", "exit", execveat),
        ("descriptor", "", execveat),
    ];
    for (plan, path, call) in cases {
        let [program] = programs_of(programs, plan).try_into().unwrap();
        assert_eq!((program.path.as_str(), program.call), (path, call), "{plan}");
        assert_eq!(file_of(&program), exit, "{plan}");
        assert!(
            program.readable && program.file.unwrap().content.is_some(),
            "{plan}"
        );
    }
    let [program] = programs_of(programs, "own-descriptor").try_into().unwrap();
    assert!(program.path.starts_with("/proc/self/fd/"));
    assert_eq!(file_of(&program), exit);
}

fn memfd(programs: &Programs) {
    let [program] = programs_of(programs, "memfd").try_into().unwrap();
    let file = program.file.unwrap();
    assert_eq!(file.path, "/memfd:hidden (deleted)");
    assert_eq!(
        file.content.unwrap().0,
        <[u8; 32]>::from(Sha256::digest(elf::exit()))
    );
}

fn interpreters(programs: &Programs) {
    let [program] = programs_of(programs, "nested").try_into().unwrap();
    assert_eq!(file_of(&program), programs.path("nested"));
    let [outer, inner] = program.interpreters.try_into().unwrap();
    assert_eq!(
        (outer.path.as_str(), outer.argument.as_deref()),
        (programs.path("script").as_str(), Some("inner"))
    );
    assert_eq!(
        (inner.path.as_str(), inner.argument.as_deref()),
        (programs.path("exit").as_str(), Some("-e -x"))
    );
    let digest = inner.file.unwrap().content.unwrap();
    assert_eq!(digest.0, <[u8; 32]>::from(Sha256::digest(elf::exit())));
    assert!(outer.file.unwrap().content.is_some());
    let [program] = programs_of(programs, "lost-script").try_into().unwrap();
    assert_eq!(program.interpreters[0].path, "/no/such/interpreter");
    assert_eq!(program.interpreters[0].file, None);
}

fn failed_attempts(programs: &Programs) {
    let [program] = programs_of(programs, "missing").try_into().unwrap();
    assert_eq!(
        (program.path.as_str(), program.file, program.readable),
        ("/no/such/program", None, true)
    );
    let [program] = programs_of(programs, "null-path").try_into().unwrap();
    assert_eq!(
        (program.path.as_str(), program.file, program.readable),
        ("", None, false)
    );
}

fn i386(programs: &Programs) {
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let [program] = programs_of(programs, "i386").try_into().unwrap();
    assert_eq!(
        (program.call, file_of(&program)),
        (Call::Execve(Abi::X86_64), programs.path("exit32").as_str())
    );
    let exit = programs.path("exit32");
    let cases = [
        ("i386-execve", Call::Execve(Abi::I386)),
        ("i386-execveat", Call::Execveat(Abi::I386)),
    ];
    for (plan, call) in cases {
        let [first, second] = programs_of(programs, plan).try_into().unwrap();
        assert_eq!(
            (second.call, second.path.as_str(), file_of(&second)),
            (call, exit.as_str(), exit.as_str())
        );
        assert_eq!(second.argv, [exit.as_str()], "{plan}");
        assert_eq!(
            (second.parent, second.pid, second.caller.as_deref()),
            (Some(0), first.pid, Some(file_of(&first)))
        );
    }
}

fn family(programs: &Programs) {
    let [inner, second] = programs_of(programs, "family").try_into().unwrap();
    // The first has no known ancestor. The second is another process, whose child's program is no ancestor of it.
    assert_eq!((inner.parent, second.parent), (None, None));
    assert_ne!(inner.pid, second.pid);
    let again = programs_of(programs, "i386-execve");
    if cfg!(target_arch = "x86_64") {
        assert_eq!(again[1].parent, Some(0));
    }
}

fn denied(programs: &Programs) {
    let exit = programs.path("exit");
    let options = Options {
        deny: Some(Box::new(move |kind, program| {
            kind == Kind::Start && program.path == exit
        })),
        ..Options::default()
    };
    let lab = Lab::new(programs, options);
    lab.run("denied");
    lab.run("missing");
    let answers: Vec<_> = lab
        .trace()
        .sessions
        .into_iter()
        .flat_map(|session| session.programs)
        .map(|program| program.answer)
        .collect();
    assert_eq!(answers, [Answer::Denied, Answer::Continued]);
}

fn killed(programs: &Programs) {
    let options = Options {
        deny: Some(Box::new(|_, _| {
            std::thread::sleep(Duration::from_millis(600));
            false
        })),
        ..Options::default()
    };
    let lab = Lab::new(programs, options);
    lab.run("killed");
    let [session] = lab.trace().sessions.try_into().unwrap();
    assert_eq!(session.programs[0].answer, Answer::Withdrawn);
}

/// What is seen of one call that a signal interrupts while the supervisor thinks.
fn seen_of_interrupted(programs: &Programs, plan: &str) -> shellproof_kernel::Session {
    let calls = AtomicU32::new(0);
    let options = Options {
        deny: Some(Box::new(move |_, _| {
            if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                std::thread::sleep(Duration::from_millis(600));
            }
            false
        })),
        ..Options::default()
    };
    let lab = Lab::new(programs, options);
    lab.run(plan);
    let [session] = lab.trace().sessions.try_into().unwrap();
    session
}

fn interrupted(programs: &Programs) {
    let session = seen_of_interrupted(programs, "interrupted");
    let [program] = &session.programs[..] else {
        panic!("{:#?}", session.programs);
    };
    assert_eq!((program.answer, session.withdrawn), (Answer::Continued, 1));
    assert_eq!(
        (program.parent, file_of(program)),
        (None, &*programs.path("exit"))
    );
}

fn interrupted_again(programs: &Programs) {
    let lab = Lab::new(programs, Options::default());
    let path = lab.directory.join("large");
    succeed(
        lab.command("creating", "interrupted-again", 1)
            .env("PROGRAM", &path),
    );
    let [session] = lab.trace().sessions.try_into().unwrap();
    let [program] = &session.programs[..] else {
        panic!("{:#?}", session.programs);
    };
    assert_eq!((program.answer, session.unread), (Answer::Continued, 0));
}

fn interrupted_and_changed(programs: &Programs) {
    let session = seen_of_interrupted(programs, "interrupted-and-changed");
    let [first, second] = &session.programs[..] else {
        panic!("{:#?}", session.programs);
    };
    assert_eq!(
        (first.answer, second.answer),
        (Answer::Withdrawn, Answer::Continued)
    );
    assert_eq!(
        (first.path.clone(), file_of(second)),
        (programs.path("nope"), &*programs.path("exit"))
    );
    assert_eq!(session.withdrawn, 0);
}

fn few_random_names(programs: &Programs) {
    random::check(programs, 1..25).unwrap();
}

fn sessions(programs: &Programs) {
    let lab = Lab::new(programs, Options::default());
    for (status, plan) in [
        ("creating", "execve"),
        ("running", "missing"),
        ("running", "execve"),
    ] {
        succeed(&mut lab.command(status, plan, 1));
    }
    let trace = lab.trace();
    assert_eq!(trace.faults, [""; 0]);
    let kinds: Vec<_> = trace
        .sessions
        .iter()
        .map(|session| (session.kind, session.programs.len()))
        .collect();
    assert_eq!(kinds, [(Kind::Start, 1), (Kind::Exec, 1), (Kind::Exec, 1)]);
    assert!(
        trace
            .sessions
            .iter()
            .all(|session| session.container == "test" && session.ended.is_some())
    );
}

fn other_container(programs: &Programs) {
    let lab = Lab::new(programs, Options::default());
    lab.run("execve");
    succeed(lab.command("creating", "execve", 1).env("CONTAINER", "other"));
    assert_eq!(
        lab.trace().faults,
        ["a listener of container `other` on the socket of container `test`"]
    );
}

fn too_many_sessions(programs: &Programs) {
    let options = Options {
        sessions: 1,
        ..Options::default()
    };
    let lab = Lab::new(programs, options);
    lab.run("execve");
    lab.run("execve");
    let trace = lab.trace();
    assert_eq!((trace.sessions.len(), trace.faults.len()), (1, 1));
    assert!(
        trace.faults[0].contains("more than 1 sessions"),
        "{:?}",
        trace.faults
    );
}

/// What a client of the socket does.
type Client<'c> = &'c dyn Fn(&mut UnixStream);

fn no_listener(programs: &Programs) {
    let state = br#"{"fds":["seccompFd"],"pid":7,"state":{"id":"c","status":"creating"}}"#;
    let null = std::fs::File::open("/dev/null").unwrap();
    let cases: [(&str, Client); 4] = [
        ("ended after 5 bytes", &|stream| {
            stream.write_all(b"{\"pid").unwrap()
        }),
        ("no container state", &|stream| {
            stream.write_all(b"GET / HTTP/1.1\r\n").unwrap()
        }),
        ("without a listener", &|stream| stream.write_all(state).unwrap()),
        ("lost the session of process 7 in container `c`", &|stream| {
            confined::send(stream, state, &null);
        }),
    ];
    for (expected, act) in cases {
        let lab = Lab::new(programs, Options::default());
        let mut stream = UnixStream::connect(lab.socket()).unwrap();
        act(&mut stream);
        drop(stream);
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut faults = Vec::new();
        while faults.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            faults = lab.supervisor().trace().faults;
        }
        assert!(
            faults.iter().any(|fault| fault.contains(expected)),
            "{expected}: {faults:?}"
        );
    }
}

fn ten_thousand(programs: &Programs) {
    let lab = Lab::new(programs, Options::default());
    succeed(&mut lab.command("creating", "many", 10_000));
    let [session] = lab.trace().sessions.try_into().unwrap();
    assert_eq!(
        (session.programs.len(), session.lost, session.withdrawn),
        (10_000, 0, 0)
    );
    let exit = programs.path("exit");
    assert!(
        session
            .programs
            .iter()
            .all(|program| program.readable && file_of(program) == exit)
    );
}

fn bounds(programs: &Programs) {
    let by_count = Options {
        programs: 10,
        ..Options::default()
    };
    let by_size = Options {
        bytes: 1,
        ..Options::default()
    };
    for (options, kept) in [(by_count, 10), (by_size, 1)] {
        let lab = Lab::new(programs, options);
        succeed(&mut lab.command("creating", "many", 50));
        let [session] = lab.trace().sessions.try_into().unwrap();
        assert_eq!((session.programs.len(), session.lost), (kept, 50 - kept as u64));
    }
}

fn dropped(programs: &Programs) {
    let mut lab = Lab::new(programs, Options::default());
    let mut child = lab.command("creating", "until-unsupervised", 1).spawn().unwrap();
    while lab
        .supervisor()
        .trace()
        .sessions
        .first()
        .is_none_or(|session| session.programs.is_empty())
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    drop(lab.supervisor.take());
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    assert!(!lab.socket().exists());
    // The next program of the process fails with ENOSYS, and the process goes on.
    assert!(child.wait().unwrap().success());
}

fn no_leaks(programs: &Programs) {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    succeed(command.arg("leaks").arg(&programs.0));
}

/// Starts and drops supervisors in a process of its own, in which nothing else opens a file.
pub fn leaks(programs: &Path) -> i32 {
    let programs = std::mem::ManuallyDrop::new(Programs(programs.to_owned()));
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let before = (count("fd"), count("task"));
    for _ in 0..5 {
        let lab = Lab::new(&programs, Options::default());
        let mut running = lab.command("creating", "until-unsupervised", 1).spawn().unwrap();
        lab.run("nested");
        lab.run("memfd");
        drop(lab);
        assert!(running.wait().unwrap().success());
    }
    // The thread that hashes is not waited for.
    let deadline = Instant::now() + Duration::from_secs(2);
    while (count("fd"), count("task")) != before && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    i32::from((count("fd"), count("task")) != before)
}

fn socket(programs: &Programs) {
    use std::os::unix::fs::PermissionsExt;
    for mode in [0o600, 0o660] {
        let options = Options {
            mode,
            ..Options::default()
        };
        let lab = Lab::new(programs, options);
        let made = std::fs::metadata(lab.socket()).unwrap().permissions().mode();
        assert_eq!(made & 0o777, mode);
        assert!(Supervisor::start(&lab.socket(), Options::default()).is_err());
    }
    let long = std::env::temp_dir().join("x".repeat(108));
    let error = Supervisor::start(&long, Options::default()).unwrap_err();
    assert!(error.to_string().contains("at most 107"), "{error}");
}
