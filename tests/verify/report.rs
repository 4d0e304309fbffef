//! What `shellproof verify` makes of many images, of the platform's, and for whoever collects findings.

use std::process::Command;

use super::*;

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn shell_image() -> Image {
    Image::new(five()).config(json!({ "User": "root" }))
}

#[test]
fn findings_are_sarif_with_image_layer_and_file() {
    let directory = TempDir::new().unwrap();
    let name = written(&directory, "image.tar", &shell_image());
    let path = directory.path().join("findings.sarif");
    let ended = verify(&[&name, "--strict", "--sarif", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let sarif = read(&path);
    // What the schema requires of each.
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "shellproof");
    assert!(run["invocations"][0]["executionSuccessful"].is_boolean());
    let results = run["results"].as_array().unwrap();
    let found: Vec<_> = results
        .iter()
        .map(|one| (one["ruleId"].as_str().unwrap(), one["level"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("shell-in-image", "error"), ("root-user", "note")]);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(driver["rules"][index]["id"], result["ruleId"]);
        assert!(result["message"]["text"].is_string());
    }
    let places = results[0]["locations"][0]["logicalLocations"].as_array().unwrap();
    let places: Vec<_> = places
        .iter()
        .map(|one| (one["kind"].as_str().unwrap(), one["name"].as_str().unwrap()))
        .collect();
    assert_eq!(places[0], ("image", name.as_str()));
    assert_eq!((places[1].0, &places[1].1[..12]), ("layer", "layer 2 of 5"));
    assert_eq!(places[2], ("file", "/opt/vendor/helper"));
}

#[test]
fn what_cannot_be_written_is_told_before_and_a_fifo_that_nobody_reads_loses_no_verdict() {
    let directory = TempDir::new().unwrap();
    let name = written(&directory, "image.tar", &Image::new(vec![server()]));
    for option in ["--junit", "--sarif"] {
        let nowhere = directory.path().join("nowhere/file");
        let ended = verify(&[&name, option, nowhere.to_str().unwrap()]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{option}");
        assert!(ended.stderr.contains("there is no directory"), "{}", ended.stderr);
        let fifo = directory.path().join(option);
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let ended = verify(&[&name, option, fifo.to_str().unwrap()]);
        assert_eq!(ended.code, Some(4), "{option}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("it is a FIFO that nobody reads"),
            "{}",
            ended.stderr
        );
        assert!(ended.stdout.starts_with("CLEAN"), "{}", ended.stdout);
    }
}

#[test]
fn what_was_found_in_many_files_is_a_tree() {
    let directory = TempDir::new().unwrap();
    let image = Image::new(vec![
        server(),
        Layer::new().file("opt/vendor/helper", 0o755, BUSYBOX),
        Layer::new().file("opt/x/sh", 0o755, SHELL),
    ]);
    let ended = verify(&[&written(&directory, "image.tar", &image), "--strict"]);
    let lines: Vec<_> = ended.stdout.lines().map(str::trim_end).collect();
    for line in [
        "         /",
        "           opt/",
        "             vendor/",
        "             x/",
    ] {
        assert!(lines.contains(&line), "{line:?} in {}", ended.stdout);
    }
    assert!(
        ended
            .stdout
            .contains("\n               sh  is a shell  shell-in-image, layer 3 of 3"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_debug_variant_is_refused_by_name_and_by_content() {
    let directory = TempDir::new().unwrap();
    let plain = |name: &str| Image {
        name: name.into(),
        ..Image::new(vec![server()])
    };
    let of_name = written(&directory, "name.tar", &plain("example.org/x:1-debug"));
    let busybox = Image::new(vec![
        server(),
        Layer::new().file("busybox/busybox", 0o755, BUSYBOX),
    ]);
    let of_content = written(&directory, "content.tar", &busybox);
    for image in [&of_name, &of_content] {
        let rules = |arguments: &[&str]| {
            let (code, report) = report(arguments);
            let evidence = report["results"][0]["evidence"].as_array().unwrap().clone();
            let rules: Vec<_> = evidence
                .iter()
                .map(|one| one["rule"].as_str().unwrap().to_owned())
                .collect();
            (code, rules)
        };
        let (code, strict) = rules(&[image, "--strict"]);
        assert_eq!(code, Some(1));
        assert!(strict.contains(&"debug-image".to_owned()), "{strict:?}");
        let (code, lenient) = rules(&[image]);
        assert_eq!(code, Some(0));
        assert!(lenient.contains(&"debug-variant".to_owned()), "{lenient:?}");
    }
    let other = written(&directory, "other.tar", &plain("example.org/debug:1"));
    assert_eq!(verify(&[&other, "--strict"]).code, Some(0));
}

/// The program, with an env file of these lines and images at hand for them.
fn platform(directory: &TempDir, lines: &str, arguments: &[&str]) -> Ended {
    let file = directory.path().join(".env");
    fs::write(&file, lines).unwrap();
    Command::new(env!("CARGO_BIN_EXE_shellproof"))
        .args(["verify", "--config", "--env-file"])
        .arg(file)
        .args(arguments)
        .env_clear()
        .env("HOME", directory.path())
        .env("SHELLPROOF_FIXTURES", directory.path())
        .output()
        .expect("the binary starts")
        .into()
}

const PLATFORM: &str = "IMAGE_PYTHON=fixture:one\nIMAGE_KERBEROS_TEST=fixture:one\n\
                        IMAGE_POSTGRES=fixture:two\nIMAGE_OPENMETADATA_SERVER=fixture:two\nIMAGE_OPENSEARCH=fixture:one\n";

#[test]
fn the_images_of_the_platform_are_read_once_each_and_named_with_their_roles() {
    let directory = TempDir::new().unwrap();
    written(&directory, "one.tar", &Image::new(vec![server()]));
    written(&directory, "two.tar", &shell_image());
    let ended = platform(&directory, PLATFORM, &["--format", "json", "--strict"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
    assert_eq!(ended.code, Some(1));
    let results = report["results"].as_array().unwrap();
    let of: Vec<_> = results
        .iter()
        .map(|one| (one["scenario"].as_str().unwrap(), &one["roles"]))
        .collect();
    assert_eq!(
        of,
        [
            ("fixture:one", &json!(["python", "kerberos-test", "opensearch"])),
            ("fixture:two", &json!(["postgres", "openmetadata-server"])),
        ]
    );
    let ended = platform(&directory, PLATFORM, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("fixture:two  postgres, openmetadata-server      clean     shell-present, root-user"),
        "{}",
        ended.stdout
    );
    // With others beside them.
    let third = written(&directory, "three.tar", &Image::new(vec![server()]));
    let ended = platform(&directory, PLATFORM, &[&third, "--format", "json"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["results"].as_array().unwrap().len(), 3);
    assert_eq!(report["results"][0]["roles"], json!([]));
}

#[test]
fn an_image_of_the_platform_that_nobody_has_is_told_with_its_variable_and_a_cure() {
    let directory = TempDir::new().unwrap();
    written(&directory, "one.tar", &Image::new(vec![server()]));
    let ended = platform(&directory, PLATFORM, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for part in [
        "`IMAGE_POSTGRES` (",
        ".env:3): fixture `two` is not built",
        "help: build it with `scripts/fixtures two`",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let nobody = PLATFORM.replace("fixture:two", "example.org/two:1");
    let ended = platform(&directory, &nobody, &["--engine", "embedded"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(2), ""),
        "{}",
        ended.stderr
    );
    for part in [
        "`IMAGE_POSTGRES` (",
        "`example.org/two:1`",
        "or set `IMAGE_POSTGRES` to an image that is there",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn a_role_that_is_none_is_bad_input_and_tells_of_those_that_are() {
    let ended = verify(&["--role", "database", "x:1"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("`postgres`"), "{}", ended.stderr);
}

/// Verifies for a role without an engine, in a store of its own.
fn for_role(role: &str, image: &str) -> (Option<i32>, Value) {
    let data = TempDir::new().unwrap();
    let ended: Ended = Command::new(env!("CARGO_BIN_EXE_shellproof"))
        .args(["verify", "--role", role, "--format", "json", image])
        .env("XDG_DATA_HOME", data.path())
        .output()
        .expect("the binary starts")
        .into();
    let report = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
    let index = fs::read_to_string(data.path().join("shellproof/index.json")).unwrap();
    assert!(
        !index.contains("shellproof/verified"),
        "what was taken is left: {index}"
    );
    (ended.code, report)
}

#[test]
#[ignore = "needs the fixtures"]
fn the_scenario_of_a_role_runs_on_the_image_and_both_are_one_report() {
    let (code, report) = for_role("python", &fixture("python"));
    assert_eq!(code, Some(0), "{report:#}");
    let results = report["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["roles"]), (2, &json!(["python"])));
    assert_eq!(results[1]["scenario"], "role-python");
    assert_eq!(results[1]["witnesses"]["kernel"]["state"], "spoke");
    assert_eq!(report["criteria"][0]["verdict"], "clean");
    // Not what it is for.
    let (code, report) = for_role("python", &fixture("tiny"));
    assert_eq!(
        (code, &report["results"][1]["status"]),
        (Some(1), &json!("failed"))
    );
}

#[test]
#[ignore = "needs the fixtures"]
fn a_debug_variant_is_refused_for_a_role_and_shows_no_criterion() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("debug.tar");
    let saved = fs::read(fixtures::directory().join("python.tar")).unwrap();
    let mut copy = tar::Builder::new(fs::File::create(&path).unwrap());
    for entry in tar::Archive::new(&saved[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        if name == "manifest.json" {
            let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
            manifest[0]["RepoTags"] = json!(["localhost/python:1-debug"]);
            bytes = manifest.to_string().into_bytes();
        }
        let mut header = entry.header().clone();
        header.set_size(bytes.len() as u64);
        copy.append_data(&mut header, &name, &bytes[..]).unwrap();
    }
    copy.finish().unwrap();
    let (code, report) = for_role("python", &format!("docker-archive:{}", path.display()));
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["results"][0]["evidence"][0]["rule"], "debug-image");
    assert_eq!(report["criteria"][0]["id"], "distroless-prebuilt");
    assert_eq!(report["criteria"][0]["verdict"], "unproven");
}
