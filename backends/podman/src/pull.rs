//! Pulling: a failure comes as a line of a successful answer.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http_body_util::BodyExt;
use hyper::{Method, Request};
use serde_json::json;
use shellproof_api::{Credentials, Error, ErrorKind, ImageReference, PullProgress, ReferenceError, Result};
use shellproof_wire::http;

use crate::fault::{self, Fault, Op};
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
        let parsed: ImageReference = reference
            .parse()
            .map_err(|error: ReferenceError| self.wire.error(op, ErrorKind::Invalid, error.to_string()))?;
        let path = wire::path(&format!(
            "/images/pull?policy=always&tlsVerify={}&reference={}",
            !is_local(&parsed),
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

    fn pull_error(&self, op: Op<'_>, mut fault: Fault) -> Error {
        let kind = match fault.status {
            None => ErrorKind::Unreachable,
            Some(_) => fault::kind_of_pull(&fault.message),
        };
        if let Ok(reference) = op.object.parse::<ImageReference>() {
            fault.message = format!("registry `{}`: {}", reference.canonical_registry(), fault.message);
        }
        fault.with_kind(&self.wire.engine, op, kind)
    }
}

/// Whether a registry is on the loopback interface. It may speak plain HTTP, as Docker lets it.
fn is_local(reference: &ImageReference) -> bool {
    reference.host().is_some_and(|host| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn run(pieces: &[&str]) -> (std::result::Result<(), String>, Vec<String>) {
        let steps = Mutex::new(Vec::new());
        let progress = |step: PullProgress| steps.lock().unwrap().push(step.status);
        let mut lines = Lines::default();
        let result = pieces
            .iter()
            .flat_map(|piece| lines.push(piece.as_bytes()))
            .try_for_each(|line| report(&line, &progress))
            .map_err(|fault| fault.message);
        (result, steps.into_inner().unwrap())
    }

    #[test]
    fn progress_is_told_line_by_line_however_the_stream_is_cut() {
        let (result, steps) = run(&[
            "{\"stream\":\"Trying",
            " to pull x...\\n\"}\n{\"stre",
            "am\":\"Copying blob\"}\n{\"images\":[\"1\"],\"id\":\"1\"}\n",
        ]);
        assert_eq!(result, Ok(()));
        assert_eq!(steps, ["Trying to pull x...", "Copying blob"]);
    }

    #[test]
    fn a_failure_inside_a_successful_answer_is_one() {
        let (result, steps) = run(&["{\"stream\":\"Trying\"}\n{\"error\":\"connection refused\"}\n"]);
        assert_eq!(result, Err("connection refused".into()));
        assert_eq!(steps, ["Trying"]);
    }

    #[test]
    fn only_the_loopback_interface_is_local() {
        for (reference, local) in [
            ("127.0.0.1:5000/x", true),
            ("127.1.2.3/x", true),
            ("localhost:5000/x", true),
            ("[::1]:5000/x", true),
            ("[::1]/x", true),
            ("registry.corp:5000/x", false),
            ("10.0.0.1/x", false),
            ("x", false),
        ] {
            assert_eq!(is_local(&reference.parse().unwrap()), local, "{reference}");
        }
    }

    #[test]
    fn credentials_are_password_or_token_in_the_alphabet_for_addresses() {
        let credentials = |username: &str, secret: &str| Credentials {
            registry: "r".into(),
            username: username.into(),
            secret: secret.into(),
        };
        let decode = |header: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE.decode(header).unwrap()).unwrap()
        };
        let header = auth(&credentials("user", "p>>???~~~w"));
        assert!(!header.contains(['+', '/']), "{header}");
        assert_eq!(decode(&header)["password"], "p>>???~~~w");
        assert_eq!(
            decode(&auth(&credentials("", "token"))),
            json!({ "identitytoken": "token" })
        );
    }
}
