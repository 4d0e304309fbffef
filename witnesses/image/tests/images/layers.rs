//! What of a layer is left under the next.

use shellproof_api::HealthTest;
use shellproof_api::facts::{Likeness, RecordedHealth};
use shellproof_image::{Form, ImageContent, read_stream};

use crate::build::{BUSYBOX, Image, Layer, OTHER, SHELL, archive};

fn read(layers: Vec<Layer>) -> ImageContent {
    let files = Image::new(layers).saved();
    read_stream(archive(&files).as_slice(), Form::DockerArchive, None).unwrap()
}

fn shells(layers: Vec<Layer>) -> Vec<String> {
    let content = read(layers);
    let shells = content
        .programs
        .iter()
        .filter(|one| one.likeness == Some(Likeness::Shell));
    shells.map(|one| one.path.clone()).collect()
}

fn with_shell(path: &str) -> Layer {
    Layer::new().directory("opt/").file(path, 0o755, SHELL)
}

#[test]
fn a_program_is_told_with_its_layer_and_what_made_it() {
    let empty = || Layer::new().file("etc/x", 0o644, b"x");
    let content = read(vec![
        empty(),
        Layer::new()
            .file("./opt/vendor/helper", 0o4755, BUSYBOX)
            .symlink("bin/sh", "../opt/vendor/helper"),
        empty(),
        empty(),
        empty(),
    ]);
    let [helper] = content.programs.as_slice() else {
        panic!("{:?}", content.programs);
    };
    assert_eq!(
        (helper.path.as_str(), helper.layer, helper.mode),
        ("/opt/vendor/helper", 1, 0o4755)
    );
    assert_eq!(helper.likeness, Some(Likeness::MultiCall));
    assert_eq!(helper.links, ["/bin/sh"]);
    assert_eq!(content.layers.len(), 5);
    assert_eq!(content.layers[1].instruction.as_deref(), Some("COPY step 2"));
    assert_eq!(
        content.find("/bin/sh").map(|one| one.size),
        Some(BUSYBOX.len() as u64)
    );
}

#[test]
fn what_is_deleted_is_gone_and_what_comes_again_is_there() {
    let delete = |name: &str| Layer::new().file(name, 0o644, b"");
    assert_eq!(shells(vec![with_shell("opt/a"), delete("opt/.wh.a")]), [""; 0]);
    assert_eq!(shells(vec![with_shell("opt/a"), delete(".wh.opt")]), [""; 0]);
    assert_eq!(shells(vec![with_shell("opt/a"), delete("opt/.wh.b")]), ["/opt/a"]);
    assert_eq!(
        shells(vec![with_shell("opt/a"), delete(".wh.opt"), with_shell("opt/a")]),
        ["/opt/a"]
    );
    // A whiteout is about lower layers, wherever it stands in its own.
    let both = delete("opt/.wh.a").file("opt/a", 0o755, SHELL);
    assert_eq!(shells(vec![with_shell("opt/a"), both]), ["/opt/a"]);
    let both = Layer::new()
        .file("opt/a", 0o755, SHELL)
        .file(".wh.opt", 0o644, b"");
    assert_eq!(shells(vec![both]), ["/opt/a"]);
}

#[test]
fn an_opaque_directory_hides_what_lower_layers_have_in_it() {
    let opaque = || {
        Layer::new()
            .directory("opt/")
            .file("opt/.wh..wh..opq", 0o644, b"")
    };
    assert_eq!(shells(vec![with_shell("opt/a"), opaque()]), [""; 0]);
    assert_eq!(shells(vec![with_shell("opt/deep/a"), opaque()]), [""; 0]);
    assert_eq!(shells(vec![with_shell("optional/a"), opaque()]), ["/optional/a"]);
    assert_eq!(
        shells(vec![with_shell("opt/a"), opaque().file("opt/b", 0o755, SHELL)]),
        ["/opt/b"]
    );
    let before = Layer::new()
        .file("opt/b", 0o755, SHELL)
        .file("opt/.wh..wh..opq", 0o644, b"");
    assert_eq!(shells(vec![with_shell("opt/a"), before]), ["/opt/b"]);
}

