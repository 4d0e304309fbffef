//! From paths to scenarios.

use super::diagnostics::Diagnostics;
use super::schema::Scenario;
use std::path::{Path, PathBuf};

/// The largest scenario file that is read.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads one scenario file.
pub fn load(path: &Path) -> Result<Scenario, Diagnostics> {
    parse(path, "")
}
/// Reads a scenario from text; `path` is what messages call it.
pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Scenario, Diagnostics> {
    let _ = (path.into(), text);
    todo!()
}
/// The scenario files.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Diagnostics> {
    let _ = paths;
    todo!()
}
/// Reads all scenarios.
pub fn load_all(paths: &[PathBuf]) -> Result<Vec<Scenario>, Diagnostics> {
    let _ = paths;
    todo!()
}
