//! Two runs at once, whose things have the same names, do not meet; and containers do not notice how others come and go.

use shellproof_api::{ContainerSpec, Mount, MountSource, Runtime, VolumeSpec};

use crate::{Lab, Test, embedded, network, on, run, run_labels, start};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("apart::two_runs_do_not_meet", two_runs_do_not_meet),
    (
        "apart::the_server_of_names_stays_where_it_is",
        the_server_of_names_stays,
    ),
];

fn with_data(spec: ContainerSpec) -> ContainerSpec {
    let data = Mount {
        source: MountSource::Volume("data".into()),
        target: "/data".into(),
        read_only: false,
        relabel: None,
        chown: true,
    };
    ContainerSpec {
        mounts: vec![data],
        ..spec
    }
}

fn two_runs_do_not_meet(lab: &Lab) {
    lab.within(async {
        let (one, other) = (&*lab.runtime, embedded(&lab.directory.path().join("other")));
        for runtime in [one, &other] {
            network(runtime, "net").await;
            let data = VolumeSpec {
                name: "data".into(),
                labels: run_labels(),
            };
            runtime.create_volume(&data).await.expect("a volume");
        }
        start(one, &on("net", lab.spec("server", &["serve", "80"]))).await;
        let write = with_data(lab.spec("writer", &["write", "/data/x", "one"]));
        assert_eq!(run(one, &write).await, (0, String::new()));
        let read = with_data(lab.spec("reader", &["read", "/data/x"]));
        assert_eq!(run(one, &read).await, (0, "one".into()));
        let (code, said) = run(&other, &read).await;
        assert!(code == 1 && said.starts_with("NotFound"), "{code} {said}");

        let by_name = on("net", lab.spec("client", &["dial", "server:80"]));
        assert_eq!(run(one, &by_name).await, (0, "hello\n".into()));
        let (code, said) = run(&other, &by_name).await;
        assert!(
            code == 1 && said.contains("failed to lookup address"),
            "{code} {said}"
        );
        // Both networks have the same addresses: the server's is nobody's there.
        let by_address = on("net", lab.spec("client", &["dial", "10.88.1.2:80"]));
        assert_eq!(run(one, &by_address).await, (0, "hello\n".into()));
        let (code, said) = run(&other, &by_address).await;
        assert_eq!(code, 1, "{said}");
        // A container of the same name is another one.
        start(&other, &on("net", lab.spec("server", &["serve", "81"]))).await;
        drop(other);
        assert_eq!(run(one, &by_name).await, (0, "hello\n".into()));
    });
}

/// Whoever knows its hardware address goes on writing to it, and would wait for seconds if it had another one.
fn the_server_of_names_stays(lab: &Lab) {
    lab.within(async {
        network(&lab.runtime, "net").await;
        for number in 0..6 {
            let ask = on("net", lab.spec(&format!("ask{number}"), &["server-of-names"]));
            assert_eq!(run(&lab.runtime, &ask).await, (0, "02:00:0a:58:01:01\n".into()));
            start(
                &lab.runtime,
                &on("net", lab.spec(&format!("other{number}"), &["wait"])),
            )
            .await;
        }
    });
}
