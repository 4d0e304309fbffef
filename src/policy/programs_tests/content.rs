//! Where the content was read, it decides; where it was not, the name.

use super::*;

fn shell(line: &str) -> Reading {
    Reading::Shell(line.split(' ').next().unwrap_or_default().to_owned())
}

fn manager(line: &str) -> Reading {
    Reading::PackageManager(line.split(' ').next().unwrap_or_default().to_owned())
}

fn unreadable(line: &str) -> Reading {
    Reading::Unreadable(line.split(' ').next().unwrap_or_default().to_owned())
}

#[test]
fn a_strong_name_is_a_shell_whatever_was_read() {
    for line in [
        "sh",
        "/bin/bash -c true",
        "dash",
        "ash",
        "zsh",
        "ksh93",
        "fish",
        "tcsh",
        "mksh",
        "pwsh",
    ] {
        for content in [Content::Unknown, Content::Other, Content::Shell] {
            assert_eq!(started(line, content), shell(line), "{line} {content:?}");
        }
    }
}

#[test]
fn a_weak_name_counts_only_where_nobody_read_the_program() {
    for line in ["nu", "/usr/bin/rc -c x", "es", "hush", "rush", "bosh", "gosh"] {
        assert_eq!(started(line, Content::Other), Reading::Other, "{line}");
        assert_eq!(started(line, Content::Unknown), unreadable(line), "{line}");
        assert_eq!(started(line, Content::Shell), shell(line), "{line}");
        assert_eq!(reading(line), unreadable(line), "{line}");
    }
}

#[test]
fn a_script_is_no_shell_whatever_it_is_called_unless_shells_are_scripts_there() {
    for line in [
        "dash",
        "/app/dash --port 80",
        "sh",
        "fish",
        "/usr/bin/nu",
        "busybox sh",
    ] {
        assert_eq!(started(line, Content::Script), Reading::Other, "{line}");
        assert_eq!(started(line, Content::ManagerScript), Reading::Other, "{line}");
    }
    assert_eq!(
        started("/usr/bin/xonsh", Content::Script),
        shell("/usr/bin/xonsh")
    );
}

#[test]
fn a_shell_by_content_has_any_name() {
    for line in ["/opt/tool", "python3 -m this", "apt list", "sh1", "nu"] {
        assert_eq!(started(line, Content::Shell), shell(line), "{line}");
    }
}

#[test]
fn what_holds_many_programs_is_called_by_one_of_their_names() {
    for line in ["/opt/server -c x", "/opt/server", "busybox -c x"] {
        let called = line.trim_start_matches("busybox ");
        assert_eq!(started(line, Content::MultiCall), unreadable(called), "{line}");
    }
    for line in [
        "/bin/ls -l",
        "busybox",
        "busybox ls",
        "busybox --list",
        "/usr/bin/tail -f x",
    ] {
        assert_eq!(started(line, Content::MultiCall), Reading::Other, "{line}");
    }
}

#[test]
fn package_managers_by_content_and_name() {
    for line in [
        "uv pip install x",
        "uv sync",
        "uvx ruff",
        "cargo install x",
        "cargo build",
        "go install x@latest",
        "go get x",
        "bun add x",
        "bunx x",
        "deno install x",
        "snap install x",
        "stack build",
    ] {
        assert_eq!(started(line, Content::PackageManager), manager(line), "{line}");
        assert_eq!(started(line, Content::Unknown), manager(line), "{line}");
        assert_eq!(started(line, Content::Other), Reading::Other, "{line}");
        assert_eq!(started(line, Content::Script), Reading::Other, "{line}");
        assert_eq!(reading(line), manager(line), "{line}");
    }
    // What such a program does not know is another program's, if nobody read it.
    for line in [
        "uv --serve",
        "uv serve",
        "go 19x19",
        "cargo ship",
        "stack push",
        "snap shot",
    ] {
        let expected = match line.ends_with("--serve") {
            true => Reading::Other,
            false => unreadable(line),
        };
        assert_eq!(started(line, Content::Unknown), expected, "{line}");
        assert_eq!(started(line, Content::Other), Reading::Other, "{line}");
        assert_eq!(started(line, Content::PackageManager), Reading::Other, "{line}");
    }
    for line in [
        "apt-get install x",
        "dpkg -i x",
        "apk add x",
        "rpm -i x",
        "opam install x",
        "/sbin/apk.static add x",
    ] {
        for content in [Content::Unknown, Content::Other, Content::Script] {
            assert_eq!(started(line, content), manager(line), "{line} {content:?}");
        }
    }
}

