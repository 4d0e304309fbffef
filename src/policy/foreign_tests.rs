use std::sync::Arc;

use shellproof_api::facts::{Container, ImageProgram, Interpreter, Kind, Look, Outcome, Traced};

use super::super::kernel::tests::{program, session, traced};
use super::super::usage;
use super::*;

const ID: &str = "sha256:1";

fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

/// A file with this content.
fn file(path: &str, content: u8) -> Executable {
    Executable {
        path: path.into(),
        content: Some(digest(content)),
        ..Executable::default()
    }
}

/// A program that was started from such a file.
fn ran(path: &str, content: u8) -> Program {
    Program {
        file: Some(file(path, content)),
        ..program(&[path])
    }
}

/// An image that holds `/app` (1), `/lib/ld.so` (2), `/usr/bin/python3` (3) and a shared library (4).
fn image() -> Fact {
    let held = |path: &str, content| ImageProgram {
        path: path.into(),
        mode: 0o755,
        size: 1,
        digest: Some(digest(content)),
        ..ImageProgram::default()
    };
    let content = ImageContent {
        programs: vec![
            held("/app", 1),
            held("/lib/ld-linux.so.2", 2),
            held("/lib/libc.so.6", 4),
            held("/usr/bin/python3", 3),
            held("/usr/lib/python3.11/base64.py", 5),
        ],
        links: [("/mnt".to_owned(), "/media".to_owned())].into(),
        ..ImageContent::default()
    };
    let what = What::Image {
        id: ID.into(),
        content: Arc::new(content),
    };
    Fact::new(Witness::Image, "`x`", what)
}

fn start() -> Start {
    Start {
        argv: vec!["/app".into(), "x".into()],
        checks: Vec::new(),
        image: Some(ID.into()),
        image_name: "x".into(),
        mounts: vec!["/tools".into()],
        has_init: false,
        service: None,
        made_here: true,
        doors: Vec::new(),
        outcome: Outcome::Begun,
    }
}

fn about_job(start: Start) -> Fact {
    Fact::new(Witness::Wire, "request 1", What::Start(start)).about(Container {
        id: Some("1".into()),
        name: "job".into(),
    })
}

fn kernel_facts(programs: Vec<Program>) -> Vec<Fact> {
    let traced: Vec<Traced> = traced(vec![session(Kind::Start, programs)]);
    traced.iter().flat_map(shellproof_kernel::facts).collect()
}

fn facts(programs: Vec<Program>) -> Vec<Fact> {
    let mut facts = vec![about_job(start()), image()];
    facts.extend(kernel_facts(programs));
    facts
}

fn told(programs: Vec<Program>, allowed: &[Allowed]) -> Vec<String> {
    let found = judge(Mode::Prebuilt, &facts(programs), allowed);
    for one in &found {
        assert_eq!(
            (one.rule, one.container.as_deref()),
            (Rule::ForeignProgram, Some("job"))
        );
    }
    found.into_iter().map(|one| one.detail).collect()
}

#[test]
fn a_program_of_other_content_is_foreign_wherever_it_lies() {
    for path in [
        "/app",
        "/tmp/tool",
        "/dev/shm/tool",
        "/memfd:tool (deleted)",
        "/tmp/tool (deleted)",
    ] {
        let expected = format!("`{path}`, which is none of its image's programs, was started as `{path}`");
        assert_eq!(told(vec![ran(path, 9)], &[]), [expected]);
    }
    // By its content it is of the image, whatever it is called.
    for path in ["/app", "/tmp/copy", "/memfd:copy (deleted)"] {
        assert_eq!(told(vec![ran(path, 1)], &[]), [""; 0], "{path}");
    }
    // Nobody knows its content, or there is none: that is a gap of its own, or no program.
    assert_eq!(told(vec![program(&["/tmp/tool"])], &[]), [""; 0]);
    // The same again and again is one finding.
    let again = told(
        vec![ran("/tmp/tool", 9), ran("/tmp/tool", 9), ran("/tmp/tool", 8)],
        &[],
    );
    assert_eq!(again.len(), 2);
    assert!(again[0].ends_with(", 2 times"), "{again:?}");
    let tried = Program {
        look: Look::Once,
        ..ran("/tmp/tool", 9)
    };
    assert!(told(vec![tried], &[])[0].contains("was to be started as"));
}

#[test]
fn all_that_is_loaded_for_a_program_is_to_be_of_the_image() {
    let interpreter = |path: &str, content, is_outside| Interpreter {
        path: path.into(),
        argument: None,
        file: Some(Executable {
            is_outside,
            ..file(path, content)
        }),
    };
    let script = |script, python, is_outside| Program {
        interpreters: vec![interpreter("/usr/bin/python3", python, is_outside)],
        ..ran("/tmp/script", script)
    };
    assert_eq!(told(vec![script(1, 3, false)], &[]), [""; 0]);
    assert_eq!(told(vec![script(9, 3, false)], &[]).len(), 1);
    assert_eq!(told(vec![script(1, 9, false)], &[]).len(), 1);
    // What the host has opened for all containers is nothing that one of them installed.
    assert_eq!(told(vec![script(1, 9, true)], &[]), [""; 0]);
    let loaded = |loader| Program {
        loader: Some(interpreter("/lib/ld-linux.so.2", loader, false)),
        ..ran("/app", 1)
    };
    assert_eq!(told(vec![loaded(2)], &[]), [""; 0]);
    assert_eq!(told(vec![loaded(9)], &[]).len(), 1);
    let swapped = Program {
        look: Look::Other(file("/app", 9)),
        ..ran("/app", 1)
    };
    assert_eq!(told(vec![swapped], &[]).len(), 1);
}

