use std::collections::{BTreeMap, HashMap};

use super::{Digest, Likeness};
use crate::{HealthTest, Labels};

/// How many links are followed on the way to one file.
const LINKS: usize = 40;

/// What an image is and contains, without anything of it having been started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageContent {
    /// What it says of itself.
    pub configuration: ImageConfiguration,
    /// Its layers, lowest first.
    pub layers: Vec<ImageLayer>,
    /// Every file that could be started, or that is a shell or the like although it could not, in the order of paths. One
    /// that a later layer has deleted or replaced is none of the image's.
    pub programs: Vec<ImageProgram>,
    /// Its symbolic links and where they lead, by path.
    pub links: BTreeMap<String, String>,
}

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfiguration {
    /// The hash of it: `sha256:…`.
    pub id: String,
    /// The digest of its manifest, where it has one.
    pub digest: Option<String>,
    /// The names that the archive or the layout gives it.
    pub names: Vec<String>,
    /// `ENTRYPOINT`, empty when it has none.
    pub entrypoint: Vec<String>,
    /// `CMD`, empty when it has none.
    pub command: Vec<String>,
    /// `ENV`, as `NAME=value`.
    pub env: Vec<String>,
    /// `USER`, empty for root.
    pub user: String,
    /// `WORKDIR`, empty for `/`.
    pub directory: String,
    /// `LABEL`.
    pub labels: Labels,
    /// `EXPOSE`, such as `80/tcp`.
    pub ports: Vec<String>,
    /// `VOLUME`.
    pub volumes: Vec<String>,
    /// `HEALTHCHECK`.
    pub health: RecordedHealth,
    /// `ONBUILD`, one instruction each.
    pub on_build: Vec<OnBuild>,
    /// The instructions by which it was built, as far as it says them, those without a layer among them.
    pub history: Vec<String>,
}

/// An instruction that is carried out when another image is built from this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnBuild {
    /// All of it.
    pub line: String,
    /// What it sets, and the program that it sets it to; none where that is a line for a shell.
    pub sets: Option<(Setting, Option<Vec<String>>)>,
}

/// What an instruction sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// What a container starts: `ENTRYPOINT` and `CMD`.
    Program,
    /// `HEALTHCHECK`.
    HealthCheck,
}

/// What an image says of its health check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RecordedHealth {
    /// It has none.
    #[default]
    None,
    /// It has this one.
    Test(HealthTest),
    /// Podman has built it in a format that does not record any.
    NotRecorded,
}

/// One layer of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageLayer {
    /// The hash of it, as it is stored.
    pub digest: String,
    /// The instruction that made it, where the image says so.
    pub instruction: Option<String>,
}

/// A file of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageProgram {
    /// Its path; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// The symbolic links that lead to it.
    pub links: Vec<String>,
    /// Permission bits, such as `0o4755`.
    pub mode: u32,
    /// Its owner's uid and gid.
    pub owner: (u64, u64),
    /// The size in bytes.
    pub size: u64,
    /// It carries file capabilities.
    pub has_capabilities: bool,
    /// The hash of its content, if it could be started.
    pub digest: Option<Digest>,
    /// What its content shows it to be, whatever it is called.
    pub likeness: Option<Likeness>,
    /// The interpreter that its `#!` line names, and the rest of the line.
    pub interpreter: Option<(String, Option<String>)>,
    /// It is packed (UPX), so that its content shows nothing.
    pub is_packed: bool,
    /// The place of its layer in [`ImageContent::layers`].
    pub layer: usize,
}

impl ImageProgram {
    /// Whether somebody may execute it.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0 && self.size > 0
    }
}

impl ImageContent {
    /// Finds for each program the links that lead to it.
    pub fn name_links(&mut self) {
        let programs = self.programs.iter().enumerate();
        let places: HashMap<String, usize> = programs.map(|(place, one)| (one.path.clone(), place)).collect();
        let found: Vec<_> = self
            .links
            .keys()
            .filter_map(|link| Some((*places.get(&self.resolve(link)?)?, link.clone())))
            .collect();
        for (place, link) in found {
            self.programs[place].links.push(link);
        }
    }

    /// The program behind a path, links followed.
    pub fn find(&self, path: &str) -> Option<&ImageProgram> {
        let path = self.resolve(path)?;
        let place = self
            .programs
            .binary_search_by(|one| one.path.as_str().cmp(&path))
            .ok()?;
        Some(&self.programs[place])
    }

    /// A path without links, `.` and `..`; none where links lead in a circle. Nothing leads out of the root.
    pub fn resolve(&self, path: &str) -> Option<String> {
        let mut followed = 0;
        let mut done: Vec<String> = Vec::new();
        let mut todo: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        while let Some(part) = todo.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => done.push(part),
            }
            let Some(target) = self.links.get(&format!("/{}", done.join("/"))) else {
                continue;
            };
            followed += 1;
            if followed > LINKS {
                return None;
            }
            done.pop();
            if target.starts_with('/') {
                done.clear();
            }
            todo.extend(target.rsplit('/').map(str::to_owned));
        }
        Some(format!("/{}", done.join("/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(links: &[(&str, &str)]) -> ImageContent {
        let program = |path: &str| ImageProgram {
            path: path.into(),
            ..ImageProgram::default()
        };
        let mut content = ImageContent {
            links: links
                .iter()
                .map(|(link, target)| ((*link).into(), (*target).into()))
                .collect(),
            programs: vec![program("/sbin/x"), program("/usr/bin/dash")],
            ..ImageContent::default()
        };
        content.name_links();
        content
    }

    #[test]
    fn links_are_followed_inside_the_image() {
        let content = content(&[
            ("/bin", "usr/bin"),
            ("/usr/bin/sh", "dash"),
            ("/opt/helper", "../../../../bin/sh"),
            ("/a", "/b"),
            ("/b", "a"),
        ]);
        for path in [
            "/bin/sh",
            "bin/../bin/./sh",
            "/opt/helper",
            "//usr/bin/dash",
            "/../bin/sh",
        ] {
            assert_eq!(
                content.find(path).map(|one| one.path.as_str()),
                Some("/usr/bin/dash"),
                "{path}"
            );
        }
        assert_eq!(content.programs[1].links, ["/opt/helper", "/usr/bin/sh"]);
        assert_eq!(content.resolve("/a"), None);
        assert!(content.find("/bin/none").is_none());
    }
}
