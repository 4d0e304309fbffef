//! `shellproof audit` around real clients, each once clean and once violating, on every engine.
//!
//! A client that is not here is an ignored test that says so. `SHELLPROOF_COMPOSE` names docker-compose,
//! `SHELLPROOF_PODMAN` podman and `SHELLPROOF_PODMAN_COMPOSE` podman-compose.

#[path = "support/fixtures.rs"]
mod fixtures;

#[path = "audit/runs.rs"]
mod runs;

use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use runs::*;
use shellproof_conformance::lab::{self, Engine};

fn main() -> ExitCode {
    lab::main(Engine::listens, on_engines)
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
