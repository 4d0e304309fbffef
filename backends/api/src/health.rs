//! Health checks: what an engine runs in a container again and again, and what came of it.

use std::time::Duration;

/// A health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is run.
    pub test: HealthTest,
    /// Time between two runs; `None` for the engine's default.
    pub interval: Option<Duration>,
    /// How long one run may take; `None` for the engine's default.
    pub timeout: Option<Duration>,
    /// Time after the start in which failures do not count; `None` for the engine's default.
    pub start_period: Option<Duration>,
    /// Failures in a row until the container is unhealthy; `None` for the engine's default.
    pub retries: Option<u32>,
}

/// The program of a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthTest {
    /// `["NONE"]`: no health check, whatever the image says.
    None,
    /// `["CMD", …]`: a program and its arguments.
    Command(Vec<String>),
    /// `["CMD-SHELL", …]`: a line for the image's shell.
    Shell(String),
}

impl HealthTest {
    /// The test as the Docker and Podman APIs write it.
    pub fn to_api(&self) -> Vec<String> {
        match self {
            Self::None => vec!["NONE".into()],
            Self::Command(argv) => std::iter::once("CMD".to_owned())
                .chain(argv.iter().cloned())
                .collect(),
            Self::Shell(line) => vec!["CMD-SHELL".into(), line.clone()],
        }
    }

    /// Reads what [`HealthTest::to_api`] writes. An empty list inherits the image's check and so is `None`.
    pub fn from_api(test: &[String]) -> Option<Self> {
        match test {
            [] => None,
            [word] if word == "NONE" => Some(Self::None),
            [word, line @ ..] if word == "CMD-SHELL" => Some(Self::Shell(line.join(" "))),
            [word, argv @ ..] if word == "CMD" => Some(Self::Command(argv.to_vec())),
            // Old engines accept a bare argv and run it through the shell.
            words => Some(Self::Shell(words.join(" "))),
        }
    }
}

/// One run of a container's health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRun {
    /// When it began, as the engine writes it.
    pub began: String,
    /// Its exit code: 0 says that the container is healthy. Engines have others for a run that could not be started, or took
    /// too long.
    pub exit_code: i64,
    /// What it wrote, or why it could not be started; engines keep the beginning.
    pub output: String,
}

#[cfg(test)]
mod tests {
    use super::HealthTest;

    #[test]
    fn health_tests_survive_the_way_through_the_api() {
        let tests = [
            HealthTest::None,
            HealthTest::Command(vec!["/tiny".into(), "healthy".into()]),
            HealthTest::Shell("exit 0".into()),
        ];
        for test in tests {
            assert_eq!(HealthTest::from_api(&test.to_api()), Some(test));
        }
    }

    #[test]
    fn an_empty_health_test_inherits_and_a_bare_line_is_a_shell_line() {
        assert_eq!(HealthTest::from_api(&[]), None);
        assert_eq!(
            HealthTest::from_api(&["curl localhost".into()]),
            Some(HealthTest::Shell("curl localhost".into()))
        );
    }
}
