//! Layers that want to write somewhere else. Whatever becomes of them, outside of their own directory nothing changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tar::EntryType;

use crate::build::Layer;
use crate::{Lab, merged};

pub struct Case {
    pub name: &'static str,
    layers: fn(&str) -> Vec<Layer>,
    /// What is in the image then, or what the error says.
    expected: Result<&'static [&'static str], &'static str>,
}

fn evil(path: &str) -> Layer {
    Layer::new().file(path, 0o644, b"evil")
}

/// A link to nowhere else but `target`, and a file behind it.
fn behind(target: &str) -> Layer {
    Layer::new().symlink("d", target).file("d/evil", 0o644, b"evil")
}

pub fn cases() -> Vec<Case> {
    let case = |name, layers, expected| Case {
        name,
        layers,
        expected,
    };
    vec![
        case("dotdot", |_| vec![evil("../evil")], Ok(&["evil"])),
        case("dotdot_deep", |_| vec![evil("x/../../evil")], Ok(&["evil"])),
        case("absolute", |_| vec![evil("/evil")], Ok(&["evil"])),
        case(
            "many_dotdots",
            |_| vec![evil("../../../../../../../../tmp/evil")],
            Ok(&["tmp", "tmp/evil"]),
        ),
        case(
            "pax_path",
            |_| {
                vec![
                    Layer::new()
                        .pax(&[("path", b"../evil")])
                        .file("short", 0o644, b"evil"),
                ]
            },
            Ok(&["evil"]),
        ),
        case("symlink_up", |_| vec![behind("..")], Ok(&["d", "evil"])),
        case(
            "symlink_up_many",
            |_| vec![behind("../../../../../..")],
            Ok(&["d", "evil"]),
        ),
        case("symlink_to_the_root", |_| vec![behind("/")], Ok(&["d", "evil"])),
        case(
            "symlink_absolute",
            |out| vec![behind(out)],
            Err("`/d/evil`: what is above it is no directory"),
        ),
        case(
            "symlink_to_proc",
            |_| vec![behind("/proc/self/cwd")],
            Err("what is above it is no directory"),
        ),
        case(
            "symlink_two_layers",
            |_| vec![Layer::new().symlink("d", ".."), evil("d/evil")],
            Ok(&["d", "d/evil"]),
        ),
        case(
            "symlink_absolute_two_layers",
            |out| vec![Layer::new().symlink("d", out), evil("d/evil")],
            Ok(&["d", "d/evil"]),
        ),
        case(
            "symlink_in_the_place_of_the_file",
            |_| vec![Layer::new().symlink("x", "../secret").file("x", 0o644, b"evil")],
            Ok(&["x"]),
        ),
        case(
            "symlink_absolute_in_the_place_of_the_file",
            |out| {
                let target = format!("{out}/file");
                vec![Layer::new().symlink("x", &target).file("x", 0o644, b"evil")]
            },
            Ok(&["x"]),
        ),
        case(
            "symlink_in_the_place_of_a_directory",
            |out| {
                vec![
                    Layer::new()
                        .symlink("d", out)
                        .directory("d")
                        .file("d/evil", 0o644, b"evil"),
                ]
            },
            Ok(&["d", "d/evil"]),
        ),
        case("symlink_to_itself", |_| vec![behind("d")], Err("`/d/evil`: ")),
        case(
            "hardlink_up",
            |_| vec![Layer::new().hardlink("x", "../secret")],
            Err("`/x`: it is a hard link to `/secret`"),
        ),
        case(
            "hardlink_absolute",
            |out| vec![Layer::new().hardlink("x", &format!("{out}/file"))],
            Err("the layer has no such file"),
        ),
        case(
            "hardlink_behind_a_symlink",
            |_| {
                vec![
                    Layer::new()
                        .symlink("s", "..")
                        .hardlink("x", "s/secret")
                        .file("x", 0o644, b"evil"),
                ]
            },
            Err("the layer has no such file"),
        ),
        case(
            "hardlink_behind_an_absolute_symlink",
            |out| {
                vec![
                    Layer::new()
                        .symlink("s", out)
                        .hardlink("x", "s/file")
                        .file("x", 0o644, b"evil"),
                ]
            },
            Err("the layer has no such file"),
        ),
        case(
            "hardlink_to_a_symlink",
            |out| {
                let target = format!("{out}/file");
                vec![
                    Layer::new()
                        .symlink("s", &target)
                        .hardlink("x", "s")
                        .file("x", 0o644, b"evil"),
                ]
            },
            Ok(&["s", "x"]),
        ),
        case(
            "hardlink_to_itself",
            |_| vec![Layer::new().hardlink("x", "x")],
            Ok(&[]),
        ),
        case(
            "hardlink_to_a_directory",
            |_| vec![Layer::new().directory("d").hardlink("x", "d")],
            Err("no such file"),
        ),
        case(
            "hardlink_to_a_deleted_file",
            |_| {
                vec![
                    evil("x"),
                    Layer::new().file(".wh.x", 0o644, b"").hardlink("y", "x"),
                ]
            },
            Err("layer 2 of image"),
        ),
        case(
            "hardlink_to_another_layer",
            |_| vec![evil("x"), Layer::new().hardlink("y", "x")],
            Err("the layer has no such file"),
        ),
        case(
            "whiteout_up",
            |_| {
                vec![
                    Layer::new().symlink("d", ".."),
                    Layer::new().file("d/.wh.secret", 0o644, b""),
                ]
            },
            Ok(&["d"]),
        ),
        case(
            "whiteout_behind_a_link",
            |_| vec![Layer::new().symlink("d", "..").file("d/.wh.secret", 0o644, b"")],
            Ok(&["d"]),
        ),
        case(
            "whiteout_of_what_is_above",
            |_| vec![evil("a"), Layer::new().file(".wh...", 0o644, b"")],
            Ok(&["a"]),
        ),
        case(
            "whiteout_of_the_root",
            |_| vec![evil("a"), Layer::new().file(".wh..", 0o644, b"")],
            Ok(&["a"]),
        ),
        case(
            "whiteout_of_nothing",
            |_| vec![evil("a"), Layer::new().file(".wh.", 0o644, b"")],
            Ok(&["a"]),
        ),
        case(
            "opaque_up",
            |_| {
                vec![
                    Layer::new().symlink("d", ".."),
                    Layer::new().file("d/.wh..wh..opq", 0o644, b""),
                ]
            },
            Ok(&["d"]),
        ),
        case(
            "a_whiteout_as_a_device",
            |_| {
                vec![
                    evil("a"),
                    Layer::new().entry("a", EntryType::Char, 0o644, "", b""),
                ]
            },
            Ok(&[]),
        ),
        case(
            "attributes_of_the_overlay",
            |_| {
                let layer = Layer::new()
                    .pax(&[
                        ("SCHILY.xattr.user.overlay.opaque", b"y"),
                        ("SCHILY.xattr.user.overlay.redirect", b"/etc"),
                        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
                    ])
                    .directory("a");
                vec![
                    Layer::new().file("a/b", 0o644, b"").file("etc/c", 0o644, b""),
                    layer,
                ]
            },
            Ok(&["a", "a/b", "etc", "etc/c"]),
        ),
        case(
            "a_root_that_is_a_link",
            |_| vec![Layer::new().symlink("./", "..")],
            Err("the root is no directory"),
        ),
        case(
            "a_root_that_is_a_pipe",
            |_| vec![Layer::new().entry(".", EntryType::Fifo, 0o644, "", b"")],
            Err("no directory"),
        ),
        case(
            "a_root_that_is_closed",
            |_| {
                vec![
                    Layer::new()
                        .entry(".", EntryType::Directory, 0o000, "", b"")
                        .file("a", 0o644, b""),
                ]
            },
            Ok(&["a"]),
        ),
        case(
            "a_file_above_another",
            |_| vec![evil("a").file("a/b", 0o644, b"")],
            Err("what is above it is no directory"),
        ),
        case(
            "a_long_name",
            |_| vec![evil(&"x".repeat(300))],
            Err("name too long"),
        ),
        case(
            "a_long_path",
            |_| vec![evil(&"x/".repeat(3000))],
            Err("name too long"),
        ),
        case(
            "a_link_of_nothing",
            |_| vec![Layer::new().symlink("x", "")],
            Err("`/x`: "),
        ),
    ]
}

