//! `shellproof audit` around real clients, each once clean and once violating, on every engine.
//!
//! A client that is not here is an ignored test that says so. `SHELLPROOF_COMPOSE` names docker-compose,
//! `SHELLPROOF_PODMAN` podman and `SHELLPROOF_PODMAN_COMPOSE` podman-compose.

#[path = "support/fixtures.rs"]
mod fixtures;

use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use shellproof_conformance::lab::{self, Engine};

/// A run of the program: what it is called, what it is to end with, and what it is to say.
struct Run {
    name: &'static str,
    /// Words before the double dash.
    options: &'static [&'static str],
    /// A line for `sh`, in which `{tiny}` is an image and `{box}` a name.
    line: &'static str,
    exit: i32,
    says: &'static str,
}

const fn run(
    name: &'static str,
    options: &'static [&'static str],
    line: &'static str,
    exit: i32,
    says: &'static str,
) -> Run {
    Run {
        name,
        options,
        line,
        exit,
        says,
    }
}

const DENY: &[&str] = &["--mode", "prebuilt", "--deny"];
const LAYERED: &[&str] = &["--mode", "layered"];
const PREBUILT: &[&str] = &["--mode", "prebuilt"];

const NOBODY: &[Run] = &[
    run("nothing", PREBUILT, "true", 5, "no container start was recorded"),
    run(
        "nothing-layered",
        LAYERED,
        "true",
        5,
        "no container start was recorded",
    ),
    run("failing", PREBUILT, "exit 3", 1, "it exited with 3"),
    run(
        "failing-as-expected",
        &["--mode", "prebuilt", "--expect-exit", "3"],
        "exit 3",
        5,
        "",
    ),
];

const DOCKER: &[Run] = &[
    run(
        "clean",
        PREBUILT,
        "docker run --name {box} --read-only {tiny} echo sh",
        0,
        "CLEAN",
    ),
    run(
        "layered",
        LAYERED,
        "docker run -d --name {box} {tiny} sleep 9 && docker exec {box} /tiny healthy",
        0,
        "CLEAN",
    ),
    run("removed", PREBUILT, "docker run --rm {tiny} echo hi", 0, "CLEAN"),
    run(
        "removed-after-an-install",
        PREBUILT,
        "docker run --rm --user 0 {python} -c 'import shutil; shutil.copy(\"/usr/bin/python3.11\", \"/tool\")'",
        1,
        "programs, libraries or packages were added or changed at run time: `/tool`",
    ),
    run(
        "removed-later",
        PREBUILT,
        "docker run -d --rm --name {box} --read-only {tiny} sleep 9",
        0,
        "`{box}` was made with `--rm` and is still there",
    ),
    run(
        "shell",
        &["--mode", "prebuilt", "--expect-exit", "any"],
        "docker run --name {box} --entrypoint sh {tiny} -c true",
        1,
        "a shell, was about to run in `{box}`",
    ),
    run(
        "exec",
        PREBUILT,
        "docker run -d --name {box} {tiny} sleep 9 && docker exec {box} /tiny healthy",
        1,
        "exec of `/tiny healthy` in `{box}`",
    ),
    run(
        "exec-denied",
        DENY,
        "docker run -d --name {box} {tiny} sleep 9 && docker exec {box} /tiny healthy",
        1,
        "shellproof: refused by rule `exec`",
    ),
    run(
        "shell-denied",
        DENY,
        "docker run --name {box} --entrypoint sh {tiny} -c true",
        1,
        "shellproof: refused by rule `shell`",
    ),
    run(
        "image-shell-denied",
        DENY,
        "docker create --name {box} {shell-form} && docker start {box}",
        1,
        "shellproof: refused by rule `shell`",
    ),
    run(
        "health-denied",
        DENY,
        "docker run --name {box} --health-cmd 'exit 0' {tiny}",
        1,
        "refused by rule `health-check-shell`",
    ),
    run(
        "copy",
        PREBUILT,
        "docker create --name {box} {tiny} && docker cp /etc/hostname {box}:/",
        1,
        "copy-in",
    ),
    run(
        "build",
        PREBUILT,
        "printf 'FROM {tiny}\\nLABEL a=b\\n' | DOCKER_BUILDKIT=0 docker build -q -",
        1,
        "an image was built",
    ),
    run(
        "build-layered",
        LAYERED,
        "printf 'FROM {tiny}\\nLABEL a=b\\n' | DOCKER_BUILDKIT=0 docker build -q - && docker run --name {box} {tiny} echo hi",
        0,
        "CLEAN",
    ),
    run(
        "build-denied",
        DENY,
        "printf 'FROM {tiny}\\nLABEL a=b\\n' | DOCKER_BUILDKIT=0 docker build -q -",
        1,
        "refused by rule `build`",
    ),
];

