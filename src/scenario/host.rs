//! What a scenario needs of the machine: the host paths that it mounts.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use super::resolve::merge;
use super::schema::{MountSource, Scenario};
use crate::source::Diagnostic;
use crate::source::spelling::quoted;

/// The host paths of a scenario that are not there. One that may not be looked at may be there for the engine.
pub(super) fn missing(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for mode in &scenario.modes {
        for container in &scenario.containers {
            let merged = merge(container, *mode);
            for mount in merged.settings.volumes.iter().flatten() {
                let MountSource::Bind(path) = &mount.value.source else {
                    continue;
                };
                let path = scenario.file.directory().join(path);
                let is_missing = fs::metadata(&path).is_err_and(|error| {
                    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
                });
                if is_missing && seen.insert(mount.span.start) {
                    let title = format!("nothing is at the host path {}", quoted(&path.to_string_lossy()));
                    let error = Diagnostic::new(&scenario.file, mount.span, title).label("cannot be mounted");
                    found.push(error.help(
                        "make it before the run, write `./` for what is beside the scenario file, or declare a volume",
                    ));
                }
            }
        }
    }
    found
}