#[test]
fn what_is_replaced_is_gone() {
    for replaced in [
        Layer::new().file("opt/a", 0o755, OTHER),
        Layer::new().file("opt/a", 0o644, b"text"),
        Layer::new().symlink("opt/a", "b"),
        Layer::new().directory("opt/a"),
        Layer::new().file("opt", 0o644, b"text"),
        Layer::new().symlink("opt", "srv"),
        Layer::new().entry("opt/a", tar::EntryType::Fifo, 0o644, "", b""),
    ] {
        assert_eq!(shells(vec![with_shell("opt/a"), replaced]), [""; 0]);
    }
    // A directory that is there again hides nothing.
    assert_eq!(
        shells(vec![with_shell("opt/a"), Layer::new().directory("opt/")]),
        ["/opt/a"]
    );
    // Within one layer the last entry counts.
    let twice = with_shell("opt/a").file("opt/a", 0o644, b"text");
    assert_eq!(shells(vec![twice]), [""; 0]);
    let twice = Layer::new()
        .file("opt/a", 0o644, b"text")
        .file("opt/a", 0o755, SHELL);
    assert_eq!(shells(vec![twice]), ["/opt/a"]);
}

#[test]
fn a_hard_link_is_the_file_also_without_its_first_name() {
    let linked = || with_shell("bin/bash").hardlink("opt/helper", "bin/bash");
    assert_eq!(shells(vec![linked()]), ["/bin/bash", "/opt/helper"]);
    let without = Layer::new().file("bin/.wh.bash", 0o644, b"");
    assert_eq!(shells(vec![linked(), without]), ["/opt/helper"]);
    let above = || Layer::new().hardlink("opt/helper", "./bin/bash");
    assert_eq!(
        shells(vec![with_shell("bin/bash"), above()]),
        ["/bin/bash", "/opt/helper"]
    );
    let moved = above().file("bin/.wh.bash", 0o644, b"");
    assert_eq!(shells(vec![with_shell("bin/bash"), moved]), ["/opt/helper"]);
    // The newest file of that name is meant.
    let plain = Layer::new().file("bin/bash", 0o644, b"text");
    assert_eq!(shells(vec![with_shell("bin/bash"), plain, above()]), [""; 0]);
    let chain = Layer::new().hardlink("opt/second", "opt/helper");
    assert_eq!(
        shells(vec![with_shell("bin/bash"), above(), chain]),
        ["/bin/bash", "/opt/helper", "/opt/second"]
    );
}

#[test]
fn a_shell_counts_whatever_its_mode_and_data_does_not() {
    let layer = Layer::new()
        .file("opt/not-executable", 0o644, SHELL)
        .file("opt/text", 0o644, b"getopts OPTIND PS4 readonly umask")
        .file("opt/empty", 0o755, b"")
        .file("opt/packed", 0o755, b"\x7fELF some headers UPX! packed")
        .file("lib/pip/__main__.py", 0o644, b"import sys");
    let content = read(vec![layer]);
    let paths: Vec<_> = content.programs.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/lib/pip/__main__.py",
            "/opt/empty",
            "/opt/not-executable",
            "/opt/packed"
        ]
    );
    assert!(content.find("/opt/packed").unwrap().is_packed);
    assert!(!content.find("/opt/empty").unwrap().is_executable());
}

#[test]
fn a_slash_makes_a_directory_of_old_entries_only() {
    // As Go's reader has it, and so engines.
    let content = read(vec![Layer::new().file("opt/x/", 0o755, SHELL)]);
    assert_eq!(content.find("/opt/x").unwrap().likeness, Some(Likeness::Shell));
}

