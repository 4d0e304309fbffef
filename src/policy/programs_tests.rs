use super::*;

#[path = "programs_tests/content.rs"]
mod content;
#[path = "programs_tests/interpreters.rs"]
mod interpreters;
#[path = "programs_tests/managers.rs"]
mod managers;
#[path = "programs_tests/started.rs"]
mod started;

/// Words are parted by spaces; a no-break space stands for one within a word.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace('\u{a0}', " ")).collect()
}

fn reading(line: &str) -> Reading {
    read(&words(line))
}

fn started(line: &str, content: Content) -> Reading {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    read_started(&words, false, content)
}

fn is_shell(name: &str) -> bool {
    SHELLS.iter().any(|shell| shell.is(name))
}

#[test]
fn shells_are_shells_under_every_wrapper() {
    for line in [
        "sh",
        "/bin/sh -c true",
        "-bash",
        "/usr/bin/bash5.2",
        "bash-5.2",
        "bash-static",
        "zsh",
        "su postgres -c postgres",
        "busybox sh",
        "/bin/busybox ash -c true",
        "busybox-static sh",
        "busybox busybox sh",
        "env sh",
        "env -i sh",
        "env A=b C=d sh -c true",
        "env -u HOME -C / sh",
        "env -uHOME sh",
        "env --unset=HOME sh",
        "env --unset HOME sh",
        "env -- sh",
        "env -S sh",
        "env -Ssh",
        "env -Ssh -c true",
        "env -iS sh",
        "env --split-string=sh",
        "env --split-string sh",
        "tini -- sh",
        "/sbin/tini -s -g -p SIGTERM sh",
        "docker-init -- /bin/sh",
        "dumb-init sh",
        "dumb-init --rewrite 15:2 -- sh",
        "dumb-init --single-child sh",
        "nice --adjustment 5 sh",
        "ionice --class 2 --classdata 3 sh",
        "setsid --wait sh",
        "stdbuf --output L sh",
        "timeout --foreground --kill-after 5 9 sh",
        "chroot --groups 1 / sh",
        "sudo --non-interactive --user postgres sh",
        "sudo -u postgres A=b sh",
        "env --ignore-environment --chdir / sh",
        "/lib/ld-linux.so.2 --inhibit-cache --argv0 x /bin/sh",
        "catatonit -- sh",
        "nice sh",
        "nice -n 5 sh",
        "nice -5 sh",
        "nice -n5 sh",
        "ionice -c2 sh",
        "nohup sh",
        "setsid -w sh",
        "stdbuf -oL sh",
        "timeout 5 sh",
        "timeout -k 5 --signal TERM 10s sh -c true",
        "timeout -sTERM 5 sh",
        "taskset -c 0 sh",
        "chrt -f 1 sh",
        "chroot / sh",
        "chroot --userspec=1:1 / sh",
        "su-exec postgres sh",
        "gosu postgres sh -c true",
        "sudo -u postgres sh",
        "sudo -n -u postgres -- sh",
        "doas -u root sh",
        "time -p sh",
        "/lib64/ld-linux-x86-64.so.2 /bin/dash -c true",
        "/lib64/ld-linux-x86-64.so.2 --library-path /lib /bin/dash",
        "/lib/ld-musl-x86_64.so.1 /bin/busybox sh",
        "qemu-x86_64-static /bin/sh",
        "tini -- env A=b timeout 5 nice sh",
        "xonsh",
        "ksh93",
        "env - sh",
        "env - A=b sh",
        "env -i0 sh",
        "env --block-signal=INT sh",
        "chroot /x",
        "qemu-aarch64 -L /x /bin/sh",
        "sg disk ls",
        "rc.byron",
        "bsd-csh",
        "static-sh",
        "bash.static",
        "osh",
        "pwsh -c ls",
    ] {
        let program = line.split([' ', '=']).find(|word| {
            let name = word.rsplit('/').next().unwrap().trim_start_matches('-');
            is_shell(name) || RUN_SHELLS.contains(&name) || *word == "-Ssh"
        });
        let program = program
            .or(line.starts_with("chroot").then_some("chroot"))
            .unwrap_or("sh")
            .replace("-Ssh", "sh");
        assert_eq!(reading(line), Reading::Shell(program), "{line}");
    }
}

#[test]
fn what_only_looks_like_a_shell_is_none() {
    for line in [
        "/usr/bin/python3 sh",
        "python3 -c import\u{a0}os",
        "python3",
        "/tiny echo sh -c",
        "fish-counter",
        "bash-exporter",
        "shellcheck",
        "postgres -D /data",
        "/usr/bin/bashful",
        "ssh",
        "busybox ls",
        "busybox",
        "env",
        "env A=sh",
        "env python3 app.py",
        "env -S",
        "env /tiny -Ssh",
        "env -- -Ssh",
        "ld-analyse sh",
        "tool.solver sh",
        "timeout 5 /tiny sh",
        "gosu sh /tiny",
        "su-exec sh /tiny",
        "chroot sh /tiny",
        "sudo -u sh /tiny",
        "nice -n 5 /tiny",
        "java -jar app.jar",
        "perl -e 1",
        "qemu-img convert",
        "qemu-system-x86_64 sh",
        "/lib64/ld-linux-x86-64.so.2 /tiny",
        "ld-linux-x86-64.so.2 --list /bin/sh",
        "/lib64/ld-linux-x86-64.so.2 --verify /bin/dash",
        "/lib64/ld-linux-x86-64.so.2 --library-path /x --list /bin/dash",
        "/lib/ld-musl-x86_64.so.1 --list /bin/busybox",
        "ld.so --list-tunables",
        "env --help sh",
        "nice --version",
        "sh1",
        "dash2",
        "fish-3",
        "hushd",
        "bash-5x",
        "sh.py",
        "5sh",
    ] {
        assert_eq!(reading(line), Reading::Other, "{line}");
    }
    assert_eq!(read(&[]), Reading::Other);
}

#[test]
fn what_cannot_be_read_through_says_so() {
    for (line, program) in [
        ("xargs sh", "xargs"),
        ("find / -exec sh", "find"),
        ("env --unknown sh", "env"),
        ("env -S sh\u{a0}-c\u{a0}'a'", "env"),
        ("timeout --unknown 5 sh", "timeout"),
        ("timeout -Z 5 sh", "timeout"),
        ("timeout", "timeout"),
        ("nice -n", "nice"),
        ("env --unset", "env"),
        ("gosu", "gosu"),
        ("unshare -r sh", "unshare"),
        // Names that programs of other kinds have.
        ("nu", "nu"),
        ("/usr/bin/rc -c x", "/usr/bin/rc"),
        ("es", "es"),
        ("hush", "hush"),
        ("bosh --version", "bosh"),
        ("env rush", "rush"),
        ("linux32 sh", "linux32"),
        (
            "/lib64/ld-linux-x86-64.so.2 --unknown /bin/sh",
            "/lib64/ld-linux-x86-64.so.2",
        ),
    ] {
        assert_eq!(reading(line), Reading::Unreadable(program.into()), "{line}");
    }
}
