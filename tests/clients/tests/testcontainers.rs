//! testcontainers behind a recorder, in both modes on every engine: nothing of ours is in the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use shellproof_conformance::{lab, on_each_engine};

on_each_engine!(layered => |name| super::is_judged(name, "layered", false));
on_each_engine!(layered_with_exec => |name| super::is_judged(name, "layered", true));
on_each_engine!(prebuilt => |name| super::is_judged(name, "prebuilt", false));
on_each_engine!(prebuilt_with_exec => |name| super::is_judged(name, "prebuilt", true));

fn is_judged(name: &str, mode: &str, execs: bool) {
    let engine = lab::engine(name);
    let (repository, tag) = tiny(&engine.url());
    let mut audit = Command::new(shellproof());
    audit
        .args(["audit", "--mode", mode, "--engine", &engine.choice(), "--"])
        .args([env!("CARGO_BIN_EXE_shellproof-clients"), &repository, &tag]);
    if execs {
        audit.arg("exec");
    }
    let ended = audit.output().expect("the binary starts");
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    let (code, verdict) = match (mode, execs) {
        ("prebuilt", true) => (1, "exec of `/tiny echo hi` in `"),
        // Without a listener the kernel witness cannot say that all is well.
        ("prebuilt", false) if !engine.has_kernel_witness() => (3, "UNPROVEN"),
        _ => (0, "CLEAN"),
    };
    assert_eq!(ended.status.code(), Some(code), "{said}");
    assert!(said.contains(verdict), "no `{verdict}` in:\n{said}");
}

/// The binary, beside this test's own.
fn shellproof() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_shellproof-clients")).with_file_name("shellproof");
    assert!(path.exists(), "`{}` is not built: `cargo build`", path.display());
    path
}

/// The fixture, loaded by the docker CLI: nobody can be asked for it.
fn tiny(url: &str) -> (String, String) {
    let fixtures =
        std::env::var_os("SHELLPROOF_FIXTURES").map_or_else(|| "../../target/fixtures".into(), PathBuf::from);
    let key =
        std::fs::read_to_string(fixtures.join("tiny.key")).expect("`scripts/fixtures tiny` has built it");
    let reference = key.lines().find_map(|line| line.strip_prefix("reference "));
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
