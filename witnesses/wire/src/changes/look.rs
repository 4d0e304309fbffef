//! What changed files are, read from the archives that the engine makes of them.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tar::EntryType;
use tokio::sync::mpsc;

use crate::changes::FileKind;
use crate::endpoint::Endpoint;
use crate::http::{self, Pieces};

/// How much of a changed file's archive is read, in bytes: its header, its extended header and a little content.
const ONE: usize = 16 << 10;
/// How much of a directory's archive is read, in bytes. What is beyond is looked at one by one.
const TOGETHER: usize = 256 << 20;
/// The shortest file that can be a program or a library, in bytes: a shorter one has no room for the head of one.
const SHORTEST_PROGRAM: u64 = 64;
/// By so many of its first bytes a file is told from others.
pub(super) const MAGIC: u64 = 4;

/// What came of looking at one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is there, or nobody can ever say what it was.
    Is(FileKind),
    /// It is not there.
    Gone,
    /// The engine could not say, and may be able to when it is asked again.
    Failed,
}

/// What a file is now.
pub(super) async fn at(engine: &Endpoint, container: &str, path: &str) -> Sight {
    // Quicker than an archive, and true of a link where Podman's archive has what it leads to.
    let described = archive(engine, Method::HEAD, container, path).await;
    if described.is_ok_and(|answer| is_nothing_to_run(&answer).unwrap_or(false)) {
        return Sight::Is(FileKind::Other);
    }
    match archive(engine, Method::GET, container, path).await {
        Ok(answer) if answer.status() == StatusCode::NOT_FOUND => {
            let message = beginning(answer.into_body()).await.unwrap_or_default();
            let message = String::from_utf8_lossy(&message).to_lowercase();
            // Either the file is gone, or the container is, and nobody knows what was in it.
            if message.is_empty() || message.contains("no such container") {
                Sight::Is(FileKind::Unread)
            } else {
                Sight::Gone
            }
        }
        Ok(answer) if answer.status() == StatusCode::OK => {
            let archive = beginning(answer.into_body()).await.unwrap_or_default();
            let first = kinds(archive.as_slice()).into_iter().next();
            first.map_or(Sight::Failed, |(_, kind)| Sight::Is(kind))
        }
        _ => Sight::Failed,
    }
}

/// Whether a file cannot be run, by the engine's description of it: no file at all, or a short one that nobody may execute.
fn is_nothing_to_run(answer: &Response<Incoming>) -> Option<bool> {
    let described = answer.headers().get("x-docker-container-path-stat")?;
    let described = BASE64_STANDARD.decode(described).ok()?;
    is_described_as_nothing(&serde_json::from_slice(&described).ok()?)
}

fn is_described_as_nothing(described: &Value) -> Option<bool> {
    /// The bits of a mode, as Go has it, that say that something is no file.
    const TYPES: u64 = 0x8f28_0000;
    let (mode, size) = (described["mode"].as_u64()?, described["size"].as_u64()?);
    let is_short = size < SHORTEST_PROGRAM && mode & 0o111 == 0;
    Some(mode & TYPES != 0 || size == 0 || is_short)
}

/// What the files of a directory are, as far as one look goes.
pub(super) async fn together(
    engine: &Endpoint,
    container: &str,
    directory: &str,
) -> Option<HashMap<PathBuf, FileKind>> {
    let answer = archive(engine, Method::GET, container, directory).await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let (frames, receiver) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(|| kinds(Pieces::from(receiver)));
    let (mut body, mut read) = (answer.into_body(), 0);
    while read < TOGETHER
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Ok(data) = frame.into_data() {
            read += data.len();
            if frames.send(data).await.is_err() {
                break;
            }
        }
    }
    drop(frames);
    // An archive has its names below the directory's own.
    let parent = Path::new(directory).parent()?;
    let kinds = reading.await.ok()?.into_iter();
    Some(kinds.map(|(name, kind)| (parent.join(name), kind)).collect())
}

async fn archive(
    engine: &Endpoint,
    method: Method,
    container: &str,
    path: &str,
) -> io::Result<Response<Incoming>> {
    let path = utf8_percent_encode(path, NON_ALPHANUMERIC);
    let path = format!("/containers/{container}/archive?path={path}");
    http::send(&engine.socket, method, &path, None, http::empty()).await
}

/// Reads the beginning of an archive.
async fn beginning(mut body: Incoming) -> Option<Vec<u8>> {
    let mut archive = Vec::new();
    while archive.len() < ONE
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame.ok()?.into_data() {
            archive.extend_from_slice(&data);
        }
    }
    Some(archive)
}

