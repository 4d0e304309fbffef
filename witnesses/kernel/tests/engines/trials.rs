use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use shellproof_kernel::{Kind, Program, Session};

use crate::engine::{Engine, Watched};

const PYTHON: &str = "/usr/bin/python3.11";

/// A test and its name.
type Test = (&'static str, fn(&Engine));

pub fn of(engine: &Arc<Engine>) -> Vec<Trial> {
    let trial = |ignored: bool| {
        move |(name, test): Test| {
            let engine = engine.clone();
            let run_on = engine.clone();
            let run = move || {
                test(&run_on);
                Ok(())
            };
            Trial::test(format!("{}::{name}", engine.name), run).with_ignored_flag(ignored)
        }
    };
    if !engine.has_kernel_witness() {
        let tests: [Test; 1] = [("drops_the_listener", drops_the_listener)];
        return tests.into_iter().map(trial(false)).collect();
    }
    let tests: [Test; 7] = [
        ("a_shell_is_seen_although_there_is_none", os_system),
        ("a_program_alone_is_seen_alone", print),
        ("an_engines_exec_is_a_session", exec),
        ("an_exec_of_nothing_is_a_session_without_success", exec_of_nothing),
        ("a_shell_and_what_it_starts", layered),
        ("without_a_supervisor_nothing_starts", dropped),
        ("a_dead_socket_keeps_a_container_from_starting", dead_socket),
    ];
    let measured: [Test; 2] = [("start_delay", start_delay), ("thirty_two_at_once", at_once)];
    tests
        .into_iter()
        .map(trial(false))
        .chain(measured.into_iter().map(trial(true)))
        .collect()
}

fn python<'e>(engine: &'e Engine, code: &str) -> Watched<'e> {
    Watched::create(engine, "python", &[PYTHON, "-c", code], true)
}

/// The first program of a session is the container's own, whole and readable.
fn first(session: &Session) -> &Program {
    assert_eq!(session.lost, 0);
    let program = &session.programs[0];
    assert!(program.readable && program.parent.is_none());
    let file = program.file.as_ref().unwrap();
    assert!(file.content.is_some(), "{program:?}");
    program
}

fn os_system(engine: &Engine) {
    let (_, session) = python(engine, "import os; os.system('true')").run();
    assert_eq!(session.kind, Kind::Start);
    assert_eq!(
        first(&session).argv,
        [PYTHON, "-c", "import os; os.system('true')"]
    );
    let [python, shell] = session.programs.as_slice() else {
        panic!("{session:#?}")
    };
    assert_eq!(python.file.as_ref().unwrap().path, PYTHON);
    assert_eq!(shell.path, "/bin/sh");
    assert_eq!(shell.argv, ["sh", "-c", "true"]);
    assert_eq!(
        (&shell.file, shell.parent, shell.readable),
        (&None, Some(0), true)
    );
    assert_eq!(shell.caller.as_deref(), Some(PYTHON));
    assert_ne!(shell.pid, python.pid);
}

fn print(engine: &Engine) {
    let (code, session) = python(engine, "print(1)").run();
    assert_eq!((code, session.programs.len(), session.unread), (0, 1, 0));
    assert_eq!(first(&session).path, PYTHON);
}

fn exec(engine: &Engine) {
    let watched = python(engine, "import time; time.sleep(30)");
    watched.start();
    let (status, answer) = watched.exec(&[PYTHON, "-c", "print(2)"]);
    assert!((200..300).contains(&status), "{status} {answer}");
    let trace = watched.until("a second session", |trace| {
        trace
            .sessions
            .get(1)
            .is_some_and(|session| session.ended.is_some())
    });
    assert_eq!(trace.faults, [""; 0]);
    let kinds: Vec<_> = trace
        .sessions
        .iter()
        .map(|session| (session.kind, session.programs.len()))
        .collect();
    assert_eq!(kinds, [(Kind::Start, 1), (Kind::Exec, 1)]);
    assert_eq!(first(&trace.sessions[1]).argv, [PYTHON, "-c", "print(2)"]);
    assert_ne!(trace.sessions[0].pid, trace.sessions[1].pid);
}

