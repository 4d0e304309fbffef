//! One engine: whether it runs what is shown to the witnesses, and which of them have seen it.

use std::path::{Path, PathBuf};

use shellproof_api::{EngineKind, Naming};
use shellproof_wire::{Endpoint, EndpointError};

use super::{EngineEntry, EngineState, Told, WitnessEntries, WitnessEntry, WitnessState};
use crate::engines::{self, EngineSpec};
use crate::invocation::Invocation;
use crate::run::{self, Images, naming};
use crate::saved_image;

/// Why nobody looks at requests to the engine in this binary.
const NO_WIRE: &str = "nobody but shellproof can ask it for containers";
/// What a probe of no use is called.
const PROBE: &str = "shellproof-doctor";

impl EngineEntry {
    /// One that cannot be used.
    pub(super) fn not(engine: &EngineSpec, state: EngineState, problem: Told) -> Self {
        Self {
            name: engine.name.clone(),
            state,
            kind: engine.endpoint.as_ref().map(|_| engine.kind().as_str()),
            version: None,
            rootless: None,
            place: engine.place(),
            problem,
            witnesses: None,
            is_asked_for: engine.is_asked_for(),
        }
    }
}

/// Shows an engine's witnesses a marked container.
pub(super) async fn examine(engine: &EngineSpec, invocation: &Invocation) -> EngineEntry {
    let socket = invocation.path(&format!("doctor-{}.sock", engine.name));
    let unusable = |error: String| EngineEntry::not(engine, EngineState::Unusable, Told::of(&error));
    let connection = match engines::connect(engine, &socket).await {
        Ok(connection) => connection,
        Err(error) => {
            let mut told = Told::of(&error.to_string());
            told.help = told.help.or_else(|| Some(cure(&engine.name)));
            return EngineEntry::not(engine, EngineState::Unusable, told);
        }
    };
    let images = Images::new(connection.runtime.clone(), PathBuf::new(), true);
    let kernel = match run::prove_alive(engine, &connection, &images, invocation, None).await {
        Ok(kernel) => kernel.map(drop),
        Err(error) => {
            let mut told = Told::of(&error.to_string());
            told.help = told.help.or_else(|| known_cure(&error.to_string()));
            return EngineEntry::not(engine, EngineState::Unusable, told);
        }
    };
    // Where names are in doubt.
    if let Naming::Doubtful(_) = connection.runtime.naming() {
        match naming::problem(&images, invocation).await {
            Ok(None) => {}
            Ok(Some(problem)) => return unusable(problem),
            Err(error) => return unusable(error.to_string()),
        }
    }
    let about = connection.runtime.engine();
    let there = |problem: Option<Told>| WitnessEntry {
        state: match problem {
            None => WitnessState::There,
            Some(_) => WitnessState::Missing,
        },
        problem: problem.unwrap_or_default(),
    };
    let image = match images.probe_container(invocation, PROBE, Vec::new()).await {
        Ok(probe) => saved_image::read(&*connection.runtime, &probe.image)
            .await
            .err()
            .map(|unread| unread.to_string()),
        Err(error) => Some(error.to_string()),
    };
    EngineEntry {
        name: engine.name.clone(),
        state: EngineState::Usable,
        kind: Some(about.kind.as_str()),
        version: Some(about.version.clone()),
        rootless: Some(about.rootless),
        place: engine.place(),
        problem: Told::default(),
        witnesses: Some(WitnessEntries {
            wire: match engine.kind() {
                EngineKind::Embedded => WitnessEntry {
                    state: WitnessState::None,
                    problem: Told::new(NO_WIRE, None),
                },
                _ => there(None),
            },
            image: there(image.map(|why| Told::of(&why))),
            // Its reasons end with their cure.
            kernel: there(kernel.err().map(|why| match why.rsplit_once("; ") {
                Some((cause, help)) => Told::new(cause, Some(help.to_owned())),
                None => Told::of(&why),
            })),
        }),
        is_asked_for: engine.is_asked_for(),
    }
}

/// The places where an engine might listen, and does not.
pub(super) async fn absent(here: &[EngineEntry]) -> Vec<EngineEntry> {
    let mut absent = Vec::new();
    for place in engines::usual_places() {
        let Err(EndpointError::Silent { reason, .. }) = Endpoint::identify(&place.socket).await else {
            continue;
        };
        if here.iter().any(|one| one.name == place.name) {
            // Its service was started without a socket there.
            continue;
        }
        let spec = EngineSpec {
            name: place.name.to_owned(),
            endpoint: None,
        };
        absent.push(EngineEntry {
            place: format!("on `{}`", place.socket.display()),
            ..EngineEntry::not(
                &spec,
                EngineState::Absent,
                Told::new(reason, Some(cure(place.name))),
            )
        });
    }
    absent
}

/// What makes an engine of this name answer.
fn cure(name: &str) -> String {
    let program = match name.starts_with("podman") || name == "container-host" {
        true => "podman",
        false => "docker",
    };
    let is_here = is_in_path(program, std::env::var_os("PATH").as_deref());
    match (name, is_here) {
        ("podman" | "podman-rootless", false) => {
            "install Podman, if that is what you use (Debian, Ubuntu: `apt-get install podman`)"
        }
        ("podman-rootless", true) => {
            "`systemctl --user start podman.socket`, or nothing: shellproof starts Podman's service itself"
        }
        ("podman", true) => "`sudo systemctl start podman.socket`, or use rootless Podman",
        ("docker" | "docker-rootless", false) => "install Docker, if that is what you use",
        ("docker-rootless", true) => "`systemctl --user start docker`, if rootless Docker is what you use",
        ("docker", true) => "`sudo systemctl start docker`, and be in the group `docker`",
        _ => "start it, or let the variable name one that answers",
    }
    .to_owned()
}

/// What helps against what engines say when they cannot start containers, where that is known.
fn known_cure(said: &str) -> Option<String> {
    let settings = match said {
        _ if said.contains("rlimit") => {
            "`default_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]` below `[containers]`"
        }
        _ if said.contains("cgroup") => {
            "`runtime = \"runc\"` and `cgroup_manager = \"cgroupfs\"` below `[engine]`"
        }
        _ => return None,
    };
    Some(format!(
        "with Podman, write {settings} into a file that `CONTAINERS_CONF` names, as `scripts/demo` does"
    ))
}

fn is_in_path(program: &str, path: Option<&std::ffi::OsStr>) -> bool {
    path.is_some_and(|path| {
        std::env::split_paths(path).any(|directory| Path::new(&directory).join(program).is_file())
    })
}
