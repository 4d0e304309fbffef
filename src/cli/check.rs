use std::path::PathBuf;

use clap::Args;

use super::{Failure, SHIPPED, load, platform};
use crate::exit::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario files and directories
    #[arg(value_name = "PATH", default_value = SHIPPED)]
    paths: Vec<PathBuf>,
    /// The platform's env file [default: platform-bootstrap/.env if it exists]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

impl Check {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let scenarios = load(&self.paths);
        let platform = platform(self.env_file.as_deref());
        let scenarios = match (scenarios, platform) {
            (Ok(scenarios), Ok(_)) => scenarios,
            // Both are said at once.
            (Err(one), Err(other)) => return Err(Failure::Input(format!("{one}\n{other}"))),
            (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => return Err(failure),
        };
        for scenario in &scenarios {
            let modes: Vec<_> = scenario.modes.iter().map(|mode| mode.as_str()).collect();
            anstream::println!(
                "{}: {} ({})",
                scenario.file.path().display(),
                scenario.name,
                modes.join(", ")
            );
        }
        match scenarios.len() {
            1 => anstream::println!("1 scenario is well-formed"),
            number => anstream::println!("{number} scenarios are well-formed"),
        }
        Ok(ExitCode::Clean)
    }
}
