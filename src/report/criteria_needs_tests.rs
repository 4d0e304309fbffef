//! What single criteria require: images without a shell, an install.

use super::*;

#[test]
fn an_image_with_a_shell_is_not_distroless() {
    let with = |shells: Option<&[&str]>| {
        let other = ImageEntry {
            reference: "y:1".into(),
            shells: shells.map(|shells| shells.iter().map(|shell| (*shell).to_owned()).collect()),
            ..image()
        };
        ResultEntry {
            images: vec![image(), other],
            ..shown()
        }
    };
    for (shells, reason) in [
        (
            Some(&["/bin/sh", "/bin/bash"][..]),
            "the image `y:1` has a shell, `/bin/sh`",
        ),
        (None, "nobody looked for a shell in `y:1`"),
    ] {
        let said = entry(Criterion::DistrolessPrebuilt, &[with(shells)]);
        assert_eq!(said.verdict, CriterionVerdict::Unproven);
        assert_eq!(said.reasons, [format!("`one` on docker: {reason}")]);
        // That none was run is another criterion.
        assert_eq!(
            verdict_on(Criterion::NoShellPrebuilt, &[with(shells)]),
            CriterionVerdict::Clean
        );
    }
    let none = ResultEntry {
        images: Vec::new(),
        ..shown()
    };
    assert_eq!(
        verdict_on(Criterion::DistrolessPrebuilt, &[none]),
        CriterionVerdict::Unproven
    );
}

#[test]
fn layered_mode_is_unchanged_when_it_installs() {
    let said = |result: ResultEntry| entry(Criterion::LayeredUnchanged, &[result]);
    let lacks = |result: ResultEntry, reason: &str| {
        let said = said(result);
        assert_eq!(said.verdict, CriterionVerdict::Unproven, "{reason}");
        assert_eq!(said.reasons, [format!("`one` on docker: {reason}")]);
    };
    for argv in [
        &["apk", "add", "krb5"][..],
        &["/usr/bin/python3", "-m", "pip", "install", "toml"],
        &["dpkg", "-i", "x.deb"],
        &["pacman", "-Sy", "krb5"],
    ] {
        assert_eq!(
            said(installing(program(argv))).verdict,
            CriterionVerdict::Clean,
            "{argv:?}"
        );
    }
    let echo = ResultEntry {
        evidence: Vec::new(),
        traces: Vec::new(),
        ..install()
    };
    lacks(echo, "no package was installed");
    for argv in [&["apt-get", "update"][..], &["install"], &["apt-get", "Install"]] {
        lacks(installing(program(argv)), "no package was installed");
    }
    let changed = |change: &dyn Fn(&mut ProgramEntry)| {
        let mut program = program(&["apk", "add", "krb5"]);
        change(&mut program);
        installing(program)
    };
    lacks(
        changed(&|program| program.file = None),
        "no package was installed",
    );
    lacks(
        changed(&|program| program.rule = None),
        "no package was installed",
    );
    for answer in [Answer::Denied, Answer::Withdrawn] {
        lacks(
            changed(&|program| program.answer = answer),
            "no package was installed",
        );
    }
    // The policy has noted it, elsewhere or as something else.
    let mut elsewhere = install();
    elsewhere.evidence[0].container = Some("run-other".into());
    lacks(elsewhere, "no package was installed");
    let mut other = install();
    other.evidence[0].rule = Rule::Foreign;
    lacks(other, "no package was installed");
    let mut elsewhere = install();
    elsewhere.traces[0].container = "run-other".into();
    lacks(elsewhere, "no package was installed");
}

#[test]
fn an_install_that_failed_is_none() {
    let with = |exit_code| {
        let mut result = install();
        result.containers[0].exit_code = exit_code;
        entry(Criterion::LayeredUnchanged, &[result])
    };
    for code in [Some(1), None] {
        let said = with(code);
        assert_eq!(said.verdict, CriterionVerdict::Unproven, "{code:?}");
        assert_eq!(
            said.reasons,
            ["`one` on docker: `job` installed a package and did not end with 0"]
        );
    }
}
