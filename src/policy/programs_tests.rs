use super::*;

fn reading(line: &str) -> Reading {
    read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
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
    ] {
        let program = line.split([' ', '=']).find(|word| {
            let name = word.rsplit('/').next().unwrap().trim_start_matches('-');
            is_shell(name) || RUN_SHELLS.contains(&name) || *word == "-Ssh"
        });
        let program = program.unwrap_or("sh").replace("-Ssh", "sh");
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
        "bash-5x",
        "sh.py",
        "5sh",
    ] {
        assert_eq!(reading(line), Reading::Other, "{line}");
    }
    assert_eq!(read(&[]), Reading::Other);
}

#[test]
fn package_managers_that_change_something_are_found() {
    for (line, program) in [
        ("apt-get install -y curl", "apt-get"),
        ("/usr/bin/apt-get update", "/usr/bin/apt-get"),
        ("apk add krb5", "apk"),
        ("dpkg -i x.deb", "dpkg"),
        ("pip install x", "pip"),
        ("pip3.11 install x", "pip3.11"),
        ("python3 -m pip install x", "pip"),
        ("python3.11 -I -m pip install x", "pip"),
        ("python3 -Im pip install x", "pip"),
        ("python3 -mpip install x", "pip"),
        ("python3 -X dev -m pip install x", "pip"),
        ("python3 -u -W ignore -m pip install x", "pip"),
        ("python3 -m pip.__main__ install x", "pip.__main__"),
        ("python3 -m ensurepip", "ensurepip"),
        (
            "python3 /usr/lib/python3/dist-packages/pip install x",
            "/usr/lib/python3/dist-packages/pip",
        ),
        (
            "python3 /usr/lib/python3/dist-packages/pip/__main__.py install x",
            "/usr/lib/python3/dist-packages/pip",
        ),
        ("python3 pip.pyz install x", "pip.pyz"),
        ("env DEBIAN_FRONTEND=noninteractive apt-get install x", "apt-get"),
        ("busybox dpkg -i x.deb", "dpkg"),
        ("npm install", "npm"),
        ("rpm -i x.rpm", "rpm"),
    ] {
        assert_eq!(reading(line), Reading::PackageManager(program.into()), "{line}");
    }
}

#[test]
fn package_managers_that_only_answer_are_no_finding() {
    for line in [
        "dpkg -l",
        "dpkg --status libc6",
        "pip list",
        "pip --version",
        "apk info",
        "apt",
        "apt list",
        "rpm -qa",
        "python3 -m pip list",
        "python3 -m http.server",
        "python3 -m this",
        "python3 pipeline.py",
        "python3 -m pipeline",
    ] {
        assert_eq!(reading(line), Reading::Other, "{line}");
    }
}

#[test]
fn every_package_manager_in_the_list_is_found_when_it_installs() {
    for (manager, asks) in PACKAGE_MANAGERS {
        let install = format!("{manager} install x");
        assert_eq!(
            reading(&install),
            Reading::PackageManager((*manager).into()),
            "{install}"
        );
        for ask in *asks {
            assert_eq!(
                reading(&format!("{manager} {ask} x")),
                Reading::Other,
                "{manager} {ask}"
            );
        }
        for ask in ONLY_ASKS {
            assert_eq!(
                reading(&format!("{manager} {ask}")),
                Reading::Other,
                "{manager} {ask}"
            );
        }
    }
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
        (
            "/lib64/ld-linux-x86-64.so.2 --unknown /bin/sh",
            "/lib64/ld-linux-x86-64.so.2",
        ),
    ] {
        assert_eq!(reading(line), Reading::Unreadable(program.into()), "{line}");
    }
}
