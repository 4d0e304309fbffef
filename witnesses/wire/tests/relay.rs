//! The relay between a client and a scripted engine, byte for byte.

use std::path::Path;
use std::time::Duration;

mod support;

use shellproof_api::EngineKind;
use shellproof_api::facts::What;
use shellproof_wire::{Action, Endpoint, Gate, Prepare, Prepared, Recorder, RecorderOptions, Refusal};
use support::Dir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;

/// What an engine answers to the bytes of one connection.
type Script = fn(&[u8]) -> Option<&'static [u8]>;

fn engine(socket: &Path, script: Script) -> UnboundedReceiver<Vec<u8>> {
    support::engine(socket, move |all| script(all).map(<[u8]>::to_vec))
}

/// What the engine received from a client, beside what the recorder asked of it.
async fn from_client(received: &mut UnboundedReceiver<Vec<u8>>) -> Vec<u8> {
    loop {
        let bytes = received.recv().await.unwrap();
        if !(bytes.starts_with(b"GET ") && String::from_utf8_lossy(&bytes).contains("/json HTTP")) {
            return bytes;
        }
    }
}

async fn recorder(dir: &Dir, kind: EngineKind) -> Recorder {
    let engine = Endpoint {
        kind,
        socket: dir.0.join("engine"),
    };
    Recorder::start(&engine, &dir.0.join("recorder")).await.unwrap()
}

