use std::time::Duration;

use serde_json::Value;
use shellproof_wire::{Changes, Client, FileKind, InspectedContainer, Record, Recording, Refusal, Route};

use super::*;

/// A record as the recorder writes it.
pub(in crate::policy) fn record(method: &str, target: &str) -> Record {
    Record {
        number: 1,
        at: Duration::ZERO,
        connection: 1,
        client: Client {
            pid: Some(7),
            program: Some("/usr/bin/docker".into()),
        },
        method: method.into(),
        target: target.into(),
        route: Route::parse(method, target),
        status: Some(204),
        ..Record::default()
    }
}

/// A recorded creation and start of container `id`, called `job`.
pub(in crate::policy) fn run(id: &str, argv: &[&str], health_test: &[&str]) -> Vec<Record> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let create = Record {
        status: Some(201),
        made: Some(id.into()),
        ..record("POST", "/v1.41/containers/create?name=job")
    };
    let subject = InspectedContainer {
        id: id.into(),
        name: "job".into(),
        image: "sha256:1".into(),
        argv: words(argv),
        health_test: words(health_test),
        ..InspectedContainer::default()
    };
    let start = Record {
        subject: Some(subject),
        ..record("POST", &format!("/v1.41/containers/{id}/start"))
    };
    vec![create, start]
}

pub(in crate::policy) fn recording(records: Vec<Record>) -> Recording {
    Recording {
        records,
        ..Recording::default()
    }
}

/// What is found in a recording.
pub(in crate::policy) fn judged(recording: &Recording) -> Vec<Evidence> {
    recording.facts().iter().flat_map(judge).collect()
}

/// The rules that a sequence of requests falls under.
fn rules(records: Vec<Record>) -> Vec<Rule> {
    judged(&recording(records))
        .into_iter()
        .map(|evidence| evidence.rule)
        .collect()
}

fn then(mut records: Vec<Record>, next: Record) -> Vec<Record> {
    records.push(next);
    records
}

#[test]
fn a_plain_run_leaves_no_evidence() {
    assert_eq!(
        rules(run(
            "1",
            &["/usr/bin/python3", "job.py"],
            &["CMD", "/tiny", "healthy"]
        )),
        []
    );
    assert_eq!(rules(run("1", &["/usr/bin/python3", "sh"], &["NONE"])), []);
    assert_eq!(rules(run("1", &["/tiny"], &[])), []);
    assert_eq!(
        rules(then(
            run("1", &["/tiny"], &[]),
            record("POST", "/containers/1/attach")
        )),
        []
    );
}

#[test]
fn each_request_falls_under_its_rule() {
    for (method, target, rule) in [
        ("POST", "/containers/1/exec", Rule::Exec),
        ("POST", "/exec/2/start", Rule::Exec),
        ("POST", "/build?t=x", Rule::Build),
        ("POST", "/commit?container=1", Rule::Commit),
        ("PUT", "/containers/1/archive?path=/", Rule::CopyIn),
        ("POST", "/containers/1/update", Rule::Update),
        ("POST", "/session", Rule::OpaqueStream),
        ("POST", "/grpc", Rule::OpaqueStream),
        ("POST", "/libpod/play/kube", Rule::UnknownRequest),
        (
            "GET",
            "/libpod/containers/other/healthcheck",
            Rule::HealthCheckUnknown,
        ),
        ("POST", "/containers/other/start", Rule::UnknownStart),
    ] {
        let evidence = judged(&recording(vec![record(method, target)]));
        let [one] = evidence.as_slice() else {
            panic!("{method} {target}: {evidence:?}")
        };
        assert_eq!(one.rule, rule, "{method} {target}");
        assert_eq!(one.witness, Witness::Wire);
        assert_eq!(
            one.source,
            format!("request 1: {method} {target} by /usr/bin/docker")
        );
    }
}

#[test]
fn requests_that_read_or_do_no_harm_leave_no_evidence() {
    for (method, target) in [
        ("GET", "/containers/1/json"),
        ("HEAD", "/_ping"),
        ("POST", "/containers/1/kill"),
        ("DELETE", "/containers/1"),
        ("POST", "/images/create?fromImage=x"),
    ] {
        assert_eq!(rules(vec![record(method, target)]), [], "{method} {target}");
        let left = Record {
            left_http: true,
            ..record(method, target)
        };
        assert_eq!(
            rules(vec![left]),
            [Rule::OpaqueStream],
            "{method} {target}, leaving HTTP"
        );
    }
}

