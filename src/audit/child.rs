//! The audited program: it has our terminal, our input and output, and the signals that we get.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// What would lead the program's client to another engine than the recorder.
const OTHER_DOORS: &[&str] = &[
    "BUILDKIT_HOST",
    "BUILDX_BUILDER",
    "CONTAINER_CONNECTION",
    "CONTAINER_SSHKEY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
];

/// Runs the program with the recorder as its engine, and gives its exit code: as shells do, 128 and the signal's
/// number when a signal ended it.
pub(super) async fn run(command: &[OsString], socket: &Path, to_stderr: bool) -> Result<i32, Failure> {
    let [program, arguments @ ..] = command else {
        return Err(Failure::Input("no program is named".into()));
    };
    let url = format!("unix://{}", socket.display());
    let mut child = Command::new(program);
    child
        .args(arguments)
        .env("DOCKER_HOST", &url)
        .env("CONTAINER_HOST", &url);
    for variable in OTHER_DOORS {
        child.env_remove(variable);
    }
    if to_stderr {
        child.stdout(Stdio::from(std::io::stderr()));
    }
    let failed = Failure::machine("signals cannot be handled");
    let mut hang_up = signal(SignalKind::hangup()).map_err(&failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(&failed)?;
    let mut quit = signal(SignalKind::quit()).map_err(&failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(&failed)?;
    let mut user1 = signal(SignalKind::user_defined1()).map_err(&failed)?;
    let mut user2 = signal(SignalKind::user_defined2()).map_err(&failed)?;
    let mut child = child.spawn().map_err(|error| {
        Failure::Input(format!(
            "`{}` cannot be started: {error}",
            program.to_string_lossy()
        ))
    })?;
    let process = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    loop {
        let (signal, from_keyboard) = tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(Failure::machine("the program cannot be waited for"))?;
                let signal = status.signal().unwrap_or_default();
                return Ok(status.code().unwrap_or(128 + signal));
            }
            _ = hang_up.recv() => (Signal::HUP, false),
            _ = interrupt.recv() => (Signal::INT, true),
            _ = quit.recv() => (Signal::QUIT, true),
            _ = terminate.recv() => (Signal::TERM, false),
            _ = user1.recv() => (Signal::USR1, false),
            _ = user2.recv() => (Signal::USR2, false),
        };
        // A key on our terminal reaches the program as well: it is in the same foreground group.
        if let Some(process) = process.filter(|_| !(from_keyboard && has_terminal())) {
            // It may have ended just now.
            let _ = kill_process(process, signal);
        }
    }
}

/// Whether keys on a terminal of ours send signals to our process group.
fn has_terminal() -> bool {
    let stdin = std::io::stdin();
    let foreground = rustix::termios::tcgetpgrp(&stdin).ok();
    stdin.is_terminal() && foreground == Some(getpgrp())
}
