//! Pulling images.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bollard::errors::Error as Bollard;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use http::HeaderValue;
use serde_json::json;
use shellproof_api::{Credentials, Error, ErrorKind, ImageReference, PullProgress, ReferenceError, Result};

use crate::Docker;
use crate::error::Failing;

impl Docker {
    pub(crate) async fn pull(
        &self,
        image: &str,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<()> {
        let failing = self.failing("pull image", image);
        let reference: ImageReference = image
            .parse()
            .map_err(|error: ReferenceError| failing.with(ErrorKind::Invalid, error.to_string()))?;
        // Without a tag the engine would pull them all.
        let tag = reference.digest().or(reference.tag()).unwrap_or("latest");
        let options = CreateImageOptionsBuilder::default()
            .from_image(reference.name())
            .tag(tag)
            .build();
        let client = match credentials {
            Some(credentials) => {
                let header = auth_header(credentials, &failing)?;
                self.client.clone().with_request_modifier(move |mut request| {
                    request.headers_mut().insert("X-Registry-Auth", header.clone());
                    request
                })
            }
            None => self.client.clone(),
        };
        let mut answer = client.create_image(Some(options), None, None);
        while let Some(step) = answer.next().await {
            let step = step.map_err(|error| failed(&reference, &failing, error))?;
            let detail = step.progress_detail.unwrap_or_default();
            let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
            if let Some(status) = step.status {
                progress(PullProgress {
                    status,
                    current: bytes(detail.current),
                    total: bytes(detail.total),
                });
            }
        }
        // The last word is whether it is there, whatever the stream said.
        match self.image_config(image).await? {
            Some(_) => Ok(()),
            None => Err(failing.with(
                ErrorKind::ImageMissing,
                format!(
                    "registry `{}`: the pull ended without the image",
                    reference.canonical_registry()
                ),
            )),
        }
    }
}

/// The header by hand. `bollard` encodes it with the standard alphabet, and the engine decodes the URL-safe one: a
/// password with the wrong characters at the wrong places would be dropped, and the pull be anonymous.
fn auth_header(credentials: &Credentials, failing: &Failing) -> Result<HeaderValue> {
    let registry = &credentials.registry;
    let value = if credentials.username.is_empty() {
        json!({"serveraddress": registry, "identitytoken": credentials.secret})
    } else {
        json!({
            "serveraddress": registry,
            "username": credentials.username,
            "password": credentials.secret,
        })
    };
    let mut header = HeaderValue::from_str(&URL_SAFE.encode(value.to_string()))
        .map_err(|error| failing.with(ErrorKind::Invalid, error.to_string()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Image (as the error's object), registry and cause.
fn failed(reference: &ImageReference, failing: &Failing, error: Bollard) -> Error {
    let from_registry = matches!(
        error,
        Bollard::DockerResponseServerError { .. } | Bollard::DockerStreamError { .. }
    );
    let error = failing.from(error);
    Error {
        kind: if from_registry {
            kind(&error.message)
        } else {
            error.kind
        },
        // The engine's says little about what the registry answered.
        status: None,
        message: format!("registry `{}`: {}", reference.canonical_registry(), error.message),
        ..error
    }
}

/// The engine's status is 500 for most of it.
fn kind(message: &str) -> ErrorKind {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let unreachable = [
        "connection refused",
        "connection reset",
        "no such host",
        "timeout",
        "deadline exceeded",
        "unreachable",
        "server misbehaving",
        "server gave http response",
        "tls:",
        "x509:",
        ": eof",
    ];
    if says(&unreachable) {
        ErrorKind::Unreachable
    } else if says(&[
        "unauthorized",
        "denied",
        "no basic auth credentials",
        "authentication required",
        "forbidden",
    ]) {
        ErrorKind::Denied
    } else if says(&[
        "manifest unknown",
        "name unknown",
        "not found",
        "not known to registry",
    ]) {
        ErrorKind::ImageMissing
    } else if says(&["invalid reference format"]) {
        ErrorKind::Invalid
    } else {
        ErrorKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_read_from_what_the_engine_says() {
        for (message, expected) in [
            (
                "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                ErrorKind::Unreachable,
            ),
            (
                "Get \"https://r.corp/v2/\": x509: certificate signed by unknown authority",
                ErrorKind::Unreachable,
            ),
            (
                "pull access denied for x, repository does not exist or may require 'docker login'",
                ErrorKind::Denied,
            ),
            (
                "Head \"http://r/v2/x/manifests/1\": no basic auth credentials",
                ErrorKind::Denied,
            ),
            (
                "manifest for r/x:1 not found: manifest unknown: manifest unknown",
                ErrorKind::ImageMissing,
            ),
            ("no space left on device", ErrorKind::Other),
        ] {
            assert_eq!(kind(message), expected, "{message}");
        }
    }

    #[test]
    fn credentials_are_encoded_for_urls_and_kept_out_of_debug() {
        let credentials = Credentials {
            registry: "r:1".into(),
            username: String::new(),
            secret: "~~~???>>>".into(),
        };
        let header = auth_header(&credentials, &Failing::new("pull image", "docker", "x")).unwrap();
        let decoded = URL_SAFE.decode(header.as_bytes()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&decoded).unwrap();
        assert_eq!(
            value,
            json!({"serveraddress": "r:1", "identitytoken": "~~~???>>>"})
        );
        assert_eq!(format!("{header:?}"), "Sensitive");
    }
}