#[test]
fn a_start_is_judged_by_what_the_engine_says_it_runs() {
    assert_eq!(rules(run("1", &["env", "sh", "-c", "true"], &[])), [Rule::Shell]);
    assert_eq!(
        rules(run("1", &["apt-get", "install", "x"], &[])),
        [Rule::PackageManager]
    );
    assert_eq!(rules(run("1", &["xargs", "sh"], &[])), [Rule::UnreadableWrapper]);
    let evidence = judged(&recording(run("1", &["/bin/sh", "-c", "true"], &[])));
    assert_eq!(evidence[0].container.as_deref(), Some("job"));
    assert_eq!(
        evidence[0].to_string(),
        "`/bin/sh -c true`, a shell, was about to run in `job`"
    );
}

#[test]
fn a_health_check_is_judged_like_a_program() {
    let check = |test: &[&str]| rules(run("1", &["/tiny"], test));
    assert_eq!(check(&["CMD-SHELL", "exit 0"]), [Rule::HealthCheckShell]);
    let evidence = judged(&recording(run("1", &["/tiny"], &["CMD-SHELL", "exit 0"])));
    assert!(evidence[0].help.is_some(), "{evidence:?}");
    assert_eq!(check(&["exit 0"]), [Rule::HealthCheckShell]);
    assert_eq!(
        check(&["CMD", "/bin/sh", "-c", "exit 0"]),
        [Rule::HealthCheckShell]
    );
    assert_eq!(check(&["CMD", "apk", "add", "curl"]), [Rule::PackageManager]);
    assert_eq!(check(&["CMD", "xargs", "sh"]), [Rule::UnreadableWrapper]);
}

#[test]
fn running_a_known_health_check_is_judged_by_what_it_runs() {
    let request = || record("GET", "/v4.0.0/libpod/containers/job/healthcheck");
    assert_eq!(
        rules(then(
            run("1", &["/tiny"], &["CMD", "/tiny", "healthy"]),
            request()
        )),
        []
    );
    let shell = run("1", &["/tiny"], &["CMD-SHELL", "exit 0"]);
    assert_eq!(
        rules(then(shell, request())),
        [Rule::HealthCheckShell, Rule::HealthCheckShell]
    );
}

#[test]
fn a_container_made_elsewhere_is_foreign() {
    let start = run("1", &["/tiny"], &[]).pop().unwrap();
    assert_eq!(rules(vec![start.clone()]), [Rule::Foreign]);
    assert_eq!(rules(then(run("2", &["/tiny"], &[]), start)), [Rule::Foreign]);
}

#[test]
fn a_start_of_nothing_starts_nothing() {
    assert_eq!(
        rules(vec![Record {
            status: Some(404),
            ..record("POST", "/containers/gone/start")
        }]),
        []
    );
    assert_eq!(
        rules(vec![Record {
            status: None,
            ..record("POST", "/containers/x/start")
        }]),
        [Rule::UnknownStart]
    );
}

#[test]
fn an_exec_is_shown_with_its_program_in_any_spelling_of_the_key() {
    for body in [r#"{"Cmd":["sh","-c","true"]}"#, r#"{"cMD":["sh","-c","true"]}"#] {
        let exec = Record {
            body: serde_json::from_str(body).unwrap(),
            ..record("POST", "/containers/job/exec")
        };
        let evidence = judged(&recording(vec![exec]));
        assert_eq!(evidence[0].to_string(), "exec of `sh -c true` in `job`");
    }
}

#[test]
fn what_the_recorder_did_not_see_is_a_gap() {
    let started = vec!["1".to_owned()];
    assert_eq!(gaps(&recording(run("1", &["/tiny"], &[])).facts(), &started), []);
    let silent = gaps(&recording(run("2", &["/tiny"], &[])).facts(), &started);
    assert_eq!(
        silent.iter().map(|evidence| evidence.rule).collect::<Vec<_>>(),
        [Rule::WireSilent]
    );
    let faulty = Recording {
        faults: vec!["connection 1: broken".into()],
        ..Recording::default()
    };
    let fault = gaps(&faulty.facts(), &[]);
    assert_eq!(fault[0].rule, Rule::WireFault);
    assert_eq!(fault[0].detail, "connection 1: broken");
}

#[test]
fn an_update_that_sets_no_health_check_leaves_no_evidence() {
    let update = |body: Value| {
        rules(vec![Record {
            body,
            ..record("POST", "/containers/1/update")
        }])
    };
    assert_eq!(update(serde_json::json!({ "Memory": 1 })), []);
    assert_eq!(
        update(serde_json::json!({ "health_cmd": "exit 0" })),
        [Rule::HealthCheckShell]
    );
    assert_eq!(update(Value::Null), [Rule::Update]);
}

