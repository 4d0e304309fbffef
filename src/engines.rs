//! Finding engines and connecting to them. Backends meet only here.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use shellproof_api::{Engine, EngineKind, Runtime};
use shellproof_docker::Docker;
use shellproof_podman::Podman;
use shellproof_wire::{Endpoint, EndpointError, Recorder, RecorderOptions};
use tokio::process::{Child, Command};

/// An engine that a run uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSpec {
    /// Its name in reports.
    pub name: String,
    /// Where it listens.
    pub endpoint: Endpoint,
}

/// What names engines in the environment.
const VARIABLES: [&str; 2] = ["CONTAINER_HOST", "DOCKER_HOST"];

/// The name of the engine that a variable of the environment names.
fn name_by(variable: &str) -> String {
    variable.to_lowercase().replace('_', "-")
}

impl EngineSpec {
    /// Whether the environment asks for it: then it must work.
    pub(crate) fn is_asked_for(&self) -> bool {
        VARIABLES.iter().any(|variable| self.name == name_by(variable))
    }

    pub(crate) fn unconnected(&self, reason: String) -> EngineError {
        EngineError::Connect {
            name: self.name.clone(),
            reason,
        }
    }
}

/// Which engines are wanted, as `--engine` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The first that is there: what `CONTAINER_HOST` or `DOCKER_HOST` names, rootless Podman, Podman, Docker.
    Auto,
    /// Every one that is there.
    All,
    /// One of this kind.
    Kind(EngineKind),
    /// The one at this address.
    Named {
        /// Its name in reports.
        name: String,
        /// Its address.
        url: String,
    },
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "all" => Ok(Self::All),
            "docker" => Ok(Self::Kind(EngineKind::Docker)),
            "podman" => Ok(Self::Kind(EngineKind::Podman)),
            _ => match text.split_once('=') {
                Some((name, url)) if is_name(name) => Ok(Self::Named {
                    name: name.to_owned(),
                    url: url.to_owned(),
                }),
                _ => Err("expected `auto`, `all`, `docker`, `podman` or `NAME=unix:///path`".into()),
            },
        }
    }
}

/// Engine names appear in reports, test names and file names.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Engines that cannot be found or connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No engine at all.
    #[error("no container engine is here: looked for {looked_for}\nhelp: {NO_ENGINE_HELP}")]
    None {
        /// Where was looked.
        looked_for: String,
    },
    /// None of a kind that was asked for.
    #[error(
        "no {kind} is here: looked for {looked_for}\nhelp: start it, or name its socket with `--engine NAME=unix:///path`"
    )]
    NoneOfKind {
        /// The kind.
        kind: EngineKind,
        /// Where was looked.
        looked_for: String,
    },
    /// Two engines of one name.
    #[error("two engines are called `{0}`")]
    SameName(String),
    /// An address that cannot be used.
    #[error("engine `{name}` cannot be used: {reason}")]
    Address {
        /// The engine.
        name: String,
        /// Why.
        reason: EndpointError,
    },
    /// The recorder or the backend failed.
    #[error("engine `{name}` cannot be connected to: {reason}")]
    Connect {
        /// The engine.
        name: String,
        /// Why.
        reason: String,
    },
    /// A witness did not see what was shown to it.
    #[error("nothing can be proven on engine `{name}`: {reason}")]
    DeadWitness {
        /// The engine.
        name: String,
        /// What it did not see.
        reason: String,
    },
    /// The machine or an engine failed on the way.
    #[error("{0}")]
    Machine(String),
    /// `podman system service` did not come up.
    #[error("`podman system service` did not start: {0}")]
    Service(String),
}

const NO_ENGINE_HELP: &str = "install Podman (Debian, Ubuntu: `apt-get install podman`) and run this again: \
     it needs no daemon and no root";

/// An engine behind a recorder of its own.
pub(crate) struct Connection {
    pub(crate) recorder: Recorder,
    pub(crate) runtime: Arc<dyn Runtime>,
}

/// Starts a recorder on `socket` and builds the engine's backend on it.
pub(crate) async fn connect(engine: &EngineSpec, socket: &Path) -> Result<Connection, EngineError> {
    let failed = |reason: String| engine.unconnected(reason);
    let recorder = record(engine, socket, RecorderOptions::default()).await?;
    let endpoint = recorder.endpoint();
    let runtime: Arc<dyn Runtime> = match engine.endpoint.kind {
        EngineKind::Podman => Arc::new(
            Podman::connect(&endpoint, &engine.name)
                .await
                .map_err(|error| failed(error.to_string()))?,
        ),
        EngineKind::Docker => Arc::new(
            Docker::connect(&endpoint, &engine.name)
                .await
                .map_err(|error| failed(error.to_string()))?,
        ),
        EngineKind::Fake => return Err(failed("the fake engine listens nowhere".into())),
    };
    Ok(Connection { recorder, runtime })
}

