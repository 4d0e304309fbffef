use shellproof_api::{ContainerSpec, Labels, Resource, ResourceKind, labels};

use super::case_list;
use crate::Bench;
use crate::bench::{container, on_network, resource};

case_list! {
    Contract:
        everything_that_was_made_is_owned,
        other_runs_are_owned_and_strangers_are_not,
        what_is_owned_can_be_removed_in_order,
        removing_what_is_not_there_is_no_error;
}

async fn everything_that_was_made_is_owned(bench: &Bench) {
    let network = bench.network().await;
    let volume = bench.volume().await;
    let created = bench.plain();
    bench.create(&created).await;
    let running = bench.spec(&["wait"]);
    bench.start(&running).await;
    let exited = bench.spec(&["exit", "0"]);
    bench.run(&exited).await;

    let owned = bench.owned().await.expect("the engine lists");
    let names = |kind| -> Vec<&str> {
        let of_kind = owned.iter().filter(|resource| resource.kind == kind);
        of_kind.map(|resource| resource.name.as_str()).collect()
    };
    let mut containers = names(ResourceKind::Container);
    containers.sort_unstable();
    let mut expected = [created.name.as_str(), &running.name, &exited.name];
    expected.sort_unstable();
    assert_eq!(containers, expected);
    assert_eq!(names(ResourceKind::Network), [network]);
    assert_eq!(names(ResourceKind::Volume), [volume]);
    for resource in &owned {
        assert!(
            resource.labels.contains_key(labels::SCENARIO),
            "all labels are told: {resource:?}"
        );
    }
}

async fn other_runs_are_owned_and_strangers_are_not(bench: &Bench) {
    let mut labelled = bench.labels();
    labelled.insert(labels::RUN.to_owned(), "another-run".to_owned());
    let other = bench
        .create(&ContainerSpec {
            labels: labelled,
            ..bench.plain()
        })
        .await;
    let stranger = bench
        .create(&ContainerSpec {
            labels: Labels::new(),
            ..bench.plain()
        })
        .await;
    let owned = bench.runtime().owned().await;
    // Nothing else would find these two, so they go before anything can fail.
    for id in [&other, &stranger] {
        bench
            .runtime()
            .remove(&container(id))
            .await
            .expect("it is removed");
    }
    let owned = owned.expect("the engine lists");
    assert!(owned.iter().any(|resource| resource.id == other.0), "{owned:?}");
    assert!(
        owned.iter().all(|resource| resource.id != stranger.0),
        "{owned:?}"
    );
}

async fn what_is_owned_can_be_removed_in_order(bench: &Bench) {
    let network = bench.network().await;
    let mut spec = bench.spec(&["wait"]);
    spec.network = on_network(&network, &[]);
    bench.start(&spec).await;
    bench.volume().await;
    let owned: Vec<Resource> = bench.owned().await.expect("the engine lists");
    assert_eq!(owned.len(), 3, "{owned:?}");
    // `owned` is sorted here, and resource kinds are ordered so that they can be removed.
    for resource in &owned {
        bench.runtime().remove(resource).await.expect("it is removed");
    }
    assert_eq!(bench.owned().await, Ok(vec![]));
}

async fn removing_what_is_not_there_is_no_error(bench: &Bench) {
    let name = bench.name();
    for kind in [
        ResourceKind::Container,
        ResourceKind::Network,
        ResourceKind::Volume,
        ResourceKind::Image,
    ] {
        let removed = bench.runtime().remove(&resource(kind, &name)).await;
        assert_eq!(removed, Ok(()), "{kind}");
    }
}