/// What the gate says to a request with this body.
fn refused(method: &str, target: &str, body: Value) -> Option<Rule> {
    let record = Record {
        body,
        ..record(method, target)
    };
    let refusal = refuse(&record.fact()?)?;
    let rule = refusal.split('`').nth(1).unwrap();
    Some(rule.parse().unwrap())
}

#[test]
fn a_create_is_refused_for_what_it_says_by_itself() {
    use serde_json::json;
    let create = |body: Value| refused("POST", "/containers/create?name=job", body);
    for (body, rule) in [
        (
            json!({ "Entrypoint": ["sh"], "Cmd": ["-c", "true"] }),
            Rule::Shell,
        ),
        (json!({ "eNtrypoint": "sh" }), Rule::Shell),
        (json!({ "entrypoint": ["env"], "command": ["sh"] }), Rule::Shell),
        (
            json!({ "Entrypoint": ["apk"], "Cmd": ["add", "x"] }),
            Rule::PackageManager,
        ),
        (json!({ "Entrypoint": ["xargs"] }), Rule::UnreadableWrapper),
        (
            json!({ "Healthcheck": { "Test": ["CMD-SHELL", "x"] } }),
            Rule::HealthCheckShell,
        ),
        (
            json!({ "healthconfig": { "tEst": ["CMD", "sh"] } }),
            Rule::HealthCheckShell,
        ),
    ] {
        assert_eq!(create(body.clone()), Some(rule), "{body}");
    }
    for body in [
        json!({ "Cmd": ["sh"] }),
        json!({ "Entrypoint": [], "Cmd": ["sh"] }),
        json!({ "Entrypoint": [""], "Cmd": ["sh"] }),
        json!({ "Entrypoint": ["/tiny"], "Cmd": ["sh"], "Healthcheck": { "Test": ["NONE"] } }),
        Value::Null,
    ] {
        assert_eq!(create(body.clone()), None, "{body}");
    }
}

#[test]
fn the_gate_refuses_what_violates_and_what_cannot_be_judged() {
    for (method, target, rule) in [
        ("POST", "/containers/1/exec", Some(Rule::Exec)),
        ("POST", "/libpod/build", Some(Rule::Build)),
        ("POST", "/session", Some(Rule::OpaqueStream)),
        ("POST", "/grpc", Some(Rule::OpaqueStream)),
        ("POST", "/libpod/play/kube", Some(Rule::UnknownRequest)),
        ("GET", "/containers/json", None),
        ("DELETE", "/containers/1", None),
        ("POST", "/images/create?fromImage=x", None),
    ] {
        assert_eq!(refused(method, target, Value::Null), rule, "{method} {target}");
    }
    // Worth a note, and no more.
    let foreign = run("1", &["/tiny"], &[]).pop().unwrap();
    assert_eq!(refuse(&foreign.fact().unwrap()), None);
}

#[test]
fn a_create_that_was_not_refused_is_judged_when_it_starts() {
    let mut records = run("1", &["/tiny"], &[]);
    records[0].body = serde_json::json!({ "Entrypoint": ["sh"] });
    assert_eq!(rules(records), []);
}

#[test]
fn a_refused_create_is_evidence() {
    let create = Record {
        body: serde_json::json!({ "Entrypoint": ["sh"] }),
        refused: Some(Refusal { message: "no".into() }),
        ..record("POST", "/containers/create?name=job")
    };
    let evidence = judged(&recording(vec![create.clone()]));
    assert_eq!(evidence[0].rule, Rule::Shell);
    assert_eq!(evidence[0].container.as_deref(), Some("job"));
    assert!(evidence[0].source.ends_with(", refused"));
    let composed = Record {
        body: serde_json::json!({
            "Labels": { "com.docker.compose.service": "web" },
            "Healthcheck": { "Test": ["CMD-SHELL", "exit 0"] }
        }),
        ..create
    };
    let evidence = judged(&recording(vec![composed]));
    assert!(
        evidence[0].detail.ends_with(", of the compose service `web`"),
        "{evidence:?}"
    );
}

