use std::io::Read;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use shellproof_api::{ContainerSpec, ErrorKind, HealthCheck, HealthTest, Mount, MountSource, Port, Relabel};

use super::case_list;
use crate::bench::{on_network, volume_at, words};
use crate::{Bench, SUBJECT};

case_list! {
    Kernel:
        the_root_file_system_is_writable_unless_it_is_read_only,
        a_tmpfs_is_writable_on_a_read_only_root,
        dropped_capabilities_are_gone,
        added_capabilities_are_there,
        no_new_privileges_takes_effect,
        a_volume_is_shared,
        a_read_only_volume_is_read_only,
        a_bind_mount_shows_the_hosts_file,
        a_mount_may_be_labelled_and_given_away,
        containers_find_each_other_by_name_and_alias,
        containers_on_two_networks_do_not_find_each_other,
        no_network_is_no_network,
        a_running_container_has_an_address,
        the_engine_chooses_a_free_port,
        a_published_port_answers_on_loopback_only,
        a_published_port_can_be_chosen;
    HealthChecks:
        a_health_check_is_run_without_a_shell,
        the_runs_of_a_health_check_are_told;
}

async fn the_root_file_system_is_writable_unless_it_is_read_only(bench: &Bench) {
    let spec = bench.spec(&["write", "/files/new", "text"]);
    assert_eq!(bench.run(&spec).await.code, 0);
    let ended = bench
        .run(&ContainerSpec {
            name: bench.name(),
            read_only: true,
            ..spec
        })
        .await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("ReadOnlyFilesystem"), "{ended:?}");
}

async fn a_tmpfs_is_writable_on_a_read_only_root(bench: &Bench) {
    let ended = bench
        .run(&ContainerSpec {
            read_only: true,
            tmpfs: vec!["/scratch".into()],
            ..bench.spec(&["write", "/scratch/new", "text"])
        })
        .await;
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// A field of the program's status as a number.
async fn capabilities(bench: &Bench, field: &str, cap_drop: &[&str], cap_add: &[&str]) -> u64 {
    let spec = ContainerSpec {
        user: Some("0".into()),
        cap_drop: words(cap_drop),
        cap_add: words(cap_add),
        ..bench.spec(&["status", field])
    };
    let mask = bench.stdout(&spec).await;
    u64::from_str_radix(mask.trim_end(), 16).expect("a mask")
}

const CHOWN: u64 = 1;
const NET_BIND_SERVICE: u64 = 1 << 10;
const SYS_PTRACE: u64 = 1 << 19;

async fn dropped_capabilities_are_gone(bench: &Bench) {
    assert_ne!(capabilities(bench, "CapBnd", &[], &[]).await & CHOWN, 0);
    assert_eq!(capabilities(bench, "CapBnd", &["CHOWN"], &[]).await & CHOWN, 0);
    assert_eq!(capabilities(bench, "CapBnd", &["ALL"], &[]).await, 0);
    assert_eq!(capabilities(bench, "CapEff", &["ALL"], &[]).await, 0);
}

async fn added_capabilities_are_there(bench: &Bench) {
    assert_eq!(
        capabilities(bench, "CapEff", &["ALL"], &["NET_BIND_SERVICE"]).await,
        NET_BIND_SERVICE
    );
    assert_eq!(capabilities(bench, "CapEff", &[], &[]).await & SYS_PTRACE, 0);
    assert_ne!(
        capabilities(bench, "CapEff", &[], &["SYS_PTRACE"]).await & SYS_PTRACE,
        0
    );
}

async fn no_new_privileges_takes_effect(bench: &Bench) {
    for (no_new_privileges, expected) in [(false, "0\n"), (true, "1\n")] {
        let spec = ContainerSpec {
            no_new_privileges,
            ..bench.spec(&["status", "NoNewPrivs"])
        };
        assert_eq!(bench.stdout(&spec).await, expected);
    }
}

fn with_volume(bench: &Bench, args: &[&str], volume: &str, read_only: bool) -> ContainerSpec {
    ContainerSpec {
        user: Some("0".into()),
        mounts: vec![volume_at(volume, "/shared", read_only)],
        ..bench.spec(args)
    }
}

async fn a_volume_is_shared(bench: &Bench) {
    let volume = bench.volume().await;
    let written = bench
        .run(&with_volume(
            bench,
            &["write", "/shared/file", "text"],
            &volume,
            false,
        ))
        .await;
    assert_eq!(written.code, 0, "{written:?}");
    for read_only in [false, true] {
        let read = with_volume(bench, &["read", "/shared/file"], &volume, read_only);
        assert_eq!(bench.stdout(&read).await, "text");
    }
}

async fn a_read_only_volume_is_read_only(bench: &Bench) {
    let volume = bench.volume().await;
    let ended = bench
        .run(&with_volume(
            bench,
            &["write", "/shared/file", "text"],
            &volume,
            true,
        ))
        .await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("ReadOnlyFilesystem"), "{ended:?}");
}

