//! Containers that outlive their audit: what runs in them goes on, until they are removed or somebody cleans.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use shellproof_wire::http;

use crate::fixtures;
use crate::support::{Ended, Engine, Going, alone, block_on, engine, finish, shellproof, unique, wait_for};

/// An audit that is over, and the container that it left running.
struct Left {
    engine: Engine,
    container: String,
    /// Where this test's runs have their directories: no other test's `clean` ends what is kept here.
    directory: PathBuf,
    keeper: i32,
    report: Value,
}

impl Left {
    /// Has a container made and started behind a recorder, as its user's own client would, and ends the audit.
    fn audit(engine: Engine) -> Self {
        let container = unique("left", &engine);
        let directory = Path::new("/run/shellproof").join(&container);
        std::fs::create_dir_all(&directory).expect("a directory that engines see");
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o711))
            .expect("it can be entered");
        load(&engine);
        let socket = directory.join("audit");
        let mut audit = shellproof();
        audit
            .env("XDG_RUNTIME_DIR", &directory)
            .args([
                "audit",
                "--mode",
                "prebuilt",
                "--format",
                "json",
                "--engine",
                &engine.choice(),
            ])
            .arg("--listen")
            .arg(&socket);
        let going = Going::start(&mut audit);
        wait_for("the recorder", || socket.exists().then_some(()));
        let body = json!({
            "Image": fixtures::reference("tiny"),
            "Cmd": ["sleep", "300"],
            "Healthcheck": { "Test": ["CMD", "/tiny", "healthy"], "Interval": 300_000_000, "Retries": 1 },
            "HostConfig": { "RestartPolicy": { "Name": "always" } },
        });
        let create = format!("/containers/create?name={container}");
        assert_eq!(post(&socket, &create, Some(&body)), 201);
        assert_eq!(
            post(&socket, &format!("/containers/{container}/start"), None),
            204
        );
        going.signal(Signal::TERM);
        let ended = going.end().expect(0);
        let report = ended.json();
        let evidence = &report["results"][0]["evidence"];
        let outlives = evidence
            .as_array()
            .and_then(|all| all.iter().find(|one| one["rule"] == "outlives"));
        let detail = outlives
            .and_then(|one| one["detail"].as_str())
            .unwrap_or_default();
        let keeper = detail.strip_prefix("left running, kept by process ");
        let keeper = keeper.and_then(|pid| pid.parse().ok());
        Self {
            keeper: keeper.unwrap_or_else(|| panic!("no keeper in {evidence:#}")),
            engine,
            container,
            directory,
            report,
        }
    }

    fn ask(&self, what: &str) -> u16 {
        self.engine
            .request("POST", &format!("/containers/{}/{what}", self.container))
            .0
    }

    /// The health check's program runs in the container and ends well.
    fn is_healthy(&self) -> bool {
        if self.engine.name.starts_with("podman") {
            // There is nobody who would run it again and again.
            let path = format!("/v4.0.0/libpod/containers/{}/healthcheck", self.container);
            return self.engine.get(&path)["Status"] == "healthy";
        }
        let state = self.engine.get(&format!("/containers/{}/json", self.container));
        state["State"]["Health"]["Status"] == "healthy"
    }

    fn becomes_healthy(&self) {
        wait_for("the health check", || self.is_healthy().then_some(()));
    }

    /// Lines of `/proc/PID/status`, in their units.
    fn status(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.keeper)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Fields of `/proc/PID/stat` from the third on.
    fn stat(&self) -> Vec<i64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.keeper)).expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        fields
            .split_whitespace()
            .map(|field| field.parse().unwrap_or_default())
            .collect()
    }

    fn keeps(&self) -> bool {
        // One that has ended and that nobody has waited for is none.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.keeper));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// The directories of runs.
    fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.join("shellproof")).expect("it is there");
        let entries = entries.map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.is_dir()).collect()
    }

    fn clean(&self) -> Ended {
        let mut clean = shellproof();
        clean
            .env("XDG_RUNTIME_DIR", &self.directory)
            .args(["clean", "--engine", &self.engine.choice()]);
        finish(&mut clean).expect(0)
    }

    fn remove(&self) {
        let path = format!("/containers/{}?force=1", self.container);
        let (status, body) = self.engine.request("DELETE", &path);
        assert!(matches!(status, 200 | 204), "{}", String::from_utf8_lossy(&body));
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        // Where a test failed before it came to that.
        self.engine
            .request("DELETE", &format!("/containers/{}?force=1", self.container));
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn post(socket: &Path, path: &str, body: Option<&Value>) -> u16 {
    let method = "POST".parse().expect("a method");
    let answer = block_on(http::call(socket, method, path, body, 1 << 20));
    answer.expect("the recorder answers").0.as_u16()
}

fn load(engine: &Engine) {
    let tar = std::fs::read(fixtures::directory().join("tiny.tar")).expect("the fixtures are built");
    let image = format!("/images/{}/json", fixtures::reference("tiny"));
    block_on(async {
        let method = "POST".parse().expect("a method");
        let kind = Some("application/x-tar");
        let answer = http::send(&engine.socket, method, "/images/load", kind, http::full(tar)).await;
        // Loaded when the answer has ended, which nobody reads.
        let answer = answer.expect("the engine answers");
        assert!(answer.status().is_success());
        for _ in 0..100 {
            if engine.call("GET", &image).await.0 == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("`tiny` was not loaded");
    });
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn clean_is_not_needed_for_a_container_that_outlives_its_audit_and_is_then_removed(
    #[values("docker-26", "podman-4", "podman-5", "podman-5-rootless")] name: &str,
) {
    let (_gate, left) = (alone(), Left::audit(engine(name)));
    assert_eq!(left.report["results"][0]["verdict"], "clean", "{:#}", left.report);
    left.becomes_healthy();
    assert_eq!(left.ask("restart?t=0"), 204);
    left.becomes_healthy();
    assert_eq!(left.ask("stop?t=0"), 204);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(left.ask("start"), 204);
    left.becomes_healthy();

    // A session of its own, and nobody waits for what it inherited.
    assert_eq!(left.stat()[3], i64::from(left.keeper));
    for number in 0..3 {
        let file = std::fs::read_link(format!("/proc/{}/fd/{number}", left.keeper));
        assert_eq!(file.expect("it is open"), Path::new("/dev/null"));
    }
    let environment = std::fs::read(format!("/proc/{}/environ", left.keeper));
    assert_eq!(environment.expect("it can be read"), b"");
    // In kB; what is of the binary's file is shared, and much less without what a debugger needs.
    assert!(left.status("RssAnon:") < 4 << 10);
    assert_eq!(left.status("Threads:"), 1);
    let ticks = |left: &Left| left.stat()[11] + left.stat()[12];
    let before = ticks(&left);
    std::thread::sleep(Duration::from_secs(1));
    assert!(ticks(&left) - before <= 1, "it is busy");

    left.remove();
    wait_for("the keeper's end", || (!left.keeps()).then_some(()));
    assert!(left.runs().is_empty());
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn clean_ends_a_keeper_and_says_what_that_means(#[values("docker-26", "podman-5-rootless")] name: &str) {
    let (_gate, left) = (alone(), Left::audit(engine(name)));
    left.becomes_healthy();
    let began = Instant::now();
    let said = left.clean().stdout;
    assert!(began.elapsed() < Duration::from_secs(30));
    let ended = format!("ended process {}, which kept `{}`\n", left.keeper, left.container);
    assert!(said.contains(&ended) && said.contains("help: "), "{said}");
    assert!(!left.keeps());
    assert!(left.runs().is_empty());
    // It is no container of ours.
    assert_eq!(
        left.engine.get(&format!("/containers/{}/json", left.container))["State"]["Running"],
        true
    );
    assert!(!left.clean().stdout.contains("ended process"));
}

#[test]
#[ignore = "needs engines: scripts/test runs it"]
fn clean_removes_what_a_killed_keeper_has_left() {
    let (_gate, left) = (alone(), Left::audit(engine("docker-26")));
    kill_process(Pid::from_raw(left.keeper).expect("a process"), Signal::KILL).expect("it can be killed");
    wait_for("the keeper's end", || (!left.keeps()).then_some(()));
    assert_eq!(left.runs().len(), 1);
    assert!(!left.clean().stdout.contains("ended process"));
    assert!(left.runs().is_empty());
}
