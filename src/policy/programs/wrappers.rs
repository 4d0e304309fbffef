//! Programs that run what their arguments name, as data.

use super::options::Options;

/// A program that runs the program named by its arguments.
pub(super) struct Wrapper {
    pub(super) name: &'static str,
    pub(super) options: Options,
    /// How many operands come before the program.
    pub(super) operands: usize,
    /// Options with which it runs nothing.
    pub(super) answers: &'static str,
}

const fn wrapper(name: &'static str, flags: &'static str, valued: &'static str, operands: usize) -> Wrapper {
    long(name, [flags, valued], ["", ""], operands)
}

/// One with long options too; the options of each pair are without a value and with one.
const fn long(
    name: &'static str,
    [flags, valued]: [&'static str; 2],
    [long_flags, long_valued]: [&'static str; 2],
    operands: usize,
) -> Wrapper {
    Wrapper {
        name,
        options: Options {
            flags,
            valued,
            long_flags,
            long_valued,
        },
        operands,
        answers: "help version",
    }
}

pub(super) const WRAPPERS: &[Wrapper] = &[
    long(
        "env",
        ["iv0", "uCa"],
        [
            "ignore-environment debug null help version block-signal default-signal ignore-signal \
                list-signal-handling",
            "unset chdir argv0",
        ],
        0,
    ),
    wrapper("tini", "svgw", "pe", 0),
    wrapper("tini-static", "svgw", "pe", 0),
    wrapper("docker-init", "svgw", "pe", 0),
    wrapper("catatonit", "P", "g", 0),
    long("dumb-init", ["cv", "r"], ["single-child verbose", "rewrite"], 0),
    long("nice", ["0123456789", "n"], ["", "adjustment"], 0),
    long("ionice", ["t", "cn"], ["", "class classdata"], 0),
    wrapper("nohup", "", "", 0),
    long("setsid", ["cfw", ""], ["ctty fork wait", ""], 0),
    long("stdbuf", ["", "ioe"], ["", "input output error"], 0),
    long(
        "timeout",
        ["vfp", "ks"],
        ["preserve-status foreground verbose", "kill-after signal"],
        1,
    ),
    wrapper("taskset", "ac", "", 1),
    wrapper("chrt", "abfior", "TPD", 1),
    long("chroot", ["", ""], ["", "userspec groups"], 1),
    wrapper("su-exec", "", "", 1),
    wrapper("gosu", "", "", 1),
    long(
        "sudo",
        ["HEnSbk", "ughCDR"],
        ["set-home preserve-env non-interactive", "user group host chdir"],
        0,
    ),
    wrapper("doas", "nL", "uC", 0),
    wrapper("time", "pv", "of", 0),
];

/// Programs that run what their arguments name, in ways that are not followed here.
pub(super) const UNREADABLE_WRAPPERS: &[&str] = &[
    "at",
    "batch",
    "bwrap",
    "capsh",
    "entr",
    "expect",
    "find",
    "firejail",
    "flock",
    "fork",
    "linux32",
    "linux64",
    "logsave",
    "ltrace",
    "nsenter",
    "parallel",
    "prlimit",
    "proot",
    "runcon",
    "runuser",
    "setarch",
    "setpriv",
    "s6-setuidgid",
    "start-stop-daemon",
    "strace",
    "systemd-run",
    "unshare",
    "xargs",
];

/// The dynamic loaders of glibc and musl, and QEMU's emulators.
pub(super) const LOADER: Wrapper = Wrapper {
    answers: "list verify list-tunables list-diagnostics help version",
    ..long(
        "ld-linux",
        ["", "LE0"],
        [
            "inhibit-cache list verify list-tunables list-diagnostics help version",
            "library-path inhibit-rpath preload audit argv0 glibc-hwcaps-prepend glibc-hwcaps-mask",
        ],
        0,
    )
};
