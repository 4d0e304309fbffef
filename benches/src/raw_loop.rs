//! What shellproof is measured against: create, start, wait, logs, remove of the same container over the engine's own
//! API, on one kept connection per client, past the recorder, by a program that does nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::Client;
use crate::{Engine, Result, at_once};

/// What an engine's API is called, and the end of a container in it.
#[derive(Clone, Copy)]
pub struct Dialect(&'static str, &'static str);

const DOCKER: Dialect = Dialect("/v1.40", "wait");
const PODMAN: Dialect = Dialect("/v4.0.0/libpod", "wait?condition=exited&condition=stopped");

impl Dialect {
    pub fn of(engine: &Engine) -> Result<Self> {
        let answer = Client::new(&engine.socket).call("GET", "/version", None)?;
        let is_podman = String::from_utf8_lossy(&answer.body).contains("Podman Engine");
        Ok(if is_podman { PODMAN } else { DOCKER })
    }

    pub fn is_podman(self) -> bool {
        self.0 == PODMAN.0
    }

    /// Podman's own API looks at a container every 250 ms when it is asked to wait for it, unless told otherwise.
    pub fn looking_every_10_ms(self) -> Self {
        Self(self.0, "wait?condition=exited&condition=stopped&interval=10ms")
    }

    /// How long so many containers take so many clients.
    pub fn run_loop(self, engine: &Engine, image: &str, count: usize, clients: usize) -> Result<Duration> {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        at_once(clients, || {
            let mut client = Client::new(&engine.socket);
            while next.fetch_add(1, Ordering::Relaxed) < count {
                container(&mut client, self, image)?;
            }
            Ok(())
        })?;
        Ok(began.elapsed())
    }

    /// A container like the one that shellproof makes of the scenario.
    fn container(self, image: &str, name: &str) -> (String, String) {
        let (path, body) = if self.is_podman() {
            let body = json!({ "name": name, "image": image, "command": ["echo", "hi"], "netns": { "nsmode": "none" } });
            (format!("{}/containers/create", self.0), body)
        } else {
            let body =
                json!({ "Image": image, "Cmd": ["echo", "hi"], "HostConfig": { "NetworkMode": "none" } });
            (format!("{}/containers/create?name={name}", self.0), body)
        };
        (path, body.to_string())
    }
}

fn container(client: &mut Client, dialect: Dialect, image: &str) -> Result {
    static NAMES: AtomicUsize = AtomicUsize::new(0);
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    let name = format!("shellproof-bench-{}-{number}", std::process::id());
    let mut call = |method: &str, path: &str, body: Option<&str>| -> Result<Vec<u8>> {
        let answer = client.call(method, path, body);
        let answer = answer.map_err(|error| format!("{method} {path}: {error}"))?;
        if answer.status < 400 {
            return Ok(answer.body);
        }
        let said = String::from_utf8_lossy(&answer.body);
        Err(format!("{method} {path}: {}: {said}", answer.status).into())
    };
    let (path, body) = dialect.container(image, &name);
    call("POST", &path, Some(&body))?;
    let of = format!("{}/containers/{name}", dialect.0);
    let mut live = || -> Result<_> {
        call("POST", &format!("{of}/start"), None)?;
        let ended = call("POST", &format!("{of}/{}", dialect.1), None)?;
        let logs = call("GET", &format!("{of}/logs?stdout=true&stderr=true"), None)?;
        Ok((ended, logs))
    };
    let lived = live();
    call("DELETE", &format!("{of}?force=true&v=true"), None)?;
    let (ended, logs) = lived?;
    let ended: Value = serde_json::from_slice(&ended)?;
    // Podman answers with the exit code alone.
    let code = ended.as_i64().or(ended["StatusCode"].as_i64());
    // A loop that does not see what it should is nothing to be measured against.
    if code != Some(0) || !logs.ends_with(b"hi\n") {
        return Err(format!("container `{name}` ended with {code:?} and wrote {logs:?}").into());
    }
    Ok(())
}
