use std::path::PathBuf;

use clap::Args;
use shellproof_wire::{Endpoint, EndpointError};

use super::Failure;
use crate::engines::{self, Choice, EngineError, EngineSpec};
use crate::exit::ExitCode;
use crate::invocation::Invocation;
use crate::kernel::Kernel;
use crate::run::{Images, naming};

#[derive(Debug, Args)]
pub(super) struct Doctor {}

impl Doctor {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
        for place in engines::usual_places() {
            if let Err(EndpointError::Silent { reason, .. }) = Endpoint::identify(&place.socket).await {
                anstream::println!("-     {:<16} `{}`: {reason}", place.name, place.socket.display());
                anstream::println!("      help: {}", cure(place.name));
            }
        }
        let found = match engines::find(&[Choice::All], &invocation.path("")).await {
            Ok(found) => found,
            Err(error) => {
                anstream::println!("error: {error}");
                return Ok(ExitCode::Broken);
            }
        };
        found.tell_notes();
        let (mut usable, mut failed) = (0, false);
        for engine in &found.engines {
            match examine(engine, &invocation).await {
                Ok(()) => usable += 1,
                Err(error) if engine.is_asked_for() => {
                    anstream::println!("error {error}");
                    failed = true;
                }
                Err(error) => {
                    anstream::println!("-     {:<16} {error}", engine.name);
                    anstream::println!("      help: {}", cure(&engine.name));
                }
            }
        }
        if usable == 0 {
            anstream::println!("error: no engine can be used");
        }
        Ok(if failed || usable == 0 {
            ExitCode::Broken
        } else {
            ExitCode::Clean
        })
    }
}

async fn examine(engine: &EngineSpec, invocation: &Invocation) -> Result<(), EngineError> {
    let socket = invocation.path(&format!("doctor-{}.sock", engine.name));
    let connection = engines::connect(engine, &socket).await?;
    let about = connection.runtime.engine();
    anstream::println!("ok    {about} {}", engine.place());
    match Kernel::open(engine.endpoint.as_ref(), about, invocation).await {
        Ok(_) => {
            anstream::println!("      witnesses: wire, and kernel if the engine takes a seccomp listener")
        }
        Err(reason) => anstream::println!("      witnesses: wire; no kernel: {reason}"),
    }
    let images = Images::new(connection.runtime.clone(), PathBuf::new(), true);
    let problem = naming::problem(&images, invocation).await;
    match problem.map_err(|error| EngineError::Machine(error.to_string()))? {
        Some(problem) => Err(EngineError::Machine(format!(
            "engine `{}`: {problem}",
            engine.name
        ))),
        None => Ok(()),
    }
}

fn cure(name: &str) -> &'static str {
    match name {
        "podman-rootless" => {
            "`systemctl --user start podman.socket`, or nothing: shellproof starts Podman's service itself"
        }
        "podman" => "`sudo systemctl start podman.socket`, or use rootless Podman",
        "docker-rootless" => "`systemctl --user start docker`, if Docker is what you use",
        _ => "`sudo systemctl start docker`, and be in the group `docker`",
    }
}
