//! Programs as the kernel witness reports them: with their files, interpreters and contents.

use shellproof_kernel::{Digest, Executable, Interpreter, Likeness, Program};

use crate::policy::Rule;
use crate::policy::kernel::rule;
use crate::policy::kernel::tests::program;

/// A program whose file was read.
fn read(argv: &[&str], likeness: Option<Likeness>) -> Program {
    let program = program(argv);
    Program {
        file: Some(executable(&program.path, likeness)),
        ..program
    }
}

fn executable(path: &str, likeness: Option<Likeness>) -> Executable {
    Executable {
        content: Some(Digest([0; 32])),
        likeness,
        ..program(&[path]).file.unwrap()
    }
}

fn script(argv: &[&str], interpreter: &str, likeness: Option<Likeness>) -> Program {
    Program {
        interpreters: vec![Interpreter {
            path: interpreter.to_owned(),
            argument: None,
            file: Some(executable(interpreter, None)),
        }],
        ..read(argv, likeness)
    }
}

#[test]
fn a_name_alone_is_weak_where_the_content_was_read() {
    for name in ["sh1", "/usr/bin/nu", "/opt/uv", "hush", "rc", "es"] {
        assert_eq!(rule(&read(&[name, "-c", "x"], None)), None, "{name}");
    }
    for name in ["nu", "hush", "rc"] {
        assert_eq!(
            rule(&read(&[name], Some(Likeness::Shell))),
            Some(Rule::Shell),
            "{name}"
        );
        assert_eq!(rule(&program(&[name])), Some(Rule::UnreadableWrapper), "{name}");
        let missing = Program {
            file: None,
            ..program(&[name])
        };
        assert_eq!(rule(&missing), Some(Rule::UnreadableWrapper), "{name}");
    }
    for argv in [&["sh"][..], &["/bin/bash", "x"], &["apt-get", "update"]] {
        let missing = Program {
            file: None,
            ..program(argv)
        };
        assert!(
            matches!(rule(&missing), Some(Rule::Shell | Rule::PackageManager)),
            "{argv:?}"
        );
        assert_eq!(rule(&read(argv, None)), rule(&missing), "{argv:?}");
    }
    let renamed = read(
        &["/opt/tool", "pip", "install", "x"],
        Some(Likeness::PackageManager),
    );
    assert_eq!(rule(&renamed), Some(Rule::PackageManager));
}

#[test]
fn a_script_is_what_its_interpreter_and_its_content_make_it() {
    let python = "/usr/bin/python3";
    for (argv, interpreter, likeness, expected) in [
        (&["/app/dash"][..], python, Some(Likeness::Script), None),
        (&["/app/dash"], python, None, None),
        (
            &["/app/pip", "install", "x"],
            python,
            Some(Likeness::Script),
            None,
        ),
        (
            &["/app/pip", "install", "x"],
            python,
            Some(Likeness::ManagerScript),
            Some(Rule::PackageManager),
        ),
        (
            &["/app/pip", "install", "x"],
            python,
            None,
            Some(Rule::PackageManager),
        ),
        (&["/app/pip", "list"], python, Some(Likeness::ManagerScript), None),
        (
            &["/app/deploy", "install"],
            python,
            Some(Likeness::ManagerScript),
            None,
        ),
        // Pip's own command, whatever it is called.
        (
            &["/app/deploy", "install"],
            python,
            Some(Likeness::PackageManager),
            Some(Rule::PackageManager),
        ),
        (
            &["/app/dash"],
            "/bin/sh",
            Some(Likeness::Script),
            Some(Rule::Shell),
        ),
        (
            &["/app/npm", "ci"],
            "/usr/bin/node",
            Some(Likeness::ManagerScript),
            Some(Rule::PackageManager),
        ),
        (
            &["/usr/bin/xonsh"],
            python,
            Some(Likeness::Script),
            Some(Rule::Shell),
        ),
    ] {
        assert_eq!(
            rule(&script(argv, interpreter, likeness)),
            expected,
            "{argv:?} {interpreter} {likeness:?}"
        );
    }
}

#[test]
fn arguments_that_were_not_kept_are_a_gap_where_they_matter() {
    let cut = |argv: &[&str]| {
        let cut = Program {
            argv_cut: true,
            ..program(argv)
        };
        rule(&cut)
    };
    let mut flags = vec!["python3"];
    flags.resize(128, "-u");
    assert_eq!(cut(&flags), Some(Rule::KernelFault));
    assert_eq!(cut(&["pip", "-q"]), Some(Rule::KernelFault));
    assert_eq!(cut(&["sh", "-c"]), Some(Rule::Shell));
    assert_eq!(cut(&["/app", "-u", "-u"]), None);
    assert_eq!(cut(&["python3", "/app.py", "-u"]), None);
}
