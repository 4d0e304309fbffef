//! From a description to a container that runs.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::StreamExt;
use shellproof_api::facts::Outcome;
use shellproof_api::{ContainerSpec, Error, ErrorKind, OutputChunk, ResourceKind, StdStream};
use tokio::sync::watch;

use super::running::Running;
use super::state::Execution;
use crate::run::expect::Exited;
use crate::run::output::Collector;

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
            Ok(()) => {
                self.note_start(&id, spec, Outcome::Begun).await;
                self.started.push(id.0.clone());
            }
            Err(error) => {
                let code = match error.kind {
                    ErrorKind::CommandNotFound => 127,
                    ErrorKind::NotExecutable => 126,
                    _ => return Err(error),
                };
                self.note_start(&id, spec, Outcome::Failed).await;
                self.started.push(id.0.clone());
                output.push(&OutputChunk {
                    stream: StdStream::Stderr,
                    bytes: error.to_string().into(),
                });
                let refusal = Some(error.answer());
                sender.send_replace(Some(Ok(Exited { code, refusal })));
                return Ok(Running {
                    id,
                    output,
                    ended,
                    is_started: false,
                    started,
                    ready: None,
                    checked: None,
                    end: Arc::new(OnceLock::from(started)),
                    follower: tokio::spawn(async {}).abort_handle(),
                });
            }
        }
        let follower = tokio::spawn({
            let (runtime, output, end, id) = (runtime.clone(), output.clone(), end.clone(), id.clone());
            async move {
                let ended = loop {
                    match stream.next().await {
                        Some(Ok(chunk)) => output.push(&chunk),
                        // Output that is not whole is no output to judge.
                        Some(Err(error)) => break Err(error),
                        None => break runtime.wait_container(&id).await.map(Exited::with),
                    }
                };
                // Nobody else sets it.
                _ = end.set(Instant::now());
                sender.send_replace(Some(ended));
            }
        });
        Ok(Running {
            id,
            output,
            ended,
            is_started: true,
            started,
            ready: None,
            checked: None,
            end,
            follower: follower.abort_handle(),
        })
    }
}
