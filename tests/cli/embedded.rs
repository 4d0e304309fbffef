//! The engine that is in the binary: where it is taken, and what is said where the machine forbids it.

use std::path::PathBuf;

use serde_json::Value;

use super::*;

/// No Podman is found there, and nothing that gives ids.
const NO_PROGRAMS: (&str, &str) = ("PATH", "/nowhere");

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

/// Runs the binary on a machine that forbids something: see `forbid.py`.
fn forbidden(what: &str, directory: &Path, arguments: &[&str]) -> Ended {
    let helper = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/forbid.py");
    let (name, value) = NO_PROGRAMS;
    Command::new("/usr/bin/python3")
        .current_dir(directory)
        .arg(helper)
        .args([what, env!("CARGO_BIN_EXE_shellproof")])
        .args(arguments)
        .env_clear()
        .env(name, value)
        .env("XDG_DATA_HOME", directory.join("data"))
        .stdin(Stdio::null())
        .output()
        .expect("python3 starts")
        .into()
}

#[rstest]
#[case("auto")]
#[case("all")]
#[case("embedded")]
fn where_no_engine_is_named_containers_are_made_here(#[case] choice: &str) {
    let directory = directory();
    fs::write(directory.path().join("job.yaml"), JOB).expect("a file can be written");
    let arguments = [
        "run",
        "job.yaml",
        "--engine",
        choice,
        "--format",
        "json",
        "--mode",
        "prebuilt",
        "--fixtures",
        ".",
    ];
    let ended = with_environment(directory.path(), &arguments, &[NO_PROGRAMS]);
    let results = json(&ended)["results"].clone();
    assert_eq!(results[0]["engine"]["kind"], "embedded", "{results:#}");
    // The fixture is not built: the engine was asked for it.
    assert_eq!(results[0]["status"], "broken", "{results:#}");
    assert_eq!((results.as_array().map(Vec::len), ended.code), (Some(1), Some(4)));
}

#[test]
fn nothing_is_audited_on_an_engine_that_does_not_listen() {
    let arguments = [
        "audit", "--mode", "prebuilt", "--engine", "embedded", "--", "true",
    ];
    let ended = shellproof(directory().path(), &arguments);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(2), ""),
        "{}",
        ended.stderr
    );
    for part in [
        "nothing can be audited on engine `embedded`",
        "help: name one that listens, as `--engine podman`",
    ] {
        assert!(ended.stderr.contains(part), "no `{part}` in:\n{}", ended.stderr);
    }
}

#[test]
fn an_image_that_nobody_has_is_looked_for_in_the_store_first() {
    let directory = directory();
    for (engine, code, part) in [
        (
            "embedded",
            2,
            "the store of images has no `registry.example/app:1`\nhelp: name it as `registry:",
        ),
        ("auto", 4, "no container engine is here"),
    ] {
        let arguments = ["verify", "registry.example/app:1", "--engine", engine];
        let ended = with_environment(directory.path(), &arguments, &[NO_PROGRAMS]);
        assert_eq!(ended.code, Some(code), "{engine}: {}", ended.stderr);
        assert!(ended.stderr.contains(part), "no `{part}` in:\n{}", ended.stderr);
    }
}

#[rstest]
#[case(
    "namespaces",
    "make a user namespace",
    "sysctl -w user.max_user_namespaces=15000"
)]
#[case("unshare", "make a user namespace", "seccomp=unconfined")]
#[case("proc", "mount a file system of processes", "systempaths=unconfined")]
#[case(
    "listener",
    "install a seccomp filter with a listener",
    "CONFIG_SECCOMP_FILTER"
)]
fn what_the_machine_forbids_is_named_with_its_cure(
    #[case] what: &str,
    #[case] step: &str,
    #[case] help: &str,
) {
    let directory = directory();
    let ended = forbidden(what, directory.path(), &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(4), "{}{}", ended.stdout, ended.stderr);
    let document = json(&ended);
    assert_eq!(document["auto"], Value::Null);
    assert_eq!(document["engines"][0]["name"], "embedded");
    assert_eq!(document["engines"][0]["state"], "unusable");
    let steps = document["steps"].as_array().expect("a list");
    let at = steps
        .iter()
        .position(|one| one["step"] == step)
        .expect("the step");
    assert!(steps[..at].iter().all(|one| one["state"] == "done"), "{steps:#?}");
    assert_eq!(steps[at]["state"], "failed");
    assert!(
        steps[at]["help"].as_str().is_some_and(|text| text.contains(help)),
        "{steps:#?}"
    );
    assert!(
        steps[at + 1..steps.len() - 1]
            .iter()
            .all(|one| one["state"] == "untried"),
        "{steps:#?}"
    );

    // A run says the same, and does not begin.
    fs::write(directory.path().join("job.yaml"), JOB).expect("a file can be written");
    let ended = forbidden(what, directory.path(), &["run", "job.yaml"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(4), ""),
        "{}",
        ended.stderr
    );
    for part in [step, help, "or install Podman"] {
        assert!(ended.stderr.contains(part), "no `{part}` in:\n{}", ended.stderr);
    }
}

