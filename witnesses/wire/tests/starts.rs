//! One start, one judgement: by id, in order, with what the engine starts along, and never by a body that two may read
//! differently.

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shellproof_api::EngineKind;
use shellproof_api::facts::What;
use shellproof_wire::{Action, Endpoint, Gate, Recorder, RecorderOptions, Recording};
use support::{Dir, engine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The requests that reached the engine, beside the recorder's own: their first lines.
type Reached = Arc<Mutex<Vec<String>>>;

struct Bench {
    dir: Dir,
    recorder: Recorder,
    reached: Reached,
}

impl Bench {
    /// A recorder before an engine that answers to the last request of what it received; `refuses` names a program that
    /// may not be started.
    async fn new(
        kind: EngineKind,
        refuses: Option<&'static str>,
        script: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        let dir = Dir::new();
        let reached = Reached::default();
        let seen = reached.clone();
        engine(&dir.0.join("engine"), move |all| {
            let text = String::from_utf8_lossy(all);
            let begin = text.rfind("POST /").max(text.rfind("GET /"))?;
            let request = &text[begin..];
            let (head, body) = request.split_once("\r\n\r\n")?;
            let line = head.lines().next()?.to_owned();
            let length = head
                .split("Content-Length: ")
                .nth(1)
                .map_or("0", |rest| rest.lines().next().unwrap());
            if body.len() < length.parse().unwrap() {
                return None;
            }
            if !line.contains("/json HTTP") {
                seen.lock().unwrap().push(line);
            }
            Some(script(request).into_bytes())
        });
        let engine = Endpoint {
            kind,
            socket: dir.0.join("engine"),
        };
        let gate = refuses.map(|program| {
            Gate::new(move |fact| {
                let is_it = matches!(&fact.what, What::Start(start) if start.argv[0] == program);
                is_it.then(|| "no".to_owned())
            })
        });
        let options = RecorderOptions {
            gate,
            ..RecorderOptions::default()
        };
        let recorder = Recorder::start_with(&engine, &dir.0.join("recorder"), options)
            .await
            .unwrap();
        Self {
            dir,
            recorder,
            reached,
        }
    }

    /// Sends requests on one connection, and gives what comes back until nothing does for a while.
    async fn talk(&self, requests: &str) -> String {
        let mut stream = UnixStream::connect(self.recorder.socket()).await.unwrap();
        stream.write_all(requests.as_bytes()).await.unwrap();
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(Ok(read @ 1..)) =
            tokio::time::timeout(Duration::from_millis(900), stream.read(&mut buffer)).await
        {
            answer.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8(answer).unwrap()
    }

    fn recording(&self) -> Recording {
        assert!(self.dir.0.exists());
        self.recorder.recording()
    }

    fn reached(&self) -> Vec<String> {
        self.reached.lock().unwrap().clone()
    }
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn inspect(id: &str, program: &str, more: &str) -> String {
    answer(
        "200 OK",
        &format!(r#"{{"Id":"{id}","Name":"/job","Path":"{program}"{more}}}"#),
    )
}

const NOTHING: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_start_reaches_the_engine_by_the_id_that_was_judged() {
    let bench = Bench::new(EngineKind::Docker, None, |request| match request {
        request if request.starts_with("GET ") => inspect("abc", "/tiny", ""),
        _ => NOTHING.to_owned(),
    })
    .await;
    for (sent, passed) in [
        (
            "/v1.41/containers/job/start?t=a%20b",
            "/v1.41/containers/abc/start?t=a%20b",
        ),
        ("/containers/%6aob/restart?t=1", "/containers/abc/restart?t=1"),
        (
            "http://d/v5.0.0/libpod/containers//job/start",
            "/v5.0.0/libpod/containers/abc/start",
        ),
        ("/containers/abc/./start", "/containers/abc/./start"),
    ] {
        bench.talk(&format!("POST {sent} HTTP/1.1\r\nX: y\r\n\r\n")).await;
        assert_eq!(bench.reached().pop().unwrap(), format!("POST {passed} HTTP/1.1"));
        let record = bench.recording().records.pop().unwrap();
        assert_eq!((record.target.as_str(), record.status), (sent, Some(204)));
        assert_eq!(record.subject.unwrap().id, "abc");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_judged_when_its_turn_has_come() {
    let began = Instant::now();
    let bench = Bench::new(EngineKind::Docker, None, move |request| match request {
        request if request.starts_with("GET ") => {
            // Another connection renames meanwhile.
            let id = if began.elapsed() < Duration::from_millis(400) {
                "first"
            } else {
                "second"
            };
            inspect(id, "/tiny", "")
        }
        request if request.contains("/wait ") => {
            std::thread::sleep(Duration::from_millis(600));
            answer("200 OK", "{}")
        }
        _ => NOTHING.to_owned(),
    })
    .await;
    let wait = "POST /containers/box/wait HTTP/1.1\r\n\r\n";
    let start = "POST /containers/job/start HTTP/1.1\r\n\r\n";
    bench.talk(&format!("{wait}{start}")).await;
    assert_eq!(
        bench.reached(),
        [
            "POST /containers/box/wait HTTP/1.1",
            "POST /containers/second/start HTTP/1.1"
        ]
    );
    assert_eq!(
        bench.recording().records[1].subject.as_ref().unwrap().id,
        "second"
    );
}

#[tokio::test]
async fn a_container_that_is_not_there_is_said_to_be_missing_in_the_engines_words() {
    for refuses in [None, Some("/tiny")] {
        let bench = Bench::new(EngineKind::Docker, refuses, |request| match request {
            request if request.starts_with("GET ") => {
                answer("404 Not Found", r#"{"message":"No such container: x"}"#)
            }
            _ => NOTHING.to_owned(),
        })
        .await;
        let answer = bench.talk("POST /containers/x/start HTTP/1.1\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 404 Not Found\r\n")
                && answer.ends_with(r#"{"message":"No such container: x"}"#),
            "{answer}"
        );
        assert_eq!(bench.reached(), [""; 0]);
        let record = bench.recording().records.remove(0);
        assert_eq!(
            (record.status, record.refused, record.subject),
            (Some(404), None, None)
        );
    }
}

/// A container `a` that shares something with `b`, and that with `c`; `b` runs.
fn of_three(request: &str) -> String {
    match request {
        request if request.contains("/containers/a/json ") => {
            inspect("a", "/tiny", r#","Dependencies":["b"]"#)
        }
        request if request.contains("/containers/b/json ") => inspect(
            "b",
            "/tiny",
            r#","Dependencies":["c","a"],"State":{"Running":true}"#,
        ),
        request if request.contains("/containers/c/json ") => inspect("c", "/bin/sh", ""),
        _ => NOTHING.to_owned(),
    }
}

#[tokio::test]
async fn what_podman_starts_along_is_a_start_of_its_own() {
    let bench = Bench::new(EngineKind::Podman, None, of_three).await;
    bench.talk("POST /containers/a/start HTTP/1.1\r\n\r\n").await;
    let recording = bench.recording();
    let starts: Vec<_> = recording
        .starts()
        .map(|record| {
            (
                record.subject.as_ref().unwrap().id.as_str(),
                record.status,
                record.route.action,
            )
        })
        .collect();
    let start = |id| (id, Some(204), Action::StartContainer);
    assert_eq!(starts, [start("a"), start("c")]);
    assert_eq!(recording.faults, [""; 0]);
}

#[tokio::test]
async fn nothing_runs_when_what_would_start_along_is_refused() {
    let bench = Bench::new(EngineKind::Podman, Some("/bin/sh"), of_three).await;
    let answer = bench.talk("POST /containers/a/start HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(bench.reached(), [""; 0]);
    assert_eq!(bench.recording().starts().count(), 0);
}

const NAMED_LIKE_AN_ID: &str =
    r#"{"name":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}"#;

#[tokio::test]
async fn an_id_that_is_another_containers_name_is_a_fault() {
    let bench = Bench::new(EngineKind::Podman, None, |request| match request {
        request if request.contains("/containers/job/json ") => inspect("abc", "/tiny", ""),
        request if request.starts_with("GET ") => inspect("other", "/bin/sh", ""),
        _ => NOTHING.to_owned(),
    })
    .await;
    bench.talk("POST /containers/job/start HTTP/1.1\r\n\r\n").await;
    assert_eq!(bench.recording().faults.len(), 1);
}

#[tokio::test]
async fn a_body_that_two_may_read_differently_is_a_fault_unless_the_engine_refuses_it() {
    let twice = r#"{"Image":"a","image":"b"}"#;
    let long = format!(r#"{{"Image":"a","Labels":{{"a":"{}"}}}}"#, "x".repeat(5 << 20));
    for (path, body, status, faults) in [
        ("/containers/create", twice, "201 Created", 1),
        ("/containers/create", twice, "400 Bad Request", 0),
        ("/containers/create", r#"{"Image":"a"}"#, "201 Created", 0),
        ("/containers/create", "", "201 Created", 0),
        ("/containers/create", long.as_str(), "201 Created", 1),
        ("/containers/x/update", "{\"a\":1} 2", "200 OK", 1),
        (
            "/containers/x/start",
            r#"{"Privileged":true}"#,
            "204 No Content",
            1,
        ),
        ("/containers/x/start", " {}", "204 No Content", 0),
        ("/containers/x/kill", twice, "204 No Content", 0),
        ("/libpod/containers/create", NAMED_LIKE_AN_ID, "201 Created", 1),
    ] {
        for is_guarded in [false, true] {
            let bench = Bench::new(
                EngineKind::Docker,
                is_guarded.then_some("/bin/sh"),
                move |request| match request {
                    request if request.starts_with("GET ") => inspect("x", "/tiny", ""),
                    _ if status.starts_with("204") => NOTHING.to_owned(),
                    _ => answer(status, "{}"),
                },
            )
            .await;
            let request = format!(
                "POST {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let answer = bench.talk(&request).await;
            let recording = bench.recording();
            let is_doubtful = faults > 0 || status.starts_with("400");
            if is_guarded && is_doubtful {
                assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
                assert_eq!((bench.reached().len(), recording.faults.len()), (0, 1), "{path}");
            } else {
                assert_eq!(recording.faults.len(), faults, "{path}: {:?}", recording.faults);
            }
        }
    }
}
