//! Several at once, interruptions, and removal.

use std::fs;
use std::thread;

use shellproof_store::Store;

use crate::build::{Image, Layer, archive};
use crate::{Lab, Test, merged};

pub const TESTS: &[(&str, Test)] = &[
    ("sharing::many_at_once_have_the_same", many_at_once_have_the_same),
    ("sharing::what_was_cut_off_heals", what_was_cut_off_heals),
    (
        "sharing::what_nobody_needs_is_removed",
        what_nobody_needs_is_removed,
    ),
    ("sharing::what_is_used_stays", what_is_used_stays),
];

fn count(store: &Store, part: &str) -> usize {
    let directory = store.directory().join(part);
    fs::read_dir(directory).map_or(0, Iterator::count)
}

fn layers(store: &Store) -> usize {
    let owners = fs::read_dir(store.directory().join("layers")).unwrap();
    owners
        .map(|owners| fs::read_dir(owners.unwrap().path()).unwrap().count())
        .sum()
}

fn many_at_once_have_the_same(lab: &Lab) {
    let image = || {
        Image::new(
            (0..5)
                .map(|place| Layer::new().file(&format!("{place}"), 0o644, b"x"))
                .collect(),
        )
    };
    let bytes = archive(&image().saved());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // A lock is an open file's, so that a thread with one of its own is like a process.
                let store = lab.store();
                let id = store.import(bytes.as_slice(), None).unwrap().id;
                let image = store.image(&id).unwrap().unwrap();
                let lower = image.lower_directories(&lab.ids).unwrap();
                assert_eq!(merged::paths(&lower, &lab.ids), ["0", "1", "2", "3", "4"]);
                // Others are at work, and what they have stays.
                store.remove("localhost/none").unwrap();
            });
        }
    });
    let store = lab.store();
    assert_eq!((layers(&store), store.images().unwrap().len()), (5, 1));
    // Whoever opens it next has removed what was only for a while.
    assert_eq!(count(&store, "partial"), 0);
}

fn what_was_cut_off_heals(lab: &Lab) {
    let image = lab.image(vec![Layer::new().pax(&[("uid", b"7")]).file("d/x", 0o600, b"x")]);
    let root = lab.unpacked(&image).remove(0);
    let directory = root.parent().unwrap();
    let store = lab.store();
    // Half a layer, as the process leaves it that is killed: without what is written last, or without its name.
    fs::remove_file(directory.join("layer.json")).unwrap();
    let lower = image.lower_directories(&lab.ids).unwrap();
    assert_eq!(merged::paths(&lower, &lab.ids), ["d", "d/x"]);
    let partial = store.directory().join("partial");
    fs::rename(directory, partial.join("half")).unwrap();
    fs::write(partial.join("blob"), "half").unwrap();
    // Not as long as somebody is at work.
    lab.store();
    assert!(partial.join("half").exists());
    drop(image);
    lab.store();
    assert_eq!(count(&store, "partial"), 0);
    let image = store.image("localhost/x:1").unwrap().unwrap();
    assert_eq!(merged::paths(&lab.unpacked(&image), &lab.ids), ["d", "d/x"]);
}

fn what_nobody_needs_is_removed(lab: &Lab) {
    let store = lab.store();
    let shared = || Layer::new().file("shared", 0o644, b"");
    let import = |name: &str| {
        let image = Image::new(vec![shared(), Layer::new().file(name, 0o644, b"")]);
        let id = store
            .import(archive(&image.layout()).as_slice(), None)
            .unwrap()
            .id;
        store
            .tag(&id, &format!("localhost/{name}:1").parse().unwrap())
            .unwrap();
        store
            .tag(&id, &format!("localhost/{name}:2").parse().unwrap())
            .unwrap();
        let image = store.image(&id).unwrap().unwrap();
        image.lower_directories(&lab.ids).unwrap();
        id
    };
    let (a, b) = (import("a"), import("b"));
    assert_eq!((count(&store, "blobs/sha256"), layers(&store)), (7, 3));
    // Its last name takes an image along, and not before.
    assert!(store.remove("localhost/a:1").unwrap());
    assert_eq!((count(&store, "blobs/sha256"), layers(&store)), (7, 3));
    assert!(store.remove("localhost/a:2").unwrap());
    assert_eq!((count(&store, "blobs/sha256"), layers(&store)), (4, 2));
    assert!(!store.remove("localhost/a:2").unwrap() && !store.remove(&a).unwrap());
    assert!(store.image("localhost/b:1").unwrap().is_some());
    assert!(store.remove(&b).unwrap());
    assert_eq!((count(&store, "blobs/sha256"), layers(&store)), (0, 0));
    import("c");
    let cleaned = store.clean().unwrap();
    assert_eq!(
        (cleaned.images, cleaned.is_in_use, cleaned.left.len()),
        (2, false, 0)
    );
    assert_eq!(
        (
            count(&store, "blobs/sha256"),
            layers(&store),
            count(&store, "partial")
        ),
        (0, 0, 0)
    );
    assert!(store.images().unwrap().is_empty());
}

fn what_is_used_stays(lab: &Lab) {
    let image = lab.image(vec![Layer::new().file("x", 0o644, b"")]);
    let lower = image.lower_directories(&lab.ids).unwrap();
    let cleaned = lab.store().clean().unwrap();
    assert!(cleaned.is_in_use && cleaned.images == 1);
    assert_eq!(merged::paths(&lower, &lab.ids), ["x"]);
    drop(image);
    assert!(!lab.store().clean().unwrap().is_in_use);
    assert!(!lower[0].exists());
}
