use std::path::PathBuf;
use std::time::Duration;

use crate::vocabulary::Need;

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many scenarios run at a time.
    pub jobs: usize,
    /// The longest that one scenario may take.
    pub timeout: Duration,
    /// Leave the containers of a scenario that did not pass.
    pub keep: bool,
    /// Never pull an image.
    pub offline: bool,
    /// The directory of the built fixtures.
    pub fixtures: PathBuf,
    /// How much the kernel witness is needed, whatever the scenarios say.
    pub kernel: Option<Need>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            // Most of the time they wait for programs.
            jobs: 2 * std::thread::available_parallelism().map_or(1, usize::from),
            timeout: Duration::from_secs(300),
            keep: false,
            offline: false,
            fixtures: std::env::var_os("SHELLPROOF_FIXTURES")
                .map_or_else(|| "target/fixtures".into(), PathBuf::from),
            kernel: None,
        }
    }
}