#[test]
fn attaching_to_what_does_not_run_yet_counts_as_its_start() {
    let attach = |argv: &[&str], running| {
        let mut records = run("1", argv, &[]);
        let start = records.pop().unwrap();
        let mut subject = start.subject.clone().unwrap();
        subject.running = running;
        records.push(Record {
            subject: Some(subject),
            ..record("POST", "/containers/1/attach")
        });
        (records, start)
    };
    let (records, start) = attach(&["sh"], false);
    assert_eq!(rules(records.clone()), [Rule::Shell]);
    assert_eq!(rules(then(records, start)), [Rule::Shell]);
    assert_eq!(rules(attach(&["sh"], true).0), []);
    assert_eq!(rules(attach(&["/tiny"], false).0), []);
}

#[test]
fn an_exec_that_was_prepared_here_is_evidence_once() {
    let create = Record {
        made: Some("2".into()),
        ..record("POST", "/containers/1/exec")
    };
    assert_eq!(rules(vec![create, record("POST", "/exec/2/start")]), [Rule::Exec]);
}

fn found(files: &[(&str, FileKind)], gap: Option<&str>) -> Vec<Evidence> {
    judged(&changed(files, gap))
}

fn changed(files: &[(&str, FileKind)], gap: Option<&str>) -> Recording {
    let mut recording = recording(run("1", &["/tiny"], &[]));
    let file = |(path, kind): &(&str, FileKind)| shellproof_wire::ChangedFile {
        path: (*path).to_owned(),
        kind: *kind,
    };
    recording.changes.push(Changes {
        container: "1".into(),
        files: files.iter().map(file).collect(),
        gap: gap.map(str::to_owned),
        ..Changes::default()
    });
    recording
}

fn changes(files: &[(&str, FileKind)], gap: Option<&str>) -> Vec<Rule> {
    found(files, gap).iter().map(|one| one.rule).collect()
}

#[test]
fn each_kind_of_install_is_seen() {
    for (path, kind) in [
        ("/usr/local/bin/tool", FileKind::Elf),
        ("/opt/run", FileKind::Script),
        ("/tmp/libx.so.1", FileKind::Elf),
        ("/usr/lib/python3.11/site-packages/x/__init__.py", FileKind::Other),
        ("/usr/lib/python3/dist-packages/x.py", FileKind::Other),
        ("/usr/lib/python3.11/__pycache__/tool", FileKind::Elf),
        ("/usr/lib/python3.11/__pycache__/run", FileKind::Script),
        ("/tmp/target/x-1.0.dist-info/METADATA", FileKind::Unread),
        ("/usr/lib/python3.11/sitecustomize.py", FileKind::Other),
        ("/usr/lib/python311.zip", FileKind::Other),
        (
            "/usr/lib/python3/dist-packages/__pycache__/x/__init__.py",
            FileKind::Other,
        ),
        (
            "/usr/lib/python3/dist-packages/__pycache__/x/a.pyc",
            FileKind::Other,
        ),
    ] {
        assert_eq!(changes(&[(path, kind)], None), [Rule::RunTimeInstall], "{path}");
    }
}

#[test]
fn what_a_job_writes_is_no_install() {
    let files = [
        ("/data/out.csv", FileKind::Other),
        ("/app/script.sh", FileKind::Other),
        (
            "/usr/lib/python3.11/site-packages/x/__pycache__/a.pyc",
            FileKind::Other,
        ),
    ];
    assert_eq!(changes(&files, None), []);
}

#[test]
fn what_could_not_be_read_is_said() {
    assert_eq!(changes(&[("/x", FileKind::Unread)], None), [Rule::ChangesMissing]);
    assert_eq!(changes(&[], Some("404")), [Rule::ChangesMissing]);
}

#[test]
fn a_finding_names_container_and_file() {
    let files = [
        ("/a", FileKind::Elf),
        ("/b", FileKind::Elf),
        ("/c", FileKind::Other),
    ];
    let installed = found(&files, None);
    let paths: Vec<_> = installed.iter().map(|one| one.path.as_deref().unwrap()).collect();
    assert_eq!(paths, ["/a", "/b"]);
    assert_eq!(installed[0].container.as_deref(), Some("job"));
    assert_eq!(installed[0].source, "the container's change list");
    assert!(installed[0].detail.ends_with(": `/a`"), "{}", installed[0].detail);
    assert!(
        installed[0]
            .help
            .as_deref()
            .unwrap()
            .contains("in its Dockerfile")
    );
    let mut gap = changed(&[], Some("404"));
    assert_eq!(judged(&gap)[0].help, None);
    gap.records[1].subject.as_mut().unwrap().auto_remove = true;
    assert!(judged(&gap)[0].help.as_deref().unwrap().contains("--rm"));
}
