//! Where Podman is installed and no socket listens, its service is started, and stopped again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rstest::rstest;

use crate::support::{Scenarios, beside_others, engine, finish, scenario, shellproof, wait_for};

/// A program called `podman` that notes how it was called and serves another engine's socket.
const PODMAN: &str = r#"#!/usr/bin/env python3
import os, socket, sys, threading
with open(os.environ["FAKE_PODMAN_LOG"], "a") as log:
    log.write(f"{os.getpid()} {' '.join(sys.argv[1:])}\n")
def copy(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[-1].removeprefix("unix://"))
listener.listen(64)
while True:
    client, _ = listener.accept()
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(os.environ["FAKE_PODMAN_ENGINE"])
    threading.Thread(target=copy, args=(client, engine), daemon=True).start()
    threading.Thread(target=copy, args=(engine, client), daemon=True).start()
"#;

fn install(directory: &Path, program: &str) {
    let path = directory.join("podman");
    fs::write(&path, program).expect("a file can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
}

fn search_path(first: &Path) -> String {
    format!(
        "{}:{}",
        first.display(),
        std::env::var("PATH").unwrap_or_default()
    )
}

/// A Podman that listens already would be taken, and no service started.
fn nobody_listens() {
    let runtime =
        std::env::var_os("XDG_RUNTIME_DIR").map(|runtime| Path::new(&runtime).join("podman/podman.sock"));
    for socket in runtime.into_iter().chain(["/run/podman/podman.sock".into()]) {
        assert!(
            !socket.exists(),
            "this test needs a machine on which no Podman listens, as on `{}`",
            socket.display()
        );
    }
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn podman_is_started_on_a_private_socket_and_stopped_again(
    #[values("podman-4", "podman-4-rootless", "podman-5", "podman-5-rootless")] name: &str,
) {
    nobody_listens();
    let (_gate, engine) = (beside_others(), engine(name));
    let keys = "args: [echo, hi]\n    expect: { exit: 0 }";
    let scenarios = Scenarios::new(&[("job", scenario("job", keys, ""))]);
    install(scenarios.path(), PODMAN);
    let log = scenarios.file("podman.log");
    let ended = finish(
        shellproof()
            .env("PATH", search_path(scenarios.path()))
            .env("FAKE_PODMAN_LOG", &log)
            .env("FAKE_PODMAN_ENGINE", &engine.socket)
            // The program that stands in for Podman does not run as the engine does.
            .args(["run", "--engine", "podman", "--kernel", "if-available"])
            .arg(scenarios.file("job.yaml")),
    )
    .expect(0);
    assert!(ended.stdout.contains("1 passed"), "{}", ended.stdout);
    let log = fs::read_to_string(log).expect("it was called");
    let calls: Vec<_> = log.lines().collect();
    let [call] = calls.as_slice() else {
        panic!("it was called more than once: {log}");
    };
    let (pid, arguments) = call.split_once(' ').expect("a process id and arguments");
    let socket = arguments
        .strip_prefix("system service --time 60 unix://")
        .unwrap_or_else(|| panic!("`{arguments}`"));
    assert!(!Path::new(socket).exists(), "`{socket}` was left");
    wait_for("the service to be stopped", || {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie has ended, and waits for whoever inherited it.
        (state.is_empty() || state.contains(") Z ")).then_some(())
    });
}

#[test]
#[ignore = "needs a machine on which no Podman listens: scripts/test runs it"]
fn a_podman_that_does_not_start_is_an_error_with_its_own_words() {
    nobody_listens();
    let scenarios = Scenarios::new(&[(
        "job",
        scenario("job", "args: [echo]\n    expect: { exit: 0 }", ""),
    )]);
    install(
        scenarios.path(),
        "#!/usr/bin/env python3\nimport sys\nsys.exit('cannot set up namespace')\n",
    );
    let ended = finish(
        shellproof()
            .env("PATH", search_path(scenarios.path()))
            .args(["run", "--engine", "podman"])
            .arg(scenarios.file("job.yaml")),
    );
    let ended = ended.expect(4);
    assert!(
        ended.stderr.contains(
            "`podman system service` did not start: it ended with exit status: 1: cannot set up namespace"
        ),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
}
