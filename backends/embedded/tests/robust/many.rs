//! Very many containers, one after the other and side by side: none leaves anything behind.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use shellproof_api::ResourceKind;

use crate::world::{self, Process, descendants};
use crate::{Lab, Test, network, on, remove, run};

pub(crate) const TESTS: &[(&str, Test)] = &[("many::a_hundred_leave_nothing", |lab| leave_nothing(lab, 100))];
/// Minutes on a busy machine.
pub(crate) const LONG: &[(&str, Test)] =
    &[("many::a_thousand_leave_nothing", |lab| leave_nothing(lab, 1000))];

/// How many run at a time.
const SIDE_BY_SIDE: usize = 40;
/// How many more descriptors: threads come and go.
const FEW: usize = 8;
/// How much more memory somebody may have at the end, in kB: an allocator's room, not a container's.
const ROOM: u64 = 4 << 10;

/// What may leak.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    mounts: usize,
    memory: u64,
}

impl Held {
    fn by(process: Process) -> Self {
        Self {
            descriptors: process.descriptors(),
            mounts: process.mounts(),
            memory: process.status("VmRSS"),
        }
    }
}

async fn one_after_the_other(lab: &Lab, number: usize) -> Duration {
    let since = Instant::now();
    for _ in 0..number {
        let ended = run(&lab.runtime, &lab.spec("one", &["echo", "hello"])).await;
        assert_eq!(ended, (0, "hello\n".into()));
    }
    since.elapsed()
}

async fn side_by_side(lab: &Lab, number: usize) {
    network(&lab.runtime, "net").await;
    let one = async |number: usize| {
        let spec = on("net", lab.spec(&format!("c{number}"), &["echo", "hello"]));
        run(&lab.runtime, &spec).await
    };
    let all = stream::iter(0..number).map(one).buffer_unordered(SIDE_BY_SIDE);
    let fine = all.filter(|ended| std::future::ready(*ended == (0, "hello\n".to_owned())));
    assert_eq!(fine.count().await, number);
    remove(&lab.runtime, ResourceKind::Network, "net").await;
}

fn leave_nothing(lab: &Lab, number: usize) {
    lab.tokio.block_on(async {
        let all = descendants(std::process::id());
        let [_, holder] = all[..] else {
            panic!("a stub and a holder, and nobody else: {all:?}");
        };
        // Threads, and whatever else is there for good after the first.
        one_after_the_other(lab, 5).await;
        side_by_side(lab, 2 * SIDE_BY_SIDE).await;
        let before = [world::this(), holder].map(Held::by);
        let first = one_after_the_other(lab, number / 4).await;
        one_after_the_other(lab, number / 2).await;
        let last = one_after_the_other(lab, number / 4).await;
        side_by_side(lab, number).await;
        let after = [world::this(), holder].map(Held::by);
        eprintln!(
            "{number} of them: {first:?} for the first quarter, {last:?} for the last; {before:?}, {after:?}"
        );
        for (before, after) in before.iter().zip(&after) {
            assert!(
                after.descriptors <= before.descriptors + FEW,
                "{before:?} {after:?}"
            );
            assert_eq!(before.mounts, after.mounts);
            assert!(after.memory <= before.memory + ROOM, "{before:?} {after:?}");
        }
    });
    assert_eq!(descendants(std::process::id()).len(), 2);
}
