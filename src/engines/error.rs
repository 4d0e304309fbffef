use shellproof_api::EngineKind;
use shellproof_wire::EndpointError;

/// Engines that cannot be found or connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No engine at all.
    #[error("no container engine is here: looked for {looked_for}{}", own(.embedded))]
    None {
        /// Where was looked.
        looked_for: String,
        /// Why the one that is in this binary cannot work, where that would do: cause, and cure if there is one.
        embedded: Option<(String, Option<String>)>,
    },
    /// An engine that nobody can talk to, for a program that is to.
    #[error(
        "nothing can be audited on engine `{0}`: it is in this binary, and no other program can talk to it\nhelp: name one that \
         listens, as `--engine podman`; scenarios run on this one (`shellproof run`)"
    )]
    NoWire(String),
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
    #[error("engine `{name}` cannot be used: {reason}{}", help_on(.reason))]
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
    /// Containers cannot outlive the program that makes them itself.
    #[error(
        "containers of engine `{0}` cannot be kept: they end with the run that made them\nhelp: leave `--keep` out, or run it on \
         Podman or Docker (`--engine podman`)"
    )]
    KeepsNothing(String),
    /// Nobody can tell which of two engines an audited program means.
    #[error(
        "`CONTAINER_HOST` and `DOCKER_HOST` name different engines, and one program is audited on one engine\nhelp: name it \
         with `--engine docker` or `--engine podman`, or unset one of the two"
    )]
    TwoNamed,
    /// `podman system service` did not come up.
    #[error("`podman system service` did not start: {0}")]
    Service(String),
}

impl EngineError {
    /// Whether what was asked for cannot be meant, whatever runs on this machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::SameName(_) | Self::TwoNamed | Self::KeepsNothing(_) | Self::NoWire(_) => true,
            Self::Address { reason, .. } => match reason {
                EndpointError::NoPath(_) => true,
                // Other ways to reach an engine: there is one, and we do not take it.
                EndpointError::NotUnix(url) => !url
                    .split_once("://")
                    .is_some_and(|(scheme, _)| SCHEMES.contains(&scheme)),
                EndpointError::Silent { .. } => false,
            },
            _ => false,
        }
    }
}

/// What the engines' own programs take for an address, beside `unix`.
const SCHEMES: &[&str] = &["tcp", "ssh", "http", "https", "npipe", "fd"];

fn help_on(reason: &EndpointError) -> String {
    match reason {
        EndpointError::NotUnix(path) if path.starts_with('/') => {
            format!("\nhelp: write a socket's path as `unix://{path}`")
        }
        _ => String::new(),
    }
}

fn own(embedded: &Option<(String, Option<String>)>) -> String {
    match embedded {
        None => format!("\nhelp: {INSTALL_PODMAN}"),
        Some((why, cure)) => {
            let cure = cure.iter().map(|cure| format!("{cure}; or "));
            let cure: String = cure.collect();
            format!("; and the one that is in this binary does not work: {why}\nhelp: {cure}{INSTALL_PODMAN}")
        }
    }
}

const INSTALL_PODMAN: &str = "install Podman (Debian, Ubuntu: `apt-get install podman`) and run this again: \
     it needs no daemon and no root";

#[cfg(test)]
mod tests {
    use shellproof_wire::Endpoint;

    use super::*;

    #[test]
    fn a_bad_address_is_bad_input_and_another_way_to_an_engine_is_none() {
        for (url, is_bad) in [
            ("/run/docker.sock", true),
            ("docker.sock", true),
            ("unix:/run/docker.sock", true),
            ("unix://docker.sock", true),
            ("unix://", true),
            ("unxi:///run/docker.sock", true),
            ("tcp://127.0.0.1:2375", false),
            ("ssh://host", false),
            ("npipe:////./pipe/docker_engine", false),
        ] {
            let error = EngineError::Address {
                name: "docker-host".into(),
                reason: Endpoint::socket_path(url).unwrap_err(),
            };
            assert_eq!(error.is_bad_input(), is_bad, "{url}");
            let help = "help: write a socket's path as `unix:///run/docker.sock`";
            assert_eq!(
                error.to_string().contains(help),
                url == "/run/docker.sock",
                "{error}"
            );
        }
    }
}
