//! An engine that does not say all that it is asked: what is missing is named, and the verdict is unproven.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::fixtures;
use crate::support::{
    Ended, Engine, Scenarios, beside_others, engine, finish, run, scenario, shellproof, unique,
};

const FAILS: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const KNOWS_NOTHING: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const SAYS_LITTLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{\"Id\":\"x\"}";
const ENDS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n";

const DONE: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

/// A socket in front of an engine that answers such requests by itself.
fn unsound(engine: &Engine, directory: &Path, asked: String, answer: &'static str) -> PathBuf {
    let (socket, behind) = (directory.join("engine.sock"), engine.socket.clone());
    let listener = UnixListener::bind(&socket).expect("a socket can be made");
    // They end with the process of the tests.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (behind, asked) = (behind.clone(), asked.clone());
            std::thread::spawn(move || serve(client, &behind, &asked, answer));
        }
    });
    socket
}

fn serve(mut client: UnixStream, behind: &Path, asked: &str, answer: &str) -> std::io::Result<()> {
    let mut engine = UnixStream::connect(behind)?;
    let (mut to_client, mut from_engine) = (client.try_clone()?, engine.try_clone()?);
    std::thread::spawn(move || {
        // Either side may be gone.
        let _ = std::io::copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = client.read(&mut buffer)?;
        let text = String::from_utf8_lossy(&buffer[..read]);
        let is_asked = |line: &str| asked.split('*').all(|part| line.contains(part));
        if text.lines().next().is_some_and(is_asked) {
            client.write_all(answer.as_bytes())?;
            return client.shutdown(Shutdown::Write);
        }
        if read == 0 {
            return engine.shutdown(Shutdown::Write);
        }
        engine.write_all(&buffer[..read])?;
    }
}

#[rstest]
#[case::no_events("GET /events", FAILS, "events-missing")]
#[case::events_that_end("GET /events", ENDS, "events-missing")]
#[case::no_list("/changes", FAILS, "changes-missing")]
#[case::no_content("/archive", FAILS, "changes-missing")]
#[case::container_that_runs_nothing("/containers/{box}/json", SAYS_LITTLE, "wire-fault")]
// A start is passed on by its container's id; the canary's names no such version.
#[case::start_that_is_none("POST /v1.4*/start HTTP/1.1", DONE, "kernel-silent")]
#[ignore = "needs engines: scripts/test runs it"]
fn what_an_engine_does_not_say_is_unproven(
    #[case] asked: &str,
    #[case] answer: &'static str,
    #[case] rule: &str,
    #[values("docker-26", "podman-5")] name: &str,
) {
    let (_gate, engine) = (beside_others(), engine(name));
    // Nothing in it that is written otherwise in a path.
    let container = unique(&format!("missing{}", asked.len() + answer.len()), &engine).replace('-', "");
    bring_python(&engine, &container);
    let image = fixtures::reference("python");
    let line = format!(
        "docker create --name {container} --user 0 {image} -c 'open(\"/data\", \"w\").write(\"x\")' && docker start {container} \
         && timeout 5 docker wait {container}; docker rm {container}"
    );
    let audit = |asked: String| {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let socket = unsound(&engine, directory.path(), asked, answer);
        audit(&format!("{name}=unix://{}", socket.display()), &line)
    };
    assert!(audit("/nothing".to_owned()).expect(0).stderr.contains("CLEAN"));
    let told = audit(asked.replace("{box}", &container)).expect(3);
    assert!(told.stderr.contains("UNPROVEN"), "{}", told.stderr);
    assert!(told.stderr.contains(&format!("  {rule}, ")), "{}", told.stderr);
}

/// What an engine does not know it cannot start, and is not asked to.
#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn a_container_that_an_engine_does_not_know_is_not_started(#[values("docker-26", "podman-5")] name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let container = unique("unknown", &engine).replace('-', "");
    bring_python(&engine, &container);
    let image = fixtures::reference("python");
    let line = format!(
        "docker create --name {container} {image} -c pass; docker start {container}; docker rm {container}"
    );
    let directory = tempfile::tempdir().expect("a directory can be made");
    let asked = format!("/containers/{container}/json");
    let socket = unsound(&engine, directory.path(), asked, KNOWS_NOTHING);
    let told = audit(&format!("{name}=unix://{}", socket.display()), &line).expect(5);
    assert!(told.stderr.contains("NOTHING RAN"), "{}", told.stderr);
}

/// What it does when it is told to end is seen as well.
#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn a_container_that_is_removed_while_it_runs_is_looked_at_when_it_has_ended(
    #[values("podman-5", "podman-5-rootless")] name: &str,
) {
    let (_gate, engine) = (beside_others(), engine(name));
    let container = unique("told-to-end", &engine);
    bring_python(&engine, &container);
    let image = fixtures::reference("python");
    let code = "import shutil, signal, sys, time; \
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(shutil.copy('/usr/bin/python3.11', '/usr/bin/tool') and 0)); \
                print('waits', flush=True); time.sleep(30)";
    let line = format!(
        "docker run -d --name {container} --user 0 {image} -c \"{code}\" && \
         until docker logs {container} | grep -q waits; do sleep 0.1; done; docker rm -f {container}"
    );
    let told = audit(&engine.choice(), &line).expect(1);
    assert!(told.stderr.contains("`/usr/bin/tool` in"), "{}", told.stderr);
}

/// A run that has the image in it.
fn bring_python(engine: &Engine, name: &str) {
    let keys = "image: fixture:python\n    args: [-c, pass]\n    expect: { exit: 0 }";
    let brings = scenario(name, keys, "").replace("    image: fixture:tiny\n", "");
    finish(&mut run(engine, Scenarios::new(&[("brings", brings)]).path())).expect(0);
}

fn audit(choice: &str, line: &str) -> Ended {
    finish(shellproof().args([
        "audit", "--mode", "prebuilt", "--engine", choice, "--", "sh", "-c", line,
    ]))
}
