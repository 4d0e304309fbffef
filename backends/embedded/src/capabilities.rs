//! Capabilities by their names, and those that a container has unless it is told otherwise.

/// A set of capabilities, a bit for each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities(pub(crate) u64);

/// Their names, in the order of their numbers.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What Docker gives a container.
const DEFAULT: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

impl Capabilities {
    /// The default without some and with others; `ALL` is all of them.
    ///
    /// # Errors
    /// The name that is none.
    pub(crate) fn of(drop: &[String], add: &[String]) -> Result<Self, String> {
        let default = DEFAULT
            .iter()
            .filter_map(|name| bit(name))
            .fold(0, |all, bit| all | bit);
        let dropped = bits(drop)?;
        let added = bits(add)?;
        Ok(Self((default & !dropped) | added))
    }

    /// Their names, as seccomp profiles write them.
    pub(crate) fn names(self) -> Vec<String> {
        (0..NAMES.len())
            .filter(|number| self.0 & (1 << number) != 0)
            .map(|number| format!("CAP_{}", NAMES[number]))
            .collect()
    }

    /// The numbers of those that are not in it.
    pub(crate) fn missing(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |number| self.0 & (1 << number) == 0)
    }
}

fn bits(names: &[String]) -> Result<u64, String> {
    names.iter().try_fold(0, |all, name| {
        bit(name).map(|bit| all | bit).ok_or_else(|| name.clone())
    })
}

fn bit(name: &str) -> Option<u64> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("CAP_").unwrap_or(&name);
    if name == "ALL" {
        return Some((1 << NAMES.len()) - 1);
    }
    let number = NAMES.iter().position(|one| *one == name)?;
    Some(1 << number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn capabilities_are_dropped_before_others_are_added() {
        let of = |drop: &[&str], add: &[&str]| Capabilities::of(&words(drop), &words(add));
        assert_eq!(of(&[], &[]).unwrap().0, 0xA804_25FB);
        assert_eq!(of(&["ALL"], &["NET_BIND_SERVICE"]).unwrap().0, 1 << 10);
        assert_eq!(of(&["chown"], &[]).unwrap().0, 0xA804_25FA);
        assert_eq!(of(&["ALL"], &["CAP_BPF"]).unwrap().names(), ["CAP_BPF"]);
        assert_eq!(of(&[], &["FLY"]), Err("FLY".to_owned()));
    }
}
