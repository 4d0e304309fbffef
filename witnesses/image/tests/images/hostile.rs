//! Images that want a reader to fail: a clear error, or what they are.

use serde_json::json;
use shellproof_image::{Form, ImageContent, Result, read_stream};
use tar::EntryType;

use crate::build::{Image, Layer, OTHER, Packing, SHELL, archive, header, pack, sha256};

fn read(files: &[(String, Vec<u8>)]) -> Result<ImageContent> {
    let form = match files.iter().any(|(name, _)| name == "manifest.json") {
        true => Form::DockerArchive,
        false => Form::OciArchive,
    };
    read_stream(archive(files).as_slice(), form, None)
}

fn error(files: &[(String, Vec<u8>)]) -> String {
    read(files).unwrap_err().to_string()
}

fn of_layer(layer: Vec<u8>) -> Result<ImageContent> {
    let mut image = Image::new(vec![]);
    image.layers.push((layer, "COPY".into()));
    read(&image.saved())
}

#[test]
fn a_path_that_leads_out_of_the_root_is_one_in_it() {
    let layer = Layer::new()
        .file("../../../bin/sh", 0o755, SHELL)
        .file("/etc/../opt/helper", 0o755, SHELL)
        .symlink("opt/link", "../../../../bin/sh")
        .hardlink("opt/hard", "../../bin/sh")
        .entry("dev/sda", EntryType::Block, 0o777, "", b"")
        .entry("dev/tty", EntryType::Char, 0o777, "", b"");
    let content = of_layer(layer.bytes()).unwrap();
    let paths: Vec<_> = content.programs.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["/bin/sh", "/opt/hard", "/opt/helper"]);
    assert_eq!(content.programs[0].links, ["/opt/link"]);
}

#[test]
fn a_whiteout_of_something_else_deletes_nothing() {
    let shell = || Layer::new().file("bin/sh", 0o755, SHELL);
    for name in [".wh.", "bin/.wh.", "bin/.wh..", "bin/.wh...", "x/.wh.bin"] {
        let image = Image::new(vec![shell(), Layer::new().file(name, 0o644, b"")]);
        assert_eq!(read(&image.saved()).unwrap().programs.len(), 1, "{name}");
    }
}

#[test]
fn what_is_not_what_its_digest_says_is_refused() {
    let image = Image::new(vec![Layer::new().file("a", 0o755, OTHER)]);
    for files in [image.saved(), image.layout()] {
        for place in 0..files.len() {
            let mut files = files.clone();
            let (name, content) = &mut files[place];
            if name.ends_with("manifest.json") || name == "index.json" || name == "oci-layout" {
                continue;
            }
            // Somewhere in the middle of what stands there.
            let at = content.iter().rposition(|&byte| byte == b'o').unwrap();
            content[at] = b'0';
            let error = error(&files);
            assert!(
                error.contains("is not what") || error.contains("cannot be read"),
                "{error}"
            );
        }
    }
}

#[test]
fn what_is_cut_is_refused_wherever() {
    let layer = Layer::new()
        .file("bin/sh", 0o755, &[SHELL, &[1; 4000]].concat())
        .bytes();
    for packing in [Packing::Gzip, Packing::Zstd] {
        let packed = pack(&layer, packing);
        for end in [packed.len() - 1, packed.len() / 2, 20] {
            let image = Image::new(vec![]);
            let mut files = image.saved();
            let name = "x/layer.tar".to_owned();
            let configuration = json!({ "rootfs": { "diff_ids": [format!("sha256:{}", sha256(&layer))] } });
            files.clear();
            files.push((name.clone(), packed[..end].to_vec()));
            files.push(("c.json".into(), configuration.to_string().into_bytes()));
            let manifest = json!([{ "Config": "c.json", "Layers": [name] }]);
            files.push(("manifest.json".into(), manifest.to_string().into_bytes()));
            let error = error(&files);
            assert!(error.contains("layer 1"), "{packing:?} {end}: {error}");
        }
    }
    let whole = archive(&Image::new(vec![Layer::new().file("a", 0o755, OTHER)]).saved());
    for end in [100, 700, 2000] {
        assert!(
            read_stream(&whole[..end], Form::DockerArchive, None).is_err(),
            "{end}"
        );
    }
    for bytes in [&b""[..], b"no archive", &[0; 1024]] {
        assert!(read_stream(bytes, Form::DockerArchive, None).is_err());
    }
}

#[test]
fn names_and_headers_of_any_length_are_not_taken_into_memory() {
    let long = vec![b'x'; 2 << 20];
    for kind in [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        let layer = Layer::new().entry("x", kind, 0o644, "", &long).bytes();
        let error = of_layer(layer).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 are not read"), "{error}");
        let outer = Layer::new().entry("x", kind, 0o644, "", &long).bytes();
        let error = read_stream(outer.as_slice(), Form::DockerArchive, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("more than 1048576 are not read"), "{error}");
    }
}

