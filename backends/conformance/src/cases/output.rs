use std::time::Duration;

use futures_util::StreamExt;

use super::case_list;
use crate::Bench;
use crate::bench::{collect, container};

case_list! {
    Contract:
        logs_keep_the_two_streams_apart,
        logs_of_a_container_that_never_started_are_empty,
        logs_are_what_was_written_so_far,
        logs_can_be_read_again,
        attaching_sees_all_output_and_ends_with_the_container,
        attaching_keeps_the_two_streams_apart,
        output_arrives_while_the_container_runs,
        an_attached_stream_ends_when_the_container_is_removed;
    Kernel:
        a_mebibyte_on_both_streams_arrives_whole_by_logs,
        a_mebibyte_on_both_streams_arrives_whole_by_attach;
}

const MEBIBYTE: usize = 1 << 20;

async fn logs_keep_the_two_streams_apart(bench: &Bench) {
    let ended = bench.run(&bench.spec(&["echo", "to stdout"])).await;
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("to stdout\n", "")
    );
    let ended = bench.run(&bench.spec(&["err", "to stderr"])).await;
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("", "to stderr\n")
    );
}

async fn logs_of_a_container_that_never_started_are_empty(bench: &Bench) {
    let id = bench.create(&bench.spec(&["echo"])).await;
    let output = bench.runtime().logs(&id).await.expect("it has logs");
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

async fn logs_are_what_was_written_so_far(bench: &Bench) {
    let id = bench.start_ready(&bench.spec(&["wait"])).await;
    let logs = tokio::time::timeout(Duration::from_secs(5), bench.runtime().logs(&id)).await;
    let output = logs
        .expect("logs do not wait for the end")
        .expect("a running container has logs");
    assert_eq!(output.stdout, b"ready\n");
}

async fn logs_can_be_read_again(bench: &Bench) {
    let id = bench.start(&bench.spec(&["echo", "once"])).await;
    bench.runtime().wait_container(&id).await.expect("it ends");
    for _ in 0..2 {
        assert_eq!(
            bench.runtime().logs(&id).await.expect("it has logs").stdout,
            b"once\n"
        );
    }
}

async fn attaching_sees_all_output_and_ends_with_the_container(bench: &Bench) {
    // A program this quick has ended before anyone who attaches after the start.
    for n in 0..5 {
        let word = format!("quick-{n}");
        let id = bench.create(&bench.spec(&["echo", &word])).await;
        let stream = bench.runtime().attach(&id).await.expect("it is attached to");
        bench.runtime().start_container(&id).await.expect("it starts");
        assert_eq!(collect(stream).await.stdout, format!("{word}\n").into_bytes());
        assert_eq!(bench.runtime().wait_container(&id).await, Ok(0));
    }
}

async fn attaching_keeps_the_two_streams_apart(bench: &Bench) {
    let id = bench.create(&bench.spec(&["err", "oops"])).await;
    let stream = bench.runtime().attach(&id).await.expect("it is attached to");
    bench.runtime().start_container(&id).await.expect("it starts");
    let output = collect(stream).await;
    assert_eq!((&*output.stdout, &*output.stderr), (&b""[..], &b"oops\n"[..]));
}

async fn output_arrives_while_the_container_runs(bench: &Bench) {
    let id = bench.create(&bench.spec(&["wait"])).await;
    let mut stream = bench.runtime().attach(&id).await.expect("it is attached to");
    bench.runtime().start_container(&id).await.expect("it starts");
    let first = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    let first = first
        .expect("it arrives at once")
        .expect("the stream goes on")
        .expect("the stream is whole");
    assert_eq!(&*first.bytes, b"ready\n");
    bench
        .runtime()
        .kill_container(&id, "SIGKILL")
        .await
        .expect("it runs");
    assert!(
        stream.next().await.is_none(),
        "the stream ends with the container"
    );
}

async fn an_attached_stream_ends_when_the_container_is_removed(bench: &Bench) {
    let id = bench.create(&bench.spec(&["wait"])).await;
    let stream = bench.runtime().attach(&id).await.expect("it is attached to");
    bench.runtime().start_container(&id).await.expect("it starts");
    bench
        .runtime()
        .remove(&container(&id))
        .await
        .expect("it is removed");
    tokio::time::timeout(Duration::from_secs(20), collect(stream))
        .await
        .expect("the stream ends");
}

fn assert_flood(stdout: &[u8], stderr: &[u8]) {
    let expected: String = (0..MEBIBYTE / 16).map(|line| format!("{line:015}\n")).collect();
    assert_eq!(stdout.len(), MEBIBYTE);
    assert_eq!(stderr.len(), MEBIBYTE);
    // No assert_eq: a difference would print two mebibytes.
    assert!(stdout == expected.as_bytes(), "stdout is not what was written");
    assert!(
        stderr == expected.replace('0', "-").as_bytes(),
        "stderr is not what was written"
    );
}

async fn a_mebibyte_on_both_streams_arrives_whole_by_logs(bench: &Bench) {
    let ended = bench.run(&bench.spec(&["flood", &MEBIBYTE.to_string()])).await;
    assert_flood(ended.stdout.as_bytes(), ended.stderr.as_bytes());
}

async fn a_mebibyte_on_both_streams_arrives_whole_by_attach(bench: &Bench) {
    let id = bench.create(&bench.spec(&["flood", &MEBIBYTE.to_string()])).await;
    let stream = bench.runtime().attach(&id).await.expect("it is attached to");
    bench.runtime().start_container(&id).await.expect("it starts");
    let output = collect(stream).await;
    assert_flood(&output.stdout, &output.stderr);
}
