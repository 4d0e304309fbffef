//! Reading what a container has changed, from a scripted engine.

mod support;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use shellproof_api::EngineKind;
use shellproof_wire::{ChangedFile, Changes, Endpoint, FileKind, Recorder, RecorderOptions};
use support::{Dir, engine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn archive(content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "passwd", content).unwrap();
    builder.into_inner().unwrap()
}

/// What a recorder finds out about a container of which one file was changed, when the engine answers each request for
/// that file by `file`.
async fn changes(file: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Changes {
    let dir = Dir::new();
    engine(&dir.0.join("engine"), move |all| {
        let text = String::from_utf8_lossy(all);
        Some(if text.contains("/archive?") {
            file()
        } else if text.contains("/changes ") {
            answer("200 OK", br#"[{"Path":"/etc/passwd","Kind":1}]"#)
        } else if text.contains("/json ") {
            let inspect = br#"{"Id":"abc","Image":"i","Path":"/tiny","State":{"Running":true}}"#;
            answer("200 OK", inspect)
        } else {
            b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
        })
    });
    let engine = Endpoint {
        kind: EngineKind::Podman,
        socket: dir.0.join("engine"),
    };
    let options = RecorderOptions {
        changes: Some("r1".to_owned()),
        ..RecorderOptions::default()
    };
    let recorder = Recorder::start_with(&engine, &dir.0.join("recorder"), options)
        .await
        .unwrap();
    let mut client = UnixStream::connect(recorder.socket()).await.unwrap();
    client
        .write_all(b"POST /containers/abc/start HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut buffer = [0; 100];
    assert!(client.read(&mut buffer).await.unwrap() > 0);
    recorder.finish().await.changes.remove(0)
}

const ENTERED_TOO_LATE: &[u8] = br#"{"message":"open /proc/23796/ns/mnt: no such file or directory"}"#;

fn passwd(kind: FileKind) -> Vec<ChangedFile> {
    let path = "/etc/passwd".to_owned();
    vec![ChangedFile { path, kind }]
}

#[tokio::test]
async fn an_engine_that_has_not_heard_of_the_end_yet_is_asked_again() {
    for (first, then, expected) in [
        (
            answer("500 Internal Server Error", ENTERED_TOO_LATE),
            archive(b"\x7fELF"),
            FileKind::Elf,
        ),
        (
            answer("500 Internal Server Error", ENTERED_TOO_LATE),
            archive(b"root:x:0:0"),
            FileKind::Other,
        ),
        // It began to answer, and then could not go on.
        (answer("200 OK", b""), archive(b"root:x:0:0"), FileKind::Other),
    ] {
        let begun: Mutex<Option<Instant>> = Mutex::default();
        let changes = changes(move || {
            let begun = *begun.lock().unwrap().get_or_insert_with(Instant::now);
            if begun.elapsed() < Duration::from_millis(600) {
                first.clone()
            } else {
                answer("200 OK", &then)
            }
        })
        .await;
        assert_eq!((changes.files, changes.gap), (passwd(expected), None));
    }
}

#[tokio::test]
async fn an_engine_that_goes_on_failing_is_not_asked_for_ever() {
    let begun = Instant::now();
    let changes = changes(|| answer("500 Internal Server Error", ENTERED_TOO_LATE)).await;
    assert_eq!(changes.files, passwd(FileKind::Unread));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_file_that_is_gone_is_no_change_and_one_of_a_container_that_is_gone_is_unknown() {
    let gone = changes(|| answer("404 Not Found", br#"{"message":"Could not find the file"}"#)).await;
    assert_eq!(gone.files, []);
    let unknown = changes(|| answer("404 Not Found", br#"{"message":"No such container: abc"}"#)).await;
    assert_eq!(unknown.files, passwd(FileKind::Unread));
}