#[test]
fn sparse_files_and_sizes_beyond_the_header_are_refused() {
    let layer = Layer::new()
        .entry("x", EntryType::GNUSparse, 0o755, "", b"")
        .bytes();
    assert!(of_layer(layer).unwrap_err().to_string().contains("sparse"));
    for (key, value, expected) in [
        ("GNU.sparse.major", "1", "sparse"),
        ("size", "9999999999", "8 GiB"),
        ("size", "x", "no number"),
    ] {
        let layer = Layer::new()
            .pax(&[(key, value.as_bytes())])
            .file("x", 0o755, OTHER);
        let error = of_layer(layer.bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut cut = header("bin/sh", EntryType::Regular, 0o755, "", 1 << 20)
        .as_bytes()
        .to_vec();
    cut.extend(SHELL);
    assert!(of_layer(cut).is_err());
}

#[test]
fn an_entry_with_a_wrong_sum_is_refused() {
    let mut layer = Layer::new()
        .file("a", 0o755, OTHER)
        .file("bin/sh", 0o755, SHELL)
        .bytes();
    layer[1024] = b'B';
    assert!(of_layer(layer).is_err());
}

#[test]
fn a_manifest_that_leads_to_itself_or_nowhere_is_refused() {
    let files =
        |manifest: serde_json::Value| vec![("manifest.json".to_owned(), manifest.to_string().into_bytes())];
    for (manifest, expected) in [
        (
            json!([{ "Config": "manifest.json", "Layers": [] }]),
            "is not what it has to be",
        ),
        (
            json!([{ "Config": "x.json", "Layers": [] }]),
            "is not in the archive",
        ),
        (json!([]), "holds no image"),
        (json!({}), "is not what it has to be"),
        (
            json!([{ "Config": "a", "Layers": [] }, { "Config": "b", "Layers": [] }]),
            "several images",
        ),
    ] {
        let error = error(&files(manifest));
        assert!(error.contains(expected), "{error}");
    }
    // Each index names the one that was made before; the first is a real image.
    let mut layout = Image::new(vec![Layer::new().file("a", 0o755, OTHER)]).layout();
    for depth in 0..5 {
        let (_, index) = layout
            .iter()
            .find(|(name, _)| name == "index.json")
            .unwrap()
            .clone();
        assert_eq!(read(&layout).is_ok(), depth < 4, "{depth}");
        let digest = sha256(&index);
        layout.retain(|(name, _)| name != "index.json");
        layout.push((format!("blobs/sha256/{digest}"), index));
        let outer = json!({ "manifests": [{ "digest": format!("sha256:{digest}") }] });
        layout.push(("index.json".into(), outer.to_string().into_bytes()));
    }
    // A link that leads in a circle.
    let circle = Layer::new()
        .symlink("manifest.json", "x")
        .symlink("x", "manifest.json");
    assert!(read_stream(circle.bytes().as_slice(), Form::DockerArchive, None).is_err());
    for digest in ["sha256:../../../etc/passwd", "sha512:00", "sha256:", "../x"] {
        let index = json!({ "manifests": [{ "digest": digest }] });
        let error = error(&[("index.json".to_owned(), index.to_string().into_bytes())]);
        assert!(error.contains("is no digest"), "{error}");
    }
}

#[test]
fn two_files_of_one_name_are_refused() {
    let mut files = Image::new(vec![Layer::new().file("a", 0o755, OTHER)]).saved();
    files.push(("./manifest.json".into(), b"[]".to_vec()));
    assert!(error(&files).contains("two files called `manifest.json`"));
}

#[test]
fn more_or_fewer_layers_than_the_configuration_names_are_refused() {
    let image = Image::new(vec![Layer::new().file("bin/sh", 0o755, SHELL)]);
    let mut files = image.saved();
    let (_, manifest) = files
        .iter_mut()
        .find(|(name, _)| name == "manifest.json")
        .unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    value[0]["Layers"] = json!([]);
    *manifest = value.to_string().into_bytes();
    assert!(error(&files).contains("names 1 layers, its manifest 0"));
}

#[test]
fn more_entries_than_the_bound_are_refused() {
    let one = Layer::new().file("a", 0o644, b"").bytes();
    let many = one[..512].repeat(1_000_001);
    let packed = pack(&many, Packing::Gzip);
    drop(many);
    let mut files = Image::new(vec![]).saved();
    files.retain(|(name, _)| name == "manifest.json");
    files[0].1 = json!([{ "Config": "c.json", "Layers": ["x"] }])
        .to_string()
        .into_bytes();
    files.push(("c.json".into(), br#"{"rootfs":{"diff_ids":[""]}}"#.to_vec()));
    files.push(("x".into(), packed));
    assert!(error(&files).contains("more than 1000000 entries"));
}
