//! A stub in a user namespace of its own, of this very test: its `main` has to be asked first whether it is one.

use std::io;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use shellproof_userns::{Inside, Started, Stub, Wanted, run_if_meant};

/// Answers with its ids and what it was sent, until it is told nothing more.
const ECHO: Stub = Stub {
    name: "echo-inside",
    main: echo,
};
/// Ends at once.
const GONE: Stub = Stub {
    name: "gone-inside",
    main: |_| Ok(()),
};

fn echo(inside: Inside) -> io::Result<()> {
    loop {
        let message = inside.channel.receive()?;
        if message.is_end() {
            return Ok(());
        }
        let user = rustix::process::geteuid().as_raw();
        let map = std::fs::read_to_string("/proc/self/uid_map")?;
        let text = format!(
            "{user} {} {}",
            map.lines().count(),
            String::from_utf8_lossy(&message.bytes)
        );
        inside.channel.send(text.as_bytes(), &[])?;
    }
}

fn one_id() -> Result<(), Failed> {
    let started = Started::start(&ECHO, Wanted::One)?;
    assert!(!started.ids().are_many());
    started.channel().send(b"hello", &[])?;
    let answer = started.channel().receive()?.bytes;
    assert_eq!(String::from_utf8_lossy(&answer), "0 1 hello");
    let process = started.process();
    drop(started);
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists());
    Ok(())
}

fn many_ids_or_the_reason_why_not() -> Result<(), Failed> {
    let many = Started::start(&ECHO, Wanted::Many)?;
    let ids = many.ids();
    assert_eq!(ids.are_many(), ids.narrow.is_none(), "{ids:?}");
    Ok(())
}

fn a_stub_that_has_ended_is_told() -> Result<(), Failed> {
    let gone = Started::start(&GONE, Wanted::One)?;
    assert!(gone.channel().receive()?.is_end());
    Ok(())
}

fn main() -> ExitCode {
    if run_if_meant(&[ECHO, GONE]) {
        return ExitCode::SUCCESS;
    }
    let trials = vec![
        Trial::test("one_id", one_id),
        Trial::test("many_ids_or_the_reason_why_not", many_ids_or_the_reason_why_not),
        Trial::test("a_stub_that_has_ended_is_told", a_stub_that_has_ended_is_told),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
