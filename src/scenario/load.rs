//! From paths to scenarios.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::check;
use super::decode::decode;
use super::host;
use super::schema::Scenario;
use crate::source::{Diagnostic, Diagnostics, FileKind, SourceFile, Span, about, cannot_read};

const SCENARIO: FileKind = FileKind {
    what: "a scenario",
    file: "a scenario file",
};

/// The deepest directory that is searched, below the one that was named.
const MAX_DIRECTORY_DEPTH: usize = 16;

/// Reads one scenario file.
///
/// What is no regular file, is too large, or is no text is refused before it is read. A host path that it mounts must be
/// there.
pub fn load(path: &Path) -> Result<Scenario, Diagnostics> {
    understand(SCENARIO.read(path)?, host::missing)
}

/// Reads a scenario from text; `path` is what messages call it. Nothing of the machine is looked at.
pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Scenario, Diagnostics> {
    let file = Arc::new(SourceFile::new(path, text));
    SCENARIO.check(&file)?;
    understand(file, |_| Vec::new())
}

fn understand(
    file: Arc<SourceFile>,
    look_around: fn(&Scenario) -> Vec<Diagnostic>,
) -> Result<Scenario, Diagnostics> {
    let mut errors = Vec::new();
    let scenario = decode(&file, &mut errors);
    if let Some(scenario) = &scenario {
        check(scenario, &mut errors);
        errors.extend(look_around(scenario));
    }
    match (Diagnostics::from_vec(errors), scenario) {
        (Some(errors), _) => Err(errors),
        (None, Some(scenario)) => Ok(scenario),
        (None, None) => Err(Diagnostic::whole_file(&file, "the file holds no scenario").into()),
    }
}

/// The scenario files that these paths mean, in a stable order and each once.
///
/// A file means itself. A directory means every `*.yaml` and `*.yml` below it; hidden entries and
/// links to directories are passed over. A path that means nothing is a mistake: zero scenarios
/// are no success.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Diagnostics> {
    let mut errors = Vec::new();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    if paths.is_empty() {
        errors.push(about(Path::new("."), "no path to look for scenarios in"));
    }
    for path in paths {
        let files = match fs::metadata(path) {
            Err(error) => Err(about(path, cannot_read(&error))),
            Ok(metadata) if metadata.is_dir() => {
                let mut files = Vec::new();
                search(path, 0, &mut files, &mut errors);
                match files.is_empty() {
                    true => Err(about(path, "no scenario in this directory")
                        .help("scenarios are files that end in `.yaml` or `.yml`")),
                    false => Ok(files),
                }
            }
            Ok(_) => Ok(vec![path.clone()]),
        };
        match files {
            Ok(files) => found.extend(files.into_iter().filter(|file| seen.insert(file.clone()))),
            Err(error) => errors.push(error),
        }
    }
    match Diagnostics::from_vec(errors) {
        Some(errors) => Err(errors),
        None => Ok(found),
    }
}

/// Finds the scenarios of these paths and reads them all; every mistake in every file is reported.
///
/// Two scenarios cannot have one name, because reports tell them apart by it.
pub fn load_all(paths: &[PathBuf]) -> Result<Vec<Scenario>, Diagnostics> {
    let mut errors = Vec::new();
    let mut scenarios: Vec<Scenario> = Vec::new();
    for path in discover(paths)? {
        match load(&path) {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => errors.extend(found.into_vec()),
        }
    }
    let mut places: BTreeMap<&str, (&SourceFile, Span)> = BTreeMap::new();
    for scenario in &scenarios {
        let name = &scenario.name;
        if let Some((file, span)) = places.get(name.value.as_str()) {
            let error = Diagnostic::new(
                &scenario.file,
                name.span,
                format!("two scenarios are named `{name}`"),
            );
            errors.push(
                error
                    .label("the second one")
                    .help(format!("the first one: {}", file.location(*span))),
            );
        } else {
            places.insert(&name.value, (&scenario.file, name.span));
        }
    }
    match Diagnostics::from_vec(errors) {
        Some(errors) => Err(errors),
        None => Ok(scenarios),
    }
}

/// Adds the scenario files below a directory, sorted by name.
fn search(directory: &Path, depth: usize, files: &mut Vec<PathBuf>, errors: &mut Vec<Diagnostic>) {
    if depth > MAX_DIRECTORY_DEPTH {
        errors.push(about(
            directory,
            format!("more than {MAX_DIRECTORY_DEPTH} directories deep"),
        ));
        return;
    }
    let entries = fs::read_dir(directory).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            errors.push(about(directory, cannot_read(&error)));
            return;
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_hidden {
            continue;
        } else if is_directory {
            search(&path, depth + 1, files, errors);
        } else if is_yaml && !path.is_dir() {
            files.push(path);
        }
    }
}
