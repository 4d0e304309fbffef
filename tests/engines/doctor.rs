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
    let (variable, known_as) = match engine.is_podman() {
        true => ("CONTAINER_HOST", "container-host"),
        false => ("DOCKER_HOST", "docker-host"),
    };
    let told = finish(shellproof().env(variable, engine.url()).arg("doctor"))
        .expect(0)
        .stdout;
    let version = match name.ends_with("-rootless") {
        true => format!("{version} rootless"),
        false => version,
    };
    let kernel = match name {
        "docker-20" => "missing",
        _ => "there",
    };
    let line = format!(
        "usable    {known_as:<17} {version:<16} there    there    {kernel:<8} on `{}`",
        engine.socket.display()
    );
    assert!(told.contains(&line), "no `{line}` in:\n{told}");
    // That is the engine that is asked for, whatever else is here.
    assert!(
        told.contains(&format!("`shellproof run` takes engine `{known_as}`")),
        "{told}"
    );
}
