//! What is there on the machine: processes, their namespaces, mounts.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A process, which no later one of the same number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) number: u32,
    pub(crate) parent: u32,
    started: u64,
    /// It has ended, and whoever has to has not noticed yet: the machine's init, if its parent ended first.
    is_zombie: bool,
}

impl Process {
    /// None if there is none, or none but its number.
    fn of(number: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // Its name may be anything.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        Some(Self {
            number,
            is_zombie: *fields.first()? == "Z",
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    pub(crate) fn is_there(self) -> bool {
        Self::of(self.number).is_some_and(|now| now.started == self.started && !now.is_zombie)
    }

    pub(crate) fn kill(self, signal: rustix::process::Signal) {
        let number = i32::try_from(self.number).expect("a process number");
        let pid = rustix::process::Pid::from_raw(number).expect("a process number");
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// A field of its status, in kB or whatever it is counted in.
    pub(crate) fn status(self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.number)).expect("it is there");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let words = line.unwrap_or_default().split_whitespace().next();
        words.and_then(|word| word.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn descriptors(self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.number))
            .expect("it is there")
            .count()
    }

    pub(crate) fn mounts(self) -> usize {
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", self.number)).expect("it is there");
        mounts.lines().count()
    }
}

pub(crate) fn this() -> Process {
    Process::of(std::process::id()).expect("it is there")
}

fn all() -> Vec<Process> {
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let entries = fs::read_dir("/proc").expect("a list of processes").flatten();
    entries.filter_map(number).filter_map(Process::of).collect()
}

/// Everything that a process has started, and what that has started; parents come first.
pub(crate) fn descendants(of: u32) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = HashSet::from([of]);
    loop {
        let before = found.len();
        for one in &all {
            if parents.contains(&one.parent) && parents.insert(one.number) {
                found.push(*one);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The namespaces that some processes are in and this one is not.
pub(crate) fn namespaces(of: &[Process]) -> HashSet<PathBuf> {
    let mine: HashSet<_> = namespaces_of(std::process::id()).collect();
    let theirs = of.iter().flat_map(|one| namespaces_of(one.number));
    theirs.filter(|one| !mine.contains(one)).collect()
}

fn namespaces_of(process: u32) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(format!("/proc/{process}/ns"))
        .into_iter()
        .flatten()
        .flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok())
}

/// Who is in one of these namespaces.
pub(crate) fn who_is_in(namespaces: &HashSet<PathBuf>) -> Vec<Process> {
    let is_in =
        |one: &Process| !one.is_zombie && namespaces_of(one.number).any(|its| namespaces.contains(&its));
    all().into_iter().filter(is_in).collect()
}

/// Whether this process sees a mount at or below a path.
pub(crate) fn is_mounted(below: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("a list of mounts");
    let below = below.to_str().expect("a path of text");
    mounts.lines().any(|line| {
        line.split(' ')
            .nth(4)
            .is_some_and(|point| point.starts_with(below))
    })
}

/// Waits until something is so, for as long as anything may stay.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "not within 10 s: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
