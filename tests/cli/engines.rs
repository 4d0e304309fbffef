//! What the command line says of engines: which is asked for, and which is not there.

use super::*;

#[rstest]
#[case(
    4,
    "lab=unix:///nowhere/engine.sock",
    "engine `lab` cannot be used: no engine answers on `/nowhere/engine.sock`"
)]
#[case(
    4,
    "lab=tcp://127.0.0.1:2375",
    "engine `lab` cannot be used: engine address `tcp://127.0.0.1:2375` is not a unix socket"
)]
#[case(
    4,
    "lab=ssh://host/run/docker.sock",
    "engine `lab` cannot be used: engine address `ssh://host/run/docker.sock` is not a unix socket"
)]
#[case(
    2,
    "lab=unix://relative.sock",
    "engine `lab` cannot be used: engine address `unix://relative.sock` names no absolute path"
)]
#[case(
    2,
    "lab=/run/docker.sock",
    "engine `lab` cannot be used: engine address `/run/docker.sock` is not a unix socket: only `unix:///path` can be \
     recorded\nhelp: write a socket's path as `unix:///run/docker.sock`"
)]
fn an_engine_that_was_asked_for_and_is_missing_is_named(
    #[values("run", "clean")] command: &str,
    #[case] code: i32,
    #[case] engine: &str,
    #[case] part: &str,
) {
    let directory = directory();
    fs::write(directory.path().join("job.yaml"), JOB).expect("a file can be written");
    let mut arguments = vec![command];
    if command == "run" {
        arguments.push("job.yaml");
    }
    arguments.extend(["--engine", engine]);
    let ended = shellproof(directory.path(), &arguments);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(code), ""),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.starts_with(&format!("error: {part}")),
        "{}",
        ended.stderr
    );
}

#[rstest]
fn an_address_in_the_environment_that_cannot_be_used_is_refused(
    #[values("DOCKER_HOST", "CONTAINER_HOST")] variable: &str,
    #[values("auto", "all", "docker", "podman")] engine: &str,
) {
    let directory = directory();
    fs::write(directory.path().join("job.yaml"), JOB).expect("a file can be written");
    let environment = [(variable, "ssh://host")];
    let arguments = ["run", "job.yaml", "--engine", engine];
    let ended = with_environment(directory.path(), &arguments, &environment);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(4), ""),
        "{}",
        ended.stderr
    );
    let name = variable.to_lowercase().replace('_', "-");
    let expected =
        format!("error: engine `{name}` cannot be used: engine address `ssh://host` is not a unix socket");
    assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
}

/// An engine's socket that says on every connection who it is, and nothing else.
fn engine_that_pings(socket: &Path, server: &'static str) {
    let listener = UnixListener::bind(socket).expect("a socket can be made");
    // It ends with the process of the tests.
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nServer: {server}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
            );
            let _ = client.write_all(head.as_bytes());
        }
    });
}

#[test]
fn an_audit_of_a_program_that_may_mean_either_engine_asks_which() {
    let directory = directory();
    let path = directory.path();
    let address = |name: &str| format!("unix://{}", path.join(name).display());
    engine_that_pings(&path.join("p.sock"), "Libpod/5.4.2");
    engine_that_pings(&path.join("d.sock"), "Docker/26.1.5");
    let (podman, docker) = (address("p.sock"), address("d.sock"));
    let arguments = ["audit", "--mode", "prebuilt", "--", "make"];
    let both = [
        ("CONTAINER_HOST", podman.as_str()),
        ("DOCKER_HOST", docker.as_str()),
    ];
    let ended = with_environment(path, &arguments, &both);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(2), ""),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("name different engines"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("help: name it with `--engine docker`"),
        "{}",
        ended.stderr
    );

    // Docker's program goes where its own variable leads, whatever Podman's says; this engine says no more than its name.
    let arguments = ["audit", "--mode", "prebuilt", "--", "docker", "run"];
    let ended = with_environment(path, &arguments, &both);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("engine `docker-host`"), "{}", ended.stderr);

    // Podman's variable at a Docker is told.
    let wrong = [("CONTAINER_HOST", docker.as_str()), ("PATH", "/nowhere")];
    let ended = with_environment(path, &arguments, &wrong);
    assert!(
        ended
            .stderr
            .contains("warning: `CONTAINER_HOST` names the socket of a Docker"),
        "{}",
        ended.stderr
    );
}

/// Answers as Docker does when it is asked whether it is there, and fails at all else.
fn broken_engine(socket: &Path) {
    let listener = UnixListener::bind(socket).expect("a socket can be made");
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.expect("a client");
            let mut head = String::new();
            // A head that cannot be read is of a client that is gone.
            let _ = BufReader::new(&client).read_line(&mut head);
            let status = if head.contains("/_ping") {
                "200 OK"
            } else {
                "500 Internal Server Error"
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nServer: Docker/26.1.5 (linux)\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            let _ = client.write_all(answer.as_bytes());
        }
    });
}

#[test]
fn doctor_fails_when_the_engine_that_was_asked_for_does() {
    let directory = directory();
    let socket = directory.path().join("engine.sock");
    broken_engine(&socket);
    let url = format!("unix://{}", socket.display());
    // No Podman is started for this.
    let environment = [("DOCKER_HOST", url.as_str()), ("PATH", "")];
    let ended = with_environment(directory.path(), &["doctor"], &environment);
    assert_eq!(ended.code, Some(4), "{}{}", ended.stdout, ended.stderr);
    for part in [
        "unusable  docker-host ",
        "engine `docker-host` cannot be connected to: ",
    ] {
        assert!(ended.stdout.contains(part), "no `{part}` in:\n{}", ended.stdout);
    }
}

#[test]
fn doctor_fails_when_the_address_that_was_asked_for_is_none() {
    let environment = [("DOCKER_HOST", "unix:///nowhere/engine.sock")];
    let ended = with_environment(directory().path(), &["doctor"], &environment);
    assert_eq!(ended.code, Some(4), "{}{}", ended.stdout, ended.stderr);
    let part = "error: engine `docker-host` cannot be used";
    assert!(ended.stdout.contains(part), "no `{part}` in:\n{}", ended.stdout);
}

#[test]
fn wrong_input_comes_before_a_missing_engine() {
    let ended = shellproof(
        directory().path(),
        &["run", "none.yaml", "--engine", "lab=unix:///nowhere"],
    );
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn a_file_that_cannot_be_written_is_found_before_an_engine_is_asked() {
    let directory = directory();
    std::fs::write(directory.path().join("job.yaml"), super::JOB).expect("a file can be written");
    for (option, arguments) in [
        ("--junit", vec!["run", "job.yaml", "--junit"]),
        ("--record", vec!["audit", "--mode", "prebuilt", "--record"]),
    ] {
        for (file, reason) in [
            ("nowhere/out", "there is no directory `nowhere`"),
            (".", "it is a directory"),
        ] {
            let mut arguments = arguments.clone();
            arguments.extend([file, "--engine", "lab=unix:///nowhere"]);
            if option == "--record" {
                arguments.extend(["--", "true"]);
            }
            let ended = shellproof(directory.path(), &arguments);
            let told = format!("error: `{option} {file}` cannot be written: {reason}\nhelp: ");
            assert_eq!(ended.code, Some(2), "{}", ended.stderr);
            assert!(ended.stderr.starts_with(&told), "{}", ended.stderr);
        }
    }
}
