//! The forms in which an image lies.

use shellproof_image::{Error, Form, Layers, Source, WantedFiles, look, read, read_stream};
use tempfile::TempDir;

use crate::build::{Image, Layer, Packing, SHELL, archive, pack, write};

fn image(packing: Packing) -> Image {
    let first = Layer::new().file("bin/sh", 0o755, &[SHELL, &[7; 300_000]].concat());
    let second = Layer::new().file("app/server", 0o755, b"#!/bin/sh\n");
    Image::new(vec![first, second]).packed(packing)
}

#[test]
fn an_image_is_the_same_in_every_form() {
    let directory = TempDir::new().unwrap();
    let mut contents = Vec::new();
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let image = image(packing);
        for outer in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
            for (form, files) in [
                (Form::DockerArchive, image.saved()),
                (Form::OciArchive, image.layout()),
                (Form::DockerArchive, image.layout()),
            ] {
                let bytes = pack(&archive(&files), outer);
                contents.push(read_stream(bytes.as_slice(), form, Some("1")).unwrap());
            }
        }
        let layout = write(&directory.path().join(format!("{packing:?}")), &image.layout());
        let source = format!("oci:{}:1", layout.display());
        contents.push(read(&source.parse::<Source>().unwrap()).unwrap());
    }
    assert_eq!(contents.len(), 30);
    for content in &contents {
        assert_eq!(content.programs, contents[0].programs);
        assert_eq!(content.configuration.id, contents[0].configuration.id);
        assert_eq!(content.configuration.entrypoint, ["/app/server"]);
    }
    assert_eq!(contents[0].programs.len(), 2);
}

#[test]
fn a_layer_that_images_share_is_read_once() {
    let base = || {
        Layer::new()
            .file("bin/sh", 0o755, SHELL)
            .file("bin/tool", 0o755, b"\x7fELF tool")
    };
    let own = Layer::new().file("app/server", 0o755, b"#!/bin/sh\n");
    let without = Layer::new().file("bin/.wh.sh", 0, b"");
    let directory = TempDir::new().unwrap();
    let sources = [("one", own), ("other", without)].map(|(name, layer)| {
        let files = Image::new(vec![base(), layer]).layout();
        let layout = write(&directory.path().join(name), &files);
        (
            format!("oci:{}:1", layout.display()).parse::<Source>().unwrap(),
            layout.join(&files[0].0),
        )
    });
    let [(one, _), (other, shared)] = sources;
    let before = read(&other).unwrap();
    assert_eq!(before.programs.len(), 1);
    let (nothing, known) = (WantedFiles::default(), Layers::default());
    assert_eq!(look(&one, &nothing, &known).unwrap().content.programs.len(), 3);
    // Whoever reads it again sees that it is another.
    std::fs::write(shared, b"another").unwrap();
    assert!(read(&other).is_err());
    let content = look(&other, &nothing, &known).unwrap().content;
    assert_eq!(content.programs, before.programs);
    assert_eq!(content.layers, before.layers);
    // Files of it were not kept.
    let mut wanted = WantedFiles::default();
    wanted.path("/bin/tool");
    assert!(look(&other, &wanted, &known).is_err());
}

#[test]
fn docker_writes_both_manifests_and_they_must_agree() {
    let image = image(Packing::Plain);
    let mut both = image.layout();
    both.extend(
        image
            .saved()
            .into_iter()
            .filter(|(name, _)| !name.ends_with("oci-layout")),
    );
    let read =
        |files: &[(String, Vec<u8>)]| read_stream(archive(files).as_slice(), Form::DockerArchive, None);
    assert_eq!(read(&both).unwrap().programs.len(), 2);
    let other = Image::new(vec![Layer::new().file("app/server", 0o755, b"x")]);
    let mut differing = image.layout();
    differing.extend(other.saved());
    let error = read(&differing).unwrap_err().to_string();
    assert!(error.contains("name different images"), "{error}");
}

#[test]
fn a_layer_that_old_engines_link_is_found() {
    let image = image(Packing::Plain);
    let mut layer = Layer::new();
    for (name, content) in image.saved() {
        if name == "1/layer.tar" {
            layer = layer.file("shared/layer.tar", 0o644, &content);
            layer = layer.symlink("1/layer.tar", "../shared/layer.tar");
        } else {
            layer = layer.file(&name, 0o644, &content);
        }
    }
    let content = read_stream(layer.bytes().as_slice(), Form::DockerArchive, None).unwrap();
    assert_eq!(content.programs.len(), 2);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let bytes = archive(&image(Packing::Plain).saved());
    let error = read_stream(bytes.as_slice(), Form::DockerArchive, Some("2")).unwrap_err();
    assert!(matches!(error, Error::Name(_)));
    assert_eq!(
        error.to_string(),
        "it holds no image `2`\nhelp: it has `localhost/x:1`"
    );
    for name in ["localhost/x:1", "1"] {
        assert!(read_stream(bytes.as_slice(), Form::DockerArchive, Some(name)).is_ok());
    }
    let directory = TempDir::new().unwrap();
    for (source, expected) in [
        (format!("oci:{}", directory.path().display()), "is no OCI layout"),
        (
            format!("docker-archive:{}", directory.path().display()),
            "wants the file of an archive",
        ),
        ("oci-archive:/no/such/file".to_owned(), "cannot be read"),
    ] {
        let error = read(&source.parse::<Source>().unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn the_image_for_this_machine_is_meant() {
    let image = image(Packing::Plain);
    let mut files = image.layout();
    let place = files.iter().position(|(name, _)| name == "index.json").unwrap();
    let mut index: serde_json::Value = serde_json::from_slice(&files[place].1).unwrap();
    let mut own = index["manifests"][0].clone();
    let mut other = own.clone();
    own["platform"] = serde_json::json!({ "architecture": "amd64", "os": "linux" });
    other["platform"] = serde_json::json!({ "architecture": "s390x", "os": "linux" });
    other["digest"] = format!("sha256:{}", "0".repeat(64)).into();
    let mut with = |manifests: serde_json::Value| {
        index["manifests"] = manifests;
        files[place].1 = index.to_string().into_bytes();
        read_stream(archive(&files).as_slice(), Form::OciArchive, None)
    };
    assert!(with(serde_json::json!([other, own])).is_ok());
    let unclear = with(serde_json::json!([other, other, { "digest": format!("sha256:{}", "1".repeat(64)) }]));
    assert!(unclear.unwrap_err().to_string().contains("several images"));
}
