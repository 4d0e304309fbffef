//! `shellproof verify`, without any engine.

#[path = "../witnesses/image/tests/images/build.rs"]
#[expect(dead_code, reason = "not every test needs every kind of entry")]
mod build;
#[path = "support/ended.rs"]
mod ended;
#[path = "support/fixtures.rs"]
#[expect(dead_code, reason = "nothing is loaded into an engine")]
mod fixtures;
#[path = "support/registry.rs"]
mod registry;
#[path = "verify/report.rs"]
mod reported;

use std::fs;
use std::path::Path;
use std::process::Command;

use build::{BUSYBOX, Image, Layer, OTHER, SHELL, archive};
use ended::Ended;
use serde_json::{Value, json};
use tempfile::TempDir;

fn verify(arguments: &[&str]) -> Ended {
    Command::new(env!("CARGO_BIN_EXE_shellproof"))
        .arg("verify")
        .args(arguments)
        .output()
        .expect("the binary starts")
        .into()
}

/// Writes an image into a directory, and names it.
fn written(directory: &TempDir, name: &str, image: &Image) -> String {
    let path = directory.path().join(name);
    fs::write(&path, archive(&image.saved())).unwrap();
    format!("docker-archive:{}", path.display())
}

fn server() -> Layer {
    Layer::new().file("app/server", 0o755, OTHER)
}

/// Five layers, of which the second has a BusyBox under another name.
fn five() -> Vec<Layer> {
    let empty = |name: &str| Layer::new().file(name, 0o644, b"x");
    vec![
        server(),
        Layer::new().file("opt/vendor/helper", 0o755, BUSYBOX),
        empty("a"),
        empty("b"),
        empty("c"),
    ]
}

fn report(arguments: &[&str]) -> (Option<i32>, Value) {
    let ended = verify(&[arguments, &["--format", "json"]].concat());
    let report =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stderr));
    (ended.code, report)
}

#[test]
fn a_busybox_under_another_name_is_named_with_its_layer_and_instruction() {
    let directory = TempDir::new().unwrap();
    let mut image = Image::new(five());
    image.layers[1].1 = "COPY vendor /opt/vendor # buildkit".into();
    let name = written(&directory, "image.tar", &image);
    let (code, lenient) = report(&[&name]);
    assert_eq!(
        (code, &lenient["results"][0]["verdict"]),
        (Some(0), &json!("clean"))
    );
    assert_eq!(lenient["results"][0]["evidence"][0]["rule"], "shell-present");
    let (code, strict) = report(&[&name, "--strict"]);
    let result = &strict["results"][0];
    assert_eq!((code, &result["verdict"]), (Some(1), &json!("violated")));
    let evidence = &result["evidence"][0];
    assert_eq!(
        (&evidence["rule"], &evidence["witness"]),
        (&json!("shell-in-image"), &json!("image"))
    );
    assert_eq!(
        evidence["detail"],
        "`/opt/vendor/helper` is many programs in one, a shell among them, by its content"
    );
    assert_eq!(
        evidence["source"],
        "layer 2 of 5: `COPY vendor /opt/vendor # buildkit`"
    );
    assert_eq!(result["images"][0]["shells"], json!(["/opt/vendor/helper"]));
    assert_eq!(result["witnesses"]["image"]["state"], "spoke");
    assert_eq!(result["witnesses"]["kernel"]["state"], "off");
    assert_eq!(result["engine"]["kind"], "none");
}

