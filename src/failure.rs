use crate::engines::EngineError;
use crate::exit::ExitCode;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Wrong input, already in words for a person.
    #[error("{0}")]
    Input(String),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{what}: {error}")]
    Machine {
        what: &'static str,
        error: std::io::Error,
    },
}

impl Failure {
    pub(crate) fn machine(what: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Machine { what, error }
    }

    /// The exit code that tells of it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::BadInput,
            Self::Engine(EngineError::DeadWitness { .. }) => ExitCode::Unproven,
            Self::Engine(error) if error.is_bad_input() => ExitCode::BadInput,
            Self::Engine(_) | Self::Machine { .. } => ExitCode::Broken,
        }
    }
}
