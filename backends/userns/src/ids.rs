//! Which ids a user namespace gets: all of the caller's, a range of its own beside it, or the caller alone.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Step};

/// A range of ids: inside, outside and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first id as the namespace has it.
    pub inside: u32,
    /// The same id as its parent has it.
    pub outside: u32,
    /// How many follow each other.
    pub count: u32,
}

/// How many ids are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// As many as can be had; the caller's own alone where there are no more.
    #[default]
    Many,
    /// The caller's own alone, which is root inside.
    One,
}

/// The ids of a user namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Its users.
    pub users: Vec<Extent>,
    /// Its groups.
    pub groups: Vec<Extent>,
    /// Why there is one id only, where more were wanted.
    pub narrow: Option<Narrow>,
}

/// Why there is one id only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// What is missing or was refused.
    pub cause: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

impl Ids {
    /// Whether there is more than one.
    pub fn are_many(&self) -> bool {
        let all = |extents: &[Extent]| extents.iter().map(|extent| u64::from(extent.count)).sum::<u64>();
        all(&self.users) > 1 && all(&self.groups) > 1
    }

    /// The caller's own id alone.
    fn one(user: u32, group: u32, narrow: Option<Narrow>) -> Self {
        let only = |outside| {
            vec![Extent {
                inside: 0,
                outside,
                count: 1,
            }]
        };
        Self {
            users: only(user),
            groups: only(group),
            narrow,
        }
    }
}

/// Writes the maps of a process that has just entered a user namespace.
pub(crate) fn write(process: u32, wanted: Wanted) -> Result<Ids, Error> {
    let (user, group) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let narrow = match (wanted, user) {
        (Wanted::One, _) => None,
        // Root, perhaps of a container: all that it has.
        (Wanted::Many, 0) => match all_of_ours(process) {
            Ok(ids) if ids.are_many() => return Ok(ids),
            Ok(ids) => {
                return Ok(Ids {
                    narrow: Some(Narrow {
                        cause: "root has one id only in this user namespace".into(),
                        help: Some("run shellproof outside of it, or give it more ids".into()),
                    }),
                    ..ids
                });
            }
            Err(error) => Some(Narrow {
                cause: format!("root may not give its ids away: {error}"),
                help: None,
            }),
        },
        (Wanted::Many, _) => match ranges(process, user, group) {
            Ok(ids) => return Ok(ids),
            Err(narrow) => Some(narrow),
        },
    };
    let failed = |error| Error::new(Step::Map, error);
    // Without it a group map by an ordinary user is refused.
    put(process, "setgroups", "deny").map_err(failed)?;
    put(process, "uid_map", &format!("0 {user} 1")).map_err(failed)?;
    put(process, "gid_map", &format!("0 {group} 1")).map_err(failed)?;
    Ok(Ids::one(user, group, narrow))
}

fn put(process: u32, file: &str, text: &str) -> io::Result<()> {
    let file = Path::new("/proc").join(process.to_string()).join(file);
    fs::write(&file, text)
        .map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", file.display())))
}

/// Each id as it is.
fn all_of_ours(process: u32) -> io::Result<Ids> {
    let same = |file: &str| -> io::Result<Vec<Extent>> {
        Ok(identity(&fs::read_to_string(Path::new("/proc/self").join(file))?))
    };
    let ids = Ids {
        users: same("uid_map")?,
        groups: same("gid_map")?,
        narrow: None,
    };
    put(process, "uid_map", &lines(&ids.users))?;
    put(process, "gid_map", &lines(&ids.groups))?;
    Ok(ids)
}

/// What a map gives its namespace, as a map of a further one inside: an extent must lie within one of the parent's.
fn identity(map: &str) -> Vec<Extent> {
    let extent = |line: &str| {
        let mut words = line.split_whitespace();
        let inside = words.next()?.parse().ok()?;
        let count = words.nth(1)?.parse().ok()?;
        Some(Extent {
            inside,
            outside: inside,
            count,
        })
    };
    map.lines().filter_map(extent).collect()
}

fn lines(extents: &[Extent]) -> String {
    extents.iter().fold(String::new(), |mut text, extent| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {} {}", extent.inside, extent.outside, extent.count);
        text
    })
}

