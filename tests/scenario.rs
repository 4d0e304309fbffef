//! What valid scenarios mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use shellproof::ImageName;
use shellproof::scenario::*;
use shellproof::source::{Diagnostic, Spanned};
use shellproof::vocabulary::*;

fn sample(name: &str) -> Scenario {
    let path = Path::new("tests/scenario-samples").join(name);
    load(&path).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn plan(name: &str, mode: Mode) -> Plan {
    sample(name)
        .for_mode(mode)
        .expect("the scenario is for this mode")
}

fn container(name: &str, mode: Mode, container: &str) -> ContainerPlan {
    plan(name, mode)
        .container(container)
        .expect("the container is there")
        .clone()
}

fn is_job(plan: &Plan, name: &str) -> bool {
    let container = plan.container(name).expect("the container is there");
    matches!(container.kind, ContainerKind::Job { .. })
}

fn words(argv: &Option<Spanned<Argv>>) -> Vec<&str> {
    argv.iter()
        .flat_map(|argv| argv.value.iter())
        .map(|word| word.value.as_str())
        .collect()
}

#[test]
fn the_samples_are_found_and_read() {
    let scenarios = load_all(&[PathBuf::from("tests/scenario-samples")]).expect("all are valid");
    let names: Vec<&str> = scenarios
        .iter()
        .map(|scenario| scenario.name.value.as_str())
        .collect();
    assert_eq!(names, ["database", "kerberos-ticket", "shell-health-check"]);
}

#[test]
fn a_command_is_the_whole_argument_vector_of_its_mode() {
    let layered = container("kerberos-ticket.yaml", Mode::Layered, "test");
    assert_eq!(
        words(&layered.entrypoint),
        ["sh", "-c", "apk add krb5 && python /app/test.py"]
    );
    assert_eq!(layered.args, None);
    let prebuilt = container("kerberos-ticket.yaml", Mode::Prebuilt, "test");
    assert_eq!((prebuilt.entrypoint, prebuilt.args), (None, None));
    assert_eq!(prebuilt.image.value, ImageChoice::Role(Role::KerberosTest));
}

#[test]
fn a_container_that_others_wait_for_runs_to_its_end() {
    let plan = plan("kerberos-ticket.yaml", Mode::Prebuilt);
    assert!(["ticket", "test"].iter().all(|name| is_job(&plan, name)) && !is_job(&plan, "kdc"));
    let text = "schema: 1\nname: a\ncontainers:\n  a: { role: python }\n  \
                b: { role: python, after: { a: exited-3 }, ready: { log: x } }\n";
    let plan = parse("a.yaml", text)
        .expect("it is valid")
        .for_mode(Mode::Layered)
        .expect("it is for both");
    let ContainerKind::Job { exit, timeout } = plan.containers[0].kind else {
        panic!("it is waited for")
    };
    assert_eq!((exit.value, timeout), (3, Duration::from_secs(60)));
    assert!(!is_job(&plan, "b"));
}

#[test]
fn containers_start_after_the_ones_they_wait_for() {
    let plan = plan("database.yaml", Mode::Prebuilt);
    let names: Vec<&str> = plan
        .containers
        .iter()
        .map(|container| container.name.value.as_str())
        .collect();
    assert_eq!(names, ["database", "client"]);
}

#[test]
fn a_scenario_has_no_plan_for_a_mode_it_is_not_for() {
    assert_eq!(sample("database.yaml").for_mode(Mode::Layered), None);
}

#[test]
fn every_key_of_a_container_is_read() {
    let database = container("database.yaml", Mode::Prebuilt, "database");
    assert_eq!(database.user.map(|user| user.value).as_deref(), Some("999:999"));
    assert_eq!(database.aliases[0].value, "db.platform.test");
    assert_eq!(
        database.ports[0].value,
        Port {
            host: None,
            container: 5432
        }
    );
    assert_eq!(
        database.ports[1].value,
        Port {
            host: Some(15432),
            container: 5432
        }
    );
    assert_eq!(
        database.volumes[0].value.source,
        MountSource::Volume("data".into())
    );
    assert!(database.read_only && database.no_new_privileges);
    let observe = Duration::from_secs(1);
    assert_eq!(database.kind, ContainerKind::Service { observe });
    assert_eq!(database.cap_drop[0].value, "ALL");
    assert_eq!(database.cap_add[0].value, "CHOWN");
    assert_eq!(database.tmpfs[0].value, "/run/postgresql");
    let check = database.healthcheck.expect("it has a health check").value;
    let argv = ["/usr/bin/pg_isready", "-q"].map(str::to_owned).to_vec();
    assert_eq!(check.test, HealthTest::Command(argv));
    assert_eq!(check.timeout, Some(Duration::from_millis(500)));
    assert_eq!(check.retries, Some(5));
    let ready = database.ready.expect("it says when it is ready");
    assert_eq!(ready.within, Duration::from_secs(60));
    assert!(
        matches!(&ready.probe.value, Probe::Log(pattern) if pattern.is_match("x\ndatabase system is ready to accept connections\n"))
    );
    let http = &database.expect.http[0];
    assert_eq!(
        (http.port.value, http.status.value, http.within),
        (9187, 200, Duration::from_secs(5))
    );
    assert!(http.body.is_some());
    let [shell, configuration] = database.expect.files.as_slice() else {
        panic!("two files")
    };
    assert!(!shell.present.value && configuration.present.value);
    assert_eq!(configuration.mode.map(|mode| mode.value), Some(0o600));
    assert_eq!(configuration.contains[0].value, "scram-sha-256");
}

#[test]
fn the_expectations_of_a_text_are_read() {
    let client = container("database.yaml", Mode::Prebuilt, "client");
    let timeout = client.timeout.map(|timeout| timeout.value);
    assert_eq!(timeout, Some(Duration::from_secs(120)));
    let stdout = client.expect.stdout.expect("it expects some output");
    assert_eq!(stdout.contains.len(), 2);
    assert_eq!(stdout.not_contains[0].value, "Traceback");
    assert!(stdout.matches[0].is_match("hello\nversion 17.5"));
    assert_eq!(
        client
            .expect
            .stderr
            .and_then(|text| text.equals)
            .map(|text| text.value)
            .as_deref(),
        Some("")
    );
    assert_eq!(
        client.env[1].value.value, "5432",
        "a number is text in the environment"
    );
}

#[test]
fn relative_host_paths_start_at_the_scenario_file() {
    let client = container("database.yaml", Mode::Prebuilt, "client");
    let MountSource::Bind(path) = &client.volumes[0].value.source else {
        panic!("a host path is expected")
    };
    assert_eq!(path, Path::new("tests/scenario-samples/query.py"));
    assert!(client.volumes[0].value.read_only);
}

#[test]
fn mount_options_say_what_they_do() {
    let with = |options: &str| {
        let text = format!(
            "schema: 1\nname: x\nvolumes: [data]\ncontainers:\n  a: {{ role: python, volumes: ['data:/data{options}'], expect: {{ exit: 0 }} }}\n"
        );
        let plan = parse("x.yaml", &text).unwrap().for_mode(Mode::Prebuilt).unwrap();
        let mount = &plan.containers[0].volumes[0].value;
        (mount.read_only, mount.relabel, mount.chown)
    };
    for (options, expected) in [
        ("", (false, None, false)),
        (":ro", (true, None, false)),
        (":z", (false, Some(Relabel::Shared), false)),
        (":ro,Z", (true, Some(Relabel::Private), false)),
        (":U,rw,z", (false, Some(Relabel::Shared), true)),
    ] {
        assert_eq!(with(options), expected, "{options}");
    }
}

#[test]
fn a_host_path_is_looked_for_beside_its_file_and_only_where_a_file_was_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.yaml");
    let text = "schema: 1\nname: x\ncontainers:\n  a: { role: python, volumes: ['./beside/it:/b'], expect: { exit: 0 } }\n";
    std::fs::write(&file, text).unwrap();
    let told = load(&file).unwrap_err().to_string();
    assert!(told.contains("nothing is at the host path"), "{told}");
    assert!(parse(&file, text).is_ok());
    std::fs::create_dir(directory.path().join("beside")).unwrap();
    std::fs::write(directory.path().join("beside/it"), "").unwrap();
    assert!(load(&file).is_ok());
}

