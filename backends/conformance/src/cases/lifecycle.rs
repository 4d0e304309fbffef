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
        a_killed_container_ends,
        killing_what_does_not_run_is_refused,
        a_running_container_is_removed,
        removing_twice_is_no_error,
        eight_containers_at_once;
    Kernel:
        a_missing_program_is_told,
        a_missing_program_in_the_path_is_told,
        a_program_that_is_not_executable_is_told,
        a_directory_is_not_executable,
        a_container_that_failed_to_start_is_exited,
        a_signal_is_sent_to_the_first_process,
        exec_gives_exit_code_and_output,
        exec_of_a_missing_program_gives_126_or_127;
    Contract:
        exec_in_a_container_that_does_not_run_is_refused;
}

async fn the_engine_says_what_it_is(bench: &Bench) {
    let engine = bench.runtime().engine();
    assert!(
        !engine.name.is_empty() && !engine.version.is_empty(),
        "{engine:?}"
    );
}

async fn a_container_goes_from_created_to_running_to_exited(bench: &Bench) {
    let runtime = bench.runtime();
    let id = bench.create(&bench.spec(&["wait"])).await;
    let state = runtime.inspect_container(&id).await.expect("it is there");
    assert_eq!((state.status, state.exit_code), (ContainerStatus::Created, None));
    assert_eq!(state.argv, [SUBJECT, "wait"]);

    runtime.start_container(&id).await.expect("it starts");
    let state = runtime.inspect_container(&id).await.expect("it is there");
    assert_eq!((state.status, state.exit_code), (ContainerStatus::Running, None));

    runtime
        .kill_container(&id, "SIGKILL")
        .await
        .expect("it is killed");
    let code = runtime.wait_container(&id).await.expect("it ends");
    let state = runtime.inspect_container(&id).await.expect("it is still there");
    assert_eq!(
        (state.status, state.exit_code),
        (ContainerStatus::Exited, Some(code))
    );
    assert!(state.addresses.is_empty() && state.ports.is_empty(), "{state:?}");
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

async fn a_killed_container_ends(bench: &Bench) {
    let id = bench.start_ready(&bench.spec(&["wait"])).await;
    // The first process of a container does not die of a signal that it has no handler for.
    bench
        .runtime()
        .kill_container(&id, "SIGTERM")
        .await
        .expect("it runs");
    bench
        .runtime()
        .kill_container(&id, "SIGKILL")
        .await
        .expect("it runs");
    let code = bench.runtime().wait_container(&id).await.expect("it ends");
    assert!(code == 137 || code == 143, "{code}");
}

async fn a_signal_is_sent_to_the_first_process(bench: &Bench) {
    let id = bench.start_ready(&bench.spec(&["wait"])).await;
    // A stopped process is the one effect that needs no handler and is seen from within.
    let stopped = async || {
        let argv = words(&[SUBJECT, "read", "/proc/1/status"]);
        let status = bench
            .exec()
            .exec(&id, &argv)
            .await
            .expect("it is read")
            .output
            .stdout;
        String::from_utf8_lossy(&status).contains("(stopped)")
    };
    assert!(!stopped().await);
    bench
        .runtime()
        .kill_container(&id, "SIGSTOP")
        .await
        .expect("it runs");
    assert!(stopped().await);
    bench
        .runtime()
        .kill_container(&id, "SIGCONT")
        .await
        .expect("it runs");
    assert!(!stopped().await);
}

async fn killing_what_does_not_run_is_refused(bench: &Bench) {
    let id = bench.create(&bench.spec(&["exit", "0"])).await;
    bench.refused(
        bench.runtime().kill_container(&id, "SIGKILL").await,
        ErrorKind::WrongState,
        &[&id.0],
    );
    bench.runtime().start_container(&id).await.expect("it starts");
    bench.runtime().wait_container(&id).await.expect("it ends");
    bench.refused(
        bench.runtime().kill_container(&id, "SIGKILL").await,
        ErrorKind::WrongState,
        &[&id.0],
    );
}

async fn a_running_container_is_removed(bench: &Bench) {
    let id = bench.start(&bench.spec(&["wait"])).await;
    bench
        .runtime()
        .remove(&container(&id))
        .await
        .expect("it is removed");
    bench.refused(
        bench.runtime().inspect_container(&id).await,
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
        bench.runtime().inspect_container(&id).await,
        ErrorKind::NotFound,
        &[],
    );
}

async fn eight_containers_at_once(bench: &Bench) {
    let runs = (0..8).map(|n| async move {
        let word = format!("container-{n}");
        let ended = bench.run(&bench.spec(&["echo", &word])).await;
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

async fn exec_gives_exit_code_and_output(bench: &Bench) {
    let id = bench.start_ready(&bench.spec(&["wait"])).await;
    let exec = async |args: &[&str]| {
        let argv: Vec<String> = [SUBJECT]
            .iter()
            .chain(args)
            .map(|&word| word.to_owned())
            .collect();
        bench
            .exec()
            .exec(&id, &argv)
            .await
            .expect("the program is executed")
    };
    let output = exec(&["echo", "out"]).await;
    assert_eq!(
        (output.exit_code, &*output.output.stdout, &*output.output.stderr),
        (0, &b"out\n"[..], &b""[..])
    );
    let output = exec(&["err", "oops"]).await;
    assert_eq!(
        (output.exit_code, &*output.output.stdout, &*output.output.stderr),
        (0, &b""[..], &b"oops\n"[..])
    );
    assert_eq!(exec(&["exit", "3"]).await.exit_code, 3);
}

async fn exec_of_a_missing_program_gives_126_or_127(bench: &Bench) {
    let id = bench.start_ready(&bench.spec(&["wait"])).await;
    let output = bench
        .exec()
        .exec(&id, &words(&["/none"]))
        .await
        .expect("the attempt is made");
    assert!(matches!(output.exit_code, 126 | 127), "{output:?}");
}

async fn exec_in_a_container_that_does_not_run_is_refused(bench: &Bench) {
    let id = bench.create(&bench.spec(&["exit", "0"])).await;
    let refused = bench.exec().exec(&id, &words(&[SUBJECT, "echo"])).await;
    bench.refused(refused, ErrorKind::WrongState, &[&id.0]);
}