/// As [`connect`], for an engine that has said already who it is: then nothing but a scenario's own requests is in its
/// record, and none of its time goes to asking.
pub(crate) async fn connect_again(
    engine: &EngineSpec,
    known: &Engine,
    socket: &Path,
    options: RecorderOptions,
) -> Result<Connection, EngineError> {
    let recorder = record(engine, socket, options).await?;
    let (endpoint, known) = (recorder.endpoint(), known.clone());
    let runtime: Arc<dyn Runtime> = match known.kind {
        EngineKind::Podman => Arc::new(Podman::connect_again(&endpoint, known)),
        EngineKind::Docker => Arc::new(
            Docker::connect_again(&endpoint, known).map_err(|error| engine.unconnected(error.to_string()))?,
        ),
        EngineKind::Fake => return Err(engine.unconnected("the fake engine listens nowhere".into())),
    };
    Ok(Connection { recorder, runtime })
}

async fn record(
    engine: &EngineSpec,
    socket: &Path,
    options: RecorderOptions,
) -> Result<Recorder, EngineError> {
    let recorder = Recorder::start_with(&engine.endpoint, socket, options).await;
    recorder.map_err(|error| engine.unconnected(error.to_string()))
}

/// Engines that were found, and the Podman service that was started for them.
#[derive(Debug)]
pub struct Found {
    /// The engines, in the order of preference.
    pub engines: Vec<EngineSpec>,
    _service: Option<Service>,
}

/// Finds the engines that are wanted. `directory` is where a Podman service may put its socket.
///
/// # Errors
/// An engine that was asked for is not there, or its address cannot be used. That is never a skip.
pub async fn find(choices: &[Choice], directory: &Path) -> Result<Found, EngineError> {
    let mut found = Found {
        engines: Vec::new(),
        _service: None,
    };
    for choice in choices {
        let engines = match choice {
            Choice::Named { name, url } => vec![named(name, url).await?],
            Choice::Auto => {
                let here = here(&mut found._service, directory, None).await?;
                let looked_for = || EngineError::None { looked_for: places() };
                vec![here.into_iter().next().ok_or_else(looked_for)?]
            }
            Choice::All => {
                let here = here(&mut found._service, directory, None).await?;
                if here.is_empty() {
                    return Err(EngineError::None { looked_for: places() });
                }
                here
            }
            Choice::Kind(kind) => {
                let here = here(&mut found._service, directory, Some(*kind)).await?;
                let looked_for = || EngineError::NoneOfKind {
                    kind: *kind,
                    looked_for: places(),
                };
                vec![here.into_iter().next().ok_or_else(looked_for)?]
            }
        };
        for engine in engines {
            if found.engines.contains(&engine) {
                continue;
            }
            if found.engines.iter().any(|other| other.name == engine.name) {
                return Err(EngineError::SameName(engine.name));
            }
            found.engines.push(engine);
        }
    }
    Ok(found)
}

async fn named(name: &str, url: &str) -> Result<EngineSpec, EngineError> {
    let failed = |reason| EngineError::Address {
        name: name.to_owned(),
        reason,
    };
    let socket = Endpoint::socket_path(url).map_err(failed)?;
    let endpoint = Endpoint::identify(&socket).await.map_err(failed)?;
    Ok(EngineSpec {
        name: name.to_owned(),
        endpoint,
    })
}

/// A place where an engine may listen.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) socket: PathBuf,
}

/// The sockets where engines listen unless somebody says otherwise, in the order of preference.
pub(crate) fn usual_places() -> Vec<Place> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let in_runtime = |path: &str| runtime.as_ref().map(|runtime| runtime.join(path));
    let places = [
        ("podman-rootless", in_runtime("podman/podman.sock")),
        ("podman", Some("/run/podman/podman.sock".into())),
        ("docker-rootless", in_runtime("docker.sock")),
        ("docker", Some("/run/docker.sock".into())),
    ];
    places
        .into_iter()
        .filter_map(|(name, socket)| {
            Some(Place {
                name,
                socket: socket?,
            })
        })
        .collect()
}

