//! A container while it runs: what it writes, and how it ends.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use shellproof_api::{ContainerId, Error, HealthRun};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::run::expect::Exited;
use crate::run::output::{Collected, Collector};

/// A container that was started.
pub(super) struct Running {
    pub(super) id: ContainerId,
    pub(super) output: Arc<Collector>,
    pub(super) ended: watch::Receiver<Option<Ended>>,
    /// Whether its program could be started.
    pub(super) is_started: bool,
    /// When it was started, and when it was seen to be ready.
    pub(super) started: Instant,
    pub(super) ready: Option<Instant>,
    /// The last run of its health check by then.
    pub(super) checked: Option<HealthRun>,
    /// When its end was seen.
    pub(super) end: Arc<OnceLock<Instant>>,
    /// Follows its output; ends with it.
    pub(super) follower: AbortHandle,
}

/// How a container ended, or how the engine failed while it ran.
pub(super) type Ended = Result<Exited, Error>;

impl Drop for Running {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl Running {
    pub(super) async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(ended)) => ended.clone(),
            // The follower tells the end before it ends, unless it panicked; then nothing is known for ever.
            _ => std::future::pending().await,
        }
    }

    /// The code with which it has ended by now.
    pub(super) fn exit_code(&self) -> Option<i64> {
        match &*self.ended.borrow() {
            Some(Ok(exited)) => Some(exited.code),
            _ => None,
        }
    }

    /// Whether it has not ended yet.
    pub(super) fn is_alive(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// From its start to its end, or to now.
    pub(super) fn watched(&self) -> Duration {
        let end = self.end.get().copied().unwrap_or_else(Instant::now);
        end.duration_since(self.started)
    }

    /// What has been written so far.
    ///
    /// # Errors
    /// The engine failed while it was read, so that nobody knows what is missing.
    pub(super) fn output(&self) -> Result<Collected, Error> {
        match &*self.ended.borrow() {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(self.output.snapshot()),
        }
    }
}

pub(super) fn ended_first(exited: Exited) -> String {
    format!("it ended first: {exited}")
}
