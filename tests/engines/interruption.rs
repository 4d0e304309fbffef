//! Runs that end before their time, and what is left of them.

use rstest::rstest;
use rustix::process::Signal;
use shellproof_api::labels;
use shellproof_conformance::on_each_engine;

use crate::fixtures;
use crate::support::{
    Container, Engine, Going, Scenarios, alone, beside_others, engine, finish, run, scenario, shellproof,
    unique,
};

/// A container, a network and a volume. Podman 4 has one more container and network, which keep its name server alive,
/// and the canary runs beside.
fn assert_three(made: &[String]) {
    let of_run = |name: &&String| name.contains("-anchor") || name.contains("-canary");
    let of_scenario = made.iter().filter(|name| !of_run(name)).count();
    assert_eq!(of_scenario, 3, "{made:?}");
}

/// A run whose container lasts longer than any test.
fn going_on(engine: &Engine, what: &str) -> (Scenarios, Going, Container) {
    let name = unique(what, engine);
    let keys = "args: [sleep, \"300\"]\n    timeout: 5m\n    expect: { exit: 0 }";
    let scenarios = Scenarios::new(&[("long", scenario(&name, keys, ""))]);
    let going = Going::start(&mut run(engine, scenarios.path()));
    let container = engine.running(&name);
    assert_three(&engine.of_run(&container.run));
    (scenarios, going, container)
}

on_each_engine!(ctrl_c_cleans_up);
fn ctrl_c_cleans_up(name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let (_scenarios, going, container) = going_on(&engine, "interrupted");
    going.signal(Signal::INT);
    let ended = going.end().expect(130);
    assert!(
        ended.stderr.contains("interrupted: cleaning up"),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.contains("interrupted"), "{}", ended.stdout);
    assert_eq!(engine.of_run(&container.run), [""; 0]);
}

fn clean(engine: &Engine, options: &[&str]) -> String {
    finish(
        shellproof()
            .args(["clean", "--engine", &engine.choice()])
            .args(options),
    )
    .expect(0)
    .stdout
}

/// `timeout -s INT` sends its signal to the program and to its group, within a millisecond.
#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn two_signals_at_once_are_one(#[values("docker-26", "podman-5-rootless")] name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let (_scenarios, going, container) = going_on(&engine, "twice");
    going.signal(Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(1));
    going.signal(Signal::INT);
    let ended = going.end().expect(130);
    assert!(!ended.stderr.contains("interrupted again"), "{}", ended.stderr);
    assert_eq!(engine.of_run(&container.run), [""; 0]);
}

on_each_engine!(clean_removes_what_a_kill_left_and_nothing_that_is_in_use);
fn clean_removes_what_a_kill_left_and_nothing_that_is_in_use(name: &str) {
    let (_gate, engine) = (alone(), engine(name));
    let (_killed_files, killed, dead) = going_on(&engine, "killed");
    let (_alive_files, going, alive) = going_on(&engine, "alive");
    killed.signal(Signal::KILL);
    assert_eq!(killed.end().code, None);
    // A kill leaves everything.
    assert_three(&engine.of_run(&dead.run));

    let told = clean(&engine, &[]);
    assert!(
        told.contains(&format!("{name}: removed container `{}`\n", dead.name)),
        "{told}"
    );
    let left = format!(
        "{name}: left container `{}`, its run is still going on\n",
        alive.name
    );
    assert!(told.contains(&left), "{told}");
    assert_eq!(engine.of_run(&dead.run), [""; 0]);
    // A run that goes on keeps what it has.
    assert_three(&engine.of_run(&alive.run));

    going.signal(Signal::INT);
    going.end().expect(130);
    assert_eq!(engine.of_run(&alive.run), [""; 0]);
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn clean_removes_a_container_whose_removal_a_killed_audit_had_taken_over(
    #[values("docker-20", "docker-26", "podman-4-rootless", "podman-5")] name: &str,
) {
    let (_gate, engine) = (alone(), engine(name));
    let name = unique("kept", &engine);
    // A run brings the image.
    let keys = "args: [echo, hi]\n    expect: { exit: 0 }";
    let scenarios = Scenarios::new(&[("brings", scenario(&name, keys, ""))]);
    finish(&mut run(&engine, scenarios.path()));
    let label = format!("{}={name}", labels::SCENARIO);
    let mut audit = shellproof();
    audit
        .args([
            "audit",
            "--mode",
            "prebuilt",
            "--kernel",
            "off",
            "--engine",
            &engine.choice(),
        ])
        .args(["--", "docker", "run", "--rm", "--label", &label])
        .args([fixtures::reference("tiny").as_str(), "sleep", "300"]);
    let going = Going::start(&mut audit);
    let container = engine.running(&name);
    going.signal(Signal::KILL);
    assert_eq!(going.end().code, None);
    let told = clean(&engine, &[]);
    assert!(
        told.contains(&format!("removed container `{}`\n", container.name)),
        "{told}"
    );
    assert_eq!(engine.labelled(&label), [""; 0]);
}

on_each_engine!(clean_leaves_no_image_of_ours);
fn clean_leaves_no_image_of_ours(name: &str) {
    let (_gate, engine) = (alone(), engine(name));
    let (_files, killed, dead) = going_on(&engine, "killed-too");
    killed.signal(Signal::KILL);
    assert_eq!(killed.end().code, None);
    // What is built from an image of ours has its label too.
    let (ours, theirs) = (fixtures::reference("tiny"), "localhost/built-from-a-fixture");
    let (status, _) = engine.request("POST", &format!("/images/{ours}/tag?repo={theirs}&tag=1"));
    assert_eq!(status, 201);

    clean(&engine, &[]);
    assert_eq!(engine.of_run(&dead.run), [""; 0]);
    assert!(engine.images().contains(&ours), "images are a cache");

    let told = clean(&engine, &["--images"]);
    let images = engine.images();
    assert!(images.iter().any(|image| image.starts_with(theirs)), "{images:?}");
    // A run of somebody else may be going on, and then images are in use; `clean` says so of each. The samples of an earlier
    // `scripts/dockerfiles` stay, as it says.
    let is_ours = |image: &&String| {
        let name = image.strip_prefix("localhost/shellproof/");
        name.is_some_and(|name| !name.starts_with("sample-"))
    };
    for image in images.iter().filter(is_ours) {
        let left = format!("left image `{image}`, ");
        assert!(
            told.contains(&left),
            "`{image}` is there, and `clean` said:\n{told}"
        );
    }
    engine.request("DELETE", &format!("/images/{theirs}:1"));
}