#[test]
fn a_script_with_a_package_managers_name_is_one_by_its_content() {
    for line in [
        "/usr/bin/pip install x",
        "pip3.11 install x",
        "/usr/bin/npm ci",
        "gem install x",
        "poetry add x",
        "yarn",
    ] {
        assert_eq!(started(line, Content::ManagerScript), manager(line), "{line}");
        assert_eq!(started(line, Content::Unknown), manager(line), "{line}");
        // Some of them come as one file that holds their interpreter.
        assert_eq!(started(line, Content::Other), manager(line), "{line}");
        assert_eq!(started(line, Content::Script), Reading::Other, "{line}");
    }
    assert_eq!(
        started("/usr/bin/pip list", Content::ManagerScript),
        Reading::Other
    );
    assert_eq!(
        started("/opt/deploy install", Content::ManagerScript),
        Reading::Other
    );
}

#[test]
fn a_renamed_package_manager_is_judged_by_what_all_of_them_know() {
    for line in [
        "/opt/tool pip install x",
        "/opt/tool add x",
        "/opt/x --quiet upgrade",
        // dpkg, rpm and pacman have options for commands.
        "/opt/x -i a.deb",
        "/opt/x --unpack a.deb",
        "/opt/x -Uvh a.rpm",
        "/opt/x -Syu",
        "/opt/x --noconfirm -S a",
        "/opt/x --purge a",
    ] {
        assert_eq!(started(line, Content::PackageManager), manager(line), "{line}");
    }
    for line in [
        "/opt/tool",
        "/opt/tool --version",
        "/opt/tool list",
        "/opt/x -l",
        "/opt/x -qi a",
        "/opt/x -Qi a",
        "/opt/x --status a",
        // Longer words behind one dash are some other program's.
        "/opt/x -installsuffix a",
        "/opt/x -S=a",
        "/opt/x -",
    ] {
        assert_eq!(started(line, Content::PackageManager), Reading::Other, "{line}");
    }
}

#[test]
fn a_multi_call_program_is_what_it_is_called_by() {
    for (line, expected) in [
        ("ash -c true", Reading::Shell("ash".into())),
        ("busybox sh", Reading::Shell("sh".into())),
        ("busybox hush", Reading::Shell("hush".into())),
        ("busybox busybox ash", Reading::Shell("ash".into())),
        ("toybox sh", Reading::Shell("sh".into())),
        ("busybox dpkg -i x", Reading::PackageManager("dpkg".into())),
        ("rpm -i x", Reading::PackageManager("rpm".into())),
        ("busybox dpkg -l", Reading::Other),
        ("busybox ls", Reading::Other),
        ("cat sh", Reading::Other),
        ("busybox", Reading::Other),
    ] {
        assert_eq!(started(line, Content::MultiCall), expected, "{line}");
    }
}

#[test]
fn a_loader_is_what_it_loads() {
    for (line, expected) in [
        ("/opt/x /bin/dash", Reading::Shell("/bin/dash".into())),
        (
            "/opt/x --library-path /lib /bin/dash",
            Reading::Shell("/bin/dash".into()),
        ),
        ("/opt/x --list /bin/dash", Reading::Other),
        ("/opt/x --verify /bin/dash", Reading::Other),
        ("/opt/x", Reading::Other),
        ("/opt/x /opt/tool", Reading::Unreadable("/opt/x".into())),
        ("/opt/x --unknown /bin/dash", Reading::Unreadable("/opt/x".into())),
        (
            "/opt/x /usr/bin/python3 -m pip install x",
            Reading::PackageManager("pip".into()),
        ),
    ] {
        assert_eq!(started(line, Content::Loader), expected, "{line}");
    }
    for content in [Content::Unknown, Content::Other] {
        assert_eq!(
            started("/lib/ld-2.31.so /bin/dash", content),
            Reading::Shell("/bin/dash".into())
        );
        assert_eq!(
            started("qemu-x86_64-static /bin/sh", content),
            Reading::Shell("/bin/sh".into())
        );
    }
    assert_eq!(
        started("/lib/ld-analyse.so /bin/dash", Content::Script),
        Reading::Other
    );
}

