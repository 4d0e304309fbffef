//! A registry with one image, on the engine's loopback interface: enough of the distribution API for a pull.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use shellproof_api::Labels;
use tar::Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::network::Network;
use crate::subject::{file, sha256};

/// Who may pull.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    /// Everyone.
    Open,
    /// Who knows user and password.
    Password(&'static str, &'static str),
    /// Who has this identity token, which is exchanged for a bearer token.
    Identity(&'static str),
}

/// The registry. Dropping it closes its port.
pub(crate) struct Registry {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// The repository that it has.
const REPOSITORY: &str = "team/image";
const BEARER: &str = "granted";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

struct Content {
    access: Access,
    address: SocketAddr,
    manifest: Vec<u8>,
    blobs: BTreeMap<String, Vec<u8>>,
}

struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Registry {
    /// Serves an image that carries `labels`.
    pub(crate) async fn start(network: &Network, access: Access, labels: &Labels) -> io::Result<Self> {
        let listener = network.enter(|| std::net::TcpListener::bind("127.0.0.1:0"))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let content = Arc::new(Content::new(access, address, labels)?);
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let content = Arc::clone(&content);
                tokio::spawn(async move {
                    // An engine tries TLS first and hangs up when nobody answers in kind.
                    let _ = content.serve(connection).await;
                });
            }
        });
        Ok(Self { address, server })
    }

    /// Host and port, as in a reference.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The image's reference.
    pub(crate) fn image(&self) -> String {
        format!("{}/{REPOSITORY}:1", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Content {
    fn new(access: Access, address: SocketAddr, labels: &Labels) -> io::Result<Self> {
        let mut layer = Builder::new(Vec::new());
        file(&mut layer, "pulled", 0o644, (0, 0), b"pulled\n")?;
        let layer = layer.into_inner()?;
        let digest = |bytes: &[u8]| format!("sha256:{}", sha256(bytes));
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Cmd": ["/pulled"], "Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let descriptor = |media: &str, bytes: &[u8]| {
            json!({
                "mediaType": format!("application/vnd.oci.image.{media}"),
                "digest": digest(bytes),
                "size": bytes.len(),
            })
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor("config.v1+json", &config),
            "layers": [descriptor("layer.v1.tar", &layer)],
        });
        Ok(Self {
            access,
            address,
            manifest: manifest.to_string().into_bytes(),
            blobs: BTreeMap::from([(digest(&config), config), (digest(&layer), layer)]),
        })
    }

    /// One request, one answer.
    async fn serve(&self, mut connection: TcpStream) -> io::Result<()> {
        let request = read_request(&mut connection).await?;
        let mut words = request.split_whitespace();
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let answer = self.answer(path, &request);
        let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", answer.status);
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", answer.body.len());
        connection.write_all(head.as_bytes()).await?;
        if method != "HEAD" {
            connection.write_all(&answer.body).await?;
        }
        connection.shutdown().await
    }

    fn answer(&self, path: &str, request: &str) -> Answer {
        if path.starts_with("/token") {
            return self.token(request);
        }
        if !self.admits(request) {
            return self.challenge();
        }
        let manifests = format!("/v2/{REPOSITORY}/manifests/");
        let blobs = format!("/v2/{REPOSITORY}/blobs/");
        let digest = format!("sha256:{}", sha256(&self.manifest));
        if path == "/v2/" {
            Answer {
                status: "200 OK",
                headers: vec![],
                body: b"{}".to_vec(),
            }
        } else if path
            .strip_prefix(&manifests)
            .is_some_and(|tag| tag == "1" || tag == digest)
        {
            let headers = vec![
                ("content-type", MANIFEST.to_owned()),
                ("docker-content-digest", digest),
            ];
            Answer {
                status: "200 OK",
                headers,
                body: self.manifest.clone(),
            }
        } else if let Some(blob) = path
            .strip_prefix(&blobs)
            .and_then(|digest| self.blobs.get(digest))
        {
            let headers = vec![("content-type", "application/octet-stream".to_owned())];
            Answer {
                status: "200 OK",
                headers,
                body: blob.clone(),
            }
        } else {
            error("404 Not Found", "MANIFEST_UNKNOWN", "manifest unknown")
        }
    }

    fn admits(&self, request: &str) -> bool {
        let given = header(request, "authorization").unwrap_or("");
        match self.access {
            Access::Open => true,
            Access::Password(user, password) => {
                given == format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
            }
            Access::Identity(_) => given == format!("Bearer {BEARER}"),
        }
    }

    fn challenge(&self) -> Answer {
        let mut answer = error("401 Unauthorized", "UNAUTHORIZED", "authentication required");
        let challenge = match self.access {
            Access::Identity(_) => format!("Bearer realm=\"http://{}/token\",service=\"stub\"", self.address),
            _ => "Basic realm=\"stub\"".to_owned(),
        };
        answer.headers.push(("www-authenticate", challenge));
        answer
    }

    /// Exchanges an identity token, sent as a form, for a bearer token.
    fn token(&self, request: &str) -> Answer {
        let form = request.split_once("\r\n\r\n").map_or("", |(_, form)| form);
        match self.access {
            Access::Identity(token)
                if form
                    .split('&')
                    .any(|field| field == format!("refresh_token={token}")) =>
            {
                let body = json!({"access_token": BEARER, "token": BEARER, "expires_in": 300});
                let headers = vec![("content-type", "application/json".to_owned())];
                Answer {
                    status: "200 OK",
                    headers,
                    body: body.to_string().into_bytes(),
                }
            }
            _ => error("401 Unauthorized", "UNAUTHORIZED", "authentication required"),
        }
    }
}

fn error(status: &'static str, code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message}]});
    let headers = vec![("content-type", "application/json".to_owned())];
    Answer {
        status,
        headers,
        body: body.to_string().into_bytes(),
    }
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
}

/// A request's head and body, of which none here is long.
async fn read_request(connection: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let read = connection.read_buf(&mut bytes).await?;
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            // Podman sends its token so.
            let chunked = header(head, "transfer-encoding").is_some_and(|coding| coding == "chunked");
            if chunked && body.ends_with("0\r\n\r\n") {
                return Ok(format!("{head}\r\n\r\n{}", joined_chunks(body)));
            }
            let expected = header(head, "content-length")
                .and_then(|length| length.parse().ok())
                .unwrap_or(0);
            if !chunked && body.len() >= expected {
                return Ok(text.into_owned());
            }
        }
        // A TLS greeting starts with this byte.
        if read == 0 || bytes.len() > 1 << 16 || bytes.first() == Some(&0x16) {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// The content of a chunked body: every second line is a length. No content here has line ends.
fn joined_chunks(body: &str) -> String {
    body.split("\r\n").skip(1).step_by(2).collect()
}
