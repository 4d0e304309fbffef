//! Pulling from a real registry (Debian's `docker-registry`), with a certificate of a private authority and a password.
//!
//! Each pull is a process of its own, since proxies, certificates and credentials come from the environment.

#[path = "../../../../witnesses/image/tests/images/build.rs"]
#[expect(dead_code, reason = "the image witness's tests use more of it")]
mod build;
mod pulls;
mod server;
mod wires;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};
use shellproof_conformance::lab;
use shellproof_store::Store;

use server::Server;

/// The one word with which this program pulls an image, and says how that went.
const PULL: &str = "pull";

/// A user with a home of its own.
struct User {
    home: tempfile::TempDir,
    environment: Vec<(&'static str, OsString)>,
}

impl User {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a directory"),
            environment: Vec::new(),
        }
    }

    /// One who trusts the server's authority, and knows its password.
    fn of(server: &Server, registry: &str) -> Self {
        let user = Self::new();
        user.trusts(server, registry);
        user.knows(registry, server::PASSWORD);
        user
    }

    fn trusts(&self, server: &Server, registry: &str) {
        let ca = std::fs::read(server.authority()).expect("a certificate");
        self.write(&format!(".config/containers/certs.d/{registry}/ca.crt"), &ca);
    }

    fn knows(&self, registry: &str, password: &str) {
        use base64::Engine;
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("{}:{password}", server::USER));
        let text = serde_json::json!({ "auths": { registry: { "auth": auth } } });
        self.write(".config/containers/auth.json", text.to_string().as_bytes());
    }

    fn write(&self, path: &str, content: &[u8]) -> PathBuf {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(&path, content).expect("a file");
        path
    }

    fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    fn store(&self) -> Store {
        Store::open_at(&self.home().join("data/shellproof")).expect("a store")
    }

    fn start(&self, reference: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args([PULL, reference])
            .env_clear()
            .env("HOME", self.home())
            .env("XDG_DATA_HOME", self.home().join("data"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this program starts")
    }

    fn pull(&self, reference: &str) -> Output {
        self.start(reference).wait_with_output().expect("it ends")
    }

    /// Pulls, and gives the image's id.
    fn gets(&self, reference: &str) -> String {
        let output = self.pull(reference);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Pulls, and gives the error.
    fn fails(&self, reference: &str) -> String {
        let output = self.pull(reference);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn pull(reference: &str) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let last = Mutex::new(None);
    let progress = |step: shellproof_api::PullProgress| *last.lock().expect("nobody panics") = Some(step);
    let pulled = runtime.block_on(async {
        let store = Store::open()?;
        store
            .pull(&reference.parse().expect("a reference"), None, &progress)
            .await
    });
    match pulled {
        Ok(imported) => {
            println!("{}", imported.id);
            eprintln!("{:?} {:?}", imported.names, last.lock().expect("nobody panics"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            if let shellproof_store::Error::Registry { kind, .. } = &error {
                eprint!("{kind:?}: ");
            }
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [PULL, reference] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return pull(reference);
    }
    // Where a program is missing nothing of this can be tested, and it is a failure where everything must be.
    let missing = server::PROGRAMS
        .into_iter()
        .find(|program| server::find(program).is_none());
    if let Some(program) = missing {
        eprintln!("ignored: there is no `{program}` (Debian has `docker-registry` and `openssl`)");
    }
    let is_ignored = missing.is_some() && !lab::is_required();
    let trials = pulls::TESTS.iter().map(|(name, test)| {
        let run = || -> Result<(), Failed> {
            test();
            Ok(())
        };
        Trial::test(*name, run).with_ignored_flag(is_ignored)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
