//! Executing programs in a running container: for layered platforms only.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::StreamExt;
use shellproof_api::{ContainerId, ErrorKind, ExecOutput, Output, Result};

use crate::Docker;
use crate::containers::chunk;

/// How long between two looks at whether the program has ended.
const PAUSE: Duration = Duration::from_millis(10);

impl Docker {
    pub(crate) async fn execute(&self, id: &ContainerId, argv: &[String]) -> Result<ExecOutput> {
        let failing = self.failing("execute a program in container", &id.0);
        let options = CreateExecOptions {
            cmd: Some(argv.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = self.client.create_exec(&id.0, options).await;
        let exec = exec.map_err(|error| failing.from(error))?.id;
        let started = self
            .client
            .start_exec(&exec, Some(StartExecOptions::default()))
            .await;
        let StartExecResults::Attached { mut output, .. } = started.map_err(|error| failing.from(error))?
        else {
            return Err(failing.with(ErrorKind::Other, "the engine did not attach to it"));
        };
        let mut collected = Output::default();
        while let Some(item) = output.next().await {
            collected.push(&chunk(item.map_err(|error| failing.from(error))?));
        }
        // The output ends a moment before the engine has noted the exit code.
        loop {
            let state = self
                .client
                .inspect_exec(&exec)
                .await
                .map_err(|error| failing.from(error))?;
            match state.exit_code {
                Some(exit_code) if state.running != Some(true) => {
                    return Ok(ExecOutput {
                        exit_code,
                        output: collected,
                    });
                }
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
