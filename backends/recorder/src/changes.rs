//! What a container changed in its file system: the engine's own list, and what the changed files are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tar::EntryType;
use tokio::sync::mpsc;

use crate::record::Subject;
use crate::{Endpoint, http};

/// The longest list that is read, in bytes.
const LIST: usize = 32 << 20;
/// How much of a changed file's archive is read, in bytes: its header, its extended header and a little content.
const LOOK: usize = 16 << 10;
/// How much of a new directory's archive is read, in bytes. What is beyond is looked at one by one.
const LOOK_TOGETHER: usize = 256 << 20;
/// As many files of a new directory are looked at one by one: engines take as long for a file as for a directory.
const FEW: usize = 2;
/// As many files of another directory, which has more in it than they.
const FEW_OF_OLD: usize = 20;
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

/// The directory into which engines mount files of each container, so that it stays one.
const ENGINES_DIRECTORY: &str = "/etc";

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
    /// Nothing of it is unknown.
    pub(crate) fn is_whole(&self) -> bool {
        self.gap.is_none() && self.files.iter().all(|file| file.kind != FileKind::Unread)
    }

    /// Asks the engine.
    pub(crate) async fn of(engine: &Endpoint, subject: &Subject) -> Self {
        let mut changes = Self {
            container: subject.id.clone(),
            ..Self::default()
        };
        let listed = tokio::time::timeout(PATIENCE, list(engine, subject)).await;
        match listed {
            Ok(Ok(groups)) => {
                let looked = tokio::time::timeout(LOOKING, changes.look(engine, groups)).await;
                changes.gap = looked.err().map(|_| {
                    format!(
                        "more files were changed than could be looked at in {} s",
                        LOOKING.as_secs()
                    )
                });
            }
            Ok(Err(reason)) => changes.gap = Some(reason),
            Err(_) => changes.gap = Some(format!("no list within {} s", PATIENCE.as_secs())),
        }
        changes
    }

    async fn look(&mut self, engine: &Endpoint, groups: Vec<Group>) {
        for group in groups {
            let mut known = HashMap::new();
            if group.paths.len() > group.few {
                known = look_together(engine, &self.container, &group.root)
                    .await
                    .unwrap_or_default();
            }
            for path in group.paths {
                let mut kind = known.get(Path::new(&path)).copied();
                if kind.is_none() {
                    kind = look(engine, &self.container, &path).await;
                }
                if kind == Some(FileKind::Unread) {
                    // An engine that is busy with the container's end may fail once; and a further name of a file has its
                    // content only when it is asked for alone.
                    kind = look(engine, &self.container, &path).await;
                }
                self.files.extend(kind.map(|kind| ChangedFile { path, kind }));
            }
        }
    }
}

/// Changed files that one archive holds.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    /// Their directory, or the topmost one that is new with all that it holds.
    root: String,
    /// As many of them are looked at one by one.
    few: usize,
    /// The files, sorted.
    paths: Vec<String>,
}

/// What was added or changed, without directories that hold others of them.
async fn list(engine: &Endpoint, subject: &Subject) -> Result<Vec<Group>, String> {
    let path = format!("/containers/{}/changes", subject.id);
    let (status, body) = http::call(&engine.socket, Method::GET, &path, None, LIST)
        .await
        .map_err(|error| format!("`GET {path}`: {error}"))?;
    if status != StatusCode::OK {
        return Err(format!("`GET {path}`: {status}"));
    }
    let listed: Value = serde_json::from_slice(&body).map_err(|error| format!("`GET {path}`: {error}"))?;
    Ok(groups(&listed, &subject.mounts))
}

fn groups(listed: &Value, mounts: &[String]) -> Vec<Group> {
    let is_outside = |path: &str| is_below_any(path, ENGINES_OWN) || is_below_any(path, mounts);
    // 0 is changed, 1 is added, 2 is removed.
    let changed = listed.as_array().into_iter().flatten();
    let mut changed: Vec<(&str, bool)> = changed
        .filter(|change| change["Kind"] != 2)
        .filter_map(|change| Some((change["Path"].as_str()?, change["Kind"] == 1)))
        .collect();
    // By segments, so that what is in a directory follows it at once.
    changed.sort_unstable_by_key(|(path, _)| Path::new(*path));
    let is_directory = |at: usize, path: &str| {
        path == ENGINES_DIRECTORY || changed.get(at + 1).is_some_and(|(next, _)| is_below(next, path))
    };
    // A new directory in which something is mounted is not ours alone.
    let is_whole = |directory: &str| {
        let outside = ENGINES_OWN
            .iter()
            .copied()
            .chain(mounts.iter().map(String::as_str));
        !outside.into_iter().any(|place| is_below(place, directory))
    };
    let new: HashSet<&str> = changed
        .iter()
        .filter(|(path, is_added)| *is_added && is_whole(path) && !is_outside(path))
        .map(|(path, _)| *path)
        .collect();
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for (at, (path, _)) in changed.iter().enumerate() {
        if is_outside(path) || is_directory(at, path) {
            continue;
        }
        let new_root = new_root(path, &new);
        let parent = path.rsplit_once('/').map(|(parent, _)| parent);
        let (root, few) = match parent.filter(|parent| is_whole(parent)) {
            Some(parent) if new_root == *path => (parent, FEW_OF_OLD),
            _ => (new_root, FEW),
        };
        let group = groups.entry(root).or_insert_with(|| Group {
            root: root.to_owned(),
            few,
            paths: Vec::new(),
        });
        group.paths.push((*path).to_owned());
    }
    groups.into_values().collect()
}