#[test]
fn a_script_tells_its_interpreter_and_a_file_its_capabilities() {
    let layer = Layer::new()
        .file("app/start", 0o755, b"#! /bin/sh -e\nexec server\n")
        .pax(&[("SCHILY.xattr.security.capability", b"\x01\0\0\x02")])
        .file("bin/ping", 0o755, OTHER);
    let content = read(vec![layer]);
    assert_eq!(
        content.find("/app/start").unwrap().interpreter,
        Some(("/bin/sh".into(), Some("-e".into())))
    );
    assert_eq!(
        content.find("/app/start").unwrap().likeness,
        Some(Likeness::Script)
    );
    assert!(content.find("/bin/ping").unwrap().has_capabilities);
    assert!(!content.find("/app/start").unwrap().has_capabilities);
}

#[test]
fn what_the_image_says_of_itself_is_told() {
    let config = serde_json::json!({
        "Entrypoint": null, "Cmd": ["/bin/sh", "-c", "x"], "Env": ["A=b"], "User": "0", "WorkingDir": "/app",
        "Labels": { "io.buildah.version": "1.28" }, "OnBuild": ["RUN x"],
    });
    let of = |config| {
        let files = Image::new(vec![Layer::new()]).config(config).saved();
        let content = read_stream(archive(&files).as_slice(), Form::DockerArchive, None).unwrap();
        content.configuration
    };
    let told = of(config.clone());
    assert!(told.entrypoint.is_empty());
    assert_eq!(
        (told.command.len(), told.user.as_str(), told.directory.as_str()),
        (3, "0", "/app")
    );
    assert_eq!(
        (told.env, told.history),
        (
            vec!["A=b".to_owned()],
            vec!["ENV A=b".to_owned(), "COPY step 1".into()]
        )
    );
    assert_eq!(told.names, ["localhost/x:1"]);
    assert_eq!(told.on_build.len(), 1);
    // Podman's own format has no place for a health check; where there is one, it counts.
    assert_eq!(told.health, RecordedHealth::NotRecorded);
    let mut with_check = config;
    with_check["Healthcheck"] = serde_json::json!({ "Test": ["CMD-SHELL", "x"] });
    assert_eq!(
        of(with_check).health,
        RecordedHealth::Test(HealthTest::Shell("x".into()))
    );
    assert_eq!(of(serde_json::json!({})).health, RecordedHealth::None);
}

#[test]
fn long_names_of_every_kind_are_read() {
    let long = format!("opt/{}/helper", "long".repeat(60));
    let gnu = Layer::new()
        .file(&long, 0o755, SHELL)
        .symlink("short", &format!("/{long}"));
    let content = read(vec![gnu]);
    assert_eq!(content.programs[0].path, format!("/{long}"));
    assert_eq!(content.programs[0].links, ["/short"]);
    let pax = Layer::new()
        .pax(&[("path", long.as_bytes())])
        .file("short", 0o755, SHELL);
    assert_eq!(shells(vec![pax]), [format!("/{long}")]);
}

#[test]
fn what_somebody_may_execute_is_told_by_its_content() {
    use sha2::{Digest as _, Sha256};
    let content = read(vec![
        Layer::new()
            .file("bin/old", 0o755, OTHER)
            .file("bin/tool", 0o755, OTHER)
            .file("etc/data", 0o644, b"data")
            .file("bin/text", 0o755, b"echo"),
        Layer::new()
            .file("bin/old", 0o755, BUSYBOX)
            .hardlink("bin/linked", "bin/tool"),
    ]);
    let sum = |content: &[u8]| Some(shellproof_api::facts::Digest(Sha256::digest(content).into()));
    let found: Vec<_> = content
        .programs
        .iter()
        .map(|one| (one.path.as_str(), one.digest))
        .collect();
    assert_eq!(
        found,
        [
            ("/bin/linked", sum(OTHER)),
            ("/bin/old", sum(BUSYBOX)),
            ("/bin/text", sum(b"echo")),
            ("/bin/tool", sum(OTHER)),
        ]
    );
    // More than fits into one piece.
    let large = [b"\x7fELF".as_slice(), &[7; 1 << 20]].concat();
    let content = read(vec![Layer::new().file("bin/large", 0o755, &large)]);
    assert_eq!(content.programs[0].digest, sum(&large));
}