pub fn run(lab: &Lab, case: Case) {
    let outside = lab.place().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "mine").unwrap();
    for secret in ["secret", "store/secret"] {
        lab.store();
        fs::write(lab.place().join(secret), "mine").unwrap();
    }
    let layers = (case.layers)(outside.to_str().unwrap());
    let image = lab.image(layers);
    let before = snapshot(lab.place());
    let lower = image.lower_directories(&lab.ids);
    assert_eq!(snapshot(lab.place()), before);
    assert!(!Path::new("/evil").exists() && !Path::new("/tmp/evil").exists());
    match case.expected {
        Ok(expected) => assert_eq!(
            merged::paths(&lower.unwrap(), &lab.ids).join(" ").trim(),
            expected.join(" ")
        ),
        Err(expected) => {
            let error = lower.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            // Nothing is left of it.
            assert_eq!(
                fs::read_dir(lab.place().join("store/partial")).unwrap().count(),
                locks(lab)
            );
        }
    }
}

/// Files that only say that a layer was worked on.
fn locks(lab: &Lab) -> usize {
    let entries = fs::read_dir(lab.place().join("store/partial")).unwrap();
    let is_lock = |name: &str| name.starts_with("unpacking-");
    entries
        .filter(|entry| is_lock(entry.as_ref().unwrap().file_name().to_str().unwrap()))
        .count()
}

/// All files of a place but unpacked layers, with their contents.
fn snapshot(place: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![place.to_owned()];
    while let Some(path) = todo.pop() {
        let name = path.strip_prefix(place).unwrap().display().to_string();
        if name == "store/layers" || name == "store/partial" {
            continue;
        }
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            found.insert(name, Vec::new());
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}
