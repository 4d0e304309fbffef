use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shellproof_api::{ContainerSpec, ContainerStatus, ErrorKind};

use super::case_list;
use crate::bench::{container, words};
use crate::{Bench, SUBJECT};

case_list! {
    Contract:
        the_engine_says_what_it_is,
        a_container_goes_from_created_to_running_to_exited,
        starting_a_running_container_is_no_error,
        exit_codes_are_given,
        waiting_for_an_exited_container_gives_its_code,
        waiting_waits,
        waiting_for_a_container_that_never_started_is_refused,
        an_abandoned_wait_leaves_the_container_as_it_is,
        a_running_container_is_removed,
        removing_twice_is_no_error,
        eight_containers_at_once;
    Kernel:
        a_missing_program_is_told,
        a_missing_program_in_the_path_is_told,
        a_program_that_is_not_executable_is_told,
        a_directory_is_not_executable,
        a_container_that_failed_to_start_is_exited;
}

async fn the_engine_says_what_it_is(bench: &Bench) {
    let engine = bench.runtime().engine();
    assert!(
        !engine.name.is_empty() && !engine.version.is_empty(),
        "{engine:?}"
    );
}

async fn a_container_goes_from_created_to_running_to_exited(bench: &Bench) {
    let state = async |id| bench.inspect().inspect_container(id).await.expect("it is there");
    let id = bench.create(&bench.spec(&["sleep", "1"])).await;
    let created = state(&id).await;
    assert_eq!(
        (created.status, created.exit_code),
        (ContainerStatus::Created, None)
    );
    assert_eq!(created.argv, [SUBJECT, "sleep", "1"]);

    bench.runtime().start_container(&id).await.expect("it starts");
    let running = state(&id).await;
    assert_eq!(
        (running.status, running.exit_code),
        (ContainerStatus::Running, None)
    );

    let code = bench.runtime().wait_container(&id).await.expect("it ends");
    let exited = state(&id).await;
    assert_eq!(
        (exited.status, exited.exit_code),
        (ContainerStatus::Exited, Some(code))
    );
    assert!(
        exited.addresses.is_empty() && exited.ports.is_empty(),
        "{exited:?}"
    );
}

async fn starting_a_running_container_is_no_error(bench: &Bench) {
    let id = bench.start(&bench.spec(&["wait"])).await;
    bench
        .runtime()
        .start_container(&id)
        .await
        .expect("it runs already");
    assert_eq!(bench.status(&id).await, ContainerStatus::Running);
}

async fn exit_codes_are_given(bench: &Bench) {
    for (code, text) in [(0, "0"), (3, "3"), (255, "255")] {
        assert_eq!(bench.run(&bench.spec(&["exit", text])).await.code, code);
    }
}

async fn waiting_for_an_exited_container_gives_its_code(bench: &Bench) {
    let id = bench.start(&bench.spec(&["exit", "3"])).await;
    for _ in 0..3 {
        assert_eq!(bench.runtime().wait_container(&id).await, Ok(3));
    }
}

async fn waiting_waits(bench: &Bench) {
    let since = Instant::now();
    let id = bench.start(&bench.spec(&["sleep", "0.7"])).await;
    assert_eq!(bench.runtime().wait_container(&id).await, Ok(0));
    assert!(
        since.elapsed() >= Duration::from_millis(700),
        "{:?}",
        since.elapsed()
    );
}

async fn waiting_for_a_container_that_never_started_is_refused(bench: &Bench) {
    let id = bench.create(&bench.spec(&["exit", "0"])).await;
    bench.refused(
        bench.runtime().wait_container(&id).await,
        ErrorKind::WrongState,
        &[&id.0],
    );
}

async fn an_abandoned_wait_leaves_the_container_as_it_is(bench: &Bench) {
    let id = bench.start(&bench.spec(&["sleep", "1.5"])).await;
    let wait = bench.runtime().wait_container(&id);
    tokio::time::timeout(Duration::from_millis(200), wait)
        .await
        .expect_err("it still runs");
    assert_eq!(bench.status(&id).await, ContainerStatus::Running);
    assert_eq!(bench.runtime().wait_container(&id).await, Ok(0));
}

async fn a_running_container_is_removed(bench: &Bench) {
    let id = bench.start(&bench.spec(&["wait"])).await;
    bench
        .runtime()
        .remove(&container(&id))
        .await
        .expect("it is removed");
    bench.refused(
        bench.inspect().inspect_container(&id).await,
        ErrorKind::NotFound,
        &[&id.0],
    );
}

async fn removing_twice_is_no_error(bench: &Bench) {
    let id = bench.create(&bench.spec(&["exit", "0"])).await;
    for _ in 0..2 {
        bench
            .runtime()
            .remove(&container(&id))
            .await
            .expect("it is removed");
    }
    // Two at once: whoever comes second must not fail, and must not return before it is gone.
    let id = bench.start(&bench.spec(&["wait"])).await;
    let target = container(&id);
    for removed in join_all([bench.runtime().remove(&target), bench.runtime().remove(&target)]).await {
        removed.expect("it is removed");
    }
    bench.refused(
        bench.inspect().inspect_container(&id).await,
        ErrorKind::NotFound,
        &[],
    );
}

async fn eight_containers_at_once(bench: &Bench) {
    let runs = (0..8).map(|n| async move {
        let word = format!("container-{n}");
        let ended = bench.run_for_output(&bench.spec(&["echo", &word])).await;
        assert_eq!((ended.code, ended.stdout), (0, format!("{word}\n")));
    });
    join_all(runs).await;
}

async fn start_fails(bench: &Bench, program: &str, kind: ErrorKind) {
    let spec = ContainerSpec {
        entrypoint: Some(words(&[program])),
        ..bench.plain()
    };
    let id = bench.create(&spec).await;
    bench.refused(
        bench.runtime().start_container(&id).await,
        kind,
        &[&id.0, program],
    );
}

async fn a_missing_program_is_told(bench: &Bench) {
    start_fails(bench, "/no/such/program", ErrorKind::CommandNotFound).await;
}

async fn a_missing_program_in_the_path_is_told(bench: &Bench) {
    start_fails(bench, "no-such-program", ErrorKind::CommandNotFound).await;
}

async fn a_program_that_is_not_executable_is_told(bench: &Bench) {
    start_fails(bench, "/files/not-executable", ErrorKind::NotExecutable).await;
}

async fn a_directory_is_not_executable(bench: &Bench) {
    start_fails(bench, "/files/dir", ErrorKind::NotExecutable).await;
}

async fn a_container_that_failed_to_start_is_exited(bench: &Bench) {
    let id = bench
        .create(&ContainerSpec {
            entrypoint: Some(words(&["/none"])),
            ..bench.plain()
        })
        .await;
    bench
        .runtime()
        .start_container(&id)
        .await
        .expect_err("there is no such program");
    assert_eq!(bench.status(&id).await, ContainerStatus::Exited);
    // It ended, so waiting for it must neither hang nor claim a success.
    match bench.runtime().wait_container(&id).await {
        Ok(code) => assert_ne!(code, 0),
        Err(error) => assert_eq!(error.kind, ErrorKind::WrongState, "{error}"),
    }
}
