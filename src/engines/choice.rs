use std::str::FromStr;

use shellproof_api::EngineKind;
use shellproof_wire::Endpoint;

use super::address::By;
use super::error::EngineError;

/// An engine that a run uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSpec {
    /// Its name in reports.
    pub name: String,
    /// Where it listens; none for the one that is in this binary.
    pub endpoint: Option<Endpoint>,
}

impl EngineSpec {
    /// The one that is in this binary.
    pub fn embedded() -> Self {
        Self {
            name: EngineKind::Embedded.to_string(),
            endpoint: None,
        }
    }

    /// What kind of engine it is.
    pub fn kind(&self) -> EngineKind {
        self.endpoint
            .as_ref()
            .map_or(EngineKind::Embedded, |endpoint| endpoint.kind)
    }

    /// Where it is, in words that follow its name.
    pub(crate) fn place(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("on `{}`", endpoint.socket.display()),
            None => "in this binary".to_owned(),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// It listens nowhere.
    pub(crate) fn listens(&self) -> Result<&Endpoint, EngineError> {
        self.endpoint
            .as_ref()
            .ok_or_else(|| self.unconnected("it is in this binary and listens nowhere".into()))
    }

    /// Whether a variable of the environment asks for it: then it must work.
    pub(crate) fn is_asked_for(&self) -> bool {
        By::VARIABLES.iter().any(|by| by.engine_name() == self.name)
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
    /// What `CONTAINER_HOST`, `DOCKER_HOST` or Docker's current context names; else the one that is in this binary, and where that
    /// cannot work the first that is there: rootless Podman, Podman, Docker.
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
            "embedded" => Ok(Self::Kind(EngineKind::Embedded)),
            _ => match text.split_once('=') {
                Some((name, url)) if is_name(name) => Ok(Self::Named {
                    name: name.to_owned(),
                    url: url.to_owned(),
                }),
                _ => Err(
                    "expected `auto`, `all`, `docker`, `podman`, `embedded` or `NAME=unix:///path`".into(),
                ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_the_help_says() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("all".parse(), Ok(Choice::All));
        assert_eq!("podman".parse(), Ok(Choice::Kind(EngineKind::Podman)));
        assert_eq!("embedded".parse(), Ok(Choice::Kind(EngineKind::Embedded)));
        let named = Choice::Named {
            name: "d-20".into(),
            url: "unix:///run/d.sock".into(),
        };
        assert_eq!("d-20=unix:///run/d.sock".parse(), Ok(named));
        for wrong in ["", "fake", "=unix:///x", "a b=unix:///x"] {
            assert!(wrong.parse::<Choice>().is_err(), "{wrong}");
        }
    }
}
