//! Pulling: a failure comes as a line of a successful answer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http_body_util::BodyExt;
use hyper::{Method, Request};
use serde_json::json;
use shellproof_api::{Credentials, Error, ErrorKind, PullProgress, Reference, Result};
use shellproof_recorder::http;

use crate::fault::{Fault, Op};
use crate::model::PullLine;
use crate::podman::Podman;
use crate::wire::{self, escape};

/// The longest line of a pull that is put together from pieces.
const LINE: usize = 1 << 20;

impl Podman {
    pub(crate) async fn pull(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<()> {
        let op = Op {
            operation: "pull image",
            object: reference,
        };
        let refused = |fault: Fault| self.pull_error(op, fault);
        let path = wire::path(&format!(
            "/images/pull?policy=always&reference={}",
            escape(reference)
        ));
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("Host", "localhost");
        if let Some(credentials) = credentials {
            request = request.header("X-Registry-Auth", auth(credentials));
        }
        let request = request
            .body(http::empty())
            .map_err(|error| self.wire.error(op, ErrorKind::Invalid, error.to_string()))?;
        let answer = http::send_request(&self.wire.socket, request).await;
        let answer = answer.map_err(|error| refused(Fault::unreachable(&error)))?;
        let mut body = wire::accepted(answer).await.map_err(refused)?.into_body();
        let mut lines = Lines::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| refused(Fault::unreachable(&error)))?;
            for line in lines.push(&frame.into_data().unwrap_or_default()) {
                report(&line, progress).map_err(refused)?;
            }
        }
        report(&lines.rest, progress).map_err(refused)
    }

    /// Names the registry where the engine's own words do not.
    fn pull_error(&self, op: Op<'_>, fault: Fault) -> Error {
        let mut error = fault.at(&self.wire.engine, op);
        if let Ok(reference) = Reference::parse(op.object)
            && !error.message.contains(&reference.registry)
        {
            error.message = format!("registry `{}`: {}", reference.registry, error.message);
        }
        error
    }
}

/// What one line says: how far it is, or that it failed.
fn report(line: &[u8], progress: &(dyn Fn(PullProgress) + Send + Sync)) -> std::result::Result<(), Fault> {
    // The last line lists the image's ids and says nothing else.
    let line: PullLine = serde_json::from_slice(line).unwrap_or_default();
    if !line.error.is_empty() {
        // The status is that of the answer: the kind comes from the text, which is all there is.
        return Err(Fault {
            status: Some(200),
            message: line.error,
        });
    }
    let status = line.stream.trim();
    if !status.is_empty() {
        progress(PullProgress {
            status: status.to_owned(),
            current: None,
            total: None,
        });
    }
    Ok(())
}

/// Cuts a stream into lines, wherever its pieces end.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn push(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.rest.len() + part.len() <= LINE {
                self.rest.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                lines.push(std::mem::take(&mut self.rest));
            }
        }
        lines
    }
}

/// The value of `X-Registry-Auth`: Go's base64url with padding, as Podman 4 and 5 read it.
fn auth(credentials: &Credentials) -> String {
    let json = if credentials.username.is_empty() {
        json!({ "identitytoken": credentials.secret })
    } else {
        json!({
            "username": credentials.username,
            "password": credentials.secret,
            "serveraddress": credentials.registry,
        })
    };
    URL_SAFE.encode(json.to_string())
}
