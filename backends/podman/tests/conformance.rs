//! The suite that every backend passes, on each Podman engine that `SHELLPROOF_ENGINES` names.

use std::process::ExitCode;
use std::sync::Arc;

use shellproof_api::{EngineKind, Exec};
use shellproof_conformance::{Case, Needs, harness};
use shellproof_podman::Podman;

fn main() -> ExitCode {
    harness::main(harness::Backend {
        kind: EngineKind::Podman,
        scratch: env!("CARGO_TARGET_TMPDIR"),
        connect: |endpoint, name| {
            Box::pin(async move { Ok(Arc::new(Podman::connect(&endpoint, &name).await?) as Arc<dyn Exec>) })
        },
        skip,
    })
}

/// The lab's rootful engines live in network namespaces of their own, and no engine there has the systemd with which
/// Podman runs health checks.
fn skip(engine: &str, case: &Case) -> Option<&'static str> {
    match case.needs {
        Needs::Host | Needs::Registry if !engine.contains("rootless") => {
            Some("does not share this host's loopback")
        }
        Needs::HealthChecks => Some("has no systemd to run health checks"),
        _ => None,
    }
}