/// Where Podman 4 says something else through its Docker interface, shellproof or not: the exit code is 0, and a
/// container that could not be started is kept.
const DOCKER_ENGINE: &[Run] = &[
    run(
        "removed-with-its-exit-code",
        &["--mode", "prebuilt", "--expect-exit", "3"],
        "docker run --rm {python} -c 'import sys; print(\"out\"); sys.exit(3)'",
        0,
        "CLEAN",
    ),
    run(
        "removed-without-a-start",
        &["--mode", "prebuilt", "--expect-exit", "7"],
        "docker run --rm --name {box} --entrypoint /nothing {tiny}; docker inspect {box} || exit 7",
        5,
        "No such object: {box}",
    ),
];

/// What the kernel alone sees, and what it cannot.
const KERNEL: &[Run] = &[
    run(
        "shell-by-the-program",
        PREBUILT,
        "docker run --name {box} --read-only {python} -c \"import os; os.system('true')\"",
        1,
        "`sh -c true`, a shell, was to be started, and is not there in `{box}`",
    ),
    run(
        "program",
        PREBUILT,
        "docker run --name {box} --read-only {python} -c 'print(1)'",
        0,
        "wire, kernel",
    ),
    run(
        "unconfined",
        PREBUILT,
        "docker run --name {box} --read-only --security-opt seccomp=unconfined {python} -c 'import os; os.system(\"true\")'",
        3,
        "its programs were not watched: it brings a seccomp profile of its own in `{box}`",
    ),
    run(
        "privileged",
        PREBUILT,
        "docker run --name {box} --read-only --privileged {python} -c 'import os; os.system(\"true\")'",
        3,
        "its programs were not watched: it is privileged",
    ),
    run(
        "unconfined-denied",
        DENY,
        "docker run --name {box} --security-opt seccomp=unconfined {tiny}",
        1,
        "refused, since its programs cannot be watched: it brings a seccomp profile of its own",
    ),
    run(
        "shells-denied",
        &["--mode", "prebuilt", "--deny-shells"],
        // 32512 is what `system` gives where there is no shell, and where there is one that may not run.
        "docker run --name {box} --read-only --entrypoint python3 {layered} -c 'import os, sys; sys.exit(os.system(\"true\") != 32512)'",
        1,
        "sh -c true (denied)  shell",
    ),
    run(
        "left-running",
        PREBUILT,
        "docker run -d --name {box} --read-only {tiny} sleep 9",
        0,
        "it still runs, and can neither start a program from now on nor be started again in `{box}`",
    ),
    run(
        "off",
        &["--mode", "prebuilt", "--kernel", "off"],
        "docker run --name {box} --read-only {python} -c 'import os; os.system(\"true\")'",
        0,
        "(prebuilt)  wire, ",
    ),
];

const COMPOSE: &[Run] = &[
    run(
        "clean",
        PREBUILT,
        "$SHELLPROOF_COMPOSE -p {box} -f {clean.yaml} up -d && $SHELLPROOF_COMPOSE -p {box} -f {clean.yaml} down -t 0",
        0,
        "CLEAN",
    ),
    run(
        "health-line",
        PREBUILT,
        "$SHELLPROOF_COMPOSE -p {box} -f {shell.yaml} up -d && $SHELLPROOF_COMPOSE -p {box} -f {shell.yaml} down -t 0",
        1,
        "under `web`, set `healthcheck.test` to `[\"CMD\", \"curl\", \"-f\", \"http://localhost/\"]`",
    ),
    run(
        "health-line-denied",
        DENY,
        "$SHELLPROOF_COMPOSE -p {box} -f {shell.yaml} up -d",
        1,
        "of the compose service `web`",
    ),
];