fn cut(line: &str) -> Reading {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    read_started(&words, true, Content::Unknown)
}

#[test]
fn arguments_that_were_not_kept_matter_only_where_the_judgement_needs_them() {
    let flags = " -u".repeat(140);
    for line in [
        &format!("python3{flags}"),
        "python3 -X",
        "python3 -m",
        "python3 -m pip",
        "pip --quiet",
        "pip",
        "npm",
        "dpkg --no-pager",
        "/lib/ld-linux.so.2 --library-path",
        "uv",
        "uv pip",
        "perl -e",
        "node",
    ] {
        assert!(matches!(cut(line), Reading::Cut(_)), "{line}: {:?}", cut(line));
    }
    for (line, expected) in [
        ("sh -c true", Reading::Shell("sh".into())),
        ("/app --flag", Reading::Other),
        ("/app", Reading::Other),
        ("pip install x", Reading::PackageManager("pip".into())),
        ("pip list x", Reading::Other),
        ("python3 -m pip install x", Reading::PackageManager("pip".into())),
        ("python3 app.py x", Reading::Other),
        (
            "python3 -c import\u{a0}pip;pip.main(['install','x']) y",
            Reading::PackageManager("pip".into()),
        ),
        ("dpkg -i x", Reading::PackageManager("dpkg".into())),
        ("java -jar x", Reading::Other),
    ] {
        assert_eq!(cut(line), expected, "{line}");
    }
    // Code and names of which only the beginning was kept.
    let long = "x".repeat(2048);
    for line in [
        format!("python3 -c {long} y"),
        format!("python3 {long} y z"),
        format!("{long} y z"),
        format!("node -e {long} y z"),
    ] {
        assert!(
            matches!(cut(&line), Reading::Cut(_)),
            "{:.20}: {:?}",
            line,
            cut(&line)
        );
    }
    assert_eq!(cut(&format!("/app {long} y")), Reading::Other);
    assert_eq!(cut(&format!("python3 app.py {long} y")), Reading::Other);
}

#[test]
fn the_graver_reading_counts() {
    let all = [
        Reading::Other,
        Reading::Cut("c".into()),
        Reading::Unreadable("u".into()),
        Reading::PackageManager("p".into()),
        Reading::Shell("s".into()),
    ];
    for (place, graver) in all.iter().enumerate() {
        for less in &all[..place] {
            assert_eq!(less.clone().or(graver.clone()), *graver);
            assert_eq!(graver.clone().or(less.clone()), *graver);
        }
    }
    let (first, second) = (Reading::Shell("a".into()), Reading::Shell("b".into()));
    assert_eq!(first.clone().or(second), first);
}

#[test]
fn what_lies_there_is_what_its_content_says_where_that_is_known() {
    for (name, content, expected) in [
        ("/bin/busybox", Content::Unknown, Some(Present::MultiCall)),
        ("/bin/busybox", Content::Other, Some(Present::MultiCall)),
        ("/app/busybox", Content::Script, None),
        ("/app/busybox", Content::ManagerScript, None),
        ("/app/box", Content::MultiCall, Some(Present::MultiCall)),
        ("/app/sh", Content::PackageManager, Some(Present::PackageManager)),
        (
            "/app/tool",
            Content::PackageManager,
            Some(Present::PackageManager),
        ),
        ("/app/sh", Content::Other, Some(Present::Shell)),
        ("/app/tool", Content::Shell, Some(Present::Shell)),
        ("/app/nu", Content::Other, None),
        ("/app/sh", Content::Script, None),
        ("/app/tool", Content::Other, None),
        ("/usr/bin/apt-get", Content::Other, Some(Present::PackageManager)),
    ] {
        assert_eq!(present(name, content), expected, "{name} {content:?}");
    }
}
