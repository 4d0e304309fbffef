//! What `doctor` says of an engine that is here.

use shellproof_conformance::on_each_engine;

use crate::support::{beside_others, engine, finish, shellproof};

on_each_engine!(doctor_names_engine_version_and_witnesses);
fn doctor_names_engine_version_and_witnesses(name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let version = engine.get("/version")["Version"]
        .as_str()
        .expect("a version")
        .to_owned();
    let (variable, known_as, kind) = if engine.is_podman() {
        ("CONTAINER_HOST", "container-host", "podman")
    } else {
        ("DOCKER_HOST", "docker-host", "docker")
    };
    let told = finish(shellproof().env(variable, engine.url()).arg("doctor"))
        .expect(0)
        .stdout;
    let rootless = if name.ends_with("-rootless") {
        ", rootless"
    } else {
        ""
    };
    let line = format!(
        "ok    {known_as} ({kind} {version}{rootless}) on `{}`\n      witnesses: wire",
        engine.socket.display()
    );
    assert!(told.contains(&line), "no `{line}` in:\n{told}");
}
