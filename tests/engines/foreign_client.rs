//! A client that is not ours, on the socket of a scenario's own recorder: what it asks is recorded and judged.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::Docker;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::StreamExt;
use rstest::rstest;
use shellproof::engines::{self, Choice};
use shellproof::invocation::Invocation;
use shellproof::platform::Platform;
use shellproof::policy::{Evidence, Verdict};
use shellproof::result::CaseResult;
use shellproof::run::{self, Event, RunOptions, Runner};
use shellproof::scenario;
use shellproof::vocabulary::{Mode, Need, Status, Witness};
use shellproof_conformance::on_each_engine;
use shellproof_wire::http;
use tokio::sync::watch;

use crate::support::{
    Container, Engine, PATIENCE, beside_others, block_on, engine, scenario as text, unique,
};

/// What a client asks of the running container, through the recorder.
#[derive(Clone, Copy, Debug)]
enum Request {
    Exec,
    /// The same past the recorder, on the engine's own socket.
    ExecByAnotherDoor,
    /// A commit, a copy into the container and a build.
    Change,
    Unknown,
}

/// Runs a scenario whose container lasts until the client has asked and then killed it.
fn run_beside(engine: &Engine, request: Request) -> (CaseResult, Container) {
    let name = unique(&format!("{request:?}").to_lowercase(), engine);
    // It ends because the client kills it; that says that the client has done its part.
    let keys = "args: [sleep, \"60\"]\n    timeout: 50s\n    expect: { exit: 137 }";
    let scenario = scenario::parse("foreign.yaml", &text(&name, keys, "")).expect("a scenario");
    let choice = Choice::Named {
        name: engine.name.clone(),
        url: engine.url(),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let session = Invocation::start().expect("a session");
        let found = engines::find(&[choice], &session.path(""))
            .await
            .expect("the engine");
        let platform = Platform::from_parts(None, []).expect("an empty configuration");
        let options = RunOptions {
            timeout: PATIENCE,
            kernel: (!engine.has_kernel_witness()).then_some(Need::IfAvailable),
            ..RunOptions::default()
        };
        let runner = Runner::open(&found.engines, platform, session, options)
            .await
            .expect("a connection");
        let jobs = run::jobs(&[Arc::new(scenario)], &[Mode::Prebuilt], &found.engines);
        let recorder: Arc<Mutex<Option<PathBuf>>> = Arc::default();
        let listening = |event: Event<'_>| {
            if let Event::Listening(_, socket) = event {
                *recorder.lock().expect("no panic") = Some(socket.to_owned());
            }
        };
        let (_sender, never) = watch::channel(false);
        let client = {
            let (engine, name, recorder) = (engine.clone(), name.clone(), recorder.clone());
            // On a thread of its own, as a program beside the run would be.
            tokio::task::spawn_blocking(move || {
                let container = engine.running(&name);
                let socket = recorder.lock().expect("no panic").clone();
                block_on(ask(
                    &socket.expect("the recorder listens"),
                    &engine,
                    &container,
                    request,
                ));
                let kill = format!("/containers/{}/kill?signal=SIGKILL", container.id);
                let (status, body) = engine.request("POST", &kill);
                assert_eq!(status, 204, "{}", String::from_utf8_lossy(&body));
                container
            })
        };
        let result = runner.run_job(0, &jobs[0], never, &listening).await;
        assert_eq!(runner.close().await, [""; 0]);
        (result, client.await.expect("the client did its part"))
    })
}

async fn ask(socket: &Path, engine: &Engine, container: &Container, request: Request) {
    let path = socket.to_str().expect("a path of text");
    let client = Docker::connect_with_unix(path, 60, bollard::API_DEFAULT_VERSION).expect("a client");
    let id = container.id.as_str();
    match request {
        Request::Exec => exec(&client, id).await,
        Request::ExecByAnotherDoor => {
            let path = engine.socket.to_str().expect("a path of text");
            let past = Docker::connect_with_unix(path, 60, bollard::API_DEFAULT_VERSION).expect("a client");
            exec(&past, id).await;
        }
        Request::Change => {
            let target = format!(
                "/commit?container={id}&repo=localhost/shellproof/foreign&tag={}",
                container.run
            );
            assert_eq!(
                send(socket, "POST", &target, "application/json", b"{}".to_vec()).await,
                201
            );
            let image = format!("/images/localhost/shellproof/foreign:{}?force=1", container.run);
            let (status, _) = engine.call("DELETE", &image).await;
            assert_eq!(status, 200, "the image of the commit can be removed");
            let target = format!("/containers/{id}/archive?path=/");
            assert_eq!(
                send(socket, "PUT", &target, "application/x-tar", archive()).await,
                200
            );
            // There is no Dockerfile in it, so that nothing is built: the attempt counts.
            send(
                socket,
                "POST",
                "/build?t=localhost/shellproof/foreign",
                "application/x-tar",
                archive(),
            )
            .await;
        }
        Request::Unknown => {
            let target = if engine.is_podman() {
                "/v4.0.0/libpod/play/kube"
            } else {
                "/services/create"
            };
            send(socket, "POST", target, "application/json", b"{}".to_vec()).await;
        }
    }
}