fn places() -> String {
    let sockets: Vec<_> = usual_places()
        .iter()
        .map(|place| format!("`{}`", place.socket.display()))
        .collect();
    format!(
        "`CONTAINER_HOST`, `DOCKER_HOST`, {} and the program `podman`",
        sockets.join(", ")
    )
}

/// Every engine that is here, of one kind or of any.
async fn here(
    service: &mut Option<Service>,
    directory: &Path,
    kind: Option<EngineKind>,
) -> Result<Vec<EngineSpec>, EngineError> {
    let mut engines: Vec<EngineSpec> = Vec::new();
    for variable in VARIABLES {
        // An address that was set and cannot be used is refused, never ignored.
        if let Ok(url) = std::env::var(variable)
            && !url.is_empty()
        {
            engines.push(named(&name_by(variable), &url).await?);
        }
    }
    let named_by_user = engines.len();
    for place in usual_places() {
        // Nothing listens there, or something else does: then no engine is there.
        if let Ok(endpoint) = Endpoint::identify(&place.socket).await
            && !engines.iter().any(|engine| engine.endpoint == endpoint)
        {
            engines.push(EngineSpec {
                name: place.name.to_owned(),
                endpoint,
            });
        }
    }
    let has_podman = engines
        .iter()
        .any(|engine| engine.endpoint.kind == EngineKind::Podman);
    if !has_podman && kind != Some(EngineKind::Docker) {
        if service.is_none() {
            *service = Service::start(directory).await?;
        }
        if let Some(service) = service {
            // Behind what the user named, before what merely is there.
            engines.insert(named_by_user, service.engine.clone());
        }
    }
    engines.retain(|engine| kind.is_none_or(|kind| engine.endpoint.kind == kind));
    Ok(engines)
}

/// A `podman system service` of our own, for a Podman that listens nowhere. It ends when this is dropped, and by
/// itself when nobody has spoken to it for a while.
#[derive(Debug)]
struct Service {
    engine: EngineSpec,
    _child: Child,
}

/// After how many silent seconds the service ends by itself, should we be killed.
const SERVICE_IDLE: &str = "60";
const SERVICE_START: Duration = Duration::from_secs(20);

impl Service {
    /// Starts the service; `None` when no Podman is installed.
    async fn start(directory: &Path) -> Result<Option<Self>, EngineError> {
        let socket = directory.join("podman.sock");
        let log = directory.join("podman.log");
        let failed = |reason: String| EngineError::Service(reason);
        let stderr = std::fs::File::create(&log).map_err(|error| failed(error.to_string()))?;
        let child = Command::new("podman")
            .args(["system", "service", "--time", SERVICE_IDLE])
            .arg(format!("unix://{}", socket.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        let deadline = tokio::time::Instant::now() + SERVICE_START;
        loop {
            let wrong = match Endpoint::identify(&socket).await {
                Ok(endpoint) => {
                    let engine = EngineSpec {
                        name: "podman".to_owned(),
                        endpoint,
                    };
                    return Ok(Some(Self {
                        engine,
                        _child: child,
                    }));
                }
                Err(error) => error,
            };
            if let Ok(Some(status)) = child.try_wait() {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(failed(format!("it ended with {status}: {}", said.trim())));
            }
            if tokio::time::Instant::now() > deadline {
                return Err(failed(wrong.to_string()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_the_help_says() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("all".parse(), Ok(Choice::All));
        assert_eq!("podman".parse(), Ok(Choice::Kind(EngineKind::Podman)));
        let named = Choice::Named {
            name: "d-20".into(),
            url: "unix:///run/d.sock".into(),
        };
        assert_eq!("d-20=unix:///run/d.sock".parse(), Ok(named));
        for wrong in ["", "fake", "=unix:///x", "a b=unix:///x"] {
            assert!(wrong.parse::<Choice>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn an_engine_that_was_asked_for_and_is_missing_is_an_error() {
        let choice = |url: &str| {
            [Choice::Named {
                name: "x".into(),
                url: url.into(),
            }]
        };
        let directory = std::env::temp_dir();
        for (url, part) in [
            ("tcp://127.0.0.1:2375", "is not a unix socket"),
            ("ssh://host", "is not a unix socket"),
            (
                "unix:///nowhere/engine.sock",
                "no engine answers on `/nowhere/engine.sock`",
            ),
        ] {
            let error = find(&choice(url), &directory).await.unwrap_err().to_string();
            assert!(
                error.contains("engine `x` cannot be used") && error.contains(part),
                "{error}"
            );
        }
    }
}