#[test]
fn a_mode_replaces_keys_and_adds_to_the_environment() {
    let layered = container("shell-health-check.yaml", Mode::Layered, "server");
    let env: Vec<_> = layered
        .env
        .iter()
        .map(|var| (var.name.value.as_str(), var.value.value.as_str()))
        .collect();
    assert_eq!(env, [("COLOR", "no"), ("LEVEL", "debug")]);
    assert_eq!(
        layered.healthcheck.map(|check| check.value.test),
        Some(HealthTest::None)
    );
    assert!(matches!(&layered.image.value, ImageChoice::Named(name) if name.reference().is_some()));
    let prebuilt = container("shell-health-check.yaml", Mode::Prebuilt, "server");
    assert_eq!(
        prebuilt.image.value,
        ImageChoice::Named(ImageName::Fixture("server".into()))
    );
    assert!(matches!(
        prebuilt.healthcheck.map(|check| check.value.test),
        Some(HealthTest::Shell(_))
    ));
}

#[test]
fn verdicts_differ_by_mode() {
    let scenario = sample("shell-health-check.yaml");
    assert_eq!(
        scenario.expect.for_mode(Mode::Layered).verdict,
        VerdictKind::Clean
    );
    let prebuilt = scenario.for_mode(Mode::Prebuilt).expect("both modes").outcome;
    assert_eq!(prebuilt.verdict, VerdictKind::Violated);
    assert_eq!(
        prebuilt.rule.map(|rule| rule.value).as_deref(),
        Some("health-check-shell")
    );
    assert_eq!(scenario.waivers[0].until.to_string(), "2027-06-30");
}

