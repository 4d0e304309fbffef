//! What is done to a container that exists.

use bollard::container::LogOutput;
use bollard::errors::Error as Bollard;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum as Status, NetworkSettings};
use bollard::query_parameters::{AttachContainerOptionsBuilder, WaitContainerOptionsBuilder};
use futures_util::StreamExt;
use shellproof_api::{
    ContainerId, ContainerState, ContainerStatus, Error, ErrorKind, HealthRun, OutputChunk, OutputStream,
    Result, StdStream,
};

use crate::Docker;

impl Docker {
    pub(crate) async fn attach_to(&self, id: &ContainerId) -> Result<OutputStream> {
        let failing = self.failing("attach to container", &id.0);
        let options = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = self.client.attach_container(&id.0, Some(options)).await;
        let output = attached.map_err(|error| failing.from(error))?.output;
        let chunks = output.map(move |item| item.map(chunk).map_err(|error| failing.from(error)));
        Ok(Box::pin(chunks))
    }

    pub(crate) async fn start(&self, id: &ContainerId) -> Result<()> {
        let failing = self.failing("start container", &id.0);
        let Err(error) = self.client.start_container(&id.0, None).await else {
            return Ok(());
        };
        let error = failing.from(error);
        if error.kind != ErrorKind::Invalid {
            return Err(error);
        }
        // What exactly was wrong with the program is in the exit code that the engine made up for it.
        let kind = match self.state(id).await?.exit_code {
            Some(127) => ErrorKind::CommandNotFound,
            Some(126) => ErrorKind::NotExecutable,
            _ => error.kind,
        };
        Err(Error { kind, ..error })
    }

    pub(crate) async fn wait(&self, id: &ContainerId) -> Result<i64> {
        let failing = self.failing("wait for container", &id.0);
        let state = self.inspected(id, "wait for container").await?;
        match (state.status, state.exit_code) {
            // The engine itself would answer with code 0.
            (ContainerStatus::Created, _) => {
                return Err(failing.with(ErrorKind::WrongState, "it was never started"));
            }
            (ContainerStatus::Exited, Some(code)) => return Ok(code),
            _ => {}
        }
        let options = WaitContainerOptionsBuilder::default()
            .condition("not-running")
            .build();
        let answer = self.client.wait_container(&id.0, Some(options)).next().await;
        match answer {
            Some(Ok(answer)) => match answer.error.and_then(|error| error.message) {
                Some(message) if !message.is_empty() => Err(failing.with(ErrorKind::Other, message)),
                _ => Ok(answer.status_code),
            },
            // `bollard` reports any exit code above zero as an error.
            Some(Err(Bollard::DockerContainerWaitError { error, code })) if error.is_empty() => Ok(code),
            Some(Err(Bollard::DockerContainerWaitError { error, .. })) => {
                Err(failing.with(ErrorKind::Other, error))
            }
            Some(Err(error)) => Err(failing.from(error)),
            None => Err(failing.with(ErrorKind::Unreachable, "the engine closed the connection")),
        }
    }

    pub(crate) async fn state(&self, id: &ContainerId) -> Result<ContainerState> {
        self.inspected(id, "inspect container").await
    }

    pub(crate) async fn health(&self, id: &ContainerId) -> Result<Vec<HealthRun>> {
        let failing = self.failing("read the health of container", &id.0);
        let inspected = self.client.inspect_container(&id.0, None).await;
        let inspected = inspected.map_err(|error| failing.from(error))?;
        let health = inspected.state.and_then(|state| state.health);
        let runs = health.and_then(|health| health.log).into_iter().flatten();
        Ok(runs
            .map(|run| HealthRun {
                began: run.start.map(|start| start.to_string()).unwrap_or_default(),
                exit_code: run.exit_code.unwrap_or_default(),
                output: run.output.unwrap_or_default(),
            })
            .collect())
    }

    async fn inspected(&self, id: &ContainerId, operation: &'static str) -> Result<ContainerState> {
        let failing = self.failing(operation, &id.0);
        let inspected = self.client.inspect_container(&id.0, None).await;
        inspected
            .map(container_state)
            .map_err(|error| failing.from(error))
    }
}

/// A piece of output. What comes without a stream is the engine's own word.
fn chunk(output: LogOutput) -> OutputChunk {
    let (stream, bytes) = match output {
        LogOutput::StdOut { message } | LogOutput::StdIn { message } => (StdStream::Stdout, message),
        LogOutput::StdErr { message } | LogOutput::Console { message } => (StdStream::Stderr, message),
    };
    OutputChunk { stream, bytes }
}

fn container_state(container: ContainerInspectResponse) -> ContainerState {
    let state = container.state.unwrap_or_default();
    let failed =
        state.exit_code.is_some_and(|code| code != 0) || state.error.is_some_and(|error| !error.is_empty());
    let status = match state.status {
        // A container that failed to start goes back to `created`, and keeps the exit code.
        Some(Status::CREATED) if failed => ContainerStatus::Exited,
        Some(Status::CREATED) => ContainerStatus::Created,
        Some(Status::RUNNING) => ContainerStatus::Running,
        Some(Status::EXITED) => ContainerStatus::Exited,
        _ => ContainerStatus::Other,
    };
    let mut argv = Vec::from_iter(container.path);
    argv.extend(container.args.unwrap_or_default());
    let running = status == ContainerStatus::Running;
    let network = container.network_settings.filter(|_| running).unwrap_or_default();
    ContainerState {
        status,
        exit_code: state.exit_code.filter(|_| status == ContainerStatus::Exited),
        ports: published(&network),
        addresses: network
            .networks
            .into_iter()
            .flatten()
            .flat_map(|(_, endpoint)| [endpoint.ip_address, endpoint.global_ipv6_address])
            .filter_map(|address| address?.parse().ok())
            .collect(),
        argv,
    }
}

fn published(network: &NetworkSettings) -> Vec<(u16, u16)> {
    let mut ports = Vec::new();
    for (key, bindings) in network.ports.iter().flatten() {
        let Some(Ok(container)) = key.strip_suffix("/tcp").map(str::parse) else {
            continue;
        };
        for binding in bindings.iter().flatten() {
            if let Some(Ok(host)) = binding.host_port.as_ref().map(|port| port.parse()) {
                ports.push((container, host));
            }
        }
    }
    ports.sort_unstable();
    ports
}
