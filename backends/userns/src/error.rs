//! What failed first, and what cures it.

use std::fmt;
use std::fs;
use std::io;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The steps from a process of ours to one that can run containers, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Step {
    /// Starting the own binary again.
    Start,
    /// A new user namespace.
    Namespace,
    /// Giving it its ids.
    Map,
    /// Becoming root in it.
    Root,
    /// New mount, process and network namespaces in it.
    Surroundings,
    /// A file system of processes of its own.
    Proc,
    /// A file system in memory.
    Scratch,
    /// An overlay of directories.
    Overlay,
    /// The namespaces of a container, inside of those.
    Container,
    /// A bridge, and a wire from it to a container.
    Network,
    /// A filter of system calls that asks somebody.
    Filter,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: &'static [Self] = &[
        Self::Start,
        Self::Namespace,
        Self::Map,
        Self::Root,
        Self::Surroundings,
        Self::Proc,
        Self::Scratch,
        Self::Overlay,
        Self::Container,
        Self::Network,
        Self::Filter,
    ];

    /// What was tried, in words that follow "cannot".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start the own program again",
            Self::Namespace => "make a user namespace",
            Self::Map => "give the user namespace its ids",
            Self::Root => "become root in the user namespace",
            Self::Surroundings => "make namespaces for mounts, processes and networks",
            Self::Proc => "mount a file system of processes",
            Self::Scratch => "mount a file system in memory",
            Self::Overlay => "mount an overlay of directories",
            Self::Container => "make a container's namespaces",
            Self::Network => "make a bridge and a wire to a container",
            Self::Filter => "install a seccomp filter with a listener",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The first step that failed, why, and its cure.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {cause}{}", Help(.help))]
pub struct Error {
    /// The step.
    pub step: Step,
    /// What the kernel said.
    #[source]
    pub cause: io::Error,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

struct Help<'a>(&'a Option<String>);

impl fmt::Display for Help<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |help| write!(f, "\nhelp: {help}"))
    }
}

impl Error {
    /// A step that failed on this machine.
    pub fn new(step: Step, cause: io::Error) -> Self {
        let help = cure(step, &cause, &|file| {
            let text = fs::read_to_string(format!("/proc/sys/{file}")).ok()?;
            text.trim().parse().ok()
        });
        Self { step, cause, help }
    }
}

const IN_CONTAINER: &str = "this machine or container forbids user namespaces: inside a container, start it with \
    `--security-opt seccomp=unconfined --security-opt systempaths=unconfined` (Podman: `--security-opt unmask=ALL`), or run \
    shellproof outside of it";

