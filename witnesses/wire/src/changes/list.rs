//! The engine's list of changed files, in groups that are looked at together.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::container::InspectedContainer;
use crate::endpoint::Endpoint;
use crate::http;

/// The longest list that is read, in bytes.
const LIST: usize = 32 << 20;
/// Up to this many changed files of a new directory are asked for one by one; more of them come in one archive of the
/// directory, which costs an engine as much time as the archive of one file.
const FEW: usize = 2;
/// The same for a directory that the image brought. Its archive also holds the files that nobody changed, so that it pays
/// later.
const FEW_OF_OLD: usize = 5;

/// What engines mount into each container: directories that are no part of its own file system, and files that are looked at
/// apart from the list.
const ENGINES_MOUNTS: &[&str] = &["/dev", "/proc", "/sys"];
const ENGINES_FILES: &[&str] = &["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// The directory of most of them, so that it stays one.
const ENGINES_DIRECTORY: &str = "/etc";

/// Changed files that one archive holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Their directory, or the topmost one that is new with all that it holds.
    pub(super) root: String,
    /// As many of them are looked at one by one.
    pub(super) few: usize,
    /// The files, sorted.
    pub(super) paths: Vec<String>,
}

/// What was added or changed, without directories that hold others of them.
pub(super) async fn ask(engine: &Endpoint, container: &InspectedContainer) -> Result<Vec<Group>, String> {
    let path = format!("/containers/{}/changes", container.id);
    let (status, body) = http::call(&engine.socket, Method::GET, &path, None, LIST)
        .await
        .map_err(|error| format!("`GET {path}`: {error}"))?;
    if status != StatusCode::OK {
        return Err(format!("`GET {path}`: {status}"));
    }
    let listed: Value = serde_json::from_slice(&body).map_err(|error| format!("`GET {path}`: {error}"))?;
    Ok(groups(&listed, &container.mounts))
}

fn groups(listed: &Value, mounts: &[String]) -> Vec<Group> {
    let is_outside = |path: &str| {
        is_below_any(path, ENGINES_MOUNTS) || is_below_any(path, mounts) || ENGINES_FILES.contains(&path)
    };
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
        let mut outside = ENGINES_MOUNTS
            .iter()
            .chain(ENGINES_FILES)
            .copied()
            .chain(mounts.iter().map(String::as_str));
        !outside.any(|place| is_below(place, directory))
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

pub(super) fn is_below_any(path: &str, places: &[impl AsRef<str>]) -> bool {
    places
        .iter()
        .any(|place| path == place.as_ref() || is_below(path, place.as_ref()))
}

fn is_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(root: &str, few: usize, paths: &[&str]) -> Group {
        Group {
            root: root.to_owned(),
            few,
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }
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
    fn what_takes_the_place_of_an_engines_file_is_listed() {
        let listed = serde_json::json!([
            { "Path": "/etc", "Kind": 0 },
            { "Path": "/etc/hosts", "Kind": 1 },
            { "Path": "/etc/hosts/tool", "Kind": 1 },
            { "Path": "/etc/hostname", "Kind": 0 },
        ]);
        let paths: Vec<_> = groups(&listed, &[])
            .into_iter()
            .flat_map(|group| group.paths)
            .collect();
        assert_eq!(paths, ["/etc/hosts/tool"]);
    }

    #[test]
    fn only_whole_segments_are_below() {
        assert!(is_below_any("/dev/x", ENGINES_MOUNTS) && is_below_any("/dev", ENGINES_MOUNTS));
        assert!(!is_below_any("/devel", ENGINES_MOUNTS));
        assert!(!is_below_any("/data2/x", &["/data".to_owned()]));
    }
}
