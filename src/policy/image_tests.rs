use std::collections::BTreeMap;
use std::sync::Arc;

use shellproof_api::facts::{
    Fact, ImageConfiguration, ImageContent, ImageLayer, ImageProgram, Likeness, RecordedHealth, What, Witness,
};

use super::*;

fn program(path: &str, likeness: Option<Likeness>) -> ImageProgram {
    ImageProgram {
        path: path.into(),
        mode: 0o755,
        size: 1,
        likeness,
        layer: 1,
        ..ImageProgram::default()
    }
}

fn script(path: &str, interpreter: &str, argument: Option<&str>) -> ImageProgram {
    ImageProgram {
        interpreter: Some((interpreter.into(), argument.map(Into::into))),
        ..program(path, Some(Likeness::Script))
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// An image that starts `entrypoint`, with these files and links.
fn image(entrypoint: &str, programs: Vec<ImageProgram>, links: &[(&str, &str)]) -> ImageContent {
    let links = links
        .iter()
        .map(|(link, target)| ((*link).into(), (*target).into()));
    let mut image = ImageContent {
        configuration: ImageConfiguration {
            entrypoint: words(entrypoint),
            user: "65532".into(),
            ..ImageConfiguration::default()
        },
        layers: vec![
            ImageLayer::default(),
            ImageLayer {
                digest: String::new(),
                instruction: Some("COPY helper /opt/vendor/helper".into()),
            },
        ],
        programs,
        links: links.collect::<BTreeMap<_, _>>(),
    };
    image.programs.sort_by(|one, other| one.path.cmp(&other.path));
    image.name_links();
    image
}

fn found(is_strict: bool, image: ImageContent) -> Vec<Evidence> {
    let promise = Promise {
        is_strict,
        is_no_debug: is_strict,
    };
    judge(
        promise,
        &Fact::new(
            Witness::Image,
            "x",
            What::Image {
                id: "sha256:1".into(),
                content: Arc::new(image),
            },
        ),
    )
}

fn rules(is_strict: bool, image: ImageContent) -> Vec<Rule> {
    found(is_strict, image).iter().map(|one| one.rule).collect()
}

#[test]
fn what_is_started_is_seen_through_links_wrappers_and_scripts() {
    let programs = || {
        vec![
            program("/app/server", None),
            program("/app/renamed", Some(Likeness::Shell)),
            program("/bin/busybox", Some(Likeness::MultiCall)),
            program("/usr/bin/env", None),
            program("/usr/bin/python3", None),
            script("/app/start", "/bin/sh", Some("-e")),
            script("/app/nested", "/app/start", None),
            script("/app/by-env", "/usr/bin/env", Some("renamed")),
            script("/app/main.py", "/usr/bin/env", Some("python3")),
            script("/app/circle", "/app/circle", None),
            script("/app/relative", "renamed", None),
            program("/app/rc", None),
        ]
    };
    let links = [
        ("/app/linked", "renamed"),
        ("/usr/sbin/httpd", "/bin/busybox"),
        ("/opt/sh", "/bin/busybox"),
    ];
    let rule = |entrypoint: &str| {
        let mut image = image(entrypoint, programs(), &links);
        image.configuration.env = vec!["PATH=/app:/usr/bin:/usr/sbin".into()];
        image.configuration.directory = "/app".into();
        let first = rules(false, image).into_iter().next();
        first.filter(|rule| rule.weight() > crate::policy::Weight::Note)
    };
    for shell in [
        "/bin/sh -c x",
        "tini -- /bin/sh",
        "/app/start",
        "start",
        "./start",
        "/app/nested x",
        "/app/by-env",
        "/app/renamed",
        "/app/relative",
        "/app/linked",
        "tini -- /app/linked",
        "env A=b linked",
        "env A=b tini -- start",
        "/opt/sh -c x",
        "/bin/busybox sh",
        "/app/../app/./renamed",
    ] {
        assert_eq!(rule(shell), Some(Rule::Shell), "{shell}");
    }
    for clean in [
        "",
        "/app/server",
        "server sh",
        "env server",
        "httpd -f",
        "/bin/busybox httpd",
        "/app/main.py",
        "main.py",
        "rc",
    ] {
        assert_eq!(rule(clean), None, "{clean}");
    }
    for missing in ["/not/there", "not-there x", "renamed/below"] {
        assert_eq!(rule(missing), Some(Rule::ProgramMissing), "{missing}");
    }
    assert_eq!(rule("python3 -m pip install x"), Some(Rule::PackageManager));
    assert_eq!(rule("/app/circle"), Some(Rule::UnreadableWrapper));
    assert_eq!(rule("unshare server"), Some(Rule::UnreadableWrapper));
    let nested = |deep: usize| format!("{}server", "env ".repeat(deep));
    assert_eq!(rule(&nested(10)), None);
    assert_eq!(rule(&nested(20)), Some(Rule::UnreadableWrapper));
}

#[test]
fn a_packed_program_is_what_it_is_called() {
    for (name, expected) in [("/app/nu", Some(Rule::UnreadableWrapper)), ("/app/server", None)] {
        let packed = ImageProgram {
            is_packed: true,
            ..program(name, None)
        };
        let found = rules(false, image(name, vec![packed], &[]));
        assert_eq!(
            found.into_iter().find(|rule| *rule == Rule::UnreadableWrapper),
            expected,
            "{name}"
        );
        let found = rules(false, image(name, vec![program(name, None)], &[]));
        assert!(!found.contains(&Rule::UnreadableWrapper), "{name}");
    }
}

#[test]
fn a_shell_that_is_present_is_a_note_and_in_a_strict_image_a_violation() {
    let image = || {
        let helper = program("/opt/vendor/helper", Some(Likeness::MultiCall));
        image("/app/server", vec![helper, program("/app/server", None)], &[])
    };
    assert_eq!(rules(false, image()), [Rule::ShellPresent]);
    let [found] = &found(true, image())[..] else {
        panic!("one finding");
    };
    assert_eq!(found.rule, Rule::ShellInImage);
    assert_eq!(
        found.detail,
        "`/opt/vendor/helper` is many programs in one, a shell among them, by its content"
    );
    assert_eq!(found.source, "layer 2 of 2: `COPY helper /opt/vendor/helper`");
    let cure = Some("leave it out of what this `COPY` copies");
    assert_eq!(found.help.as_deref(), cure);
    let mut of_old = image();
    of_old.layers[1].instruction = Some("/bin/sh -c #(nop) COPY file:0 in /opt".into());
    assert_eq!(self::found(true, of_old)[0].help.as_deref(), cure);
}

#[test]
fn files_are_judged_by_name_link_and_content() {
    let rule = |one: ImageProgram, links: &[(&str, &str)]| rules(true, image("", vec![one], links)).pop();
    let plain = |mode, one: ImageProgram| ImageProgram { mode, ..one };
    for (one, links, expected) in [
        (program("/bin/bash", None), &[][..], Some(Rule::ShellInImage)),
        (
            program("/bin/x", None),
            &[("/bin/sh", "x")],
            Some(Rule::ShellInImage),
        ),
        (
            program("/bin/x", Some(Likeness::Shell)),
            &[],
            Some(Rule::ShellInImage),
        ),
        (
            plain(0o644, program("/x", Some(Likeness::Shell))),
            &[],
            Some(Rule::ShellInImage),
        ),
        (program("/bin/apk", None), &[], Some(Rule::PackageManagerInImage)),
        (
            program("/x", Some(Likeness::PackageManager)),
            &[],
            Some(Rule::PackageManagerInImage),
        ),
        (
            script("/usr/bin/yum", "/usr/bin/python3", None),
            &[],
            Some(Rule::PackageManagerInImage),
        ),
        (
            plain(
                0o644,
                program("/usr/lib/python3/site-packages/pip/__main__.py", None),
            ),
            &[],
            Some(Rule::PackageManagerInImage),
        ),
        // Look-alikes.
        (plain(0o644, program("/usr/share/doc/bash", None)), &[], None),
        (program("/bin/x", None), &[("/bin/y", "x")], None),
        (program("/bin/rc", None), &[], None),
        (script("/usr/bin/sh", "/usr/bin/python3", None), &[], None),
        (
            script("/etc/cron.daily/dpkg", "/usr/bin/python3", None),
            &[],
            None,
        ),
        (
            program("/lib/ld-linux-x86-64.so.2", Some(Likeness::Loader)),
            &[],
            None,
        ),
        (
            plain(0o644, program("/usr/lib/python3/unittest/__main__.py", None)),
            &[],
            None,
        ),
        (
            ImageProgram {
                size: 0,
                ..program("/bin/sh", None)
            },
            &[],
            None,
        ),
    ] {
        let shown = one.path.clone();
        assert_eq!(rule(one, links), expected, "{shown}");
    }
    let packed = || ImageProgram {
        is_packed: true,
        ..program("/app/x", None)
    };
    assert_eq!(rule(packed(), &[]), Some(Rule::PackedProgram));
    assert_eq!(
        rules(false, image("", vec![packed()], &[])),
        [Rule::PackedPresent]
    );
}

#[test]
fn rights_and_scripts_are_noted() {
    let with = |mode, has_capabilities| ImageProgram {
        mode,
        has_capabilities,
        ..program("/bin/x", None)
    };
    for (one, expected) in [
        (
            with(0o4755, false),
            "`/bin/x` runs as root, whoever starts it (setuid)",
        ),
        (
            with(0o2755, false),
            "`/bin/x` runs with group 0, whoever starts it (setgid)",
        ),
        (
            with(0o755, true),
            "`/bin/x` has capabilities of its own, whoever starts it",
        ),
    ] {
        let found = found(true, image("", vec![one], &[]));
        assert_eq!(
            (found[0].rule, found[0].detail.as_str()),
            (Rule::PrivilegedFile, expected)
        );
    }
    assert_eq!(rules(true, image("", vec![with(0o755, false)], &[])), []);
    // What nobody may execute gives nobody anything.
    assert_eq!(rules(true, image("", vec![with(0o4644, true)], &[])), []);
    let scripts = vec![
        script("/a", "/bin/sh", None),
        script("/b", "/usr/bin/python3", None),
        script("/c", "/usr/bin/env", Some("bash")),
    ];
    let found = found(true, image("", scripts, &[]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].detail, "2 scripts are run by a shell: `/a`, `/c`");
}

#[test]
fn a_configuration_is_judged() {
    let rules_of = |change: &dyn Fn(&mut ImageConfiguration)| {
        let files = vec![
            script("/app/check", "/bin/sh", None),
            program("/app/server", None),
            program("/usr/bin/tini", None),
        ];
        let mut image = image("/app/server", files, &[]);
        change(&mut image.configuration);
        let rules = rules(false, image);
        rules
            .into_iter()
            .filter(|rule| *rule != Rule::ShellScript)
            .collect::<Vec<_>>()
    };
    assert_eq!(rules_of(&|_| {}), []);
    for user in ["", "root", "0", "0:0", "root:x"] {
        assert_eq!(
            rules_of(&|one| one.user = user.into()),
            [Rule::RootUser],
            "{user}"
        );
    }
    for (test, expected) in [
        (HealthTest::Shell("true".into()), &[Rule::HealthCheckShell][..]),
        (
            HealthTest::Command(words("/app/check")),
            &[Rule::HealthCheckShell],
        ),
        (
            HealthTest::Command(words("tini -- sh -c x")),
            &[Rule::HealthCheckShell],
        ),
        (HealthTest::Command(words("/app/server healthy")), &[]),
        (
            HealthTest::Command(words("curl http://localhost")),
            &[Rule::HealthCheckProgram],
        ),
        (HealthTest::None, &[]),
    ] {
        let rules = rules_of(&|one| one.health = RecordedHealth::Test(test.clone()));
        assert_eq!(rules, expected, "{test:?}");
    }
    assert_eq!(
        rules_of(&|one| one.health = RecordedHealth::NotRecorded),
        [Rule::HealthCheckNotRecorded]
    );
    let exec = |line: &str| Some(words(line));
    for (sets, expected) in [
        (None, Rule::OnBuild),
        (Some((Setting::Program, None)), Rule::Shell),
        (Some((Setting::Program, exec("/app/server"))), Rule::OnBuild),
        (Some((Setting::Program, exec("/bin/sh -c x"))), Rule::Shell),
        (Some((Setting::HealthCheck, None)), Rule::HealthCheckShell),
        (
            Some((Setting::HealthCheck, exec("/app/check"))),
            Rule::HealthCheckShell,
        ),
        (Some((Setting::HealthCheck, exec("/app/server"))), Rule::OnBuild),
    ] {
        let instruction = OnBuild {
            line: "X".into(),
            sets,
        };
        assert_eq!(
            rules_of(&|one| one.on_build = vec![instruction.clone()]),
            [expected],
            "{instruction:?}"
        );
    }
}

#[test]
fn a_secret_is_named_and_never_shown() {
    let mut image = image("", Vec::new(), &[]);
    image.configuration.env = vec!["API_TOKEN=geheim".into(), "LANG=C".into(), "DB_PASSWORD=".into()];
    image.configuration.history = vec![
        "RUN |1 TOKEN=geheim /bin/sh -c make".into(),
        "RUN curl https://me:geheim@example.org/x".into(),
        "RUN make".into(),
    ];
    let found = found(true, image);
    assert_eq!(found.len(), 3);
    for one in found {
        assert_eq!(one.rule, Rule::SecretInImage);
        assert!(!one.detail.contains("geheim"), "{}", one.detail);
    }
}

#[test]
fn an_interpreter_that_is_not_there_may_be_brought_by_anybody() {
    for (interpreter, is_there) in [
        ("/usr/bin/python3", true),
        ("/opt/python3", false),
        ("/bin/sh\r", false),
    ] {
        let programs = vec![
            script("/app/start", interpreter, None),
            program("/usr/bin/python3", None),
        ];
        let found = found(true, image("/app/start", programs, &[]));
        let missing = found.iter().find(|one| one.rule == Rule::ProgramMissing);
        assert_eq!(missing.is_none(), is_there, "{interpreter:?}: {found:?}");
        if let Some(missing) = missing {
            let named = format!("`{}`, which a `#!` line names", interpreter.escape_debug());
            assert!(missing.detail.contains(&named), "{}", missing.detail);
        }
    }
}

#[test]
fn programs_with_a_way_to_a_shell_are_one_note() {
    let mut unused = program("/usr/share/vi", None);
    unused.mode = 0o644;
    let programs = vec![
        program("/opt/x/interpreter", None),
        program("/usr/bin/mawk", None),
        program("/usr/bin/python3.11", None),
        program("/bin/busybox", Some(Likeness::MultiCall)),
        unused,
    ];
    let links = [
        ("/usr/bin/perl5.36", "/opt/x/interpreter"),
        ("/usr/bin/vi", "/bin/busybox"),
    ];
    let found = found(true, image("", programs, &links));
    let escapes: Vec<_> = found.iter().filter(|one| one.rule == Rule::ShellEscape).collect();
    let [one] = escapes.as_slice() else {
        panic!("{found:?}")
    };
    assert!(
        one.detail.starts_with("2 programs start a shell"),
        "{}",
        one.detail
    );
    assert!(
        one.detail.ends_with("`/opt/x/interpreter`, `/usr/bin/mawk`"),
        "{}",
        one.detail
    );
}