#[test]
fn what_a_scenario_mounts_is_named_and_may_be_allowed() {
    let allowed = |container: &str, mount: &str| Allowed {
        container: container.into(),
        mount: mount.into(),
    };
    let in_mount = || vec![ran("/tools/x", 9)];
    assert!(told(in_mount(), &[])[0].contains(", it lies in the mount `/tools`, was started"));
    assert_eq!(told(in_mount(), &[allowed("job", "/tools")]), [""; 0]);
    for other in [
        allowed("other", "/tools"),
        allowed("job", "/too"),
        allowed("job", "/tools/y"),
    ] {
        assert_eq!(told(in_mount(), &[other]).len(), 1);
    }
    let help = |programs| {
        let found = judge(Mode::Prebuilt, &facts(programs), &[]);
        found[0].help.clone().unwrap()
    };
    assert!(help(in_mount()).contains("foreign_programs"));
    assert_eq!(help(vec![ran("/tmp/x", 9)]), "put the program into the image");
    // The kernel says where a link of the image leads.
    assert_eq!(told(vec![ran("/media/x", 9)], &[allowed("job", "/mnt")]), [""; 0]);
}

#[test]
fn the_init_of_an_engine_is_its_own() {
    let init = |path: &str, argv: &[&str]| Program {
        file: Some(file(path, 9)),
        ..program(argv)
    };
    for path in INITS {
        let engines = init(path, &[path, "--", "/app", "x"]);
        assert_eq!(told(vec![engines.clone()], &[]), [""; 0], "{path}");
        let others = [
            init(path, &[path, "--", "/app", "y"]),
            init(path, &[path]),
            init(path, &[path, "-g", "/app", "x"]),
            init("/tmp/init", &[path, "--", "/app", "x"]),
            Program {
                parent: Some(0),
                ..engines
            },
        ];
        for other in others {
            assert_eq!(
                told(vec![ran("/app", 1), other.clone()], &[]).len(),
                1,
                "{other:?}"
            );
        }
    }
}

#[test]
fn an_init_over_which_something_is_mounted_is_no_engines() {
    for (path, mount, expected) in [
        ("/sbin/docker-init", "/sbin/docker-init", 1),
        ("/usr/sbin/docker-init", "/usr/sbin", 1),
        // Which of these it is depends on the links of the image.
        ("/usr/sbin/docker-init", "/sbin/docker-init", 1),
        ("/run/podman-init", "/run/podman-init", 1),
        ("/sbin/docker-init", "/data", 0),
        ("/sbin/docker-init", "/sbin/docker", 0),
    ] {
        let init = Program {
            file: Some(file(path, 9)),
            ..program(&[path, "--", "/app", "x"])
        };
        let start = Start {
            mounts: vec![mount.to_owned()],
            ..start()
        };
        let mut facts = vec![about_job(start), image()];
        facts.extend(kernel_facts(vec![init]));
        assert_eq!(
            judge(Mode::Prebuilt, &facts, &[]).len(),
            expected,
            "{path} {mount}"
        );
    }
}

#[test]
fn an_init_that_the_engine_tells_as_the_containers_own_is_its_own_where_it_says_so() {
    let path = "/run/podman-init";
    let argv = [path, "--", "/app", "x"];
    let told = |has_init| {
        let init = Program {
            file: Some(file(path, 9)),
            ..program(&argv)
        };
        let start = Start {
            argv: argv.map(str::to_owned).to_vec(),
            has_init,
            ..start()
        };
        let mut facts = vec![about_job(start), image()];
        facts.extend(kernel_facts(vec![init]));
        judge(Mode::Prebuilt, &facts, &[]).len()
    };
    assert_eq!((told(true), told(false)), (0, 1));
}

#[test]
fn layered_mode_notes_what_was_added_once_for_each_container() {
    let programs = (10..17)
        .map(|content| ran(&format!("/tmp/{content}"), content))
        .collect();
    let found = judge(Mode::Layered, &facts(programs), &[]);
    let [note] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (note.rule, note.source.as_str()),
        (Rule::ProgramAdded, "its supervisor")
    );
    assert_eq!(
        note.detail,
        "7 programs were started that its image does not have: `/tmp/10`, `/tmp/11`, `/tmp/12`, `/tmp/13`, `/tmp/14` and 2 more"
    );
    assert_eq!(judge(Mode::Layered, &facts(vec![ran("/app", 1)]), &[]), []);
}

#[test]
fn a_container_of_an_unknown_image_is_a_gap() {
    let mut facts = vec![image()];
    facts.extend(kernel_facts(vec![ran("/app", 1), ran("/app", 1)]));
    let found = judge(Mode::Prebuilt, &facts, &[]);
    let [gap] = found.as_slice() else {
        panic!("{found:?}")
    };
    // It is the image that is not known; what ran was seen.
    assert_eq!(
        (gap.rule, gap.witness, gap.source.as_str()),
        (Rule::ImageFault, Witness::Image, "shellproof")
    );
    assert_eq!(judge(Mode::Layered, &facts, &[]), []);
}

#[test]
fn what_ran_of_an_image_is_told_from_what_did_not() {
    let loaded = Program {
        loader: Some(Interpreter {
            path: "/lib/ld-linux.so.2".into(),
            argument: None,
            file: Some(file("/lib/ld-linux.so.2", 2)),
        }),
        ..ran("/tmp/copy", 1)
    };
    let usage = usage::of(&facts(vec![loaded]));
    let [usage] = usage.as_slice() else {
        panic!("{usage:?}")
    };
    assert_eq!(usage.image, ID);
    assert_eq!(usage.started, ["/app", "/lib/ld-linux.so.2"]);
    // Nobody starts a library, or a module.
    assert_eq!(usage.never_started, ["/usr/bin/python3"]);
    assert_eq!(usage::of(&facts(Vec::new())), []);
}