#[test]
fn witnesses_are_required_in_prebuilt_mode_unless_the_file_says_otherwise() {
    let audit = sample("database.yaml").audit;
    assert_eq!(audit.need(Witness::Kernel, Mode::Prebuilt), Need::IfAvailable);
    assert_eq!(audit.need(Witness::Wire, Mode::Prebuilt), Need::Required);
    assert_eq!(audit.need(Witness::Wire, Mode::Layered), Need::IfAvailable);
    assert_eq!(audit.need(Witness::Image, Mode::Prebuilt), Need::Required);
    assert_eq!(audit.need(Witness::Image, Mode::Layered), Need::IfAvailable);
}

#[test]
fn every_value_knows_its_place() {
    let scenario = sample("kerberos-ticket.yaml");
    let test = scenario.container("test").expect("it is there");
    let layered = test.layered.as_ref().expect("it has a block");
    let command = layered.command.as_ref().expect("it has a command");
    assert_eq!(
        scenario.file.location(command.span),
        "tests/scenario-samples/kerberos-ticket.yaml:29:25"
    );
    let shell = command.value[0].span;
    assert_eq!(&scenario.file.source()[shell.start..shell.end], "sh");
    let probe = scenario
        .container("kdc")
        .and_then(|kdc| kdc.base.ready.clone())
        .expect("it has one")
        .probe
        .span;
    assert_eq!(&scenario.file.source()[probe.start..probe.end], "tcp: 88");
    let later = Diagnostic::new(&scenario.file, command.span, "`sh` was run").label("asked for here");
    assert!(
        later
            .to_string()
            .contains("--> tests/scenario-samples/kerberos-ticket.yaml:29:25"),
        "{later}"
    );
}

/// The complete example in the reference is what the reference says it is.
#[test]
fn the_example_in_the_documentation_is_valid() {
    let document = include_str!("../docs/scenario-format.md");
    let (_, rest) = document
        .split_once("```yaml\n")
        .expect("the document has an example");
    let (example, _) = rest.split_once("```").expect("the example ends");
    let scenario = parse("docs/scenario-format.md", example).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    for mode in Mode::ALL {
        assert!(scenario.for_mode(*mode).is_some());
    }
}

