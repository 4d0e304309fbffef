use std::time::Duration;

use futures_util::StreamExt;
use shellproof_api::ContainerStatus;

use super::case_list;
use crate::Bench;
use crate::bench::{collect, container};

case_list! {
    Contract:
        attaching_sees_all_output_and_ends_with_the_container,
        attaching_keeps_the_two_streams_apart,
        output_arrives_while_the_container_runs,
        an_attached_stream_ends_when_the_container_is_removed;
    Kernel:
        a_mebibyte_on_both_streams_arrives_whole;
}

const MEBIBYTE: usize = 1 << 20;

async fn attaching_sees_all_output_and_ends_with_the_container(bench: &Bench) {
    // A program this quick has ended before anyone who attaches after the start.
    for n in 0..5 {
        let word = format!("quick-{n}");
        let ended = bench.run_for_output(&bench.spec(&["echo", &word])).await;
        assert_eq!((ended.code, ended.stdout), (0, format!("{word}\n")));
    }
}

async fn attaching_keeps_the_two_streams_apart(bench: &Bench) {
    for (args, stdout, stderr) in [(["echo", "out"], "out\n", ""), (["err", "oops"], "", "oops\n")] {
        let ended = bench.run_for_output(&bench.spec(&args)).await;
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (stdout, stderr));
    }
}

async fn output_arrives_while_the_container_runs(bench: &Bench) {
    let (id, mut stream) = bench.start_attached(&bench.spec(&["wait"])).await;
    let first = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    let first = first
        .expect("it arrives at once")
        .expect("the stream goes on")
        .expect("the stream is whole");
    assert_eq!(&*first.bytes, b"ready\n");
    assert_eq!(bench.status(&id).await, ContainerStatus::Running);
}

async fn an_attached_stream_ends_when_the_container_is_removed(bench: &Bench) {
    let (id, stream) = bench.start_attached(&bench.spec(&["wait"])).await;
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

async fn a_mebibyte_on_both_streams_arrives_whole(bench: &Bench) {
    let ended = bench
        .run_for_output(&bench.spec(&["flood", &MEBIBYTE.to_string()]))
        .await;
    assert_flood(ended.stdout.as_bytes(), ended.stderr.as_bytes());
}
