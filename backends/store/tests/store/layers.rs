//! What layers become.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use tar::EntryType;

use crate::build::Layer;
use crate::{Lab, Test, merged};

pub const TESTS: &[(&str, Test)] = &[
    (
        "layers::files_are_what_the_archive_says",
        files_are_what_the_archive_says,
    ),
    (
        "layers::what_is_deleted_does_not_show",
        what_is_deleted_does_not_show,
    ),
    (
        "layers::an_opaque_root_hides_all_below",
        an_opaque_root_hides_all_below,
    ),
    (
        "layers::what_comes_twice_is_there_once",
        what_comes_twice_is_there_once,
    ),
    (
        "layers::locked_directories_take_their_files",
        locked_directories_take_their_files,
    ),
    (
        "layers::devices_are_left_out_and_told",
        devices_are_left_out_and_told,
    ),
    (
        "layers::owners_are_kept_where_there_are_ids",
        owners_are_kept_where_there_are_ids,
    ),
];

fn files_are_what_the_archive_says(lab: &Lab) {
    let layer = Layer::new()
        .directory("usr")
        .pax(&[("SCHILY.xattr.user.note", b"kept"), ("mtime", b"1000000000.5")])
        .file("usr/su", 0o4755, b"content")
        .hardlink("usr/other", "usr/su")
        .symlink("bin", "usr/bin")
        .file("deep/er/file", 0o640, b"")
        .entry("pipe", EntryType::Fifo, 0o622, "", b"");
    let image = lab.image(vec![layer]);
    let root = &lab.unpacked(&image)[0];
    let file = root.join("usr/su").metadata().unwrap();
    assert_eq!(file.mode() & 0o7777, 0o4755);
    assert_eq!((file.mtime(), file.nlink()), (1_000_000_000, 2));
    assert_eq!(fs::read(root.join("usr/other")).unwrap(), b"content");
    assert_eq!(fs::read_link(root.join("bin")).unwrap(), Path::new("usr/bin"));
    let mut note = [0; 10];
    let length = rustix::fs::lgetxattr(root.join("usr/su"), "user.note", &mut note).unwrap();
    assert_eq!(&note[..length], b"kept");
    assert_eq!(root.join("deep/er").metadata().unwrap().mode() & 0o7777, 0o755);
    assert_eq!(
        root.join("deep/er/file").metadata().unwrap().mode() & 0o7777,
        0o640
    );
    let pipe = root.join("pipe").symlink_metadata().unwrap();
    assert!(pipe.file_type().is_fifo() && pipe.mode() & 0o7777 == 0o622);
    assert!(image.left_out(&lab.ids).is_empty());
}

/// Of each pair of layers, what a container sees must be what the image witness says is there.
fn what_is_deleted_does_not_show(lab: &Lab) {
    let below = || {
        Layer::new()
            .directory("a")
            .file("a/1", 0o644, b"")
            .file("a/2", 0o644, b"")
            .directory("b")
            .file("b/1", 0o644, b"")
            .file("c", 0o644, b"")
    };
    let all = ["a", "a/1", "a/2", "b", "b/1", "c"];
    for (above, gone, new) in [
        (Layer::new().file("a/.wh.1", 0o644, b""), &["a/1"][..], &[][..]),
        (Layer::new().file(".wh.a", 0o644, b""), &["a", "a/1", "a/2"], &[]),
        (Layer::new().file("b/.wh..wh..opq", 0o644, b""), &["b/1"], &[]),
        // What the layer itself brings stays, in whatever order it comes.
        (
            Layer::new().file(".wh.c", 0o644, b"").file("c", 0o644, b"new"),
            &[],
            &[],
        ),
        (
            Layer::new().file("c", 0o644, b"new").file(".wh.c", 0o644, b""),
            &[],
            &[],
        ),
        (
            Layer::new()
                .file(".wh.a", 0o644, b"")
                .directory("a")
                .file("a/3", 0o644, b""),
            &["a/1", "a/2"],
            &["a/3"],
        ),
        (
            Layer::new().file("a/3", 0o644, b"").file(".wh.a", 0o644, b""),
            &["a/1", "a/2"],
            &["a/3"],
        ),
        (
            Layer::new()
                .file("b/2", 0o644, b"")
                .file("b/.wh..wh..opq", 0o644, b""),
            &["b/1"],
            &["b/2"],
        ),
        // One thing in the place of another.
        (Layer::new().file("a", 0o644, b""), &["a/1", "a/2"], &[]),
        (
            Layer::new().directory("c").file("c/new", 0o644, b""),
            &[],
            &["c/new"],
        ),
        (
            Layer::new().directory("a").file("a", 0o644, b""),
            &["a/1", "a/2"],
            &[],
        ),
        // A directory that is there already stays.
        (Layer::new().directory("a"), &[], &[]),
        (
            Layer::new().file("a/sub/x", 0o644, b""),
            &[],
            &["a/sub", "a/sub/x"],
        ),
        // What is deleted behind a link is nothing.
        (
            Layer::new().symlink("l", "a").file("l/.wh.1", 0o644, b""),
            &[],
            &["l"],
        ),
        (
            Layer::new().symlink("l", "a").file("l/.wh..wh..opq", 0o644, b""),
            &[],
            &["l"],
        ),
        (Layer::new().file(".wh.none", 0o644, b""), &[], &[]),
        (Layer::new().file(".wh..wh.plnk", 0o644, b""), &[], &[]),
    ] {
        let image = lab.image(vec![below(), above]);
        let lower = image.lower_directories(&lab.ids).unwrap();
        let mut expected: Vec<_> = all
            .iter()
            .filter(|path| !gone.contains(path))
            .chain(new)
            .copied()
            .collect();
        expected.sort_unstable();
        assert_eq!(
            merged::paths(&lower, &lab.ids),
            expected,
            "without {gone:?}, with {new:?}"
        );
    }
}