fn exec_of_nothing(engine: &Engine) {
    let watched = python(engine, "import time; time.sleep(30)");
    watched.start();
    // What an engine answers differs; that it tried is in the trace.
    let (status, answer) = watched.exec(&["/bin/sh", "-c", "true"]);
    println!("{}: exec of a missing program: {status} {answer}", engine.name);
    let trace = watched.until("a second session", |trace| {
        trace
            .sessions
            .get(1)
            .is_some_and(|session| session.ended.is_some())
    });
    let session = &trace.sessions[1];
    println!("{}: it shows {} programs", engine.name, session.programs.len());
    assert_eq!(session.kind, Kind::Exec);
    assert!(
        session
            .programs
            .iter()
            .all(|program| program.path == "/bin/sh" && program.file.is_none())
    );
}

fn layered(engine: &Engine) {
    let script = "printf '#!/bin/sh -e\\ntrue\\n' >/tmp/job && chmod +x /tmp/job && cd /tmp && ./job && ls / >/dev/null";
    let watched = Watched::create(engine, "layered", &["/bin/sh", "-c", script], true);
    let (code, session) = watched.run();
    assert_eq!(code, 0, "{session:#?}");
    let shell = first(&session).file.clone().unwrap();
    let job = session
        .programs
        .iter()
        .find(|program| program.path == "./job")
        .unwrap();
    assert_eq!(job.file.as_ref().unwrap().path, "/tmp/job");
    assert_eq!(job.interpreters[0].path, "/bin/sh");
    assert_eq!(job.interpreters[0].argument.as_deref(), Some("-e"));
    assert_eq!(job.interpreters[0].file.as_ref(), Some(&shell));
    assert_eq!(job.parent, Some(0));
    let ls = session
        .programs
        .iter()
        .find(|program| program.argv.first().is_some_and(|word| word == "ls"));
    assert!(ls.unwrap().file.as_ref().unwrap().content.is_some());
    assert_eq!(session.unread, 0);
}

fn dropped(engine: &Engine) {
    let code = "import os, sys, time\nwhile True:\n time.sleep(.05)\n pid = os.fork()\n if pid == 0:\n  try: os.execv(sys.executable, ['python', '-c', ''])\n  except OSError as error: os._exit(error.errno)\n status = os.waitpid(pid, 0)[1]\n if status: sys.exit(os.waitstatus_to_exitcode(status))";
    let mut watched = python(engine, code);
    watched.start();
    watched.until("more than one program", |trace| {
        trace.sessions[0].programs.len() > 1
    });
    drop(watched.supervisor.take());
    let enosys = 38;
    assert_eq!(watched.wait(), enosys);
}

fn dead_socket(engine: &Engine) {
    let mut watched = python(engine, "print(1)");
    drop(watched.supervisor.take());
    let (status, answer) = watched.try_start();
    println!("{}: start with a dead socket: {status} {answer}", engine.name);
    assert!(status >= 400, "{status} {answer}");
}

fn drops_the_listener(engine: &Engine) {
    let watched = python(engine, "print(1)");
    let (status, answer) = watched.try_start();
    println!("{}: {status} {answer}", engine.name);
    assert_eq!(status, 500);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("listenerPath is not set"),
        "{answer}"
    );
    assert!(watched.supervisor.as_ref().unwrap().trace().sessions.is_empty());
}

/// Time of `start` with a supervisor and without, alternating.
fn start_delay(engine: &Engine) {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..15 {
        for (times, watch) in times.iter_mut().zip([false, true]) {
            let watched = Watched::create(engine, "python", &[PYTHON, "-c", "print(1)"], watch);
            let began = Instant::now();
            watched.start();
            times.push(began.elapsed());
            watched.wait();
        }
    }
    let [plain, watched] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    println!("{}: start {plain:?}, supervised {watched:?}", engine.name);
}

/// 32 containers at once, each with a supervisor of its own.
fn at_once(engine: &Engine) {
    let code = "import os\nfor i in range(20):\n os.posix_spawn('/usr/bin/python3.11', ['python', '-S', '-c', ''], {})\n os.wait()";
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let (code, session) = python(engine, code).run();
                assert_eq!((code, session.programs.len(), session.lost), (0, 21, 0));
            });
        }
    });
    let took = began.elapsed();
    assert!(took < Duration::from_secs(300));
    println!("{}: 32 containers at once: {took:?}", engine.name);
}
