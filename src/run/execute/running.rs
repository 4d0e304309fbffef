//! A container while it runs: what it writes, and how it ends.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use shellproof_api::{ContainerSpec, Error, ErrorKind, OutputChunk, ResourceKind, StdStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Execution;
use crate::run::output::{Collected, Collector};

/// A container that was started.
pub(super) struct Running {
    pub(super) output: Arc<Collector>,
    pub(super) ended: watch::Receiver<Option<Ended>>,
    /// Whether its program could be started.
    pub(super) is_started: bool,
    /// When it was started, and when it was seen to be ready.
    pub(super) started: Instant,
    pub(super) ready: Option<Instant>,
    /// When its end was seen.
    end: Arc<OnceLock<Instant>>,
    /// Follows its output; ends with it.
    follower: AbortHandle,
}

/// A container's exit code, or how the engine failed while it ran.
pub(super) type Ended = Result<i64, Error>;

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
            Some(Ok(code)) => Some(*code),
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

impl Execution<'_> {
    /// Makes, attaches to and starts a container. A program that cannot be started counts as one that ended at once,
    /// with the exit code that shells and engines give it.
    pub(super) async fn launch(&mut self, spec: &ContainerSpec) -> Result<Running, Error> {
        let runtime = self.context.runtime;
        self.making(ResourceKind::Container, &spec.name);
        let id = runtime.create_container(spec).await?;
        let mut stream = runtime.attach(&id).await?;
        let output = Arc::new(Collector::default());
        let (sender, ended) = watch::channel(None);
        let (started, end) = (Instant::now(), Arc::new(OnceLock::new()));
        match runtime.start_container(&id).await {
            Ok(()) => self.started.push(id.0.clone()),
            Err(error) => {
                let code = match error.kind {
                    ErrorKind::CommandNotFound => 127,
                    ErrorKind::NotExecutable => 126,
                    _ => return Err(error),
                };
                self.started.push(id.0.clone());
                output.push(&OutputChunk {
                    stream: StdStream::Stderr,
                    bytes: error.to_string().into(),
                });
                sender.send_replace(Some(Ok(code)));
                return Ok(Running {
                    output,
                    ended,
                    is_started: false,
                    started,
                    ready: None,
                    end: Arc::new(OnceLock::from(started)),
                    follower: tokio::spawn(async {}).abort_handle(),
                });
            }
        }
        let follower = tokio::spawn({
            let (runtime, output, end) = (runtime.clone(), output.clone(), end.clone());
            async move {
                let ended = loop {
                    match stream.next().await {
                        Some(Ok(chunk)) => output.push(&chunk),
                        // Output that is not whole is no output to judge.
                        Some(Err(error)) => break Err(error),
                        None => break runtime.wait_container(&id).await,
                    }
                };
                // Nobody else sets it.
                _ = end.set(Instant::now());
                sender.send_replace(Some(ended));
            }
        });
        Ok(Running {
            output,
            ended,
            is_started: true,
            started,
            ready: None,
            end,
            follower: follower.abort_handle(),
        })
    }
}
