use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use shellproof_api::EngineKind;
use shellproof_wire::Endpoint;

use super::address::{self, Address, By};
use super::choice::{Choice, EngineSpec};
use super::embedded::{Problem, Trial};
use super::error::EngineError;
use super::service::Service;

/// Engines that were found, and the Podman service that was started for them.
#[derive(Debug)]
pub struct Found {
    /// The engines, in the order of preference.
    pub engines: Vec<EngineSpec>,
    /// What was passed over or looks wrong, in words for a person.
    pub notes: Vec<String>,
    service: Option<Service>,
}

/// For whom engines are looked for.
#[derive(Clone, Copy)]
enum For<'a> {
    /// Whoever runs containers.
    Containers,
    /// A program that is to talk to one. Without a program, whoever comes.
    Program(Option<&'a OsStr>),
    /// Whoever removes what others have left.
    Cleaning,
}

/// Finds the engines that are wanted. `directory` is where a Podman service may put its socket.
///
/// # Errors
/// An engine that was asked for is not there, or its address cannot be used. That is never a skip.
pub async fn find(choices: &[Choice], directory: &Path) -> Result<Found, EngineError> {
    find_for(For::Containers, choices, directory).await
}

/// The same for a program that is to be audited: `auto` is the engine that the program itself would go to, and the one that is
/// in this binary is none. Without a program, whoever comes is audited.
///
/// # Errors
/// As [`find`]; also, two engines are named by the environment and nobody can tell which of them is meant.
pub async fn find_for_program(
    program: Option<&OsStr>,
    choices: &[Choice],
    directory: &Path,
) -> Result<Found, EngineError> {
    find_for(For::Program(program), choices, directory).await
}

/// The same for cleaning up: what the one in this binary has left is removed where it cannot work, too.
///
/// # Errors
/// As [`find`].
pub(crate) async fn find_to_clean(choices: &[Choice], directory: &Path) -> Result<Found, EngineError> {
    find_for(For::Cleaning, choices, directory).await
}

/// Whether a variable or Docker's current context names an engine.
pub(crate) fn is_named_in_environment() -> bool {
    !environment().is_empty()
}

fn environment() -> Vec<Address> {
    address::in_environment(&|name| std::env::var(name).ok())
}

