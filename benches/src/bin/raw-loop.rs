//! What the same containers cost without shellproof: create, start, wait, logs, remove, straight to an engine's socket
//! on one kept connection per client.
//!
//! `raw-loop docker|podman|podman-10ms SOCKET IMAGE COUNT CLIENTS`, and `raw-loop dialect SOCKET` says which of the
//! first two an engine speaks.
//!
//! Podman's own API looks at a container every 250 ms when it is asked to wait for it; `podman-10ms` asks it to look
//! every 10 ms.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use shellproof_bench::http::Client;

/// What an engine's API is called.
#[derive(Clone, Copy)]
struct Dialect {
    prefix: &'static str,
    wait: &'static str,
    is_podman: bool,
}

impl Dialect {
    fn named(name: &str) -> Result<Self, String> {
        let podman = |wait| Self {
            prefix: "/v4.0.0/libpod",
            wait,
            is_podman: true,
        };
        match name {
            "docker" => Ok(Self {
                prefix: "/v1.40",
                wait: "wait",
                is_podman: false,
            }),
            "podman" => Ok(podman("wait?condition=exited&condition=stopped")),
            "podman-10ms" => Ok(podman("wait?condition=exited&condition=stopped&interval=10ms")),
            other => Err(format!("no dialect is called `{other}`")),
        }
    }

    /// A container like the one that shellproof makes of the scenario.
    fn container(self, image: &str, name: &str) -> (String, String) {
        let (path, body) = if self.is_podman {
            (
                format!("{}/containers/create", self.prefix),
                json!({ "name": name, "image": image, "command": ["echo", "hi"], "netns": { "nsmode": "none" } }),
            )
        } else {
            (
                format!("{}/containers/create?name={name}", self.prefix),
                json!({ "Image": image, "Cmd": ["echo", "hi"], "HostConfig": { "NetworkMode": "none" } }),
            )
        };
        (path, body.to_string())
    }

    /// The exit code in the answer to a wait.
    fn exit_code(self, answer: &Value) -> Option<i64> {
        let code = if self.is_podman {
            answer
        } else {
            &answer["StatusCode"]
        };
        code.as_i64()
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, socket] = words.as_slice()
        && word == "dialect"
    {
        let answer = Client::new(Path::new(socket)).call("GET", "/version", None)?;
        let is_podman = String::from_utf8_lossy(&answer.body).contains("Podman Engine");
        println!("{}", if is_podman { "podman" } else { "docker" });
        return Ok(());
    }
    let [dialect, socket, image, count, clients] = words.as_slice() else {
        return Err("expected DIALECT SOCKET IMAGE COUNT CLIENTS".into());
    };
    let dialect = Dialect::named(dialect)?;
    let socket = PathBuf::from(socket);
    let count: u32 = count.parse()?;
    let clients: u32 = clients.parse()?;
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let worker = || {
            let mut client = Client::new(&socket);
            while next.fetch_add(1, Ordering::Relaxed) < count {
                container(&mut client, dialect, image)?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..clients).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".into())))
    })
}

fn container(client: &mut Client, dialect: Dialect, image: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "shellproof-bench-{}-{}",
        std::process::id(),
        NAMES.fetch_add(1, Ordering::Relaxed)
    );
    let mut call = |method: &str, path: &str, body: Option<&str>| -> Result<Vec<u8>, String> {
        let answer = client
            .call(method, path, body)
            .map_err(|error| format!("{method} {path}: {error}"))?;
        if answer.status < 400 {
            return Ok(answer.body);
        }
        let said = String::from_utf8_lossy(&answer.body);
        Err(format!("{method} {path}: {}: {said}", answer.status))
    };
    let (path, body) = dialect.container(image, &name);
    call("POST", &path, Some(&body))?;
    let of = format!("{}/containers/{name}", dialect.prefix);
    let mut live = || -> Result<_, String> {
        call("POST", &format!("{of}/start"), None)?;
        let ended = call("POST", &format!("{of}/{}", dialect.wait), None)?;
        let logs = call("GET", &format!("{of}/logs?stdout=true&stderr=true"), None)?;
        Ok((ended, logs))
    };
    let lived = live();
    call("DELETE", &format!("{of}?force=true&v=true"), None)?;
    let (ended, logs) = lived?;
    let code = dialect.exit_code(&serde_json::from_slice(&ended)?);
    // A loop that does not see what it should is nothing to be measured against.
    if code != Some(0) || !logs.ends_with(b"hi\n") {
        return Err(format!("container `{name}` ended with {code:?} and wrote {logs:?}").into());
    }
    Ok(())
}
