//! As much of an engine's API as the tests need.

use std::io::{ErrorKind, Read, Write};
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shellproof_conformance::lab;
use shellproof_kernel::{Options, Session, Supervisor, Trace, profile};

/// An engine under test.
pub struct Engine(pub lab::Engine);

impl Deref for Engine {
    type Target = lab::Engine;

    fn deref(&self) -> &lab::Engine {
        &self.0
    }
}

impl Engine {
    /// Sends one request and gives the answer's status and body.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (status, answer) = self.send(method, path, "application/json", body.as_bytes());
        let text = String::from_utf8_lossy(&answer).into_owned();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn send(&self, method: &str, path: &str, content: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        // HTTP/1.0: the answer is not in chunks, and ends with the connection.
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: {content}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        // Docker does not read an archive's last zeroes, so that closing resets the connection behind its answer.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert!(
                error.kind() == ErrorKind::ConnectionReset && !answer.is_empty(),
                "{error}"
            );
        }
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
        (status, answer.split_off(end + 4))
    }

    fn expect(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!(
            (200..=304).contains(&status),
            "{}: {method} {path}: {status} {answer}",
            self.name
        );
        answer
    }

    /// The reference of a fixture image, which is loaded when the engine does not have it.
    fn image(&self, fixture: &str) -> String {
        static LOADING: Mutex<()> = Mutex::new(());
        let _loading = LOADING.lock();
        self.find_image(fixture).unwrap_or_else(|| {
            let directory =
                std::env::var("SHELLPROOF_FIXTURES").expect("no such image, and no SHELLPROOF_FIXTURES");
            let tar = std::fs::read(Path::new(&directory).join(format!("{fixture}.tar"))).unwrap();
            let (status, answer) = self.send("POST", "/v1.41/images/load", "application/x-tar", &tar);
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
            self.find_image(fixture)
                .expect("the archive's image has another name")
        })
    }

    fn find_image(&self, fixture: &str) -> Option<String> {
        let images = self.expect("GET", "/v1.41/images/json", &Value::Null);
        let name = format!("fixture-{fixture}:");
        let tags = images
            .as_array()?
            .iter()
            .filter_map(|image| image["RepoTags"].as_array())
            .flatten();
        tags.filter_map(Value::as_str)
            .find(|tag| tag.contains(&name))
            .map(str::to_owned)
    }
}

/// A container and the supervisor that watches it.
pub struct Watched<'e> {
    pub engine: &'e Engine,
    pub supervisor: Option<Supervisor>,
    directory: PathBuf,
    id: String,
}

impl<'e> Watched<'e> {
    /// Makes a container; `watch` says whether its programs go to a supervisor.
    pub fn create(engine: &'e Engine, image: &str, argv: &[&str], watch: bool) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let shared = std::env::var("SHELLPROOF_SHARED").expect("SHELLPROOF_SHARED is not set");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(&shared).join(format!("supervisor-{}-{number}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut watched = Self {
            engine,
            supervisor: None,
            directory,
            id: String::new(),
        };
        let profile = watch.then(|| watched.listen());
        watched.id = watched.make(image, argv, profile);
        watched
    }

    /// Listens, as this user or as root for the user that the engine's socket belongs to, and gives the profile.
    fn listen(&mut self) -> String {
        let engine = std::fs::metadata(&self.engine.socket).unwrap();
        let owner = (engine.uid(), engine.gid());
        let mine = std::fs::metadata(&self.directory).unwrap();
        let foreign = (mine.uid(), mine.gid()) != owner;
        if foreign {
            chown(&self.directory, Some(owner.0), Some(owner.1)).unwrap();
        }
        let socket = self.directory.join("kernel.sock");
        let options = Options {
            owner: foreign.then_some(owner),
            ..Options::default()
        };
        self.supervisor = Some(Supervisor::start(&socket, options).unwrap());
        if !self.engine.is_podman() {
            return profile::docker(&socket).unwrap();
        }
        let default = std::env::var("SHELLPROOF_SECCOMP").unwrap_or(profile::PODMAN_DEFAULT.to_owned());
        let default = std::fs::read_to_string(default).unwrap();
        let path = self.directory.join("profile.json");
        std::fs::write(&path, profile::notify(&default, &socket).unwrap()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn make(&self, image: &str, argv: &[&str], profile: Option<String>) -> String {
        let image = self.engine.image(image);
        let (path, mut body) = match self.engine.is_podman() {
            true => (
                "/v4.0.0/libpod/containers/create",
                json!({"image": image, "entrypoint": argv[..1], "command": argv[1..]}),
            ),
            false => (
                "/v1.41/containers/create",
                json!({"Image": image, "Entrypoint": argv[..1], "Cmd": argv[1..], "HostConfig": {"NetworkMode": "none"}}),
            ),
        };
        match profile {
            Some(profile) if self.engine.is_podman() => body["seccomp_profile_path"] = profile.into(),
            Some(profile) => body["HostConfig"]["SecurityOpt"] = json!([format!("seccomp={profile}")]),
            None => {}
        }
        if self.engine.is_podman() {
            body["netns"] = json!({"nsmode": "none"});
        }
        let made = self.engine.expect("POST", path, &body);
        made["Id"].as_str().unwrap().to_owned()
    }

    fn path(&self, what: &str) -> String {
        format!("/v1.41/containers/{}/{what}", self.id)
    }

    pub fn try_start(&self) -> (u16, Value) {
        self.engine.call("POST", &self.path("start"), &Value::Null)
    }

    pub fn start(&self) {
        self.engine.expect("POST", &self.path("start"), &Value::Null);
    }

    /// Waits for the end and gives the exit code.
    pub fn wait(&self) -> i64 {
        let ended = self.engine.expect("POST", &self.path("wait"), &Value::Null);
        ended["StatusCode"].as_i64().unwrap()
    }

    /// Runs a program in the running container as `docker exec` does.
    pub fn exec(&self, argv: &[&str]) -> (u16, Value) {
        let body = json!({"Cmd": argv, "AttachStdout": true, "AttachStderr": true});
        let made = self.engine.expect("POST", &self.path("exec"), &body);
        let path = format!("/v1.41/exec/{}/start", made["Id"].as_str().unwrap());
        self.engine.call("POST", &path, &json!({"Detach": true}))
    }

    /// Waits until the trace is as told.
    pub fn until(&self, what: &str, is: impl Fn(&Trace) -> bool) -> Trace {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let trace = self.supervisor.as_ref().unwrap().trace();
            if is(&trace) {
                return trace;
            }
            assert!(
                Instant::now() < deadline,
                "{}: not {what}: {trace:#?}",
                self.engine.name
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs the container to its end; gives its exit code and its only session.
    pub fn run(&self) -> (i64, Session) {
        self.start();
        let code = self.wait();
        assert!(
            self.supervisor
                .as_ref()
                .unwrap()
                .wait_ended(Duration::from_secs(30))
        );
        let trace = self.supervisor.as_ref().unwrap().trace();
        assert_eq!(trace.faults, [""; 0], "{}", self.engine.name);
        let [session] = trace.sessions.try_into().unwrap();
        assert_eq!(session.container, self.id);
        (code, session)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.id.is_empty() {
            let path = format!("/v1.41/containers/{}?force=true", self.id);
            self.engine.call("DELETE", &path, &Value::Null);
        }
        self.supervisor.take();
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}
