use std::os::unix::fs::symlink;

use serde_json::json;
use shellproof_api::EngineKind;
use tokio::net::UnixListener;

use super::*;

#[test]
fn the_directories_above_a_socket_lead_to_it_and_no_others_do() {
    let reached = |path: &str| {
        SOCKETS
            .iter()
            .copied()
            .find(|socket| leads(&plain(Path::new(path)), socket))
    };
    for path in [
        "/",
        "/run",
        "/var/run/",
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/tmp/../run/./podman",
        "/run/user",
        "/run/user/1000",
        "/run/user/1000/podman/podman.sock",
        "/run/docker",
        "/run/docker/containerd/containerd.sock",
        "/run/containerd",
        "/run/containerd/s",
        "/run/containerd/s/0123",
        "/run/user/1000/docker",
    ] {
        assert!(reached(path).is_some(), "{path}");
    }
    for path in [
        "/var",
        "/run/docker/plugins",
        "/run/docker.sock/x",
        "/run/user/1000/bus",
        "/run/dbus",
        "/data",
        "/home/run",
    ] {
        assert_eq!(reached(path), None, "{path}");
    }
}

#[test]
fn the_files_of_processes_are_not_those_of_the_kernel() {
    for path in [
        "/proc",
        "/proc/1/root",
        "/proc/self/root/run",
        "/proc/thread-self",
    ] {
        assert!(is_of_processes(Path::new(path)), "{path}");
    }
    for path in ["/proc/sys/vm", "/proc/meminfo", "/process", "/data/proc"] {
        assert!(!is_of_processes(Path::new(path)), "{path}");
    }
}

#[test]
fn privileges_and_the_hosts_processes_are_doors() {
    let count = |host: Value| powers(&host).len();
    assert_eq!(count(json!({ "Privileged": true })), 1);
    assert_eq!(count(json!({ "PidMode": "host", "Privileged": true })), 2);
    assert_eq!(count(json!({ "PidMode": "ns:/proc/1/ns/pid" })), 1);
    assert_eq!(count(json!({ "ReadonlyPaths": [], "MaskedPaths": [] })), 1);
    assert_eq!(count(json!({ "SecurityOpt": ["unmask=ALL"] })), 1);
    assert_eq!(
        count(json!({ "SecurityOpt": ["no-new-privileges", "systempaths=unconfined"] })),
        1
    );
    for host in [
        json!({}),
        json!({ "Privileged": false, "PidMode": "" }),
        json!({ "PidMode": "private" }),
        json!({ "PidMode": "container:b" }),
        json!({ "ReadonlyPaths": ["/proc/sys"], "SecurityOpt": ["no-new-privileges"] }),
        json!({ "ReadonlyPaths": null, "SecurityOpt": null }),
    ] {
        assert_eq!(count(host.clone()), 0, "{host}");
    }
}

/// An engine that knows no volume, in a directory of its own.
async fn doors(name: &str, mounts: impl Fn(&Path) -> Vec<PathBuf>) -> Vec<String> {
    let directory = std::env::temp_dir().join(format!("doors-{name}-{}", std::process::id()));
    let recorder = directory.join("recorder");
    std::fs::create_dir_all(directory.join("data/below")).unwrap();
    let socket = directory.join("e.sock");
    std::fs::create_dir(&recorder).unwrap();
    let recorder = recorder.join("r.sock");
    let _listening = (
        UnixListener::bind(&socket).unwrap(),
        UnixListener::bind(&recorder).unwrap(),
    );
    let engine = Endpoint {
        kind: EngineKind::Docker,
        socket,
    };
    let mounts: Vec<_> = mounts(&directory)
        .iter()
        .map(|source| json!({ "Type": "bind", "Source": source }))
        .collect();
    let found = of(&engine, &recorder, &json!({ "Mounts": mounts })).await;
    std::fs::remove_dir_all(&directory).unwrap();
    found.unwrap()
}

#[tokio::test]
async fn a_socket_is_found_by_what_it_is_and_not_by_its_name() {
    let found = doors("found", |directory| {
        std::fs::hard_link(directory.join("e.sock"), directory.join("data/below/other")).unwrap();
        symlink(directory, directory.join("data/up")).unwrap();
        vec![
            directory.join("e.sock"),
            directory.to_owned(),
            directory.parent().unwrap().to_owned(),
            directory.join("data/below/other"),
            directory.join("data/up"),
            directory.join("recorder"),
            directory.join("recorder/r.sock"),
        ]
    })
    .await;
    assert_eq!(found.len(), 7, "{found:?}");
    assert!(found[5].contains("on which shellproof records"), "{}", found[5]);
}

#[tokio::test]
async fn a_directory_beside_it_is_no_door() {
    let found = doors("beside", |directory| {
        vec![
            directory.join("data"),
            directory.join("data/below"),
            directory.join("not-there"),
        ]
    })
    .await;
    assert_eq!(found, Vec::<String>::new());
}
