//! `shellproof verify` on images that an engine has.

use rstest::rstest;

use crate::fixtures;
use crate::support::{Engine, Scenarios, beside_others, engine, finish, run, scenario, shellproof};

/// A fixture's name on an engine, where a scenario has loaded it.
fn loaded(engine: &Engine, fixture: &str) -> String {
    let text = scenario(
        "load",
        "entrypoint: [/no/such/program]\n    expect: { exit: 127 }",
        "",
    );
    let text = text.replace("fixture:tiny", &format!("fixture:{fixture}"));
    let scenarios = Scenarios::new(&[("load", text)]);
    finish(&mut run(engine, scenarios.path()));
    fixtures::reference(fixture)
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn an_engines_image_is_what_its_archive_is(
    #[values(
        "docker-20",
        "docker-26",
        "podman-4",
        "podman-4-rootless",
        "podman-5",
        "podman-5-rootless"
    )]
    name: &str,
) {
    let (_gate, engine) = (beside_others(), engine(name));
    for (fixture, expected) in [("tiny", 0), ("shell-form", 1)] {
        let reference = loaded(&engine, fixture);
        let file = fixtures::directory().join(format!("{fixture}.tar"));
        let results = [reference, format!("docker-archive:{}", file.display())].map(|image| {
            let arguments = ["--strict", "--format", "json", "--engine", &engine.choice()];
            let ended = finish(shellproof().arg("verify").arg(&image).args(arguments)).expect(expected);
            ended.json()["results"][0].clone()
        });
        assert_eq!(results[0]["engine"]["name"], engine.name);
        assert_eq!(
            results[0]["images"][0]["shells"],
            results[1]["images"][0]["shells"]
        );
        let rules = |place: usize| -> Vec<_> {
            let evidence = results[place]["evidence"].as_array().expect("a list");
            evidence.iter().map(|one| one["rule"].clone()).collect()
        };
        assert_eq!(rules(0), rules(1));
    }
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn an_image_that_is_not_there_is_bad_input(#[values("docker-26", "podman-5-rootless")] name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let arguments = [
        "verify",
        "localhost/shellproof/none:1",
        "--engine",
        &engine.choice(),
    ];
    let ended = finish(shellproof().args(arguments)).expect(2);
    assert!(ended.stderr.contains("help: pull it first"), "{}", ended.stderr);
}
