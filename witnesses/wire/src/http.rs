//! One HTTP request to a unix socket, on a connection of its own.
//!
//! The relay uses it to ask an engine what it is about to run, and backends use it for the calls that their
//! client library gets wrong.

use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// A request body of any kind.
pub type Body = BoxBody<Bytes, io::Error>;

/// A body that is empty.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// A body that is in memory.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// A body that comes in pieces, read where waiting is allowed.
#[derive(Debug)]
pub struct Pieces {
    coming: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl From<mpsc::Receiver<Bytes>> for Pieces {
    fn from(coming: mpsc::Receiver<Bytes>) -> Self {
        Self {
            coming,
            piece: Bytes::new(),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.coming.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let part = self.piece.split_to(self.piece.len().min(buffer.len()));
        buffer[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }
}

/// Sends one request and gives the answer as soon as its head is there. `path` carries the query.
///
/// # Errors
/// The socket cannot be reached, or the peer does not speak HTTP/1.1.
pub async fn send(
    socket: &Path,
    method: Method,
    path: &str,
    content_type: Option<&str>,
    body: Body,
) -> io::Result<Response<Incoming>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("Host", "localhost");
    if let Some(content_type) = content_type {
        request = request.header("Content-Type", content_type);
    }
    send_request(socket, request.body(body).map_err(io::Error::other)?).await
}

/// As [`send`], for a request that needs headers of its own.
///
/// # Errors
/// As [`send`].
pub async fn send_request(socket: &Path, request: Request<Body>) -> io::Result<Response<Incoming>> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(async move {
        // The connection's own error reaches the caller through the answer or its body.
        let _ = connection.with_upgrades().await;
    });
    sender.send_request(request).await.map_err(io::Error::other)
}

/// Sends one request and collects the answer, of which at most `limit` bytes are accepted.
///
/// # Errors
/// As [`send`]; also when the answer is longer than `limit`.
pub async fn call(
    socket: &Path,
    method: Method,
    path: &str,
    json: Option<&serde_json::Value>,
    limit: usize,
) -> io::Result<(StatusCode, Bytes)> {
    let body = json.map_or_else(empty, |value| full(value.to_string()));
    let answer = send(socket, method, path, json.map(|_| "application/json"), body).await?;
    let status = answer.status();
    let bytes = Limited::new(answer.into_body(), limit)
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    Ok((status, bytes))
}