async fn a_bind_mount_shows_the_hosts_file(bench: &Bench) {
    // A file that every Linux host has and everyone may read; an engine may have another root than this test.
    let mount = |read_only| Mount {
        source: MountSource::Bind(PathBuf::from("/etc/passwd")),
        target: "/files/bound".into(),
        read_only,
        relabel: None,
        chown: false,
    };
    for read_only in [false, true] {
        let spec = ContainerSpec {
            mounts: vec![mount(read_only)],
            ..bench.spec(&["read", "/files/bound"])
        };
        let text = bench.stdout(&spec).await;
        assert!(text.starts_with("root:"), "{text}");
    }
    let write = ContainerSpec {
        user: Some("0".into()),
        mounts: vec![mount(true)],
        ..bench.spec(&["write", "/files/bound", "text"])
    };
    let ended = bench.run(&write).await;
    assert_eq!(ended.code, 1, "{ended:?}");
}

async fn a_mount_may_be_labelled_and_given_away(bench: &Bench) {
    let volume = bench.volume().await;
    let spec = |relabel, chown, user: Option<&str>| ContainerSpec {
        mounts: vec![Mount {
            relabel,
            chown,
            ..volume_at(&volume, "/given", false)
        }],
        user: user.map(str::to_owned),
        ..bench.spec(&["write", "/given/new", "text"])
    };
    for relabel in [None, Some(Relabel::Shared), Some(Relabel::Private)] {
        let ended = bench.run(&spec(relabel, false, Some("0"))).await;
        assert_eq!(ended.code, 0, "{relabel:?}: {ended:?}");
    }
    // By now all in it is root's, and the suite's image has another user.
    assert_eq!(bench.run(&spec(None, false, None)).await.code, 1);
    match bench.runtime().create_container(&spec(None, true, None)).await {
        Err(error) => assert_eq!(error.kind, ErrorKind::Unsupported, "{error}"),
        Ok(_) => {
            let ended = bench.run(&spec(None, true, None)).await;
            assert_eq!(ended.code, 0, "{ended:?}");
        }
    }
}

async fn dial(bench: &Bench, network: &str, address: &str) -> crate::bench::Ended {
    let spec = ContainerSpec {
        network: on_network(network, &[]),
        ..bench.spec(&["dial", address])
    };
    bench.run_for_output(&spec).await
}

fn server(bench: &Bench, network: &str, aliases: &[&str]) -> ContainerSpec {
    ContainerSpec {
        network: on_network(network, aliases),
        ..bench.spec(&["serve", "8080"])
    }
}

async fn containers_find_each_other_by_name_and_alias(bench: &Bench) {
    let network = bench.network().await;
    let server = server(bench, &network, &["alias-one", "alias-two"]);
    bench.start_ready(&server).await;
    for host in [server.name.as_str(), "alias-one", "alias-two"] {
        let ended = dial(bench, &network, &format!("{host}:8080")).await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (0, "hello\n"),
            "{host}: {}",
            ended.stderr
        );
    }
}

async fn containers_on_two_networks_do_not_find_each_other(bench: &Bench) {
    let (here, there) = (bench.network().await, bench.network().await);
    let server = server(bench, &here, &["server"]);
    bench.start_ready(&server).await;
    let ended = dial(bench, &there, "server:8080").await;
    assert_eq!(ended.code, 1, "{ended:?}");
}

async fn no_network_is_no_network(bench: &Bench) {
    let spec = bench.spec(&["read", "/proc/net/dev"]);
    let interfaces = bench.stdout(&spec).await;
    let names: Vec<_> = interfaces
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .collect();
    // Some kernels put idle tunnel devices into every namespace; what counts is that none leads outside.
    assert!(names.contains(&"lo"), "{names:?}");
    assert!(
        !names
            .iter()
            .any(|name| name.starts_with("eth") || name.starts_with("tap")),
        "{names:?}"
    );
}

async fn a_running_container_has_an_address(bench: &Bench) {
    let network = bench.network().await;
    let id = bench.start_ready(&server(bench, &network, &[])).await;
    let state = bench.inspect().inspect_container(&id).await.expect("it is there");
    let [address] = state.addresses.as_slice() else {
        panic!("one address, not {:?}", state.addresses)
    };
    let ended = dial(bench, &network, &format!("{address}:8080")).await;
    assert_eq!(ended.stdout, "hello\n", "{ended:?}");
}

