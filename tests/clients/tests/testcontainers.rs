//! testcontainers behind a recorder, in both modes on every engine: nothing of ours is in the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;

/// Docker 20.10 gives nobody a listener: what it runs is unproven at best.
const WITHOUT_KERNEL: &str = "docker-20";

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn a_program_of_testcontainers_is_judged(
    #[values(
        "docker-20",
        "docker-26",
        "podman-4",
        "podman-4-rootless",
        "podman-5",
        "podman-5-rootless"
    )]
    engine: &str,
    #[values("layered", "prebuilt")] mode: &str,
    #[values(false, true)] execs: bool,
) {
    let (repository, tag) = tiny(engine);
    let mut audit = Command::new(shellproof());
    audit
        .args(["audit", "--mode", mode, "--engine", &address(engine), "--"])
        .args([env!("CARGO_BIN_EXE_shellproof-clients"), &repository, &tag]);
    if execs {
        audit.arg("exec");
    }
    let ended = audit.output().expect("the binary starts");
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    let (code, verdict) = match (mode, execs) {
        ("prebuilt", true) => (1, "exec of `/tiny echo hi` in `"),
        ("prebuilt", false) if engine == WITHOUT_KERNEL => (3, "UNPROVEN"),
        _ => (0, "CLEAN"),
    };
    assert_eq!(ended.status.code(), Some(code), "{said}");
    assert!(said.contains(verdict), "no `{verdict}` in:\n{said}");
}

/// What `--engine` takes.
fn address(engine: &str) -> String {
    let named = std::env::var("SHELLPROOF_ENGINES").unwrap_or_default();
    let address = named
        .split(',')
        .find(|one| one.starts_with(&format!("{engine}=")));
    address
        .unwrap_or_else(|| panic!("the engine `{engine}` is missing: SHELLPROOF_ENGINES does not name it"))
        .to_owned()
}

/// The binary, beside this test's own.
fn shellproof() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_shellproof-clients")).with_file_name("shellproof");
    assert!(path.exists(), "`{}` is not built: `cargo build`", path.display());
    path
}

/// The fixture, loaded by the docker CLI: nobody can be asked for it.
fn tiny(engine: &str) -> (String, String) {
    let fixtures =
        std::env::var_os("SHELLPROOF_FIXTURES").map_or_else(|| "../../target/fixtures".into(), PathBuf::from);
    let key =
        std::fs::read_to_string(fixtures.join("tiny.key")).expect("`scripts/fixtures tiny` has built it");
    let reference = key.lines().find_map(|line| line.strip_prefix("reference "));
    let address = address(engine);
    let (_, url) = address.split_once('=').expect("NAME=unix:///path");
    let loaded = Command::new("docker")
        .args(["-H", url, "load", "-q", "-i"])
        .arg(fixtures.join("tiny.tar"))
        .status();
    assert!(
        loaded.is_ok_and(|status| status.success()),
        "`tiny` was not loaded"
    );
    let (repository, tag) = reference
        .and_then(|name| name.rsplit_once(':'))
        .expect("a reference");
    (repository.to_owned(), tag.to_owned())
}