const PODMAN_COMPOSE: &[Run] = &[
    run(
        "clean",
        PREBUILT,
        "$SHELLPROOF_PODMAN_COMPOSE -p {box} -f {net.yaml} up -d && $SHELLPROOF_PODMAN_COMPOSE -p {box} -f {net.yaml} down -t 0",
        0,
        "CLEAN",
    ),
    run(
        "health-line",
        PREBUILT,
        "$SHELLPROOF_PODMAN_COMPOSE -p {box} -f {net-shell.yaml} up -d && $SHELLPROOF_PODMAN_COMPOSE -p {box} -f {net-shell.yaml} down -t 0",
        1,
        "health-check-shell, wire",
    ),
];

const PODMAN: &[Run] = &[
    run(
        "clean",
        PREBUILT,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --rm --read-only {tiny} echo sh",
        0,
        "CLEAN",
    ),
    run(
        "removed-with-its-exit-code",
        &["--mode", "prebuilt", "--expect-exit", "3"],
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --rm {python} -c 'import sys; print(\"out\"); sys.exit(3)'",
        0,
        "CLEAN",
    ),
    run(
        "removed-after-an-install",
        PREBUILT,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --rm --user 0 {python} -c 'import shutil; shutil.copy(\"/usr/bin/python3.11\", \"/tool\")'",
        1,
        "programs, libraries or packages were added or changed at run time: `/tool`",
    ),
    run(
        "shell",
        &["--mode", "prebuilt", "--expect-exit", "any"],
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --name {box} --entrypoint sh {tiny} -c true",
        1,
        "a shell, was about to run in `{box}`",
    ),
    run(
        "exec",
        PREBUILT,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run -d --name {box} {tiny} sleep 9 && $SHELLPROOF_PODMAN --url $CONTAINER_HOST exec {box} /tiny healthy",
        1,
        "exec of `/tiny healthy` in `{box}`",
    ),
    run(
        "exec-denied",
        DENY,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run -d --name {box} {tiny} sleep 9 && $SHELLPROOF_PODMAN --url $CONTAINER_HOST exec {box} /tiny healthy",
        1,
        "shellproof: refused by rule `exec`",
    ),
    run(
        "past-the-recorder",
        PREBUILT,
        "$SHELLPROOF_PODMAN --remote=false --version && $SHELLPROOF_PODMAN --remote=false ps -q",
        5,
        "goes past the recorder",
    ),
];

fn main() -> ExitCode {
    lab::main(|_| true, on_engines)
}

fn on_engines(arguments: &Arguments, engines: Vec<Engine>) -> ExitCode {
    let has_docker = Command::new("docker").arg("--version").output().is_ok();
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let clients = [
        ("nobody", NOBODY, true, ""),
        ("docker", DOCKER, has_docker, ""),
        ("docker-engine", DOCKER_ENGINE, has_docker, "docker"),
        ("kernel", KERNEL, has_docker, ""),
        ("compose", COMPOSE, is_set("SHELLPROOF_COMPOSE"), ""),
        (
            "podman-compose",
            PODMAN_COMPOSE,
            is_set("SHELLPROOF_PODMAN_COMPOSE"),
            "podman",
        ),
        ("podman", PODMAN, is_set("SHELLPROOF_PODMAN"), "podman"),
    ];
    let directory = Arc::new(tempfile::tempdir().expect("a directory"));
    let mut trials = Vec::new();
    for engine in engines {
        for (client, runs, is_here, kind) in &clients {
            let is_tried =
                engine.name.starts_with(kind) && (*client != "kernel" || engine.has_kernel_witness());
            for run in runs.iter().filter(|_| is_tried) {
                let (engine, directory) = (engine.clone(), directory.clone());
                let title = format!("{client}::{}::{}", run.name, engine.name);
                let container = format!("audit-{}-{client}-{}", std::process::id(), run.name);
                let has_wire = *client != "kernel";
                let trial = Trial::test(title, move || {
                    try_out(run, &engine, &container, directory.path(), has_wire)
                });
                trials.push(trial.with_ignored_flag(!is_here));
            }
        }
    }
    libtest_mimic::run(arguments, trials).exit_code()
}