/// The topmost new directory that holds a file, or the file itself.
fn new_root<'a>(path: &'a str, new: &HashSet<&str>) -> &'a str {
    let mut root = path;
    while let Some((parent, _)) = root.rsplit_once('/')
        && new.contains(parent)
    {
        root = parent;
    }
    root
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
    match archive(engine, container, path).await {
        Ok(answer) if answer.status() == StatusCode::NOT_FOUND => {
            let message = beginning(answer.into_body(), LOOK).await.unwrap_or_default();
            let message = String::from_utf8_lossy(&message).to_lowercase();
            // Either the file is gone, or the container is, and nobody knows what was in it. An engine cannot write a name
            // that is no text, and nobody can ask for it.
            let is_unknown = message.is_empty()
                || message.contains("no such container")
                || path.contains(char::REPLACEMENT_CHARACTER);
            is_unknown.then_some(FileKind::Unread)
        }
        Ok(answer) if answer.status() == StatusCode::OK => {
            let archive = beginning(answer.into_body(), LOOK).await.unwrap_or_default();
            let first = kinds(archive.as_slice()).into_iter().next();
            Some(first.map_or(FileKind::Unread, |(_, kind)| kind))
        }
        _ => Some(FileKind::Unread),
    }
}

/// What the files of a new directory are, as far as one look goes.
async fn look_together(
    engine: &Endpoint,
    container: &str,
    directory: &str,
) -> Option<HashMap<PathBuf, FileKind>> {
    let answer = archive(engine, container, directory).await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let (frames, receiver) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(|| {
        kinds(Frames {
            receiver,
            current: Bytes::new(),
        })
    });
    let (mut body, mut read) = (answer.into_body(), 0);
    while read < LOOK_TOGETHER
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

/// An answer's body, read where waiting is allowed.
struct Frames {
    receiver: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Frames {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(data) => self.current = data,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.current.len());
        into[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}

async fn archive(engine: &Endpoint, container: &str, path: &str) -> io::Result<Response<Incoming>> {
    let path = utf8_percent_encode(path, NON_ALPHANUMERIC);
    let path = format!("/containers/{container}/archive?path={path}");
    http::send(&engine.socket, Method::GET, &path, None, http::empty()).await
}

/// Reads the beginning of an archive.
async fn beginning(mut body: Incoming, limit: usize) -> Option<Vec<u8>> {
    let mut archive = Vec::new();
    while archive.len() < limit
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
    let wanted = entry.size().min(4);
    entry.by_ref().take(wanted).read_to_end(&mut magic).ok()?;
    if (magic.len() as u64) < wanted {
        return None;
    }
    Some(match magic.as_slice() {
        b"\x7fELF" => FileKind::Elf,
        [b'#', b'!', ..] if is_executable => FileKind::Script,
        _ => FileKind::Other,
    })
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

    fn group(root: &str, few: usize, paths: &[&str]) -> Group {
        Group {
            root: root.to_owned(),
            few,
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }
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
        assert_eq!(first(&long[..LOOK]), Some(FileKind::Elf));
        // Cut off before it can be told.
        assert_eq!(first(&long[..514]), None);
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

    #[test]
    fn files_of_a_new_directory_are_looked_at_together() {
        let listed = serde_json::json!([
            { "Path": "/usr", "Kind": 0 },
            { "Path": "/usr/lib", "Kind": 0 },
            { "Path": "/usr/lib/new", "Kind": 1 },
            { "Path": "/usr/lib/new-one", "Kind": 1 },
            { "Path": "/usr/lib/new/a", "Kind": 1 },
            { "Path": "/usr/lib/new/sub", "Kind": 1 },
            { "Path": "/usr/lib/new/sub/b", "Kind": 1 },
            { "Path": "/usr/lib/z", "Kind": 0 },
            { "Path": "/usr/lib/gone", "Kind": 2 },
            { "Path": "/etc", "Kind": 0 },
            { "Path": "/opt", "Kind": 1 },
            { "Path": "/opt/volume", "Kind": 1 },
        ]);
        assert_eq!(
            groups(&listed, &["/opt/volume".to_owned()]),
            [
                group("/usr/lib", FEW_OF_OLD, &["/usr/lib/new-one", "/usr/lib/z"]),
                group("/usr/lib/new", FEW, &["/usr/lib/new/a", "/usr/lib/new/sub/b"]),
            ]
        );
        // The archive of a directory would have the volume in it.
        assert_eq!(
            groups(
                &listed,
                &["/opt/volume".to_owned(), "/usr/lib/new/volume".to_owned()]
            ),
            [
                group("/usr/lib/new-one", FEW, &["/usr/lib/new-one"]),
                group("/usr/lib/new/a", FEW, &["/usr/lib/new/a"]),
                group("/usr/lib/new/sub", FEW, &["/usr/lib/new/sub/b"]),
                group("/usr/lib/z", FEW, &["/usr/lib/z"]),
            ]
        );
    }

    #[test]
    fn only_whole_segments_are_below() {
        assert!(is_below_any("/dev/x", ENGINES_OWN) && is_below_any("/dev", ENGINES_OWN));
        assert!(!is_below_any("/devel", ENGINES_OWN));
        assert!(!is_below_any("/data2/x", &["/data".to_owned()]));
    }
}