fn an_opaque_root_hides_all_below(lab: &Lab) {
    let below = Layer::new().file("old", 0o644, b"");
    let opaque = Layer::new()
        .file(".wh..wh..opq", 0o644, b"")
        .file("new", 0o644, b"");
    let above = Layer::new().file("newest", 0o644, b"");
    let image = lab.image(vec![below, opaque, above]);
    let lower = image.lower_directories(&lab.ids).unwrap();
    assert_eq!(merged::paths(&lower, &lab.ids), ["new", "newest"]);
}

fn what_comes_twice_is_there_once(lab: &Lab) {
    let one = || Layer::new().file("x", 0o644, b"1");
    let image = lab.image(vec![one(), Layer::new().file(".wh.x", 0o644, b""), one()]);
    let lower = image.lower_directories(&lab.ids).unwrap();
    assert_eq!(lower.len(), 2);
    assert_eq!(merged::paths(&lower, &lab.ids), ["x"]);
    assert!(lab.image(vec![]).lower_directories(&lab.ids).unwrap().is_empty());
}

fn locked_directories_take_their_files(lab: &Lab) {
    let layer = Layer::new()
        .entry("ro", EntryType::Directory, 0o555, "", b"")
        .file("ro/x", 0o400, b"x")
        .entry("none", EntryType::Directory, 0o000, "", b"")
        .file("none/y", 0o000, b"y");
    let image = lab.image(vec![layer]);
    let lower = image.lower_directories(&lab.ids).unwrap();
    assert_eq!(lower[0].join("none").metadata().unwrap().mode() & 0o7777, 0);
    assert_eq!(merged::paths(&lower, &lab.ids), ["none", "none/y", "ro", "ro/x"]);
}

fn devices_are_left_out_and_told(lab: &Lab) {
    let below = Layer::new().file("dev/x", 0o755, b"below");
    let above = Layer::new()
        .entry("dev/x", EntryType::Char, 0o666, "", b"")
        .entry("dev/sda", EntryType::Block, 0o666, "", b"");
    let image = lab.image(vec![below, above]);
    let lower = image.lower_directories(&lab.ids).unwrap();
    // Not what is below it either: the image witness says that nothing is there.
    assert_eq!(merged::paths(&lower, &lab.ids), ["dev"]);
    let left_out = image.left_out(&lab.ids);
    let expected = [
        "`/dev/x` is a device, which is left out",
        "`/dev/sda` is a device, which is left out",
    ];
    assert_eq!(left_out, expected);
}

fn owners_are_kept_where_there_are_ids(lab: &Lab) {
    let layer = Layer::new()
        .pax(&[("uid", b"7"), ("gid", b"8")])
        .file("x", 0o2755, b"");
    let image = lab.image(vec![layer]);
    let file = lab.unpacked(&image)[0].join("x").metadata().unwrap();
    let outside = |extents: &[shellproof_userns::Extent], id: u32| {
        let extent = extents
            .iter()
            .find(|one| (one.inside..one.inside + one.count).contains(&id));
        extent.map(|one| one.outside + (id - one.inside))
    };
    let expected = |extents, id| outside(extents, id).or(outside(extents, 0));
    assert_eq!(Some(file.uid()), expected(&lab.ids.users, 7));
    assert_eq!(Some(file.gid()), expected(&lab.ids.groups, 8));
    assert_eq!(file.mode() & 0o7777, 0o2755);
    let layer = Layer::new().pax(&[("uid", b"4294967295")]).file("x", 0o755, b"");
    let image = lab.image(vec![layer]);
    let unpacked = image.lower_directories(&lab.ids);
    match lab.ids.are_many() {
        true => {
            let error = unpacked.unwrap_err().to_string();
            assert!(error.contains("layer 1 of image sha256:"), "{error}");
            assert!(error.contains("`/x`: it belongs to 4294967295:0"), "{error}");
            assert!(error.contains("\nhelp: "), "{error}");
        }
        // There is nobody else to give it to.
        false => assert!(unpacked.is_ok()),
    }
}
