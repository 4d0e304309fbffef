//! Health checks: a further process in a container, again and again, as an engine runs them.

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shellproof_api::{HealthCheck, HealthRun, HealthTest};

use crate::link::{Link, ended};
use crate::plan::Plan;
use crate::protocol::{Ask, Number};
use crate::start::Start;
use crate::task::Task;

/// What engines take where a check does not say.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many runs are remembered, as engines do.
const KEPT: usize = 5;
/// The exit code of a run that did not begin, or did not end in time.
const NOT_RUN: i64 = -1;
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

/// The last runs of a check.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<Mutex<VecDeque<HealthRun>>>);

impl Runs {
    pub(crate) fn all(&self) -> Vec<HealthRun> {
        self.lock().iter().cloned().collect()
    }

    fn add(&self, run: HealthRun) {
        let mut runs = self.lock();
        if runs.len() == KEPT {
            runs.pop_front();
        }
        runs.push_back(run);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<HealthRun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a check until this is dropped or the container has ended, and notes what came of it. What it writes is not kept.
pub(crate) fn watch(link: Arc<Link>, patient: Patient, check: &HealthCheck, runs: Runs) -> Option<Task> {
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
            let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let run = async {
                match start.start(&link).await {
                    Ok(_) => ended(end).await.map(|code| (i64::from(code), String::new())),
                    // What cannot be started is as bad as what fails.
                    Err(failed) => Ok((NOT_RUN, failed.why)),
                }
            };
            let (exit_code, output) = match tokio::time::timeout(timeout, run).await {
                Ok(Ok(ended)) => ended,
                // Its holder has ended, and the container with it.
                Ok(Err(_)) => return,
                Err(_) => {
                    // Who has ended meanwhile is not there to be killed.
                    let _ = link.tell(&Ask::Kill(number), &[]);
                    (NOT_RUN, format!("it took longer than {timeout:?}"))
                }
            };
            runs.add(HealthRun {
                began: format!("{}.{:09}", began.as_secs(), began.subsec_nanos()),
                exit_code,
                output,
            });
        }
    }))
}

/// Two outputs that nobody reads.
pub(crate) fn nowhere() -> std::io::Result<[OwnedFd; 2]> {
    let null: OwnedFd = File::options().write(true).open("/dev/null")?.into();
    Ok([null.try_clone()?, null])
}
