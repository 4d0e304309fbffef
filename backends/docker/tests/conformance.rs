//! The suite that every backend passes, on each Docker engine that `SHELLPROOF_ENGINES` names.

use std::process::ExitCode;
use std::sync::Arc;

use shellproof_api::{EngineKind, Exec};
use shellproof_conformance::{Case, Needs, harness};
use shellproof_docker::Docker;

fn main() -> ExitCode {
    harness::main(harness::Backend {
        kind: EngineKind::Docker,
        scratch: env!("CARGO_TARGET_TMPDIR"),
        connect: |endpoint, name| {
            Box::pin(async move { Ok(Arc::new(Docker::connect(&endpoint, &name).await?) as Arc<dyn Exec>) })
        },
        skip,
    })
}

/// The lab's Docker 20 lives in a network namespace of its own: two such engines cannot share one.
fn skip(engine: &str, case: &Case) -> Option<&'static str> {
    let isolated = matches!(case.needs, Needs::Host | Needs::Registry);
    (isolated && engine.starts_with("docker-20")).then_some("does not share this host's loopback")
}
