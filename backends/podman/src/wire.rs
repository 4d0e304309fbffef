//! Calls to libpod that do not go through `podman-api`. Every one uses the recorder's socket.

use std::path::PathBuf;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use shellproof_api::{Error, ErrorKind, Result};
use shellproof_wire::http::{self, Body};

use crate::fault::{Fault, Op};

/// The API version that `podman-api` asks for too. Podman 5 answers it in the shapes of Podman 4.
const LIBPOD: &str = "/v4.3.1/libpod";

/// The longest answer that is read into memory: a list of all containers is the longest there is.
const ANSWER: usize = 64 << 20;

/// Everything but what needs no escape; references keep `/`, `:` and `@`, which Podman's router expects bare.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'@');

/// A name, reference or value, ready for a path or a query.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The whole path of a libpod route.
pub(crate) fn path(route: &str) -> String {
    format!("{LIBPOD}{route}")
}

/// One engine's socket, and the name under which errors speak of it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub socket: PathBuf,
    pub engine: String,
}

impl Wire {
    /// Calls libpod and gives the answer's body, or the refusal.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        json: Option<&Value>,
    ) -> std::result::Result<Bytes, Fault> {
        let path = self::path(path);
        let (status, body) = http::call(&self.socket, method, &path, json, ANSWER)
            .await
            .map_err(|error| Fault::unreachable(&error))?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(Fault::answered(status.as_u16(), &body))
        }
    }

    /// Sends a request and gives the answer as soon as its head is there, or the refusal.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Body,
    ) -> std::result::Result<Response<Incoming>, Fault> {
        let answer = http::send(&self.socket, method, &self::path(path), content_type, body)
            .await
            .map_err(|error| Fault::unreachable(&error))?;
        accepted(answer).await
    }

    pub async fn get<T: DeserializeOwned>(&self, op: Op<'_>, path: &str) -> Result<T> {
        let body = self
            .call(Method::GET, path, None)
            .await
            .map_err(|fault| fault.at(&self.engine, op))?;
        self.parse(op, &body)
    }

    /// As [`Wire::get`]; `None` when what is asked for does not exist.
    pub async fn find<T: DeserializeOwned>(&self, op: Op<'_>, path: &str) -> Result<Option<T>> {
        match self.call(Method::GET, path, None).await {
            Ok(body) => self.parse(op, &body).map(Some),
            Err(fault) if fault.status == Some(404) => Ok(None),
            Err(fault) => Err(fault.at(&self.engine, op)),
        }
    }

    /// Whether `/{path}/exists` says so.
    pub async fn exists(&self, path: &str) -> std::result::Result<bool, Fault> {
        match self.call(Method::GET, &format!("{path}/exists"), None).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.status == Some(404) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    pub fn parse<T: DeserializeOwned>(&self, op: Op<'_>, body: &[u8]) -> Result<T> {
        serde_json::from_slice(body).map_err(|error| {
            self.error(
                op,
                ErrorKind::Other,
                format!("the engine's answer is not understood: {error}"),
            )
        })
    }

    pub fn error(&self, op: Op<'_>, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            operation: op.operation,
            engine: self.engine.clone(),
            object: op.object.to_owned(),
            kind,
            status: None,
            message: message.into(),
        }
    }
}

/// The answer, unless it is a refusal: then what the engine said.
pub(crate) async fn accepted(answer: Response<Incoming>) -> std::result::Result<Response<Incoming>, Fault> {
    use http_body_util::{BodyExt, Limited};

    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = Limited::new(answer.into_body(), ANSWER).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    Err(Fault::answered(status.as_u16(), &body))
}