/// The caller's ranges in `/etc/subuid` and `/etc/subgid`, given by the two programs that may; or why not.
fn ranges(process: u32, user: u32, group: u32) -> Result<Ids, Narrow> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = name_of(&passwd, user);
    let range = |file: &str| -> Result<(u32, u32), Narrow> {
        let text = fs::read_to_string(file).unwrap_or_default();
        range_of(&text, name, user).ok_or_else(|| {
            let name = name.map_or_else(|| user.to_string(), str::to_owned);
            Narrow {
                cause: format!("`{file}` names no range for `{name}`"),
                help: Some(format!(
                    "as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}`"
                )),
            }
        })
    };
    let ids = Ids {
        users: beside(user, range("/etc/subuid")?),
        groups: beside(group, range("/etc/subgid")?),
        narrow: None,
    };
    for (program, extents) in [("newuidmap", &ids.users), ("newgidmap", &ids.groups)] {
        let mut command = Command::new(program);
        command.arg(process.to_string());
        for extent in extents {
            command.args([extent.inside, extent.outside, extent.count].map(|number| number.to_string()));
        }
        let (cause, help) = match command.output() {
            Ok(output) if output.status.success() => continue,
            Ok(output) => (
                format!(
                    "`{program}` failed: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                ),
                "`newuidmap` and `newgidmap` must be set-user-id root or have file capabilities: install their package anew, and \
                 outside of a container",
            ),
            Err(error) => (
                format!("`{program}` cannot be started: {error}"),
                "install the package `uidmap` (Debian, Ubuntu) or `shadow-utils` (Fedora)",
            ),
        };
        return Err(Narrow {
            cause,
            help: Some(help.to_owned()),
        });
    }
    Ok(ids)
}

/// The caller is root, and the range follows it.
fn beside(own: u32, (first, count): (u32, u32)) -> Vec<Extent> {
    vec![
        Extent {
            inside: 0,
            outside: own,
            count: 1,
        },
        Extent {
            inside: 1,
            outside: first,
            count,
        },
    ]
}

/// The name of a user in the text of `/etc/passwd`.
fn name_of(passwd: &str, user: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id = fields.nth(1)?.parse::<u32>().ok()?;
        (id == user).then_some(name)
    })
}

/// The largest range of a user, by name or number, in the text of `/etc/subuid` or `/etc/subgid`.
fn range_of(text: &str, name: Option<&str>, user: u32) -> Option<(u32, u32)> {
    let number = user.to_string();
    let range = |line: &str| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let range: (u32, u32) = (
            fields.next()?.trim().parse().ok()?,
            fields.next()?.trim().parse().ok()?,
        );
        let is_ours = Some(owner) == name || owner == number;
        (is_ours && range.1 > 0).then_some(range)
    };
    text.lines().filter_map(range).max_by_key(|range| range.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_found_by_name_and_by_number() {
        let text = "other:1:2\n# ann:5:6\nann:100000:65536\n1000:300000:10\nann:x:1\nann:7:0\n";
        assert_eq!(range_of(text, Some("ann"), 1000), Some((100_000, 65_536)));
        assert_eq!(range_of(text, Some("bob"), 1000), Some((300_000, 10)));
        assert_eq!(range_of(text, None, 1001), None);
    }

    #[test]
    fn a_name_is_that_of_the_whole_number() {
        let passwd = "root:x:0:0::/:/\nann:x:1000:1000::/:/\n";
        assert_eq!(name_of(passwd, 1000), Some("ann"));
        assert_eq!(name_of(passwd, 100), None);
    }

    #[test]
    fn each_extent_of_a_map_is_one_of_the_next() {
        let extents = identity("         0       1000          1\n         1     100000      65536\n");
        assert_eq!(lines(&extents), "0 0 1\n1 1 65536\n");
    }

    #[test]
    fn one_id_is_not_many() {
        assert!(!Ids::one(1000, 1000, None).are_many());
        let ids = Ids {
            users: beside(1000, (100_000, 65_536)),
            groups: beside(1000, (100_000, 65_536)),
            narrow: None,
        };
        assert!(ids.are_many());
    }
}
