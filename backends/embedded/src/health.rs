//! Health checks: a further process in a container, again and again, as an engine runs them.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shellproof_api::{HealthCheck, HealthTest};

use crate::link::{Link, ended};
use crate::plan::Plan;
use crate::protocol::{Ask, Number};
use crate::start::Start;
use crate::task::Task;

/// What engines take where a check does not say.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
/// What runs a check that is a line for a shell.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// A container whose health is to be checked.
pub(crate) struct Patient {
    pub(crate) id: String,
    pub(crate) number: Number,
    /// As its own process is; its arguments are the check's.
    pub(crate) plan: Plan,
    pub(crate) listener: Option<PathBuf>,
}

/// Runs a check until this is dropped or the container has ended. Nobody acts on what it comes to, but it is run.
pub(crate) fn watch(link: Arc<Link>, patient: Patient, check: &HealthCheck) -> Option<Task> {
    let argv = match &check.test {
        HealthTest::None => return None,
        HealthTest::Command(argv) => argv.clone(),
        HealthTest::Shell(line) => SHELL
            .iter()
            .map(|&word| word.to_owned())
            .chain([line.clone()])
            .collect(),
    };
    let plan = Plan { argv, ..patient.plan };
    let (interval, timeout) = (
        check.interval.unwrap_or(INTERVAL),
        check.timeout.unwrap_or(TIMEOUT),
    );
    Some(Task::spawn(async move {
        loop {
            tokio::time::sleep(interval).await;
            let number = link.number();
            let end = link.end_of(number);
            let Ok([stdout, stderr]) = nowhere() else {
                continue;
            };
            let start = Start {
                number,
                inside: Some(patient.number),
                id: patient.id.clone(),
                plan: plan.clone(),
                listener: patient.listener.clone(),
                stdout,
                stderr,
            };
            let run = async {
                // What cannot be started is as bad as what fails.
                if start.start(&link).await.is_ok() {
                    let _ = ended(end).await;
                }
            };
            if tokio::time::timeout(timeout, run).await.is_err() {
                // Who has ended meanwhile is not there to be killed.
                let _ = link.tell(&Ask::Kill(number), &[]);
            }
        }
    }))
}

/// Two outputs that nobody reads.
pub(crate) fn nowhere() -> std::io::Result<[OwnedFd; 2]> {
    let null: OwnedFd = File::options().write(true).open("/dev/null")?.into();
    Ok([null.try_clone()?, null])
}
