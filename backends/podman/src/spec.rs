//! The body of libpod's create request, which differs from the compatible one in nearly every field.

use serde_json::{Map, Value, json};
use shellproof_api::{ContainerSpec, HealthCheck, Labels, Mount, MountSource, Port, Relabel};

/// What a container runs, where it differs from what its image says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program<'a> {
    /// `Some([])` clears the image's entrypoint and keeps its command, on both Podman 4 and 5.
    pub entrypoint: Option<&'a [String]>,
    pub command: &'a [String],
}

/// The request body for a container of ours.
pub(crate) fn create_body(spec: &ContainerSpec, program: &Program<'_>) -> Value {
    let mut body = base(&spec.image, &spec.labels);
    let mut set = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    set("name", json!(spec.name));
    if let Some(entrypoint) = program.entrypoint {
        set("entrypoint", json!(entrypoint));
    }
    if !program.command.is_empty() {
        set("command", json!(program.command));
    }
    set(
        "env",
        spec.env
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect(),
    );
    if let Some(user) = &spec.user {
        set("user", json!(user));
    }
    if let Some(workdir) = &spec.workdir {
        set("work_dir", json!(workdir));
    }
    if let Some(attachment) = &spec.network {
        set("netns", json!({ "nsmode": "bridge" }));
        set(
            "networks",
            json!({ &attachment.network: { "aliases": attachment.aliases } }),
        );
        set("portmappings", spec.ports.iter().map(port).collect());
    }
    let tmpfs = spec.tmpfs.iter().map(|path| tmpfs(path));
    set(
        "mounts",
        spec.mounts.iter().filter_map(bind).chain(tmpfs).collect(),
    );
    set("volumes", spec.mounts.iter().filter_map(volume).collect());
    set("read_only_filesystem", json!(spec.read_only));
    // Podman would put writable file systems onto /tmp, /run and /var/tmp of a read-only container.
    set("read_write_tmpfs", json!(false));
    set("cap_drop", json!(spec.cap_drop));
    set("cap_add", json!(spec.cap_add));
    set("no_new_privileges", json!(spec.no_new_privileges));
    if let Some(path) = &spec.seccomp_profile {
        set("seccomp_profile_path", json!(path));
    }
    if let Some(check) = &spec.health_check {
        set("healthconfig", health(check));
    }
    Value::Object(body)
}

/// The request body for a container whose files are read and which never starts.
pub(crate) fn reader_body(image: &str, labels: &Labels) -> Value {
    let mut body = base(image, labels);
    // An image without a command would be refused. Nothing ever runs this.
    body.insert("entrypoint".into(), json!(["/never-started"]));
    // With the image's own user, Podman would look it up in the image's files, and fail if it is not there.
    body.insert("user".into(), json!("0"));
    Value::Object(body)
}

fn base(image: &str, labels: &Labels) -> Map<String, Value> {
    let Value::Object(body) = json!({
        "image": image,
        "labels": labels,
        "netns": { "nsmode": "none" },
        // Otherwise a container whose program is called `init` gets mounts and signals of its own.
        "systemd": "false",
        // Whatever the engine is configured for: with journald, logs cannot be read where there is no journal.
        "log_configuration": { "driver": "k8s-file" },
    }) else {
        unreachable!("an object literal is an object")
    };
    body
}

fn port(port: &Port) -> Value {
    json!({
        "container_port": port.container,
        "host_ip": "127.0.0.1",
        // 0 lets the engine choose.
        "host_port": port.host.unwrap_or(0),
        "protocol": "tcp",
    })
}

fn bind(mount: &Mount) -> Option<Value> {
    let MountSource::Bind(source) = &mount.source else {
        return None;
    };
    let options = [&["rbind"], options(mount).as_slice()].concat();
    Some(json!({
        "type": "bind",
        "source": source,
        "destination": mount.target,
        "options": options,
    }))
}

fn volume(mount: &Mount) -> Option<Value> {
    let MountSource::Volume(name) = &mount.source else {
        return None;
    };
    Some(json!({ "name": name, "dest": mount.target, "options": options(mount) }))
}

fn options(mount: &Mount) -> Vec<&'static str> {
    let access = if mount.read_only { "ro" } else { "rw" };
    std::iter::once(access)
        .chain(mount.relabel.map(Relabel::as_str))
        .chain(mount.chown.then_some("U"))
        .collect()
}

/// An empty file system for everybody, as Docker makes it. Podman would copy the image's directory into it.
fn tmpfs(path: &str) -> Value {
    json!({
        "type": "tmpfs",
        "source": "tmpfs",
        "destination": path,
        "options": ["rw", "nosuid", "nodev", "noexec", "notmpcopyup", "mode=1777"],
    })
}

