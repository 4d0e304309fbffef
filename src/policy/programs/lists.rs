//! Shells, package managers and wrappers, as data that a reader can check in one place.

/// Command interpreters, by base name.
pub(super) const SHELLS: &[&str] = &[
    "sh",
    "ash",
    "bash",
    "busybox.static-sh",
    "csh",
    "dash",
    "elvish",
    "fish",
    "hush",
    "ksh",
    "ksh93",
    "lksh",
    "mksh",
    "nu",
    "osh",
    "pdksh",
    "posh",
    "pwsh",
    "powershell",
    "rbash",
    "rksh",
    "rzsh",
    "sash",
    "tcsh",
    "xonsh",
    "yash",
    "zsh",
];

/// No interpreters themselves: they hand their command to one, always.
pub(super) const RUN_SHELLS: &[&str] = &["script", "su", "watch"];

/// Programs that hold many others and choose by their first argument or by the name they are called by.
pub(super) const MULTI_CALL: &[&str] = &["busybox", "toybox"];

/// Package managers by base name, and the first arguments with which they only answer.
pub(super) const PACKAGE_MANAGERS: &[(&str, &[&str])] = &[
    (
        "apk",
        &[
            "info", "list", "search", "version", "policy", "stats", "audit", "verify",
        ],
    ),
    (
        "apt",
        &["list", "show", "search", "policy", "depends", "rdepends"],
    ),
    ("apt-get", &["indextargets"]),
    ("aptitude", &["search", "show", "versions", "why", "why-not"]),
    ("conda", &["list", "info", "search"]),
    (
        "dnf",
        &[
            "list",
            "info",
            "search",
            "repoquery",
            "provides",
            "repolist",
            "check",
        ],
    ),
    (
        "dpkg",
        &[
            "-l",
            "-L",
            "-s",
            "-S",
            "-p",
            "-V",
            "-C",
            "--list",
            "--listfiles",
            "--status",
            "--search",
            "--verify",
            "--audit",
            "--print-avail",
            "--print-architecture",
            "--print-foreign-architectures",
            "--get-selections",
            "--compare-versions",
        ],
    ),
    ("easy_install", &[]),
    ("flatpak", &["list", "info", "search"]),
    ("gem", &["list", "info", "search", "environment"]),
    ("mamba", &["list", "info", "search"]),
    ("microdnf", &["repoquery", "repolist"]),
    ("micromamba", &["list", "info", "search"]),
    ("nix-env", &["-q", "--query"]),
    ("npm", &["ls", "list", "view", "outdated"]),
    ("npx", &[]),
    (
        "opkg",
        &["list", "list-installed", "info", "status", "files", "search"],
    ),
    ("pacman", &["-Q", "-Qi", "-Ql", "-Qo", "-Qs"]),
    (
        "pip",
        &[
            "list", "show", "freeze", "check", "inspect", "debug", "config", "index", "help", "-V", "-h",
        ],
    ),
    ("pipenv", &["graph", "verify"]),
    ("pipx", &["list"]),
    ("pnpm", &["ls", "list", "why"]),
    ("poetry", &["show", "check"]),
    (
        "rpm",
        &["-q", "-qa", "-qi", "-ql", "-qf", "-V", "--query", "--verify"],
    ),
    ("snap", &["list", "info", "find"]),
    ("tdnf", &["list", "info", "search", "repoquery", "repolist"]),
    ("uv", &["version", "tree"]),
    ("yarn", &["list", "info", "why"]),
    (
        "yum",
        &["list", "info", "search", "repoquery", "provides", "repolist"],
    ),
    ("zypper", &["info", "search", "list-updates", "packages"]),
];

/// First arguments with which every package manager only answers.
pub(super) const ONLY_ASKS: &[&str] = &["--version", "--help", "version", "help"];

/// A program that runs the program named by its arguments.
pub(super) struct Wrapper {
    pub(super) name: &'static str,
    /// Short options without and with a value.
    pub(super) flags: &'static str,
    pub(super) valued: &'static str,
    /// Long options without and with a value.
    pub(super) long_flags: &'static [&'static str],
    pub(super) long_valued: &'static [&'static str],
    /// How many operands come before the program.
    pub(super) operands: usize,
}

const fn wrapper(name: &'static str, flags: &'static str, valued: &'static str, operands: usize) -> Wrapper {
    Wrapper {
        name,
        flags,
        valued,
        long_flags: &[],
        long_valued: &[],
        operands,
    }
}

pub(super) const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        long_flags: &["ignore-environment", "debug"],
        long_valued: &["unset", "chdir", "argv0"],
        ..wrapper("env", "iv", "uCa", 0)
    },
    wrapper("tini", "svgw", "pe", 0),
    wrapper("tini-static", "svgw", "pe", 0),
    wrapper("docker-init", "svgw", "pe", 0),
    wrapper("catatonit", "P", "g", 0),
    Wrapper {
        long_flags: &["single-child", "verbose"],
        long_valued: &["rewrite"],
        ..wrapper("dumb-init", "cv", "r", 0)
    },
    Wrapper {
        long_valued: &["adjustment"],
        ..wrapper("nice", "0123456789", "n", 0)
    },
    Wrapper {
        long_valued: &["class", "classdata"],
        ..wrapper("ionice", "t", "cn", 0)
    },
    wrapper("nohup", "", "", 0),
    Wrapper {
        long_flags: &["ctty", "fork", "wait"],
        ..wrapper("setsid", "cfw", "", 0)
    },
    Wrapper {
        long_valued: &["input", "output", "error"],
        ..wrapper("stdbuf", "", "ioe", 0)
    },
    Wrapper {
        long_flags: &["preserve-status", "foreground", "verbose"],
        long_valued: &["kill-after", "signal"],
        ..wrapper("timeout", "vfp", "ks", 1)
    },
    wrapper("taskset", "ac", "", 1),
    wrapper("chrt", "abfior", "TPD", 1),
    Wrapper {
        long_valued: &["userspec", "groups"],
        ..wrapper("chroot", "", "", 1)
    },
    wrapper("su-exec", "", "", 1),
    wrapper("gosu", "", "", 1),
    Wrapper {
        long_flags: &["set-home", "preserve-env", "non-interactive"],
        long_valued: &["user", "group", "host", "chdir"],
        ..wrapper("sudo", "HEnSbk", "ughCDR", 0)
    },
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

pub(super) const LOADER: Wrapper = Wrapper {
    long_flags: &[
        "inhibit-cache",
        "list",
        "verify",
        "list-tunables",
        "list-diagnostics",
        "help",
        "version",
    ],
    long_valued: &[
        "library-path",
        "inhibit-rpath",
        "preload",
        "audit",
        "argv0",
        "glibc-hwcaps-prepend",
        "glibc-hwcaps-mask",
    ],
    ..wrapper("ld-linux", "", "LE0", 0)
};