#[test]
fn what_an_upper_layer_deletes_is_clean_and_what_comes_again_is_not() {
    let directory = TempDir::new().unwrap();
    let delete = || Layer::new().file("opt/vendor/.wh.helper", 0o644, b"");
    let opaque = || Layer::new().file("opt/vendor/.wh..wh..opq", 0o644, b"");
    let again = || Layer::new().file("opt/vendor/helper", 0o755, SHELL);
    for (above, expected) in [
        (vec![delete()], 0),
        (vec![opaque()], 0),
        (vec![delete(), again()], 1),
        (vec![opaque(), again(), opaque()], 0),
    ] {
        let layers = five().into_iter().chain(above).collect();
        let name = written(&directory, "image.tar", &Image::new(layers));
        let ended = verify(&[&name, "--strict"]);
        assert_eq!(ended.code, Some(expected), "{}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn a_package_manager_is_a_violation_in_a_strict_image() {
    let directory = TempDir::new().unwrap();
    let image = Image::new(vec![server(), Layer::new().file("sbin/apk", 0o755, OTHER)]);
    let name = written(&directory, "image.tar", &image);
    assert_eq!(verify(&[&name]).code, Some(0));
    let ended = verify(&[&name, "--strict"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .stdout
            .contains("package-manager-in-image, image: layer 2 of 2"),
        "{}",
        ended.stdout
    );
}

#[test]
fn the_exit_code_is_that_of_the_worst_image() {
    let directory = TempDir::new().unwrap();
    let clean = written(&directory, "clean", &Image::new(vec![server()]));
    let packed = Layer::new().file("app/packed", 0o755, b"\x7fELF headers UPX! packed");
    let unproven = written(&directory, "unproven", &Image::new(vec![server(), packed]));
    let shell_form = Image::new(vec![server()]).config(json!({ "Cmd": ["/bin/sh", "-c", "x"], "User": "1" }));
    let violated = written(&directory, "violated", &shell_form);
    for (images, expected) in [
        (vec![&clean], 0),
        (vec![&clean, &unproven], 3),
        (vec![&unproven, &violated, &clean], 1),
    ] {
        let mut arguments: Vec<&str> = images.iter().map(|image| image.as_str()).collect();
        arguments.push("--strict");
        let ended = verify(&arguments);
        assert_eq!(ended.code, Some(expected), "{}", ended.stdout);
    }
    let junit = directory.path().join("junit.xml");
    let path = junit.display().to_string();
    verify(&[&clean, &violated, "--junit", &path]);
    let junit = fs::read_to_string(junit).unwrap();
    assert!(
        junit.contains("tests=\"2\"") && junit.contains("failures=\"1\""),
        "{junit}"
    );
}

#[test]
fn what_is_no_image_is_bad_input_and_says_what_was_expected() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "no archive").unwrap();
    let file = format!("oci-archive:{}", file.display());
    for (image, expected) in [
        (file.as_str(), "is no archive, or a damaged one"),
        ("docker-archive:/no/such/file", "cannot be read"),
        ("oci:", "is not complete"),
        ("UPPER CASE", "names no image"),
    ] {
        let ended = verify(&[image]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{image}");
        assert!(ended.stderr.contains(expected), "{image}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    }
}

fn fixture(name: &str) -> String {
    let path = fixtures::directory().join(format!("{name}.tar"));
    assert!(
        Path::new(&path).exists(),
        "the fixtures are not built: scripts/fixtures"
    );
    format!("docker-archive:{}", path.display())
}

/// The program as a user with this home.
fn of_user(home: &TempDir, arguments: &[&str]) -> Ended {
    Command::new(env!("CARGO_BIN_EXE_shellproof"))
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .output()
        .expect("the binary starts")
        .into()
}

#[test]
fn an_image_of_a_registry_is_read_without_an_engine() {
    let home = TempDir::new().unwrap();
    let port = registry::serve(Image::new(five()).layout());
    let name = format!("registry:localhost:{port}/image:1");
    // Not over plain HTTP unless the user says so.
    let ended = of_user(&home, &["verify", &name]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    registry::allow(home.path(), port);
    let ended = of_user(&home, &["verify", "--strict", "--format", "json", &name]);
    let report: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stderr));
    assert_eq!(
        (ended.code, &report["results"][0]["verdict"]),
        (Some(1), &json!("violated"))
    );
    assert_eq!(report["results"][0]["evidence"][0]["rule"], "shell-in-image");
    let ended = of_user(&home, &["verify", &format!("registry:localhost:{port}/none:1")]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("`localhost:{port}/none:1`")),
        "{}",
        ended.stderr
    );
    let ended = of_user(&home, &["verify", "registry:Not/A:Name"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    // It stays, also when an engine's images go.
    let store = home.path().join(".local/share/shellproof");
    let blobs = || fs::read_dir(store.join("blobs/sha256")).unwrap().count();
    assert_eq!(blobs(), 7);
    let nowhere = format!("docker=unix://{}/none.sock", home.path().display());
    of_user(&home, &["clean", "--images", "--engine", &nowhere]);
    assert_eq!(blobs(), 7);
    let kept = shellproof_store::Store::open_at(&store).unwrap();
    assert_eq!(kept.clean().unwrap().images, 1);
    assert_eq!(blobs(), 0);
}

#[test]
#[ignore = "needs the fixtures"]
fn fixtures_without_a_shell_are_clean() {
    for name in [
        "python",
        "tiny",
        "postgres",
        "kdc",
        "kerberos-test",
        "opensearch-stand-in",
    ] {
        let ended = verify(&[&fixture(name), "--strict"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }
}

/// Every shell and package manager of the layered fixture, by a list that was made by hand from its archive.
#[test]
#[ignore = "needs the fixtures"]
fn every_shell_and_package_manager_of_the_layered_fixture_is_found() {
    let (code, report) = report(&[&fixture("layered"), "--strict"]);
    assert_eq!(code, Some(1));
    let evidence = report["results"][0]["evidence"].as_array().unwrap();
    let found = |rule: &str| -> Vec<&str> {
        let of_rule = evidence.iter().filter(|one| one["rule"] == rule);
        let details = of_rule.map(|one| one["detail"].as_str().unwrap());
        details.map(|detail| detail.split('`').nth(1).unwrap()).collect()
    };
    assert_eq!(found("shell-in-image"), SHELLS);
    assert_eq!(found("package-manager-in-image"), MANAGERS);
}

const SHELLS: &[&str] = &["/usr/bin/bash", "/usr/bin/busybox", "/usr/bin/dash"];
const MANAGERS: &[&str] = &["/usr/bin/apt", "/usr/bin/apt-get", "/usr/bin/dpkg"];

#[test]
#[ignore = "needs the fixtures"]
fn the_fixtures_that_start_a_shell_are_caught() {
    for (name, rule) in [("shell-form", "shell"), ("shell-health", "health-check-shell")] {
        let (code, report) = report(&[&fixture(name)]);
        assert_eq!(code, Some(1));
        assert_eq!(report["results"][0]["evidence"][0]["rule"], rule);
    }
}
