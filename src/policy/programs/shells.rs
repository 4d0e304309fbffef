//! Command interpreters, as data: names, and where a program of that name comes from.

use super::name::{By, Name};

/// What counts as a shell. The packages are Debian's, unless another distribution is named.
///
/// `By::Content`: programs of other kinds have the same name, so that it only counts where nobody read the program.
pub(super) const SHELLS: &[Name] = &[
    // POSIX and its ancestors.
    Name::of("sh", "dash, bash, busybox; Alpine: busybox-binsh"),
    Name::of("ash", "ash (dash), busybox; Alpine: busybox"),
    Name::versioned("bash", "bash; upstream installs bash-5.2 too"),
    Name::of("rbash", "bash"),
    Name::of("dash", "dash"),
    Name::versioned("ksh", "ksh93u+m, mksh, Alpine's loksh; ksh93"),
    Name::of("rksh", "ksh93u+m"),
    Name::of("rksh93", "ksh93u+m"),
    Name::of("pfksh", "ast-ksh (illumos)"),
    Name::of("mksh", "mksh"),
    Name::of("rmksh", "mksh"),
    Name::of("lksh", "mksh"),
    Name::of("oksh", "Alpine: oksh"),
    Name::of("loksh", "Alpine: loksh"),
    Name::of("pdksh", "pdksh (until Debian 7)"),
    Name::of("posh", "posh"),
    Name::of("yash", "yash"),
    Name::versioned("zsh", "zsh; upstream installs zsh-5.9 too"),
    Name::of("rzsh", "zsh"),
    Name::of("fizsh", "fizsh"),
    Name::of("sash", "sash"),
    Name::of("smrsh", "sendmail-bin"),
    Name::of("mrsh", "Alpine: mrsh"),
    Name::of("jsh", "heirloom-sh (upstream)"),
    Name::of("pbosh", "schily tools (upstream)"),
    Name::of("bsh", "schily tools (upstream)").by(By::Content),
    Name::of("bosh", "schily tools (upstream); Debian's bosh is none").by(By::Content),
    Name::of("hush", "busybox").by(By::Content),
    Name::of("gosh", "mvdan.cc/sh (Go)").by(By::Content),
    Name::of("brush", "brush-shell (Rust crate)"),
    Name::of("osh", "oils (upstream)"),
    Name::of("ysh", "oils (upstream)"),
    Name::of("oil", "oils (upstream)"),
    Name::of("oils-for-unix", "oils (upstream); Alpine: oils-for-unix"),
    Name::of("static-sh", "Debian's busybox-static as an initramfs has it"),
    Name::of("bash-static", "bash-static"),
    Name::of("zsh-static", "zsh-static"),
    Name::of("dash-static", "Alpine: dash-static"),
    // C shells.
    Name::of("csh", "csh, tcsh"),
    Name::of("bsd-csh", "csh"),
    Name::of("tcsh", "tcsh"),
    // Plan 9's and its descendants.
    Name::of("rc", "rc, 9base").by(By::Content),
    Name::of("rc.byron", "rc"),
    Name::of("es", "es (until Debian 11); Alpine: es").by(By::Content),
    // Others.
    Name::of("fish", "fish"),
    Name::of("elvish", "elvish"),
    Name::of("xonsh", "xonsh"),
    Name::of("nu", "nushell (npm, Rust crate); Alpine: nushell").by(By::Content),
    Name::of("nushell", "nushell (npm)").by(By::Content),
    Name::of("ion", "ion-shell (upstream)"),
    Name::of("murex", "murex (Go)"),
    Name::of("rush", "rush (GNU): a restricted login shell").by(By::Content),
    Name::of("rssh", "rssh (until Debian 9): a restricted login shell"),
    Name::of("lshell", "lshell (until Debian 11): a restricted login shell"),
    Name::of("scsh", "scsh (until Debian 11)"),
    Name::of("gash", "gash (Guix)"),
    Name::of("pwsh", "PowerShell (Microsoft)"),
    Name::of("pwsh-preview", "PowerShell (Microsoft)"),
    Name::of("powershell", "PowerShell (Microsoft)"),
];

/// Shells that are scripts of another interpreter. Any other script is none, whatever it is called.
pub(super) const SCRIPTED: &[&str] = &["gash", "lshell", "xonsh"];

/// No interpreters themselves: they hand their command to one, always.
pub(super) const RUN_SHELLS: &[&str] = &[
    // bsdutils, util-linux, procps, login and sudo.
    "newgrp",
    "script",
    "scriptlive",
    "sg",
    "su",
    "sulogin",
    "watch",
];

/// Programs that hold many others and choose by their first argument or by the name they are called by.
pub(super) const MULTI_CALL: &[&str] = &["busybox", "toybox"];
