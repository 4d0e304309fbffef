//! Containers: what `podman-api` gets wrong about them, and what Podman does differently from Docker.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use hyper::Method;
use shellproof_api::{
    ContainerId, ContainerSpec, ContainerState, ContainerStatus, ErrorKind, MountSource, OutputStream, Result,
};
use shellproof_wire::http;

use crate::fault::{self, Fault, Op};
use crate::frames;
use crate::model::{Container, Created};
use crate::podman::Podman;
use crate::spec::{self, Program};
use crate::wire::escape;

/// Exit codes of programs that could not be started, as Docker and the shells have them.
const NOT_EXECUTABLE: i64 = 126;
const COMMAND_NOT_FOUND: i64 = 127;

/// How often, and at which distance, a container is looked at again whose process has just gone.
const VANISHED_ASKS: u32 = 20;
const VANISHED_PAUSE: Duration = Duration::from_millis(10);

impl Podman {
    pub(crate) async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let op = Op {
            operation: "create container",
            object: &spec.name,
        };
        self.check_volumes(op, spec).await?;
        let cleared = self.entrypoint_to_keep(op, spec).await?;
        let program = Program {
            entrypoint: cleared.as_deref().or(spec.entrypoint.as_deref()),
            command: spec.command.as_deref().unwrap_or_default(),
        };
        let body = spec::create_body(spec, &program);
        let answer = self
            .wire
            .call(Method::POST, "/containers/create", Some(&body))
            .await;
        let answer = answer.map_err(|fault| fault.at(&self.wire.engine, op))?;
        let id = ContainerId(self.wire.parse::<Created>(op, &answer)?.id);
        if program.entrypoint.unwrap_or_default().is_empty() && program.command.is_empty() {
            self.check_program(op, &id).await?;
        }
        Ok(id)
    }

    /// Podman would make a missing volume on the way, without labels and so for ever.
    async fn check_volumes(&self, op: Op<'_>, spec: &ContainerSpec) -> Result<()> {
        for mount in &spec.mounts {
            let MountSource::Volume(name) = &mount.source else {
                continue;
            };
            let exists = self.wire.exists(&format!("/volumes/{}", escape(name))).await;
            if !exists.map_err(|fault| fault.at(&self.wire.engine, op))? {
                let message = format!("no volume with name `{name}`");
                return Err(self.wire.error(op, ErrorKind::NotFound, message));
            }
        }
        Ok(())
    }

    /// An empty command means the image's to Podman. It is cleared by naming the image's own entrypoint.
    async fn entrypoint_to_keep(&self, op: Op<'_>, spec: &ContainerSpec) -> Result<Option<Vec<String>>> {
        let cleared = spec.command.as_ref().is_some_and(Vec::is_empty);
        let entrypoint = match &spec.entrypoint {
            None if cleared => self.existing_image(op, &spec.image).await?.entrypoint,
            Some(entrypoint) if cleared => entrypoint.clone(),
            _ => return Ok(None),
        };
        if entrypoint.is_empty() {
            return Err(self.no_program(op));
        }
        Ok(Some(entrypoint))
    }

    /// Podman 5 creates a container that has nothing to run, and only its start fails.
    async fn check_program(&self, op: Op<'_>, id: &ContainerId) -> Result<()> {
        if self.inspect(op, id).await?.argv().is_empty() {
            self.delete_container(op, &id.0).await?;
            return Err(self.no_program(op));
        }
        Ok(())
    }

    fn no_program(&self, op: Op<'_>) -> shellproof_api::Error {
        let message = "no program to run: neither entrypoint nor command, and the image has none";
        self.wire.error(op, ErrorKind::Invalid, message)
    }

    pub(crate) async fn inspect(&self, op: Op<'_>, id: &ContainerId) -> Result<Container> {
        let path = format!("/containers/{}/json", escape(&id.0));
        for _ in 0..VANISHED_ASKS {
            match self.wire.call(Method::GET, &path, None).await {
                Ok(body) => return self.wire.parse(op, &body),
                Err(fault) if vanished(&fault) => tokio::time::sleep(VANISHED_PAUSE).await,
                Err(fault) => return Err(fault.at(&self.wire.engine, op)),
            }
        }
        self.wire.get(op, &path).await
    }

    /// The state, with what the engine has forgotten about a failed start.
    pub(crate) async fn state(&self, op: Op<'_>, id: &ContainerId) -> Result<ContainerState> {
        let container = self.inspect(op, id).await?;
        let mut state = container.to_state();
        if state.status == ContainerStatus::Created {
            let told = Some(container.state.error).filter(|error| !error.is_empty());
            if let Some(error) = told.or_else(|| self.failed_starts().get(id).cloned()) {
                state.status = ContainerStatus::Exited;
                state.exit_code = exit_code_of(&error);
            }
        }
        Ok(state)
    }

    /// Podman prepares a container when somebody attaches to it: the program is looked up then, and not at the start.
    pub(crate) async fn open_output(&self, id: &ContainerId) -> Result<OutputStream> {
        let op = Op {
            operation: "attach to container",
            object: &id.0,
        };
        // Attaching to one that has ended would reset it, and its exit code would be lost.
        let status = self.state(op, id).await?.status;
        if status != ContainerStatus::Created {
            let message = "it has been started already, and attaching comes before that";
            return Err(self.wire.error(op, ErrorKind::WrongState, message));
        }
        // Without `Upgrade`, Podman answers 200 and streams until the connection ends.
        let path = format!(
            "/containers/{}/attach?stream=true&stdout=true&stderr=true&stdin=false&logs=false",
            escape(&id.0)
        );
        match self.wire.open(Method::POST, &path, None, http::empty()).await {
            Ok(answer) => Ok(frames::output_stream(self.wire.clone(), op, answer.into_body())),
            // The start will fail in the same way and is where it is expected. There is no output until then.
            Err(fault) if exit_code_of(&fault.message).is_some() => Ok(stream::empty().boxed()),
            Err(fault) => Err(fault.at(&self.wire.engine, op)),
        }
    }

    pub(crate) async fn start(&self, id: &ContainerId) -> Result<()> {
        let op = Op {
            operation: "start container",
            object: &id.0,
        };
        let started = self.client.containers().get(escape(&id.0)).start(None).await;
        match started.map_err(Fault::from) {
            Ok(()) => {
                self.failed_starts().remove(id);
                Ok(())
            }
            Err(fault) if fault.status == Some(304) => Ok(()),
            Err(fault) => {
                if fault.status.is_some_and(|status| status != 404) {
                    self.failed_starts().insert(id.clone(), fault.message.clone());
                }
                Err(fault.at(&self.wire.engine, op))
            }
        }
    }

    pub(crate) async fn wait(&self, id: &ContainerId) -> Result<i64> {
        let op = Op {
            operation: "wait for container",
            object: &id.0,
        };
        // Podman answers 0 at once for a container that was never started.
        let state = self.state(op, id).await?;
        match (state.status, state.exit_code) {
            (ContainerStatus::Exited, Some(code)) => return Ok(code),
            (ContainerStatus::Exited, None) => {
                return Err(self.wire.error(op, ErrorKind::WrongState, "its start failed"));
            }
            (ContainerStatus::Created, _) => {
                return Err(self.wire.error(op, ErrorKind::WrongState, "it was never started"));
            }
            (ContainerStatus::Running | ContainerStatus::Other, _) => {}
        }
        let path = format!(
            "/containers/{}/wait?condition=exited&condition=stopped&interval=10ms",
            escape(&id.0)
        );
        let answer = self.wire.call(Method::POST, &path, None).await;
        self.wire
            .parse(op, &answer.map_err(|fault| fault.at(&self.wire.engine, op))?)
    }

    /// Also a running container, without the ten seconds that it would be given to stop.
    pub(crate) async fn delete_container(&self, op: Op<'_>, id: &str) -> Result<()> {
        let options = podman_api::opts::ContainerDeleteOpts::builder();
        let options = options.force(true).volumes(true).timeout(0).build();
        let deleted = self.client.containers().get(escape(id)).delete(&options).await;
        self.failed_starts().remove(&ContainerId(id.to_owned()));
        deleted.map_err(self.fault(op))
    }
}

/// Podman 4 fails to inspect a container in the moment between its process's end and its own notice of it.
fn vanished(fault: &Fault) -> bool {
    fault.message.starts_with("read /proc/") && fault.message.ends_with("no such process")
}

/// The exit code that stands for a start which failed with this message, if its program was at fault.
fn exit_code_of(message: &str) -> Option<i64> {
    match fault::kind_of_text(message)? {
        ErrorKind::CommandNotFound => Some(COMMAND_NOT_FOUND),
        ErrorKind::NotExecutable => Some(NOT_EXECUTABLE),
        _ => None,
    }
}
