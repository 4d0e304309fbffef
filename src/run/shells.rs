//! Whether an image has a shell where shells usually are, told by its files and not by running it.

use futures_util::StreamExt;
use shellproof_api::{Error, FileKind, Labels, Runtime};

/// Where programs look for a shell, and where the usual base images have theirs. A shell under another name, or in
/// another directory, is not found.
const PLACES: &[&str] = &[
    "/bin/sh",
    "/bin/bash",
    "/bin/dash",
    "/bin/ash",
    "/bin/busybox",
    "/usr/bin/sh",
    "/usr/bin/bash",
    "/usr/bin/dash",
    "/usr/bin/busybox",
    "/usr/local/bin/sh",
    "/usr/local/bin/bash",
    "/busybox/sh",
    "/busybox/busybox",
    "/sbin/sh",
];
/// How many places are looked at side by side: where each look is a container that never starts.
const AT_ONCE: usize = 4;
/// How many links lead from one place to a file.
const LINKS: usize = 8;

/// The shells of an image, by path; none when it is shell-less as far as [`PLACES`] go.
pub(super) async fn look(
    runtime: &dyn Runtime,
    reference: &str,
    labels: &Labels,
) -> Result<Vec<String>, Error> {
    let looks = futures_util::stream::iter(PLACES).map(async |place| {
        let is_there = is_program(runtime, reference, labels, place).await?;
        Ok(is_there.then(|| (*place).to_owned()))
    });
    let found: Vec<Result<Option<String>, Error>> = looks.buffered(AT_ONCE).collect().await;
    found.into_iter().filter_map(Result::transpose).collect()
}

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
#[path = "shells_tests.rs"]
mod tests;
