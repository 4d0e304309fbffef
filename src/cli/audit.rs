//! `shellproof audit`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::files::Files;
use super::{Engines, Format, need, platform, print, reported};
use crate::audit::{self, Order};
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::report::Document;
use crate::result::ExpectedExit;
use crate::vocabulary::{Mode, Need};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["command", "listen", "replay"]))]
pub(super) struct Audit {
    #[command(flatten)]
    engines: Engines,
    /// Which policy holds: nothing is forbidden in layered mode [default: the platform's IMAGE_MODE]
    #[arg(long, value_enum)]
    mode: Option<OneMode>,
    /// The platform's env file [default: platform-bootstrap/.env if it exists]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Answer requests that violate the policy, or that cannot be judged, in the engine's place
    #[arg(long)]
    deny: bool,
    /// How much the kernel witness is needed [default: required in prebuilt mode, off in layered mode]
    #[arg(long, value_name = "NEED", value_parser = need)]
    kernel: Option<Need>,
    /// Answer shells and package managers inside the containers with EACCES, as if they could not be executed
    #[arg(long, conflicts_with = "replay")]
    deny_shells: bool,
    /// The exit code that the program is to end with, or `any`
    #[arg(long, value_name = "CODE", default_value = "0")]
    expect_exit: ExpectedExit,
    /// Record whoever comes to this socket, until Ctrl-C
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,
    /// Write the requests to a file of JSON lines, without secrets
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Judge such a file again, with no engine
    #[arg(long, value_name = "FILE", conflicts_with_all = ["deny", "choices", "expect_exit"])]
    replay: Option<PathBuf>,
    /// How to report: on stderr for a person, since stdout is the program's; with `json`, stdout is the report's, and
    /// what the program prints goes to stderr
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    files: Files,
    /// The program and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// One image mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OneMode {
    Layered,
    Prebuilt,
}

impl From<OneMode> for Mode {
    fn from(mode: OneMode) -> Self {
        match mode {
            OneMode::Layered => Self::Layered,
            OneMode::Prebuilt => Self::Prebuilt,
        }
    }
}

impl Audit {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        self.files.check()?;
        let format = self.format;
        // Without a program of its own, stdout is nobody's but the report's.
        let to_stdout = format == Format::Json || self.command.is_empty();
        let (report, record) = match &self.replay {
            Some(file) => (
                audit::replay(file, self.mode.map(Mode::from), self.kernel)?,
                Ok(()),
            ),
            None => audit::run(self.order()?).await?,
        };
        let document = Document::of(&report);
        let printed = print(&document, format, to_stdout);
        let written = self.files.write(&document);
        Ok(reported(
            document.exit_code(),
            [printed, record].into_iter().chain(written),
        ))
    }

    fn order(&self) -> Result<Order, Failure> {
        let mode = match self.mode {
            Some(mode) => mode.into(),
            None => platform(self.env_file.as_deref())?.mode(),
        };
        Ok(Order {
            engines: self.engines.choices.clone(),
            mode,
            deny: self.deny,
            kernel: self.kernel,
            deny_shells: self.deny_shells,
            expected_exit: self.expect_exit,
            listen: self.listen.clone(),
            record: self.record.clone(),
            to_stderr: self.format == Format::Json,
            command: self.command.clone(),
        })
    }
}
