//! A container's life: made, started, ended, removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shellproof_api::{ContainerId, ContainerSpec, Error, ErrorKind, MountSource, Result};
use shellproof_store::Image;

use crate::capabilities::Capabilities;
use crate::embedded::Embedded;
use crate::filter::{self, Machine, Target};
use crate::health::{self, Patient, Runs, nowhere};
use crate::link::ended;
use crate::plan::{Mounted, Plan, Source};
use crate::ports;
use crate::program;
use crate::protocol::{Ask, Failure};
use crate::start::{NotStarted, Start};
use crate::state::{Container, Life, Running, State};

const CREATE: &str = "create container";
const START: &str = "start container";
const REMOVE: &str = "remove container";
/// How much of an id a container takes for its host name, as engines have it.
const HOSTNAME: usize = 12;

impl Embedded {
    /// Works out what a container's first process has to do, and keeps that.
    pub(crate) async fn make(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let failed = |kind, message: String| self.failed(CREATE, &spec.name, kind, message);
        let other = |message: String| failed(ErrorKind::Other, message);
        let image = self.image_there(CREATE, &spec.name, &spec.image).await?;
        self.refuse(spec)?;
        let layers = self.images.layers(&image, self.ids()).await.map_err(other)?;
        let accounts = self.images.accounts(&self.link, image.id(), &layers).await;
        let config = image.config();
        let user = spec.user.as_ref().unwrap_or(&config.user);
        let user = accounts
            .map_err(other)?
            .user(user)
            .map_err(|why| failed(ErrorKind::Invalid, why))?;
        let argv = spec.argv(config);
        if argv.first().is_none_or(String::is_empty) {
            let why = "there is no program to run: neither the image nor the container names one";
            return Err(failed(ErrorKind::Invalid, why.into()));
        }
        let id = random_id().map_err(|error| other(error.to_string()))?;
        let hostname = id[..HOSTNAME].to_owned();
        let capabilities = Capabilities::of(&spec.cap_drop, &spec.cap_add);
        let capabilities = capabilities
            .map_err(|name| failed(ErrorKind::Invalid, format!("there is no capability `{name}`")))?;
        let filter = self.filter(spec, capabilities)?;
        let workdir = spec.workdir.clone();
        let mut plan = Plan {
            layers,
            argv,
            env: program::env(spec, config, &hostname, &user.home),
            workdir: workdir.unwrap_or_else(|| image.settings().directory.clone()),
            hostname,
            uid: user.uid,
            gid: user.gid,
            groups: user.groups,
            capabilities: capabilities.0,
            no_new_privileges: spec.no_new_privileges,
            read_only: spec.read_only,
            tmpfs: spec.tmpfs.clone(),
            mounts: Vec::new(),
            network: None,
            listens: filter.listener.is_some(),
            filter: filter::to_bytes(&filter.program),
        };
        let health_check = spec.health_check.clone().or_else(|| config.health_check.clone());
        let mut state = self.state();
        self.connect(&state, spec, &image, &mut plan)?;
        if state.containers.values().any(|one| one.spec.name == spec.name) {
            let why = format!("there is a container `{}` already", spec.name);
            return Err(failed(ErrorKind::AlreadyExists, why));
        }
        let container = Container {
            spec: spec.clone(),
            number: self.link.number(),
            plan,
            listener: filter.listener,
            health_check,
            image,
            outputs: None,
            life: Life::Created,
        };
        state.containers.insert(id.clone(), container);
        Ok(ContainerId(id))
    }

    /// Bind mounts that cannot be.
    fn refuse(&self, spec: &ContainerSpec) -> Result<()> {
        for mount in &spec.mounts {
            let MountSource::Bind(source) = &mount.source else {
                continue;
            };
            let (kind, why) = match source.canonicalize() {
                Err(error) => (
                    ErrorKind::NotFound,
                    format!("the source of a bind mount, `{}`: {error}", source.display()),
                ),
                // The holder's own mounts are below these, and would show.
                Ok(whole) if is_within(&self.directory, &whole) || is_within(Path::new("/proc"), &whole) => (
                    ErrorKind::Invalid,
                    format!(
                        "the source of a bind mount, `{}`, holds this run's own files; name a directory below it",
                        source.display()
                    ),
                ),
                Ok(_) => continue,
            };
            return Err(self.failed(CREATE, &spec.name, kind, why));
        }
        Ok(())
    }

