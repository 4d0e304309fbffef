//! What a container changed in its file system: the engine's own list, and what the changed files are.

use std::io::Read;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::record::Subject;
use crate::{Endpoint, http};

/// The longest list that is read, in bytes.
const LIST: usize = 32 << 20;
/// How much of a changed file's archive is read, in bytes: its header, its extended header and a little content.
const LOOK: usize = 16 << 10;
/// How long an engine may take for a container's list.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long looking at one container's changed files may take.
const LOOKING: Duration = Duration::from_secs(20);

/// What engines themselves make in a container.
const ENGINES_OWN: &[&str] = &[
    "/.dockerenv",
    "/dev",
    "/etc/group",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/passwd",
    "/etc/resolv.conf",
    "/proc",
    "/run/.containerenv",
    "/sys",
];

/// What one container had changed when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The container's id.
    pub container: String,
    /// What it had added or changed, volumes and what engines make excepted.
    pub files: Vec<ChangedFile>,
    /// Why the list is not whole, if it is not.
    pub gap: Option<String>,
}

/// A file that a container added or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path in the container.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
}

/// What a changed file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// It begins as programs and shared libraries do.
    Elf,
    /// It may be executed, and begins with `#!`.
    Script,
    /// Any other file, directory or link.
    Other,
    /// The engine did not give it.
    Unread,
}

impl Changes {
    /// Asks the engine.
    pub(crate) async fn of(engine: &Endpoint, subject: &Subject) -> Self {
        let mut changes = Self {
            container: subject.id.clone(),
            ..Self::default()
        };
        let listed = tokio::time::timeout(PATIENCE, list(engine, subject)).await;
        match listed {
            Ok(Ok(paths)) => changes.look(engine, paths).await,
            Ok(Err(reason)) => changes.gap = Some(reason),
            Err(_) => changes.gap = Some(format!("no list within {} s", PATIENCE.as_secs())),
        }
        changes
    }

    async fn look(&mut self, engine: &Endpoint, paths: Vec<String>) {
        let began = Instant::now();
        for path in paths {
            if began.elapsed() > LOOKING {
                self.gap = Some(format!(
                    "more files were changed than could be looked at in {} s",
                    LOOKING.as_secs()
                ));
                return;
            }
            let mut kind = look(engine, &self.container, &path).await;
            if kind == Some(FileKind::Unread) {
                // An engine that is busy with the container's end may fail once.
                kind = look(engine, &self.container, &path).await;
            }
            self.files.extend(kind.map(|kind| ChangedFile { path, kind }));
        }
    }
}

/// The paths that were added or changed, without directories that hold others of them.
async fn list(engine: &Endpoint, subject: &Subject) -> Result<Vec<String>, String> {
    let path = format!("/containers/{}/changes", subject.id);
    let (status, body) = http::call(&engine.socket, Method::GET, &path, None, LIST)
        .await
        .map_err(|error| format!("`GET {path}`: {error}"))?;
    if status != StatusCode::OK {
        return Err(format!("`GET {path}`: {status}"));
    }
    let listed: Value = serde_json::from_slice(&body).map_err(|error| format!("`GET {path}`: {error}"))?;
    let changed = listed.as_array().into_iter().flatten();
    // 0 is changed, 1 is added, 2 is removed.
    let mut paths: Vec<String> = changed
        .filter(|change| change["Kind"] != 2)
        .filter_map(|change| change["Path"].as_str().map(str::to_owned))
        .filter(|path| !is_below_any(path, ENGINES_OWN) && !is_below_any(path, &subject.mounts))
        .collect();
    paths.sort();
    let mut kept: Vec<String> = Vec::new();
    for path in paths {
        let is_parent = |before: &mut String| is_below(&path, before);
        kept.pop_if(is_parent);
        kept.push(path);
    }
    Ok(kept)
}

fn is_below_any(path: &str, places: &[impl AsRef<str>]) -> bool {
    places
        .iter()
        .any(|place| path == place.as_ref() || is_below(path, place.as_ref()))
}

fn is_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

/// What a changed file is now; nothing when a container that still runs has removed it since the list was made.
async fn look(engine: &Endpoint, container: &str, path: &str) -> Option<FileKind> {
    let path = utf8_percent_encode(path, NON_ALPHANUMERIC);
    let path = format!("/containers/{container}/archive?path={path}");
    let answer = http::send(&engine.socket, Method::GET, &path, None, http::empty()).await;
    match answer {
        Ok(answer) if answer.status() == StatusCode::NOT_FOUND => {
            let message = beginning(answer.into_body()).await.unwrap_or_default();
            let message = String::from_utf8_lossy(&message).to_lowercase();
            // Either the file is gone, or the container is, and nobody knows what was in it.
            (message.is_empty() || message.contains("no such container")).then_some(FileKind::Unread)
        }
        Ok(answer) if answer.status() == StatusCode::OK => {
            let archive = beginning(answer.into_body()).await;
            Some(
                archive
                    .and_then(|archive| kind(&archive))
                    .unwrap_or(FileKind::Unread),
            )
        }
        _ => Some(FileKind::Unread),
    }
}

/// Reads the beginning of a file's archive.
async fn beginning<B: hyper::body::Body<Data = bytes::Bytes> + Unpin>(mut body: B) -> Option<Vec<u8>> {
    let mut archive = Vec::new();
    while archive.len() < LOOK
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame.ok()?.into_data() {
            archive.extend_from_slice(&data);
        }
    }
    Some(archive)
}

/// What the first entry of an archive is.
fn kind(archive: &[u8]) -> Option<FileKind> {
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    if !entry.header().entry_type().is_file() {
        return Some(FileKind::Other);
    }
    let is_executable = entry.header().mode().ok()? & 0o111 != 0;
    let mut magic = Vec::new();
    // An archive that was cut off within the file still has its beginning.
    let _ = entry.by_ref().take(4).read_to_end(&mut magic);
    Some(match magic.as_slice() {
        b"\x7fELF" => FileKind::Elf,
        [b'#', b'!', ..] if is_executable => FileKind::Script,
        _ => FileKind::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(content: &[u8], mode: u32) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        builder
            .append_data(&mut header, format!("{}/file", "long".repeat(60)), content)
            .unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_file_is_known_by_its_beginning() {
        assert_eq!(kind(&archive(b"\x7fELF...", 0o644)), Some(FileKind::Elf));
        assert_eq!(kind(&archive(b"#!/bin/x\n", 0o755)), Some(FileKind::Script));
        assert_eq!(kind(&archive(b"#!/bin/x\n", 0o644)), Some(FileKind::Other));
        assert_eq!(kind(&archive(b"text", 0o755)), Some(FileKind::Other));
        assert_eq!(kind(&archive(b"", 0o755)), Some(FileKind::Other));
        assert_eq!(kind(b"no archive"), None);
        let long = archive(&[b"\x7fELF".to_vec(), vec![0; 100_000]].concat(), 0o755);
        assert_eq!(kind(&long[..LOOK]), Some(FileKind::Elf));
    }

    #[test]
    fn only_whole_segments_are_below() {
        assert!(is_below_any("/dev/x", ENGINES_OWN) && is_below_any("/dev", ENGINES_OWN));
        assert!(!is_below_any("/devel", ENGINES_OWN));
        assert!(!is_below_any("/data2/x", &["/data".to_owned()]));
    }
}
