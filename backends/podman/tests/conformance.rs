//! The suite that every backend passes, on each Podman engine that `SHELLPROOF_ENGINES` names.

use std::process::ExitCode;
use std::sync::Arc;

use shellproof_api::{EngineKind, Inspect};
use shellproof_conformance::{Case, Needs, harness};
use shellproof_podman::Podman;

fn main() -> ExitCode {
    harness::main(harness::Backend {
        kind: EngineKind::Podman,
        scratch: env!("CARGO_TARGET_TMPDIR"),
        connect: |endpoint, name| {
            Box::pin(
                async move { Ok(Arc::new(Podman::connect(&endpoint, &name).await?) as Arc<dyn Inspect>) },
            )
        },
        skip,
    })
}

/// No engine of the lab has the systemd with which Podman runs health checks.
fn skip(_engine: &str, case: &Case) -> Option<&'static str> {
    (case.needs == Needs::HealthChecks).then_some("has no systemd to run health checks")
}