/// `is_the_wires`: what is found needs no kernel, so that a replay finds it too.
fn try_out(
    run: &Run,
    engine: &Engine,
    container: &str,
    directory: &Path,
    is_the_wires: bool,
) -> Result<(), Failed> {
    let fill = |text: &str| {
        let mut text = text.replace("{box}", container);
        for image in IMAGES {
            text = text.replace(&format!("{{{image}}}"), &fixtures::reference(image));
        }
        let (exec, line) = (
            r#"["CMD", "/tiny", "healthy"]"#,
            "curl -f http://localhost/ || exit 1",
        );
        // podman-compose gives each service a network, and each health check a shell.
        for (file, network, test) in [
            ("clean.yaml", "    network_mode: none\n", exec),
            ("shell.yaml", "    network_mode: none\n", line),
            ("net.yaml", "", r#"["NONE"]"#),
            ("net-shell.yaml", "", line),
        ] {
            let path = directory.join(format!("{container}-{file}"));
            let document = format!(
                "services:\n  web:\n    image: {}\n    command: [sleep, '9']\n{network}    healthcheck:\n      test: {test}\n",
                fixtures::reference("tiny")
            );
            std::fs::write(&path, document).expect("a compose file");
            text = text.replace(&format!("{{{file}}}"), &path.to_string_lossy());
        }
        text
    };
    let url = engine.url();
    load_images(&url)?;
    let record = directory.join(format!("{container}-{}", engine.name));
    let line = fill(run.line);
    let mut audit = Command::new(env!("CARGO_BIN_EXE_shellproof"));
    audit
        .arg("audit")
        .args(run.options)
        .args(["--engine", &engine.choice()]);
    audit.arg("--record").arg(&record).args(["--", "sh", "-c", &line]);
    let output = audit.output().map_err(|error| error.to_string())?;
    let network = format!("{container}_default");
    // Podman would wait ten seconds for a program that does not mind being told to end.
    let removed = ["kill", "rm"].map(|verb| {
        Command::new("docker")
            .args(["-H", &url, verb, container, &format!("{container}-web-1")])
            .output()
    });
    let said = text(&output);
    let wrong = |what: &str| Failed::from(format!("{what}\n{line}\n{said}"));
    // Without a listener the kernel witness cannot say that all is well.
    let is_unproven = !engine.has_kernel_witness() && run.exit == 0 && run.options.contains(&"prebuilt");
    let exit = if is_unproven { 3 } else { run.exit };
    if output.status.code() != Some(exit) {
        return Err(wrong(&format!(
            "expected exit code {exit}, found {:?}",
            output.status.code()
        )));
    }
    let says = match run.says {
        "CLEAN" if is_unproven => "listenerPath is not set",
        says => says,
    };
    if !said.contains(&fill(says)) {
        return Err(wrong(&format!("expected `{}`", fill(says))));
    }
    // A replay needs no engine. It comes to the wire's end when nobody needs the kernel's word; without that it is no
    // clean one.
    let replay = |options: &[&str]| {
        let mut replay = Command::new(env!("CARGO_BIN_EXE_shellproof"));
        replay.args(["audit", "--replay"]).arg(&record).args(options);
        replay.output().map_err(|error| error.to_string())
    };
    let alone = replay(&["--kernel", "off"])?;
    if is_the_wires && alone.status.code() != Some(run.exit) {
        return Err(wrong(&format!("the replay ended otherwise: {}", text(&alone))));
    }
    let whole = replay(&[])?;
    if run.options.contains(&"prebuilt") && whole.status.success() {
        return Err(wrong(&format!(
            "a replay without the kernel is clean: {}",
            text(&whole)
        )));
    }
    // podman-compose leaves it.
    let removed_network = Command::new("docker")
        .args(["-H", &url, "network", "rm", &network])
        .output();
    for removed in removed.into_iter().chain([removed_network]) {
        removed.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// The fixtures that lines name.
const IMAGES: [&str; 4] = ["tiny", "shell-form", "python", "layered"];

fn load_images(url: &str) -> Result<(), Failed> {
    for image in IMAGES {
        let docker = || {
            let mut docker = Command::new("docker");
            docker.args(["-H", url]);
            docker
        };
        let is_here = docker()
            .args(["image", "inspect", &fixtures::reference(image)])
            .output();
        if is_here.is_ok_and(|output| !output.status.success()) {
            let loaded = docker()
                .arg("load")
                .arg("-i")
                .arg(fixtures::directory().join(format!("{image}.tar")))
                .output();
            loaded.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