/// A message about an unknown key lists the known ones; the reference must explain each of them in its place.
#[test]
fn the_documentation_explains_every_key() {
    let document = include_str!("../docs/scenario-format.md");
    let text = "schema: 1
name: a
containers:
  a:
    role: python
    zzzzzz: 1
    healthcheck: { zzzzzz: 1 }
    ready: { zzzzzz: 1, http: { zzzzzz: 1 } }
    layered: { zzzzzz: 1 }
    expect: { zzzzzz: 1, stdout: { zzzzzz: 1 }, http: [{ zzzzzz: 1 }], files: [{ zzzzzz: 1 }] }
audit: { zzzzzz: 1 }
expect: { zzzzzz: 1 }
waivers: [{ zzzzzz: 1 }]
zzzzzz: 1
";
    let mistakes = parse("a.yaml", text).expect_err("nobody knows this key");
    let lists: Vec<(&str, &str)> = mistakes
        .iter()
        .filter_map(|mistake| {
            let what = mistake.title.strip_prefix("unknown key `zzzzzz` in ")?;
            let (_, keys) = mistake.help.as_deref()?.split_once(" has ")?;
            Some((what, keys))
        })
        .collect();
    assert_eq!(lists.len(), 12, "{mistakes}");
    for (what, keys) in lists {
        let headings: &[&str] = match what {
            "a scenario" => &["## The scenario"],
            "a container" => &["## A container"],
            "a `layered` block" => &["## A container", "### What one mode changes"],
            "a health check" => &["### Health check"],
            "a `ready`" | "an `http` probe" => &["### Ready"],
            "a container's `expect`" | "an `http` expectation" | "a `files` expectation" => {
                &["### What a container must do"]
            }
            "an expected text" => &["### A text"],
            "an audit" => &["## The scenario"],
            "the scenario's `expect`" => &["## The verdict"],
            "a waiver" => &["## Waivers"],
            other => panic!("{other} is described nowhere"),
        };
        let keys: Vec<&str> = backticked(keys).collect();
        let section: String = headings
            .iter()
            .map(|heading| section(document, heading))
            .collect();
        for key in &keys {
            let is_explained = ["`KEY`", "`KEY: ", "{ KEY:", "{ KEY,", ", KEY,", ", KEY }"]
                .iter()
                .any(|form| section.contains(&form.replace("KEY", key)));
            assert!(
                is_explained,
                "`{key}` of {what} is not explained under {headings:?}"
            );
        }
        // And nothing is explained that is not there.
        if matches!(what, "a scenario" | "a container") {
            let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
            for cell in cells.filter_map(|line| line.split_once('|')) {
                for key in backticked(&format!("`{}", cell.0)) {
                    assert!(keys.contains(&key), "{what} has no `{key}`");
                }
            }
        }
    }
}

fn backticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What stands under a heading, up to the next one.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, rest) = document
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("there is no `{heading}`"));
    rest.split("\n#").next().unwrap_or_default()
}

fn parsed(containers: &str) -> Scenario {
    let text = format!("schema: 1\nname: a\nnetworks: [n]\ncontainers:\n{containers}");
    parse("a.yaml", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn a_container_is_a_job_or_a_service() {
    for (keys, expected) in [
        ("expect: { exit: 3 }", Some(3)),
        ("expect: { stdout: { contains: a } }", Some(0)),
        ("expect: { stderr: { not_contains: a } }", Some(0)),
        ("ready: { exit: 4 }", Some(4)),
        ("network: n, ready: { tcp: 80 }, expect: { exit: 0 }", Some(0)),
        ("network: n, ready: { tcp: 80 }", None),
        ("ready: { log: x }, expect: { stdout: { contains: a } }", None),
        ("network: n, ready: { http: { port: 80, path: / } }", None),
    ] {
        let scenario = parsed(&format!("  a: {{ role: python, {keys} }}\n"));
        for mode in Mode::ALL {
            let plan = scenario.for_mode(*mode).expect("it is for both");
            let exit = match plan.containers[0].kind {
                ContainerKind::Job { exit, .. } => Some(exit.value),
                ContainerKind::Service { .. } => None,
            };
            assert_eq!(exit, expected, "{keys}");
        }
    }
}

#[test]
fn a_mode_adds_to_the_expectations() {
    let scenario = parsed(
        "  a:
    role: python
    expect: { exit: 1, stdout: { contains: common, equals: one }, files: [{ path: /bin/sh, absent: true }] }
    prebuilt: { expect: { exit: 2, stdout: { contains: more, equals: two }, stderr: { equals: x }, files: [{ path: /app, present: true }] } }
",
    );
    let expect = |mode| {
        scenario.for_mode(mode).expect("both").containers[0]
            .expect
            .clone()
    };
    let layered = expect(Mode::Layered);
    assert_eq!(layered.exit.map(|exit| exit.value), Some(1));
    assert_eq!((layered.stderr, layered.files.len()), (None, 1));
    let prebuilt = expect(Mode::Prebuilt);
    assert_eq!(prebuilt.exit.map(|exit| exit.value), Some(2));
    assert_eq!(prebuilt.files.len(), 2);
    assert!(prebuilt.stderr.is_some());
    let stdout = prebuilt.stdout.expect("it expects some output");
    let contains: Vec<_> = stdout.contains.iter().map(|text| text.value.as_str()).collect();
    assert_eq!(contains, ["common", "more"]);
    assert_eq!(stdout.equals.map(|text| text.value).as_deref(), Some("two"));
}