/// The API applies no defaults: an absent interval would be no interval, and no time-out would fail every run.
fn health(check: &HealthCheck) -> Value {
    const SECOND: u128 = 1_000_000_000;
    json!({
        "Test": check.test.to_api(),
        "Interval": nanoseconds(check.interval.map_or(30 * SECOND, |span| span.as_nanos())),
        "Timeout": nanoseconds(check.timeout.map_or(30 * SECOND, |span| span.as_nanos())),
        "StartPeriod": nanoseconds(check.start_period.map_or(0, |span| span.as_nanos())),
        "Retries": check.retries.unwrap_or(3),
    })
}

/// Go's durations have 63 bits: 292 years.
fn nanoseconds(span: u128) -> i64 {
    i64::try_from(span).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shellproof_api::{HealthTest, NetworkAttachment};

    use super::*;

    fn body(spec: &ContainerSpec) -> Value {
        create_body(spec, &Program::default())
    }

    #[test]
    fn a_container_without_a_network_has_none() {
        let spec = ContainerSpec::default();
        assert_eq!(body(&spec)["netns"], json!({ "nsmode": "none" }));
        assert_eq!(body(&spec)["networks"], Value::Null);
        let spec = ContainerSpec {
            network: Some(NetworkAttachment {
                network: "net".into(),
                aliases: vec!["db".into()],
            }),
            ports: vec![Port {
                container: 80,
                host: None,
            }],
            ..spec
        };
        assert_eq!(body(&spec)["netns"], json!({ "nsmode": "bridge" }));
        assert_eq!(body(&spec)["networks"], json!({ "net": { "aliases": ["db"] } }));
        assert_eq!(body(&spec)["portmappings"][0]["host_ip"], "127.0.0.1");
        assert_eq!(body(&spec)["portmappings"][0]["host_port"], 0);
    }

    #[test]
    fn an_image_keeps_its_program_unless_told_otherwise() {
        let spec = ContainerSpec::default();
        assert_eq!(body(&spec)["entrypoint"], Value::Null);
        assert_eq!(body(&spec)["command"], Value::Null);
        let cleared = Program {
            entrypoint: Some(&[]),
            command: &[],
        };
        assert_eq!(create_body(&spec, &cleared)["entrypoint"], json!([]));
    }

    #[test]
    fn hardening_is_spelled_as_libpod_reads_it() {
        let spec = ContainerSpec {
            read_only: true,
            no_new_privileges: true,
            cap_drop: vec!["ALL".into()],
            ..ContainerSpec::default()
        };
        let body = body(&spec);
        assert_eq!(body["read_only_filesystem"], true);
        assert_eq!(body["read_write_tmpfs"], false);
        assert_eq!(body["no_new_privileges"], true);
        assert_eq!(body["cap_drop"], json!(["ALL"]));
    }

    /// A volume and a host path, mounted in the same way.
    fn mounts(read_only: bool, relabel: Option<Relabel>, chown: bool) -> Value {
        let mount = |source| Mount {
            source,
            target: "/x".into(),
            read_only,
            relabel,
            chown,
        };
        body(&ContainerSpec {
            mounts: vec![
                mount(MountSource::Volume("v".into())),
                mount(MountSource::Bind("/b".into())),
            ],
            ..ContainerSpec::default()
        })
    }

    #[test]
    fn volumes_and_binds_are_told_apart() {
        let body = mounts(true, None, false);
        assert_eq!(
            body["volumes"],
            json!([{ "name": "v", "dest": "/x", "options": ["ro"] }])
        );
        assert_eq!(body["mounts"][0]["source"], "/b");
        assert_eq!(body["mounts"][0]["options"], json!(["rbind", "ro"]));
    }

    #[test]
    fn mount_options_are_passed_on() {
        let body = mounts(false, Some(Relabel::Private), true);
        assert_eq!(body["volumes"][0]["options"], json!(["rw", "Z", "U"]));
        assert_eq!(body["mounts"][0]["options"], json!(["rbind", "rw", "Z", "U"]));
    }

    #[test]
    fn a_health_check_states_what_the_api_would_not_assume() {
        let check = HealthCheck {
            test: HealthTest::Shell("exit 0".into()),
            interval: Some(Duration::from_millis(1500)),
            timeout: None,
            start_period: None,
            retries: None,
        };
        let expected = json!({
            "Test": ["CMD-SHELL", "exit 0"],
            "Interval": 1_500_000_000_i64,
            "Timeout": 30_000_000_000_i64,
            "StartPeriod": 0,
            "Retries": 3,
        });
        assert_eq!(health(&check), expected);
    }
}
