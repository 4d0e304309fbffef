//! The suite that every backend passes, on each Docker engine that `SHELLPROOF_ENGINES` names.

use std::process::ExitCode;
use std::sync::Arc;

use shellproof_api::{EngineKind, Inspect};
use shellproof_conformance::harness;
use shellproof_docker::Docker;

fn main() -> ExitCode {
    harness::main(harness::Backend {
        kind: EngineKind::Docker,
        scratch: env!("CARGO_TARGET_TMPDIR"),
        connect: |endpoint, name| {
            Box::pin(
                async move { Ok(Arc::new(Docker::connect(&endpoint, &name).await?) as Arc<dyn Inspect>) },
            )
        },
        skip: |_, _| None,
    })
}
