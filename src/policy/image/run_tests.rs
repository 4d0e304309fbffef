use std::sync::Arc;

use shellproof_api::facts::{
    Check, CheckKind, Container, ImageConfiguration, ImageProgram, Likeness, Outcome, Witness,
};

use super::*;

fn program(path: &str, likeness: Option<Likeness>) -> ImageProgram {
    ImageProgram {
        path: path.into(),
        mode: 0o755,
        size: 1,
        likeness,
        ..ImageProgram::default()
    }
}

fn script(path: &str, interpreter: &str) -> ImageProgram {
    ImageProgram {
        interpreter: Some((interpreter.into(), None)),
        ..program(path, Some(Likeness::Script))
    }
}

/// An image with a shell, a script of it, and an innocent program.
fn image() -> ImageContent {
    ImageContent {
        programs: vec![
            program("/app/server", None),
            script("/app/start", "/bin/sh"),
            program("/bin/sh", Some(Likeness::Shell)),
            program("/usr/bin/apt-get", None),
        ],
        ..ImageContent::default()
    }
}

fn of_image(content: ImageContent) -> Fact {
    let what = What::Image {
        id: "sha256:1".into(),
        content: Arc::new(content),
    };
    Fact::new(Witness::Image, "`x`", what)
}

fn start(argv: &[&str], mounts: &[&str], test: Option<HealthTest>) -> Start {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let check = test.map(|test| Check {
        kind: CheckKind::Regular,
        test,
        lacking: None,
    });
    Start {
        argv: words(argv),
        checks: check.into_iter().collect(),
        image: Some("sha256:1".into()),
        image_name: "x".into(),
        mounts: words(mounts),
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

/// What is found beyond notes.
fn against(start: Start) -> Vec<(Rule, Option<String>)> {
    let found = judge_run(&[about_job(start), of_image(image())]).into_iter();
    let found = found.filter(|one| one.weight() > crate::policy::Weight::Note);
    found.map(|one| (one.rule, one.container)).collect()
}

#[test]
fn what_a_container_starts_is_seen_in_the_files_of_its_image() {
    let job = Some("job".to_owned());
    let shell = vec![(Rule::Shell, job.clone())];
    assert_eq!(against(start(&["/app/start", "x"], &[], None)), shell);
    assert_eq!(against(start(&["/bin/sh", "-c", "x"], &[], None)), shell);
    assert_eq!(against(start(&["/app/server"], &[], None)), []);
    // What the image would start by itself, and this container does not.
    let mut other = image();
    other.configuration.command = vec!["/bin/sh".into()];
    let facts = [about_job(start(&["/app/server"], &[], None)), of_image(other)];
    assert!(judge_run(&facts).iter().all(|one| one.rule != Rule::Shell));
    // Somebody has put something else in its place.
    for mount in ["/app", "/app/", "/app/start"] {
        assert_eq!(against(start(&["/app/start"], &[mount], None)), [], "{mount}");
    }
    assert_eq!(against(start(&["/app/start"], &["/ap"], None)), shell);
    let test = |argv: &str| Some(HealthTest::Command(vec![argv.into()]));
    let check = vec![(Rule::HealthCheckShell, job)];
    assert_eq!(against(start(&["/app/server"], &[], test("/app/start"))), check);
    assert_eq!(against(start(&["/app/server"], &[], test("/app/server"))), []);
    assert_eq!(
        against(start(&["/opt/server"], &["/app"], test("/app/start"))),
        []
    );
    // A start that nobody passed on is none.
    let denied = Start {
        outcome: Outcome::Denied,
        ..start(&["/app/start"], &[], None)
    };
    assert_eq!(against(denied), []);
}

#[test]
fn what_only_has_a_name_is_cleared_by_its_content() {
    let image = || ImageContent {
        programs: vec![
            program("/app/apk", None),
            script("/app/dash", "/usr/bin/python3"),
            program("/app/nu", None),
            script("/app/pip", "/usr/bin/python3"),
            script("/app/start", "/bin/sh"),
            program("/app/su", None),
            script("/app/watch", "/usr/bin/python3"),
            program("/bin/sh", Some(Likeness::Shell)),
            program("/usr/bin/env", None),
            program("/usr/bin/python3", None),
            program("/usr/bin/su", None),
            program("/usr/sbin/chroot", None),
        ],
        configuration: ImageConfiguration {
            env: vec!["PATH=/app".into()],
            directory: "/app".into(),
            ..ImageConfiguration::default()
        },
        ..ImageContent::default()
    };
    let clears = |line: &str, mounts: &[&str], test| {
        let words: Vec<_> = line.split(' ').collect();
        clears(&image(), &start(&words, mounts, test))
    };
    for line in [
        "/app/pip install x",
        "/app/dash -c x",
        "/app/watch",
        "/app/nu",
        "/usr/bin/env A=b /app/pip install x",
        "/usr/bin/env dash -c x",
        // Nobody can say, and the kernel sees what it starts.
        "/app/su x",
    ] {
        assert!(clears(line, &[], None), "{line}");
    }
    for line in [
        "/app/start",
        "/bin/sh",
        "/app/apk add x",
        "/app/gone",
        "/usr/bin/su x",
        "/usr/bin/env PATH=/x pip install x",
        "/usr/bin/env PATH=/x dash",
        "/usr/bin/env ./dash",
        "/usr/bin/env -C /x ./dash",
        "/usr/bin/env bash",
        "/usr/sbin/chroot /x /app/dash",
        "/usr/bin/python3 -m pip install x",
    ] {
        assert!(!clears(line, &[], None), "{line}");
    }
    // Something else lies there.
    assert!(!clears("/app/dash", &["/app"], None));
    assert!(clears("/app/dash", &["/ap"], None));
    // All that the start asks for.
    let check = |line: &str| Some(HealthTest::Command(vec![line.to_owned()]));
    assert!(clears("/app/dash", &[], check("/app/pip")));
    assert!(clears("/app/dash", &[], Some(HealthTest::None)));
    assert!(!clears("/app/dash", &[], check("/app/start")));
    assert!(!clears("/app/dash", &["/usr"], check("/usr/bin/env")));
    assert!(!clears("/app/dash", &[], Some(HealthTest::Shell("x".into()))));
}

#[test]
fn what_lies_in_an_image_is_a_note_of_each_kind() {
    let facts = [about_job(start(&["/app/server"], &[], None)), of_image(image())];
    let found = judge_run(&facts);
    let told: Vec<_> = found.iter().map(|one| (one.rule, one.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            (Rule::ShellPresent, "the image has shells: `/bin/sh`"),
            (
                Rule::PackageManagerPresent,
                "the image has package managers: `/usr/bin/apt-get`"
            ),
        ]
    );
}

#[test]
fn a_packed_program_is_a_note() {
    let mut packed = program("/app/packed", None);
    packed.is_packed = true;
    let image = ImageContent {
        programs: vec![packed, program("/app/server", None)],
        ..ImageContent::default()
    };
    let facts = [about_job(start(&["/app/server"], &[], None)), of_image(image)];
    let told: Vec<_> = judge_run(&facts).iter().map(|one| one.rule).collect();
    assert_eq!(told, [Rule::PackedPresent]);
}

#[test]
fn a_test_that_is_not_honoured_is_a_gap() {
    let unseen = |gap| What::Unseen {
        gap,
        why: "no shell is here".into(),
        help: None,
    };
    let of = |gap| gaps(&[Fact::new(Witness::Image, "`x`", unseen(gap))]);
    assert_eq!(of(Gap::Test)[0].rule, Rule::TestNotHonoured);
    assert_eq!(of(Gap::Requests), []);
}

#[test]
fn an_image_that_could_not_be_read_is_a_gap() {
    let unread = Fact::new(
        Witness::Image,
        "`x`",
        What::Unseen {
            gap: Gap::Image,
            why: "it is gone".into(),
            help: None,
        },
    );
    let gaps = gaps(&[unread, of_image(image())]);
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].rule, gaps[0].detail.as_str()),
        (Rule::ImageFault, "it is gone")
    );
    assert!(!Images::of(&[]).any() && Images::of(&[of_image(image())]).any());
}