async fn find_for(whom: For<'_>, choices: &[Choice], directory: &Path) -> Result<Found, EngineError> {
    let mut found = Found {
        engines: Vec::new(),
        notes: Vec::new(),
        service: None,
    };
    for choice in choices {
        let engines = match choice {
            Choice::Named { name, url } => vec![named(name, url).await?],
            Choice::Auto => vec![auto(whom, &mut found, directory).await?],
            Choice::All => all(whom, &mut found, directory).await?,
            Choice::Kind(EngineKind::Embedded) => match whom {
                For::Program(_) => return Err(EngineError::NoWire(EngineKind::Embedded.to_string())),
                For::Containers | For::Cleaning => vec![EngineSpec::embedded()],
            },
            Choice::Kind(kind) => {
                let here = here(&mut found, directory, Some(*kind)).await?;
                let looked_for = || EngineError::NoneOfKind {
                    kind: *kind,
                    looked_for: places(),
                };
                vec![here.engines.into_iter().next().ok_or_else(looked_for)?]
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

/// The one engine that is meant where nobody says which.
async fn auto(whom: For<'_>, found: &mut Found, directory: &Path) -> Result<EngineSpec, EngineError> {
    let none = |embedded: Option<Problem>| EngineError::None {
        looked_for: places(),
        embedded: embedded.map(|problem| (problem.cause, problem.help)),
    };
    if let For::Program(program) = whom {
        let here = here(found, directory, None).await?;
        return here.engine_of(program)?.cloned().ok_or_else(|| none(None));
    }
    if let Some(engine) = in_environment(found).await?.engines.into_iter().next() {
        return Ok(engine);
    }
    let Some(problem) = embedded_problem(whom, directory).await else {
        return Ok(EngineSpec::embedded());
    };
    let here = here(found, directory, None).await?;
    let engine = here.engines.into_iter().next();
    let engine = engine.ok_or_else(|| none(Some(problem.clone())))?;
    found.note(format!(
        "engine `{}` is taken, since the one that is in this binary does not work here: {}",
        engine.name,
        problem.told()
    ));
    Ok(engine)
}

/// Every engine that is here.
async fn all(whom: For<'_>, found: &mut Found, directory: &Path) -> Result<Vec<EngineSpec>, EngineError> {
    let (embedded, problem) = match whom {
        For::Program(_) => (None, None),
        For::Containers | For::Cleaning => match embedded_problem(whom, directory).await {
            None => (Some(EngineSpec::embedded()), None),
            Some(problem) => (None, Some(problem)),
        },
    };
    let here = here(found, directory, None).await?;
    if here.engines.is_empty() && embedded.is_none() {
        return Err(EngineError::None {
            looked_for: places(),
            embedded: problem.map(|problem| (problem.cause, problem.help)),
        });
    }
    if let Some(problem) = problem {
        found.note(format!(
            "the engine that is in this binary is left out, since it does not work here: {}",
            problem.told()
        ));
    }
    let mut different: Vec<EngineSpec> = embedded.into_iter().collect();
    for engine in here.engines {
        if !different.iter().any(|other| is_same(other, &engine)) {
            different.push(engine);
        }
    }
    Ok(different)
}

/// Why the engine that is in this binary cannot work here, if it cannot. What it has left can always be removed.
async fn embedded_problem(whom: For<'_>, directory: &Path) -> Option<Problem> {
    if matches!(whom, For::Cleaning) {
        return None;
    }
    let trial = Trial::run_in(directory.join("trial")).await;
    let unmade = |error: std::io::Error| Problem {
        cause: error.to_string(),
        help: None,
    };
    trial.map_or_else(|error| Some(unmade(error)), |trial| trial.problem())
}

impl Found {
    /// Tells a person what was passed over or looks wrong.
    pub(crate) fn tell_notes(&self) {
        for note in &self.notes {
            anstream::eprintln!("warning: {note}");
        }
    }

    /// Says something once.
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
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
        endpoint: Some(endpoint),
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

/// Whether two names lead to one socket.
fn is_same(one: &EngineSpec, other: &EngineSpec) -> bool {
    let file = |engine: &EngineSpec| {
        let socket = std::fs::metadata(&engine.endpoint.as_ref()?.socket).ok()?;
        Some((socket.dev(), socket.ino()))
    };
    one.endpoint == other.endpoint || (file(one).is_some() && file(one) == file(other))
}

/// What is here.
struct Here {
    /// In the order of preference: those that the environment names, then those that merely are here.
    engines: Vec<EngineSpec>,
    /// Who names the first of them.
    named_by: Vec<By>,
}

impl Here {
    fn named(&self, by: By) -> Option<&EngineSpec> {
        let place = self.named_by.iter().position(|other| *other == by)?;
        self.engines.get(place)
    }

    /// The engine that a program would go to by itself: what its own variable names, else one of its own kind.
    fn engine_of(&self, program: Option<&OsStr>) -> Result<Option<&EngineSpec>, EngineError> {
        let of_kind = |kind| self.engines.iter().find(|engine| engine.kind() == kind);
        let docker = self.named(By::DockerHost);
        let own = match program.and_then(kind_of_program) {
            Some(EngineKind::Docker) => docker
                .or_else(|| self.named(By::Context))
                .or_else(|| of_kind(EngineKind::Docker)),
            Some(kind) => self.named(By::ContainerHost).or_else(|| of_kind(kind)),
            None => match (self.named(By::ContainerHost), docker) {
                (Some(podman), Some(docker)) if !is_same(podman, docker) => {
                    return Err(EngineError::TwoNamed);
                }
                _ => None,
            },
        };
        Ok(own.or_else(|| self.engines.first()))
    }
}

/// Whose client a program is, as far as its name tells it.
fn kind_of_program(program: &OsStr) -> Option<EngineKind> {
    let name = Path::new(program).file_name()?.to_string_lossy();
    let kinds = [EngineKind::Docker, EngineKind::Podman];
    kinds.into_iter().find(|kind| name.starts_with(kind.as_str()))
}

/// The engines that the environment names.
async fn in_environment(found: &mut Found) -> Result<Here, EngineError> {
    let (mut engines, mut named_by): (Vec<EngineSpec>, Vec<By>) = (Vec::new(), Vec::new());
    for Address { by, url } in environment() {
        let engine = match url {
            Ok(url) => named(by.engine_name(), &url).await,
            Err(reason) => {
                found.note(reason);
                continue;
            }
        };
        match (by, engine) {
            // A context is a setting of Docker's own program, and may be about another machine.
            (By::Context, Err(error)) => {
                found.note(format!("Docker's current context is passed over: {error}"))
            }
            // An address that was set and cannot be used is refused, never ignored.
            (_, Err(error)) => return Err(error),
            (by, Ok(engine)) => {
                if by == By::ContainerHost && engine.kind() == EngineKind::Docker {
                    found.note(format!(
                        "`CONTAINER_HOST` names the socket of a Docker, {}, which Podman's programs cannot use; \
                         Docker's read `DOCKER_HOST`",
                        engine.place()
                    ));
                }
                engines.push(engine);
                named_by.push(by);
            }
        }
    }
    Ok(Here { engines, named_by })
}

/// Every engine that listens here, of one kind or of any.
async fn here(found: &mut Found, directory: &Path, kind: Option<EngineKind>) -> Result<Here, EngineError> {
    let Here {
        mut engines,
        named_by,
    } = in_environment(found).await?;
    let named_by_user = engines.len();
    for place in usual_places() {
        // Nothing listens there, or something else does: then no engine is there.
        if let Ok(endpoint) = Endpoint::identify(&place.socket).await {
            let engine = EngineSpec {
                name: place.name.to_owned(),
                endpoint: Some(endpoint),
            };
            if !engines.iter().any(|other| is_same(other, &engine)) {
                engines.push(engine);
            }
        }
    }
    let has_podman = engines.iter().any(|engine| engine.kind() == EngineKind::Podman);
    if !has_podman && kind != Some(EngineKind::Docker) {
        if found.service.is_none() {
            found.service = Service::start(directory).await?;
        }
        if let Some(service) = &found.service {
            // Behind what the user named, before what merely is there.
            engines.insert(named_by_user, service.engine.clone());
        }
    }
    if let Some(kind) = kind {
        engines.retain(|engine| engine.kind() == kind);
    }
    Ok(Here { engines, named_by })
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn engine(name: &str, kind: EngineKind) -> EngineSpec {
        EngineSpec {
            name: name.into(),
            endpoint: Some(Endpoint {
                kind,
                socket: format!("/nowhere/{name}.sock").into(),
            }),
        }
    }

    #[test]
    fn a_programs_own_variable_counts() {
        use EngineKind::{Docker, Podman};
        let podman = || engine("container-host", Podman);
        let both = Here {
            engines: vec![podman(), engine("docker-host", Docker), engine("podman", Podman)],
            named_by: vec![By::ContainerHost, By::DockerHost],
        };
        let one = Here {
            engines: vec![podman(), engine("docker", Docker)],
            named_by: vec![By::ContainerHost],
        };
        let other_way_round = Here {
            engines: vec![engine("docker-host", Podman), engine("podman-rootless", Podman)],
            named_by: vec![By::DockerHost],
        };
        let context = Here {
            engines: vec![
                podman(),
                engine("docker-context", Docker),
                engine("docker", Docker),
            ],
            named_by: vec![By::ContainerHost, By::Context],
        };
        let none = Here {
            engines: vec![engine("podman-rootless", Podman)],
            named_by: Vec::new(),
        };
        for (here, program, expected) in [
            (&both, "docker", "docker-host"),
            (&both, "/usr/bin/docker-compose", "docker-host"),
            (&both, "podman", "container-host"),
            (&both, "podman-compose", "container-host"),
            (&one, "docker", "docker"),
            (&one, "podman", "container-host"),
            (&one, "make", "container-host"),
            // Docker's program on Podman's socket: that is what its variable says.
            (&other_way_round, "docker", "docker-host"),
            (&other_way_round, "make", "docker-host"),
            (&context, "docker", "docker-context"),
            (&context, "make", "container-host"),
            (&none, "docker", "podman-rootless"),
        ] {
            let found = here.engine_of(Some(OsStr::new(program))).unwrap();
            assert_eq!(
                found.map(|engine| engine.name.as_str()),
                Some(expected),
                "{program}"
            );
        }
        for program in [None, Some(OsStr::new("make")), Some(OsStr::new("./gradlew"))] {
            let error = both.engine_of(program).unwrap_err();
            assert_eq!(error, EngineError::TwoNamed);
            assert!(error.is_bad_input());
        }
    }
}