/// What is known to help. `setting` reads a number below `/proc/sys`.
fn cure(step: Step, cause: &io::Error, setting: &dyn Fn(&str) -> Option<u64>) -> Option<String> {
    let errno = Errno::from_io_error(cause);
    let is_denied =
        matches!(errno, Some(Errno::PERM | Errno::ACCESS)) || cause.kind() == io::ErrorKind::PermissionDenied;
    let restricted =
        || setting("kernel/apparmor_restrict_unprivileged_userns").is_some_and(|value| value > 0);
    let by_sysctl = |name: &str, value: &str| Some(format!("as root: `sysctl -w {name}={value}`"));
    match step {
        Step::Start if is_denied => Some(
            "the program's file cannot be executed again: it is on a file system that is mounted `noexec`; move it to another"
                .into(),
        ),
        Step::Start => None,
        Step::Namespace if errno == Some(Errno::NOSPC) || setting("user/max_user_namespaces") == Some(0) => {
            by_sysctl("user.max_user_namespaces", "15000")
        }
        Step::Namespace if setting("kernel/unprivileged_userns_clone") == Some(0) => {
            by_sysctl("kernel.unprivileged_userns_clone", "1")
        }
        Step::Namespace if errno == Some(Errno::INVAL) => {
            Some("the kernel is built without user namespaces (CONFIG_USER_NS): use another".into())
        }
        _ if is_denied && restricted() => by_sysctl("kernel.apparmor_restrict_unprivileged_userns", "0"),
        Step::Namespace | Step::Surroundings | Step::Container if is_denied => Some(IN_CONTAINER.into()),
        Step::Proc if is_denied => Some(
            "some of `/proc` is covered, as in a container: start that with `--security-opt systempaths=unconfined` (Podman: \
             `--security-opt unmask=ALL`)"
                .into(),
        ),
        Step::Surroundings | Step::Container if errno == Some(Errno::NOSPC) => Some(
            "the user may make no more namespaces: as root, raise `user.max_user_namespaces`, `user.max_mnt_namespaces`, \
             `user.max_net_namespaces` and `user.max_pid_namespaces`"
                .into(),
        ),
        Step::Overlay if errno == Some(Errno::NODEV) => Some("as root: `modprobe overlay`".into()),
        Step::Overlay => Some("overlays in user namespaces need Linux 5.11 or newer".into()),
        Step::Network if matches!(errno, Some(Errno::OPNOTSUPP | Errno::NODEV | Errno::NOENT)) => {
            Some("as root: `modprobe -a bridge veth`".into())
        }
        Step::Network => None,
        Step::Filter if errno == Some(Errno::BUSY) => Some(
            "somebody listens to this process's system calls already, as in a container that is watched: run shellproof outside \
             of it"
                .into(),
        ),
        Step::Filter => Some("it needs Linux 5.5 or newer with CONFIG_SECCOMP_FILTER".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(step: Step, errno: Errno, settings: &[(&str, u64)]) -> String {
        let setting = |name: &str| settings.iter().find(|one| one.0 == name).map(|one| one.1);
        cure(step, &io::Error::from(errno), &setting).unwrap_or_default()
    }

    #[test]
    fn each_way_in_which_it_is_forbidden_has_its_cure() {
        let apparmor = &[("kernel/apparmor_restrict_unprivileged_userns", 1)][..];
        for (step, errno, settings, part) in [
            (Step::Namespace, Errno::NOSPC, &[][..], "user.max_user_namespaces"),
            (
                Step::Namespace,
                Errno::PERM,
                &[("kernel/unprivileged_userns_clone", 0)][..],
                "kernel.unprivileged_userns_clone=1",
            ),
            (Step::Namespace, Errno::PERM, &[][..], "seccomp=unconfined"),
            (Step::Namespace, Errno::INVAL, &[][..], "CONFIG_USER_NS"),
            (
                Step::Map,
                Errno::PERM,
                apparmor,
                "apparmor_restrict_unprivileged_userns=0",
            ),
            (
                Step::Scratch,
                Errno::ACCESS,
                apparmor,
                "apparmor_restrict_unprivileged_userns=0",
            ),
            (Step::Proc, Errno::PERM, &[][..], "systempaths=unconfined"),
            (Step::Start, Errno::ACCESS, &[][..], "noexec"),
            (Step::Overlay, Errno::INVAL, &[][..], "5.11"),
            (Step::Overlay, Errno::NODEV, &[][..], "modprobe overlay"),
            (
                Step::Container,
                Errno::NOSPC,
                &[][..],
                "raise `user.max_user_namespaces`",
            ),
            (
                Step::Network,
                Errno::OPNOTSUPP,
                &[][..],
                "modprobe -a bridge veth",
            ),
            (Step::Filter, Errno::BUSY, &[][..], "outside"),
            (Step::Filter, Errno::INVAL, &[][..], "CONFIG_SECCOMP_FILTER"),
        ] {
            let help = help(step, errno, settings);
            assert!(help.contains(part), "{step}: {help}");
        }
        // Nothing is advised where nothing is known.
        assert_eq!(help(Step::Map, Errno::PERM, &[]), "");
    }

    #[test]
    fn an_error_says_the_step_the_cause_and_the_cure() {
        let error = Error::new(Step::Namespace, io::Error::from(Errno::NOSPC)).to_string();
        assert!(error.starts_with("cannot make a user namespace: "), "{error}");
        assert!(error.contains("\nhelp: "), "{error}");
    }
}