fn published(bench: &Bench, network: &str, host: Option<u16>) -> ContainerSpec {
    ContainerSpec {
        ports: vec![Port {
            container: 8080,
            host,
        }],
        ..server(bench, network, &[])
    }
}

async fn published_port(bench: &Bench, spec: &ContainerSpec) -> u16 {
    let id = bench.start_ready(spec).await;
    let ports = bench
        .inspect()
        .inspect_container(&id)
        .await
        .expect("it is there")
        .ports;
    let [(8080, port)] = ports.as_slice() else {
        panic!("one port, not {ports:?}")
    };
    *port
}

async fn the_engine_chooses_a_free_port(bench: &Bench) {
    let network = bench.network().await;
    let first = published_port(bench, &published(bench, &network, None)).await;
    let second = published_port(bench, &published(bench, &network, None)).await;
    assert_ne!(first, second);
}

fn greeting(bench: &Bench, address: (&str, u16)) -> std::io::Result<String> {
    let mut answer = String::new();
    let mut connection = bench.network_of_engine().enter(|| TcpStream::connect(address))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

async fn a_published_port_answers_on_loopback_only(bench: &Bench) {
    let network = bench.network().await;
    let port = published_port(bench, &published(bench, &network, None)).await;
    assert_eq!(
        greeting(bench, ("127.0.0.1", port)).expect("it answers"),
        "hello\n"
    );
    // Any other address of this host must refuse; 127.0.0.2 is one that every Linux host has.
    greeting(bench, ("127.0.0.2", port)).expect_err("it is published on 127.0.0.1 alone");
}

async fn a_published_port_can_be_chosen(bench: &Bench) {
    let network = bench.network_of_engine();
    let free = network.enter(|| std::net::TcpListener::bind("127.0.0.1:0")?.local_addr());
    let free = free.expect("a free port").port();
    let network = bench.network().await;
    let spec = published(bench, &network, Some(free));
    assert_eq!(published_port(bench, &spec).await, free);
    assert_eq!(
        greeting(bench, ("127.0.0.1", free)).expect("it answers"),
        "hello\n"
    );

    let taken = published(bench, &network, Some(free));
    let taken = match bench.runtime().create_container(&taken).await {
        Ok(id) => bench.runtime().start_container(&id).await,
        Err(error) => Err(error),
    };
    bench.refused(taken, ErrorKind::AlreadyExists, &[]);
}

/// A health check that is run several times in the time of a test.
fn frequent_check(subject: &[&str]) -> HealthCheck {
    HealthCheck {
        test: HealthTest::Command(words(&[&[SUBJECT], subject].concat())),
        interval: Some(Duration::from_millis(200)),
        timeout: Some(Duration::from_secs(5)),
        start_period: None,
        retries: Some(1),
    }
}

async fn the_runs_of_a_health_check_are_told(bench: &Bench) {
    let told = async |code: &str| {
        let spec = ContainerSpec {
            health_check: Some(frequent_check(&["exit", code])),
            ..bench.spec(&["wait"])
        };
        let id = bench.start_ready(&spec).await;
        for _ in 0..100 {
            let runs = bench.runtime().health_runs(&id).await.expect("it is told");
            if runs.len() > 1 {
                return runs;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the engine told of fewer than two runs");
    };
    for (code, expected) in [("0", 0), ("3", 3)] {
        let runs = told(code).await;
        assert!(runs.iter().all(|run| run.exit_code == expected), "{runs:?}");
        assert_ne!(runs[0].began, runs[1].began, "{runs:?}");
    }
    let id = bench.start_ready(&bench.spec(&["wait"])).await;
    let runs = bench.runtime().health_runs(&id).await.expect("it is told");
    assert_eq!(runs, [], "it has no health check");
}

async fn a_health_check_is_run_without_a_shell(bench: &Bench) {
    let volume = bench.volume().await;
    let check = frequent_check(&["write", "/shared/beat", "$HOME"]);
    let spec = ContainerSpec {
        health_check: Some(check),
        ..with_volume(bench, &["wait"], &volume, false)
    };
    bench.start_ready(&spec).await;
    for _ in 0..50 {
        let ended = bench
            .run(&with_volume(bench, &["read", "/shared/beat"], &volume, true))
            .await;
        if ended.code == 0 && !ended.stdout.is_empty() {
            assert_eq!(ended.stdout, "$HOME", "no shell has seen it");
            return;
        }
    }
    panic!("the health check was never run");
}
