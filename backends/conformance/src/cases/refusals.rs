use std::path::PathBuf;

use shellproof_api::{ContainerId, ContainerSpec, ErrorKind, Mount, MountSource, NetworkSpec, VolumeSpec};

use super::case_list;
use crate::Bench;
use crate::bench::{on_network, volume_at};

case_list! {
    Contract:
        a_container_of_an_unknown_image_is_refused,
        a_container_name_is_taken_once,
        a_container_on_an_unknown_network_is_refused,
        a_container_with_an_unknown_volume_is_refused,
        a_network_name_is_taken_once,
        a_volume_name_is_taken_once,
        an_unknown_container_is_not_found;
    Kernel:
        a_bind_source_that_does_not_exist_is_not_made;
}

async fn a_container_of_an_unknown_image_is_refused(bench: &Bench) {
    let image = "localhost/shellproof/none:1";
    let spec = ContainerSpec {
        image: image.into(),
        ..bench.spec(&["exit", "0"])
    };
    bench.refused(
        bench.runtime().create_container(&spec).await,
        ErrorKind::ImageMissing,
        &[image],
    );
}

async fn a_container_name_is_taken_once(bench: &Bench) {
    let spec = bench.spec(&["exit", "0"]);
    bench.create(&spec).await;
    bench.refused(
        bench.runtime().create_container(&spec).await,
        ErrorKind::AlreadyExists,
        &[&spec.name],
    );
}

/// Asserts that nothing of a refused container is left.
async fn left_nothing(bench: &Bench) {
    assert_eq!(bench.owned().await, Ok(vec![]));
}

async fn a_container_on_an_unknown_network_is_refused(bench: &Bench) {
    let network = bench.name();
    let spec = ContainerSpec {
        network: on_network(&network, &[]),
        ..bench.spec(&["exit", "0"])
    };
    bench.refused(
        bench.runtime().create_container(&spec).await,
        ErrorKind::NotFound,
        &[&spec.name, &network],
    );
    left_nothing(bench).await;
}

async fn a_container_with_an_unknown_volume_is_refused(bench: &Bench) {
    let volume = bench.name();
    let mounts = vec![volume_at(&volume, "/shared", false)];
    let spec = ContainerSpec {
        mounts,
        ..bench.spec(&["exit", "0"])
    };
    bench.refused(
        bench.runtime().create_container(&spec).await,
        ErrorKind::NotFound,
        &[&spec.name, &volume],
    );
    left_nothing(bench).await;
    // It must not have been made on the way, which only its maker would notice.
    let spec = VolumeSpec {
        name: volume,
        labels: bench.labels(),
    };
    bench
        .runtime()
        .create_volume(&spec)
        .await
        .expect("the name is free");
}

async fn a_bind_source_that_does_not_exist_is_not_made(bench: &Bench) {
    let source = format!("/tmp/{}", bench.name());
    let mount = |source: &str| Mount {
        source: MountSource::Bind(PathBuf::from(source)),
        target: "/bound".into(),
        read_only: false,
        relabel: None,
        chown: false,
    };
    for _ in 0..2 {
        // The second time it must be missing still.
        let spec = ContainerSpec {
            mounts: vec![mount(&source)],
            ..bench.spec(&["exit", "0"])
        };
        bench.refused(
            bench.runtime().create_container(&spec).await,
            ErrorKind::NotFound,
            &[&spec.name, &source],
        );
    }
    assert!(!PathBuf::from(&source).exists(), "{source} was made");
    left_nothing(bench).await;
}

async fn a_network_name_is_taken_once(bench: &Bench) {
    let spec = NetworkSpec {
        name: bench.network().await,
        labels: bench.labels(),
    };
    bench.refused(
        bench.runtime().create_network(&spec).await,
        ErrorKind::AlreadyExists,
        &[&spec.name],
    );
    assert_eq!(bench.owned().await.map(|owned| owned.len()), Ok(1));
}

async fn a_volume_name_is_taken_once(bench: &Bench) {
    let spec = VolumeSpec {
        name: bench.volume().await,
        labels: bench.labels(),
    };
    bench.refused(
        bench.runtime().create_volume(&spec).await,
        ErrorKind::AlreadyExists,
        &[&spec.name],
    );
}

async fn an_unknown_container_is_not_found(bench: &Bench) {
    let (runtime, id) = (bench.runtime(), ContainerId(bench.name()));
    let kind = ErrorKind::NotFound;
    bench.refused(runtime.start_container(&id).await, kind, &[&id.0]);
    bench.refused(runtime.wait_container(&id).await, kind, &[&id.0]);
    bench.refused(bench.inspect().inspect_container(&id).await, kind, &[&id.0]);
    bench.refused(runtime.attach(&id).await.map(|_| ()), kind, &[&id.0]);
}