#[rstest]
#[case("ids", "`newuidmap` cannot be started", "install the package `uidmap`")]
#[case("range", "`/etc/subuid` names no range for", "usermod --add-subuids")]
fn what_keeps_a_user_from_having_several_ids_is_told(
    #[case] what: &str,
    #[case] cause: &str,
    #[case] help: &str,
) {
    let ended = forbidden(what, directory().path(), &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let document = json(&ended);
    assert_eq!(document["auto"], "embedded");
    let ids = document["steps"]
        .as_array()
        .and_then(|steps| steps.last())
        .expect("a step");
    assert_eq!(
        (&ids["step"], &ids["state"]),
        (&"have several ids".into(), &"limited".into())
    );
    assert!(
        ids["cause"].as_str().is_some_and(|text| text.contains(cause)),
        "{ids:#}"
    );
    assert!(
        ids["help"].as_str().is_some_and(|text| text.contains(help)),
        "{ids:#}"
    );
}

/// As before Linux 6.6: an overlay's notes cannot be kept in memory.
#[test]
fn where_memory_keeps_no_notes_the_disk_does() {
    let directory = directory();
    let ended = forbidden("attributes", directory.path(), &["doctor", "--format", "json"]);
    let steps = json(&ended)["steps"].clone();
    let steps = steps.as_array().expect("a list");
    let overlay = steps
        .iter()
        .find(|one| one["step"] == "mount an overlay of directories");
    assert_eq!(overlay.expect("the step")["state"], "done", "{steps:#?}");
    let partial = fs::read_dir(directory.path().join("data/shellproof/partial")).expect("it is there");
    let mut names = partial.map(|entry| entry.expect("an entry").file_name());
    assert!(!names.any(|name| name.to_string_lossy().starts_with("try-")));
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let directory = directory();
    // Nobody can make a directory below a file.
    fs::write(directory.path().join("data"), "").expect("a file can be written");
    let ended = with_environment(directory.path(), &["doctor", "--format", "json"], &[NO_PROGRAMS]);
    assert_eq!(ended.code, Some(4), "{}{}", ended.stdout, ended.stderr);
    let step = json(&ended)["steps"][0].clone();
    assert_eq!(
        (&step["step"], &step["state"]),
        (&"write to the store of images".into(), &"failed".into())
    );
    assert!(
        step["help"]
            .as_str()
            .is_some_and(|text| text.contains("XDG_DATA_HOME")),
        "{step:#}"
    );
}

#[test]
fn what_doctor_finds_is_a_table_for_a_person() {
    let ended = with_environment(directory().path(), &["doctor"], &[NO_PROGRAMS]);
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{}",
        ended.stdout
    );
    let version = env!("CARGO_PKG_VERSION");
    for part in [
        format!("usable    embedded          {version:<16} none     there    there    in this binary"),
        "done      make a user namespace".to_owned(),
        "`shellproof run` takes engine `embedded`".to_owned(),
    ] {
        assert!(ended.stdout.contains(&part), "no `{part}` in:\n{}", ended.stdout);
    }
}

/// What a run that was killed has left: its directory, with that of its containers.
#[test]
fn what_a_killed_run_has_left_is_removed() {
    let directory = directory();
    let path = directory.path();
    let left = path.join("shellproof/00000000/private/images-embedded.run");
    fs::create_dir_all(&left).expect("a directory can be made");
    let environment = [("XDG_RUNTIME_DIR", path.to_str().expect("text")), NO_PROGRAMS];
    let ended = with_environment(path, &["clean", "--images", "--engine", "embedded"], &environment);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "embedded: nothing that a run has left\n");
    assert!(!path.join("shellproof/00000000").exists());
}