async fn exec(client: &Docker, id: &str) {
    let options = CreateExecOptions {
        cmd: Some(vec!["/tiny", "echo", "from outside"]),
        attach_stdout: Some(true),
        ..CreateExecOptions::default()
    };
    let exec = client.create_exec(id, options).await.expect("an exec is made").id;
    let started = client.start_exec(&exec, Some(StartExecOptions::default())).await;
    let StartExecResults::Attached { mut output, .. } = started.expect("an exec is started") else {
        panic!("the engine did not attach");
    };
    let mut said = String::new();
    while let Some(Ok(chunk)) = output.next().await {
        said.push_str(&chunk.to_string());
    }
    assert_eq!(said, "from outside\n", "the recorder must not be in the way");
}

fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(6);
    header.set_mode(0o755);
    archive
        .append_data(&mut header, "brought", &b"inside"[..])
        .expect("a tar in memory");
    archive.into_inner().expect("a tar in memory")
}

async fn send(socket: &Path, method: &str, target: &str, content_type: &str, body: Vec<u8>) -> u16 {
    let method = method.parse().expect("a method");
    let answer = http::send(socket, method, target, Some(content_type), http::full(body)).await;
    let answer = tokio::time::timeout(Duration::from_secs(30), async { answer }).await;
    answer.expect("in time").expect("an answer").status().as_u16()
}

/// An exec that crosses no wire of ours is the kernel's to see.
#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn an_exec_by_another_door_is_seen(
    #[values("docker-26", "podman-4", "podman-4-rootless", "podman-5", "podman-5-rootless")] name: &str,
) {
    judge(name, Request::ExecByAnotherDoor);
}

on_each_engine!(an_exec_of_another_client_is_judged => |name| super::judge(name, super::Request::Exec));
on_each_engine!(a_change_by_another_client_is_judged => |name| super::judge(name, super::Request::Change));
on_each_engine!(the_unknown_of_another_client_is_judged => |name| super::judge(name, super::Request::Unknown));

fn judge(name: &str, request: Request) {
    let (_gate, engine) = (beside_others(), engine(name));
    let (result, container) = run_beside(&engine, request);
    assert_eq!(result.broken, None);
    let failed: Vec<_> = result
        .expectations
        .iter()
        .filter(|one| one.failure.is_some())
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    let judgement = result.judgement.as_ref().expect("a judgement");
    let (against, by_kernel): (Vec<&Evidence>, Vec<&Evidence>) =
        judgement.against().partition(|one| one.witness == Witness::Wire);
    let id = &container.id;
    let (expected, verdict, status) = match request {
        Request::Exec => (
            // Making and starting it are one finding.
            vec![("exec", format!("POST /containers/{id}/exec"))],
            Verdict::Violated,
            Status::Violated,
        ),
        Request::ExecByAnotherDoor => (Vec::new(), Verdict::Violated, Status::Violated),
        Request::Change => (
            vec![
                ("commit", "POST /commit?".into()),
                ("copy-in", format!("PUT /containers/{id}/archive")),
                ("build", "POST /build?".into()),
            ],
            Verdict::Violated,
            Status::Violated,
        ),
        Request::Unknown => (
            vec![("unknown-request", "POST /".to_owned())],
            Verdict::Unproven,
            Status::Unproven,
        ),
    };
    assert_eq!(
        (judgement.verdict, result.status()),
        (verdict, status),
        "{against:?}"
    );
    assert_eq!(against.len(), expected.len(), "{against:?}");
    let program = std::env::current_exe().expect("this program");
    for (one, (rule, request)) in against.iter().zip(&expected) {
        assert_eq!(one.rule.as_str(), *rule, "{one:?}");
        assert!(one.source.starts_with("request "), "{one:?}");
        assert!(one.source.contains(request), "no `{request}` in {one:?}");
        assert!(
            one.source.ends_with(&format!(" by {}", program.display())),
            "{one:?}"
        );
    }
    let is_exec = matches!(request, Request::Exec | Request::ExecByAnotherDoor);
    let by_kernel: Vec<_> = by_kernel.iter().map(|one| one.detail.as_str()).collect();
    let seen: &[&str] = match is_exec && engine.has_kernel_witness() {
        true => &["exec of `/tiny echo from outside`"],
        false => &[],
    };
    assert_eq!(by_kernel, seen);
    if matches!(request, Request::Exec) {
        assert_eq!(against[0].detail, "exec of `/tiny echo from outside`");
        assert_eq!(against[0].container.as_deref(), Some(container.name.as_str()));
    }
    assert_eq!(engine.of_run(&container.run), [""; 0]);
}