    fn filter(&self, spec: &ContainerSpec, capabilities: Capabilities) -> Result<filter::Filter> {
        let failed = |kind, why| self.failed(CREATE, &spec.name, kind, why);
        let given = match &spec.seccomp_profile {
            None => None,
            Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
                let why = format!("the seccomp profile `{}`: {error}", path.display());
                failed(ErrorKind::NotFound, why)
            })?),
        };
        let release = rustix::system::uname();
        let target = Target {
            machine: Machine::own(),
            capabilities: &capabilities.names(),
            kernel: filter::version(&release.release().to_string_lossy()).unwrap_or_default(),
        };
        self.filters
            .get(given.as_ref().unwrap_or(&self.profile), target)
            .map_err(|error| failed(ErrorKind::Invalid, error.to_string()))
    }

    /// The network and the volumes of a container, which must be there.
    fn connect(&self, state: &State, spec: &ContainerSpec, image: &Image, plan: &mut Plan) -> Result<()> {
        let missing = |what: String| {
            let why = format!("there is no {what}");
            self.failed(CREATE, &spec.name, ErrorKind::NotFound, why)
        };
        if let Some(attachment) = &spec.network {
            let network = state.networks.get(&attachment.network);
            let network = network.ok_or_else(|| missing(format!("network `{}`", attachment.network)))?;
            plan.network = Some(network.number);
        }
        for mount in &spec.mounts {
            let source = match &mount.source {
                MountSource::Bind(path) => Source::Bind(path.clone()),
                MountSource::Volume(name) => {
                    let volume = state.volumes.get(name);
                    let volume = volume.ok_or_else(|| missing(format!("volume `{name}`")))?;
                    Source::Volume(volume.number)
                }
            };
            plan.mounts.push(Mounted {
                source,
                target: mount.target.clone(),
                read_only: mount.read_only,
                chown: mount.chown,
            });
        }
        let is_covered = |path: &str| {
            let same = |other: &str| other.trim_end_matches('/') == path.trim_end_matches('/');
            plan.mounts.iter().any(|mount| same(&mount.target)) || plan.tmpfs.iter().any(|one| same(one))
        };
        let own = image.settings().volumes.iter().filter(|path| !is_covered(path));
        let own: Vec<_> = own
            .map(|path| Mounted {
                source: Source::Anonymous,
                target: path.clone(),
                read_only: false,
                chown: false,
            })
            .collect();
        // What is mounted below another comes after it.
        plan.mounts.extend(own);
        plan.mounts.sort_by_key(|mount| mount.target.matches('/').count());
        Ok(())
    }

    /// Starts a container that was made.
    pub(crate) async fn begin(&self, id: &ContainerId) -> Result<()> {
        let failed = |kind, why: String| self.failed(START, &id.0, kind, why);
        let other = |error: std::io::Error| failed(ErrorKind::Other, error.to_string());
        let Some(wanted) = self.to_start(id)? else {
            return Ok(());
        };
        let ports = ports::take(&wanted.spec.ports).await;
        let ports = ports.map_err(|(port, error)| {
            let kind = match error.kind() {
                std::io::ErrorKind::AddrInUse => ErrorKind::AlreadyExists,
                _ => ErrorKind::Other,
            };
            failed(
                kind,
                format!("port {port} of the host cannot be published: {error}"),
            )
        });
        let ports = self.or_failed(id, 128, ports)?;
        let numbers: std::io::Result<Vec<_>> = ports.iter().map(ports::Taken::numbers).collect();
        let numbers = numbers.map_err(other)?;
        let end = self.link.end_of(wanted.start.number);
        let (number, patient) = (wanted.start.number, wanted.patient);
        let started = wanted.start.start(&self.link).await;
        let address = match started {
            Ok(address) => address,
            Err(NotStarted { failure, why }) => {
                // Its process ends by itself, or never was.
                let _ = self.link.tell(&Ask::Kill(number), &[]);
                let (kind, code) = match failure {
                    Failure::NotFound => (ErrorKind::CommandNotFound, 127),
                    Failure::NotExecutable => (ErrorKind::NotExecutable, 126),
                    Failure::Other => (ErrorKind::Other, 128),
                };
                return self.or_failed(id, code, Err(failed(kind, why)));
            }
        };
        let mut tasks = Vec::new();
        if let Some(address) = address {
            self.tell_names(&wanted.spec, address);
            for port in ports {
                tasks.push(port.serve(self.link.clone(), address));
            }
        }
        let health_runs = Runs::default();
        if let Some(check) = wanted.health_check {
            let runs = health_runs.clone();
            tasks.extend(health::watch(self.link.clone(), patient, &check, runs));
        }
        let mut state = self.state();
        let gone = || failed(ErrorKind::NotFound, "it was removed meanwhile".into());
        let container = state.containers.get_mut(&id.0).ok_or_else(gone)?;
        container.life = Life::Started(Running {
            end,
            address,
            ports: numbers,
            tasks,
            health_runs,
        });
        Ok(())
    }

    /// What it takes to start a container; none where that was done.
    fn to_start(&self, id: &ContainerId) -> Result<Option<Wanted>> {
        let mut state = self.state();
        let container = state
            .containers
            .get_mut(&id.0)
            .ok_or_else(|| self.no_container(START, id))?;
        match &container.life {
            Life::Created => {}
            Life::Started(_) if container.is_running() => return Ok(None),
            // A container's files are those of one life.
            Life::Started(_) | Life::Failed(_) => {
                let why = "it has ended, and is not started again";
                return Err(self.failed(START, &id.0, ErrorKind::WrongState, why));
            }
        }
        let outputs = match container.outputs.take() {
            Some(outputs) => Ok(outputs),
            None => nowhere(),
        };
        let [stdout, stderr] =
            outputs.map_err(|error| self.failed(START, &id.0, ErrorKind::Other, error.to_string()))?;
        Ok(Some(Wanted {
            spec: container.spec.clone(),
            health_check: container.health_check.clone(),
            patient: Patient {
                id: id.0.clone(),
                number: container.number,
                plan: container.plan.clone(),
                listener: container.listener.clone(),
            },
            start: Start {
                number: container.number,
                inside: None,
                id: id.0.clone(),
                plan: container.plan.clone(),
                listener: container.listener.clone(),
                stdout,
                stderr,
            },
        }))
    }

    /// A container that fails to start counts as one that has ended.
    fn or_failed<T>(&self, id: &ContainerId, code: i64, done: Result<T>) -> Result<T> {
        if done.is_err()
            && let Some(container) = self.state().containers.get_mut(&id.0)
        {
            container.life = Life::Failed(code);
        }
        done
    }

    /// From now on its network knows a container.
    fn tell_names(&self, spec: &ContainerSpec, address: std::net::Ipv4Addr) {
        let Some(attachment) = &spec.network else {
            return;
        };
        if let Some(network) = self.state().networks.get(&attachment.network) {
            let names: Vec<_> = [&spec.name]
                .into_iter()
                .chain(&attachment.aliases)
                .cloned()
                .collect();
            network.names.add(&names, address);
        }
    }

    /// Waits for the end of a container that was started.
    pub(crate) async fn wait(&self, id: &ContainerId) -> Result<i64> {
        const WAIT: &str = "wait for container";
        let end = {
            let state = self.state();
            let container = state.containers.get(&id.0);
            match &container.ok_or_else(|| self.no_container(WAIT, id))?.life {
                Life::Created => {
                    let why = "it was never started";
                    return Err(self.failed(WAIT, &id.0, ErrorKind::WrongState, why));
                }
                Life::Failed(code) => return Ok(*code),
                Life::Started(running) => running.end.clone(),
            }
        };
        let code = ended(end).await.map_err(self.other(WAIT, &id.0))?;
        self.forget_names(id);
        Ok(code.into())
    }

    /// Its names mean nothing any more, and its ports are free.
    fn forget_names(&self, id: &ContainerId) {
        let mut state = self.state();
        let Some(container) = state.containers.get_mut(&id.0) else {
            return;
        };
        let Life::Started(running) = &mut container.life else {
            return;
        };
        running.tasks.clear();
        let address = running.address.take();
        let network = container.spec.network.as_ref().map(|one| one.network.clone());
        if let (Some(address), Some(network)) = (address, network)
            && let Some(network) = state.networks.get(&network)
        {
            network.names.forget(address);
        }
    }

    /// Removes a container, running or not.
    pub(crate) async fn remove_container(&self, name: &str) -> Result<()> {
        let Some(id) = self.state().id_of(name) else {
            return Ok(());
        };
        let (number, end) = {
            let state = self.state();
            let Some(container) = state.containers.get(&id) else {
                return Ok(());
            };
            let end = match &container.life {
                Life::Started(running) => Some(running.end.clone()),
                Life::Created | Life::Failed(_) => None,
            };
            (container.number, end)
        };
        let container = ContainerId(id);
        let other = self.other(REMOVE, name);
        if let Some(end) = end {
            self.link.tell(&Ask::Kill(number), &[]).map_err(&other)?;
            ended(end).await.map_err(&other)?;
            self.forget_names(&container);
            let changes = self.changes_of(number).await;
            // Whoever removes it at the same time may have found it gone.
            self.state().changes.entry(container.0.clone()).or_insert(changes);
        }
        let asked = self.link.number();
        let forget = Ask::Forget {
            number: asked,
            container: number,
        };
        self.link.ask(asked, &forget, &[]).await.map_err(&other)?;
        self.state().containers.remove(&container.0);
        Ok(())
    }

    pub(crate) fn no_container(&self, operation: &'static str, id: &ContainerId) -> Error {
        let why = "there is no such container";
        self.failed(operation, &id.0, ErrorKind::NotFound, why)
    }
}

/// A container that is about to be started.
struct Wanted {
    spec: ContainerSpec,
    health_check: Option<shellproof_api::HealthCheck>,
    patient: Patient,
    start: Start,
}

/// Whether a path is another, or lies in it.
fn is_within(path: &Path, directory: &Path) -> bool {
    let path: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.starts_with(directory)
}

/// An id as engines make them: 64 hexadecimal digits.
fn random_id() -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An image that somebody uses stays.
pub(crate) fn is_used(state: &State, image: &Arc<Image>) -> bool {
    state.containers.values().any(|one| one.image.id() == image.id())
}
