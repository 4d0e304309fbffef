//! Whether an image has a program, told by its files and not by running it.

use shellproof_api::{Error, FileKind, Labels, Runtime};

/// How many links lead from one place to a file.
const LINKS: usize = 8;

/// Whether a path, links followed, is a file that can be executed. A link without an end may be anything.
pub(super) async fn is_program(
    runtime: &dyn Runtime,
    reference: &str,
    labels: &Labels,
    place: &str,
) -> Result<bool, Error> {
    let mut path = place.to_owned();
    for _ in 0..LINKS {
        let Some(file) = runtime.read_image_file(reference, &path, labels).await? else {
            return Ok(false);
        };
        match file.kind {
            FileKind::File => return Ok(file.mode & 0o111 != 0 && file.size > 0),
            FileKind::Symlink(target) => path = followed(&path, &target),
            FileKind::Directory | FileKind::Other => return Ok(false),
        }
    }
    Ok(true)
}

/// Where a link at `path` leads to, as a path without `.` and `..`.
fn followed(path: &str, target: &str) -> String {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let start = if target.starts_with('/') { "" } else { directory };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.iter().map(|part| format!("/{part}")).collect()
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