/// What the entries of an archive are, up to where it was cut off.
fn kinds(archive: impl Read) -> Vec<(PathBuf, FileKind)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().into_iter().flatten();
    entries
        .map_while(Result::ok)
        .map_while(|mut entry| {
            let name = entry.path().ok()?.into_owned();
            Some((name, kind(&mut entry)?))
        })
        .collect()
}

/// What one entry is; nothing where the archive ends before it can be told.
fn kind(entry: &mut tar::Entry<'_, impl Read>) -> Option<FileKind> {
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => {}
        EntryType::Directory | EntryType::Symlink | EntryType::Fifo | EntryType::Char | EntryType::Block => {
            return Some(FileKind::Other);
        }
        // A further name of a file that the archive had before, or something that no engine makes.
        _ => return Some(FileKind::Unread),
    }
    let is_executable = entry.header().mode().ok()? & 0o111 != 0;
    let mut magic = Vec::new();
    let wanted = entry.size().min(MAGIC);
    entry.by_ref().take(wanted).read_to_end(&mut magic).ok()?;
    ((magic.len() as u64) == wanted).then(|| kind_of(&magic, is_executable))
}

/// What a file is by its first bytes.
pub(super) fn kind_of(magic: &[u8], is_executable: bool) -> FileKind {
    match magic {
        b"\x7fELF" => FileKind::Elf,
        [b'#', b'!', ..] if is_executable => FileKind::Script,
        _ => FileKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(name: &str, content: &[u8], mode: u32) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        append(&mut builder, name, content, mode);
        builder.into_inner().unwrap()
    }

    fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8], mode: u32) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        builder.append_data(&mut header, name, content).unwrap();
    }

    fn first(archive: &[u8]) -> Option<FileKind> {
        kinds(archive).first().map(|(_, kind)| *kind)
    }

    #[test]
    fn a_file_is_known_by_its_beginning() {
        let kind = |content: &[u8], mode| first(&archive(&"long/".repeat(60), content, mode));
        assert_eq!(kind(b"\x7fELF...", 0o644), Some(FileKind::Elf));
        assert_eq!(kind(b"#!/bin/x\n", 0o755), Some(FileKind::Script));
        assert_eq!(kind(b"#!/bin/x\n", 0o644), Some(FileKind::Other));
        assert_eq!(kind(b"text", 0o755), Some(FileKind::Other));
        assert_eq!(kind(b"", 0o755), Some(FileKind::Other));
        assert_eq!(first(b"no archive"), None);
        let long = archive("x", &[b"\x7fELF".to_vec(), vec![0; 100_000]].concat(), 0o755);
        assert_eq!(first(&long[..ONE]), Some(FileKind::Elf));
        // Cut off before it can be told.
        assert_eq!(first(&long[..514]), None);
    }

    #[test]
    fn what_cannot_be_run_is_known_by_its_description() {
        let nothing = |mode: u64, size: u64| {
            is_described_as_nothing(&serde_json::json!({ "mode": mode, "size": size })).unwrap()
        };
        // A directory, a link, an empty file, a short one.
        assert!(
            nothing(0x8000_01ed, 4096) && nothing(0x0800_01ff, 12) && nothing(0o755, 0) && nothing(0o644, 63)
        );
        assert!(!nothing(0o755, 20) && !nothing(0o644, 64) && !nothing(0o601, 20));
        assert_eq!(is_described_as_nothing(&serde_json::json!({})), None);
    }

    #[test]
    fn an_archive_tells_of_all_files_up_to_where_it_ends() {
        let mut builder = tar::Builder::new(Vec::new());
        append(&mut builder, "lib/a", b"text", 0o644);
        append(&mut builder, "lib/b", b"\x7fELF", 0o644);
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::Link);
        header.set_size(0);
        builder.append_link(&mut header, "lib/c", "lib/b").unwrap();
        header.set_entry_type(EntryType::Symlink);
        builder.append_link(&mut header, "lib/d", "lib/b").unwrap();
        let archive = builder.into_inner().unwrap();
        let expected = [
            (PathBuf::from("lib/a"), FileKind::Other),
            ("lib/b".into(), FileKind::Elf),
            ("lib/c".into(), FileKind::Unread),
            ("lib/d".into(), FileKind::Other),
        ];
        assert_eq!(kinds(archive.as_slice()), expected);
        assert_eq!(kinds(&archive[..1024 + 514]), expected[..1]);
    }
}