/// Sends the parts one by one and gives all that comes back until the engine is silent or gone.
async fn talk(recorder: &Recorder, parts: &[&[u8]]) -> Vec<u8> {
    let mut stream = UnixStream::connect(recorder.socket()).await.unwrap();
    let mut answer = Vec::new();
    for part in parts {
        // The relay may have closed on an earlier part.
        let _ = stream.write_all(part).await;
        let mut buffer = [0; 4096];
        while let Ok(Ok(read @ 1..)) =
            tokio::time::timeout(Duration::from_millis(100), stream.read(&mut buffer)).await
        {
            answer.extend_from_slice(&buffer[..read]);
        }
    }
    answer
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

#[tokio::test]
async fn bytes_pass_unchanged_and_the_answer_is_recorded() {
    let dir = Dir::new();
    let mut received = engine(&dir.0.join("engine"), |all| {
        all.ends_with(b"\r\n\r\n").then_some(OK)
    });
    let recorder = recorder(&dir, EngineKind::Docker).await;
    let request = b"GET /v1.41/_ping HTTP/1.1\r\nHost: d\r\nX-Odd:  spaces kept \r\n\r\n";
    assert_eq!(talk(&recorder, &[request]).await, OK);
    assert_eq!(received.recv().await.unwrap(), request);
    let recording = recorder.recording();
    assert_eq!(recording.faults, [""; 0]);
    let [record] = recording.records.as_slice() else {
        panic!("{recording:?}")
    };
    assert_eq!((record.status, record.route.path.as_str()), (Some(200), "/_ping"));
    assert_eq!(
        record.client.pid,
        Some(i32::try_from(std::process::id()).unwrap())
    );
}

#[tokio::test]
async fn the_request_behind_a_refused_upgrade_is_recorded() {
    let dir = Dir::new();
    let mut received = engine(&dir.0.join("engine"), |all| {
        match all.windows(4).filter(|w| w == b"\r\n\r\n").count() {
            1 => Some(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            2 if all.ends_with(b"\r\n\r\n") => Some(OK),
            _ => None,
        }
    });
    let recorder = recorder(&dir, EngineKind::Docker).await;
    let start: &[u8] = b"POST /exec/1/start HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n";
    let exec: &[u8] = b"POST /containers/x/exec HTTP/1.1\r\n\r\n";
    talk(&recorder, &[&[start, exec].concat()]).await;
    assert_eq!(from_client(&mut received).await, [start, exec].concat());
    let actions: Vec<_> = recorder
        .recording()
        .records
        .iter()
        .map(|record| record.route.action)
        .collect();
    assert_eq!(actions, [Action::StartExec, Action::CreateExec]);
}

#[tokio::test]
async fn after_a_taken_upgrade_the_stream_is_not_read_as_requests() {
    let dir = Dir::new();
    let mut received = engine(&dir.0.join("engine"), |all| {
        all.ends_with(b"\r\n\r\n")
            .then_some(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nhello".as_slice())
    });
    let recorder = recorder(&dir, EngineKind::Docker).await;
    let start: &[u8] = b"POST /exec/1/start HTTP/1.1\r\nUpgrade: tcp\r\n\r\n";
    let answer = talk(&recorder, &[start, b"any bytes\n"]).await;
    assert!(answer.ends_with(b"\r\n\r\nhello"));
    assert_eq!(received.recv().await.unwrap(), [start, b"any bytes\n"].concat());
    let recording = recorder.recording();
    assert_eq!((recording.records.len(), recording.faults.len()), (1, 0));
    assert!(recording.records[0].left_http);
}

#[tokio::test]
async fn a_podman_exec_leaves_http_with_an_unframed_200() {
    let dir = Dir::new();
    engine(&dir.0.join("engine"), |all| {
        all.ends_with(b"{}").then_some(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nout".as_slice(),
        )
    });
    let recorder = recorder(&dir, EngineKind::Podman).await;
    let start: &[u8] = b"POST /v4.0.0/libpod/exec/1/start HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
    assert!(talk(&recorder, &[start, b"stdin"]).await.ends_with(b"out"));
    assert!(recorder.recording().records[0].left_http);
}

#[tokio::test]
async fn what_cannot_be_followed_never_reaches_the_engine_and_is_a_fault() {
    let dir = Dir::new();
    let mut received = engine(&dir.0.join("engine"), |_| None);
    let recorder = recorder(&dir, EngineKind::Docker).await;
    let smuggle = b"POST /a HTTP/1.1\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    talk(&recorder, &[smuggle]).await;
    assert_eq!(received.recv().await.unwrap(), b"");
    let recording = recorder.recording();
    assert_eq!(recording.records.len(), 0);
    assert_eq!(
        recording.faults,
        [
            "connection 1: a request cannot be followed: an ambiguous body length: \
          both content-length and transfer-encoding"
        ]
    );
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_a_fault() {
    let dir = Dir::new();
    engine(&dir.0.join("engine"), |all| {
        all.ends_with(b"\r\n\r\n")
            .then_some(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".as_slice())
    });
    let recorder = recorder(&dir, EngineKind::Docker).await;
    talk(&recorder, &[b"GET /_ping HTTP/1.1\r\n\r\n"]).await;
    assert_eq!(
        recorder.recording().faults,
        ["connection 1: an answer to no request"]
    );
}

#[tokio::test]
async fn a_start_is_recorded_with_what_the_engine_is_about_to_run() {
    let dir = Dir::new();
    engine(&dir.0.join("engine"), |all| {
        let inspect = b"HTTP/1.1 200 OK\r\nContent-Length: 52\r\n\r\n{\"Id\":\"abc\",\"Path\":\"/bin/sh\",\"Args\":[\"-c\",\"true\"]}  ";
        let text = String::from_utf8_lossy(all);
        if text.starts_with("GET /containers/job/json ") {
            Some(inspect)
        } else {
            Some(b"HTTP/1.1 204 No Content\r\n\r\n")
        }
    });
    let recorder = recorder(&dir, EngineKind::Docker).await;
    // Podman prepares a program as soon as somebody attaches.
    for (at, request) in ["start", "attach"].into_iter().enumerate() {
        let request = format!("POST /containers/job/{request} HTTP/1.1\r\n\r\n");
        talk(&recorder, &[request.as_bytes()]).await;
        let recording = recorder.recording();
        assert_eq!(recording.faults, [""; 0]);
        let subject = recording.records[at].subject.as_ref().unwrap();
        assert_eq!(subject.argv, ["/bin/sh", "-c", "true"]);
    }
}

#[tokio::test]
async fn a_start_whose_container_cannot_be_inspected_is_a_fault() {
    let dir = Dir::new();
    engine(&dir.0.join("engine"), |_| {
        Some(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    });
    let recorder = recorder(&dir, EngineKind::Docker).await;
    talk(&recorder, &[b"POST /containers/job/start HTTP/1.1\r\n\r\n"]).await;
    assert_eq!(recorder.recording().faults.len(), 1);
}

#[tokio::test]
async fn the_socket_is_private_and_goes_with_the_recorder() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let recorder = recorder(&dir, EngineKind::Docker).await;
    let socket = recorder.socket().to_owned();
    assert_eq!(
        std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(recorder);
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_is_said_to_be() {
    let engine = Endpoint {
        kind: EngineKind::Docker,
        socket: "/nowhere".into(),
    };
    let error = Recorder::start(&engine, Path::new(&format!("/tmp/{}", "x".repeat(120))))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has 125 bytes, at most 107 are possible"),
        "{error}"
    );
}

#[tokio::test]
async fn a_socket_that_cannot_be_made_is_named() {
    let engine = Endpoint {
        kind: EngineKind::Docker,
        socket: "/nowhere".into(),
    };
    let error = Recorder::start(&engine, Path::new("/nowhere/at/all.sock"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("`/nowhere/at/all.sock`: "),
        "{error}"
    );
}

/// A recorder whose gate refuses every exec and every start of `/bin/sh`.
async fn guarded(dir: &Dir) -> Recorder {
    let engine = Endpoint {
        kind: EngineKind::Docker,
        socket: dir.0.join("engine"),
    };
    let gate = Gate::new(|fact| {
        let is_refused = match &fact.what {
            What::Exec(_) | What::BuildKit => true,
            What::Start(start) => start.argv[0] == "/bin/sh",
            What::Wish(wish) => wish.programs.iter().any(|argv| argv[0] == "sh"),
            _ => false,
        };
        is_refused.then(|| "no".to_owned())
    });
    let options = RecorderOptions {
        gate: Some(gate),
        ..RecorderOptions::default()
    };
    Recorder::start_with(&engine, &dir.0.join("recorder"), options)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_refused_request_never_reaches_the_engine_and_is_answered_in_its_place() {
    for (path, body) in [
        ("/containers/x/exec", r#"{"message":"no"}"#),
        (
            "/v4.0.0/libpod/containers/x/exec",
            r#"{"cause":"no","message":"no","response":403}"#,
        ),
    ] {
        let dir = Dir::new();
        let mut received = engine(&dir.0.join("engine"), |all| {
            all.ends_with(b"\r\n\r\n").then_some(OK)
        });
        let recorder = guarded(&dir).await;
        let ping: &[u8] = b"GET /_ping HTTP/1.1\r\n\r\n";
        let exec =
            format!("POST {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}GET /_ping HTTP/1.1\r\n\r\n");
        let answer = talk(&recorder, &[&[ping, exec.as_bytes()].concat()]).await;
        let answer = String::from_utf8(answer).unwrap();
        let (first, refusal) = answer.split_at(OK.len());
        assert_eq!(first.as_bytes(), OK);
        assert!(
            refusal.starts_with("HTTP/1.1 403 Forbidden\r\n") && refusal.ends_with(body),
            "{refusal}"
        );
        assert_eq!(from_client(&mut received).await, ping, "{path}");
        let recording = recorder.recording();
        assert_eq!(recording.records.len(), 2);
        assert_eq!(recording.records[1].refused.as_ref().unwrap().message, "no");
        assert_eq!(recording.faults, [""; 0]);
    }
}

#[tokio::test]
async fn a_create_is_changed_on_its_way_and_both_bodies_are_kept() {
    let dir = Dir::new();
    let mut received = engine(&dir.0.join("engine"), |all| all.ends_with(b"}").then_some(OK));
    let engine = Endpoint {
        kind: EngineKind::Docker,
        socket: dir.0.join("engine"),
    };
    let prepare = Prepare::new(|record, body| match record.body["Image"].as_str() {
        Some("as-sent") => Prepared::AsSent,
        Some("refused") => Prepared::Refused(Refusal {
            message: "no".to_owned(),
        }),
        _ => {
            assert_eq!(body, br#"{"Env":["A=geheim"]}"#);
            Prepared::Changed(br#"{"Env":["A=geheim"],"User":"1"}"#.to_vec())
        }
    });
    let options = RecorderOptions {
        prepare: Some(prepare),
        ..RecorderOptions::default()
    };
    let recorder = Recorder::start_with(&engine, &dir.0.join("recorder"), options)
        .await
        .unwrap();

    let chunked: &[u8] = b"POST /containers/create HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n";
    let parts: [&[u8]; 3] = [
        chunked,
        b"6\r\n{\"Env\"\r\n",
        b"e\r\n:[\"A=geheim\"]}\r\n0\r\n\r\n",
    ];
    assert_eq!(talk(&recorder, &parts).await, OK);
    let forwarded = "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 31\r\n\r\n{\"Env\":[\"A=geheim\"],\"User\":\"1\"}";
    assert_eq!(received.recv().await.unwrap(), forwarded.as_bytes());
    let record = recorder.recording().records.remove(0);
    assert_eq!(record.body.to_string(), r#"{"Env":["A=redacted"]}"#);
    assert_eq!(
        record.forwarded.to_string(),
        r#"{"Env":["A=redacted"],"User":"1"}"#
    );

    let head = |length| format!("POST /containers/create HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
    let sent = head(19) + r#"{"Image":"as-sent"}"#;
    assert_eq!(talk(&recorder, &[sent.as_bytes()]).await, OK);
    assert_eq!(received.recv().await.unwrap(), sent.as_bytes());
    assert!(recorder.recording().records[1].forwarded.is_null());

    let refused = head(19) + r#"{"Image":"refused"}"#;
    let answer = talk(&recorder, &[refused.as_bytes()]).await;
    assert!(answer.starts_with(b"HTTP/1.1 403"));
    assert_eq!(received.recv().await.unwrap(), b"");
    assert_eq!(recorder.recording().faults, [""; 0]);
}

#[tokio::test]
async fn a_create_is_held_until_its_body_is_known() {
    let dir = Dir::new();
    let mut received = engine(&dir.0.join("engine"), |all| all.ends_with(b"}").then_some(OK));
    let recorder = guarded(&dir).await;
    let head: &[u8] = b"POST /containers/create HTTP/1.1\r\nContent-Length: 21\r\n\r\n";
    talk(&recorder, &[head, br#"{"Entrypoint":"#, br#"["sh"]}"#]).await;
    assert_eq!(received.recv().await.unwrap(), b"");
    let chunked: &[u8] = b"POST /containers/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let parts: [&[u8]; 4] = [
        chunked,
        b"e\r\n{\"Entrypoint\":\r\n7;x=y\r\n",
        b"[\"sh\"]}\r\n0\r\n",
        b"\r\n",
    ];
    talk(&recorder, &parts).await;
    assert_eq!(received.recv().await.unwrap(), b"");
    let other: [&[u8]; 2] = [head, br#"{"Entrypoint":["no"]}"#];
    assert_eq!(talk(&recorder, &other).await, OK);
    assert_eq!(received.recv().await.unwrap(), other.concat());
    let endless = b"POST /containers/create HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n";
    talk(&recorder, &[endless, &vec![b' '; 9 << 20]]).await;
    assert_eq!(received.recv().await.unwrap(), b"");
    assert!(recorder.recording().records[3].refused.is_some());
}

#[tokio::test]
async fn refused_calls_to_buildkit_never_reach_the_engine_and_are_told_why() {
    let dir = Dir::new();
    let mut received = engine(&dir.0.join("engine"), |_| Some(OK));
    let recorder = guarded(&dir).await;
    let mut client = UnixStream::connect(recorder.socket()).await.unwrap();
    let asked = b"POST /grpc HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    client.write_all(asked).await.unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    client
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    // A call without headers, on the first stream.
    client.write_all(&[0, 0, 0, 1, 4, 0, 0, 0, 1]).await.unwrap();
    client.shutdown().await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"grpc-message\x02no"), "{rest:?}");
    assert_eq!(received.recv().await.unwrap(), b"");
    let recording = recorder.recording();
    assert!(recording.records[0].refused.is_some() && recording.faults.is_empty());
    // Who does not offer to leave HTTP is answered in it.
    let answer = talk(&recorder, &[b"POST /grpc HTTP/1.1\r\n\r\n"]).await;
    assert!(answer.starts_with(b"HTTP/1.1 403 Forbidden"));
}

#[tokio::test]
async fn a_client_that_waits_for_word_is_told_to_send_what_is_held() {
    let dir = Dir::new();
    engine(&dir.0.join("engine"), |all| all.ends_with(b"}").then_some(OK));
    let recorder = guarded(&dir).await;
    let head = b"POST /containers/create HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let answer = talk(&recorder, &[head, b"{}"]).await;
    assert!(answer.starts_with(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"));
}

#[tokio::test]
async fn values_of_the_environment_are_never_kept() {
    let dir = Dir::new();
    engine(&dir.0.join("engine"), |all| all.ends_with(b"}").then_some(OK));
    let recorder = recorder(&dir, EngineKind::Docker).await;
    let body = r#"{"Env":["PASSWORD=geheim"]}"#;
    let head = "POST /containers/create?secret=geheim HTTP/1.1\r\nX-Registry-Auth: geheim\r\nContent-Length";
    talk(
        &recorder,
        &[format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()],
    )
    .await;
    let recording = recorder.recording();
    assert_eq!(recording.records[0].body["Env"][0], "PASSWORD=redacted");
    assert!(!format!("{recording:?}").contains("geheim"));
}
