//! Several at once, interruptions, and removal.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use shellproof_store::Store;
use shellproof_userns::{Inside, Started, Stub, Wanted};

use crate::build::{Image, Layer, archive};
use crate::{Lab, Test, merged};

pub const TESTS: &[(&str, Test)] = &[
    ("sharing::many_at_once_have_the_same", many_at_once_have_the_same),
    (
        "sharing::names_change_while_others_clean",
        names_change_while_others_clean,
    ),
    ("sharing::what_was_cut_off_heals", what_was_cut_off_heals),
    (
        "sharing::a_killed_process_leaves_nothing",
        a_killed_process_leaves_nothing,
    ),
    (
        "sharing::a_full_disk_keeps_nothing_of_it",
        a_full_disk_keeps_nothing_of_it,
    ),
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
    // Whoever opens it next removes what was only for a while.
    healed(lab);
}

fn names_change_while_others_clean(lab: &Lab) {
    let id = lab
        .image(vec![Layer::new().file("x", 0o644, b"x")])
        .id()
        .to_owned();
    thread::scope(|scope| {
        for number in 0..8 {
            let id = &id;
            scope.spawn(move || {
                let name = format!("localhost/x{number}:1");
                for _ in 0..40 {
                    // Whoever opens it removes what looks unfinished, and a new index does.
                    let store = lab.store();
                    store.tag(id, &name.parse().unwrap()).unwrap();
                    assert!(store.remove(&name).unwrap());
                }
            });
        }
    });
}

/// Opens the store until nothing is left of what was not finished: processes that other tests start have a copy of this
/// test's locks for a moment.
fn healed(lab: &Lab) {
    let began = Instant::now();
    while count(&lab.store(), "partial") > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "something is left");
        thread::sleep(Duration::from_millis(10));
    }
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
    // What was written before the machine last started may be lost in part.
    let text = fs::read_to_string(directory.join("layer.json")).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = boot.trim();
    assert!(text.contains(boot), "{text}");
    fs::write(directory.join("layer.json"), text.replace(boot, "before")).unwrap();
    fs::write(directory.join("old"), "").unwrap();
    image.lower_directories(&lab.ids).unwrap();
    let started = fs::read_to_string(directory.join("layer.json")).unwrap();
    assert!(started.contains(boot) && !directory.join("old").exists());
    let partial = store.directory().join("partial");
    fs::rename(directory, partial.join("half")).unwrap();
    fs::write(partial.join("blob"), "half").unwrap();
    // Not as long as somebody is at work.
    lab.store();
    assert!(partial.join("half").exists());
    drop(image);
    healed(lab);
    let image = store.image("localhost/x:1").unwrap().unwrap();
    assert_eq!(merged::paths(&lab.unpacked(&image), &lab.ids), ["d", "d/x"]);
}

/// The first word with which this program unpacks an image of a store.
pub const UNPACK: &str = "unpack";

pub fn unpack(store: &Path, id: &str) {
    let started = Started::start(&shellproof_store::STUB, Wanted::Many).unwrap();
    let image = Store::open_at(store).unwrap().image(id).unwrap().unwrap();
    image.lower_directories(started.ids()).unwrap();
}

fn a_killed_process_leaves_nothing(lab: &Lab) {
    let many = (0..3_000).fold(Layer::new(), |layer, place| {
        layer.file(&format!("d/{place}"), 0o644, b"x")
    });
    let image = lab.image(vec![many]);
    let id = image.id().to_owned();
    drop(image);
    let store = lab.store();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([UNPACK, store.directory().to_str().unwrap(), &id])
        .spawn()
        .unwrap();
    let partial = store.directory().join("partial");
    let unpacking = || {
        fs::read_dir(&partial)
            .unwrap()
            .flatten()
            .any(|entry| entry.path().join("root/d").is_dir())
    };
    while !unpacking() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The process that unpacked for it ends with it, and the next one removes what they have left.
    assert!(unpacking());
    healed(lab);
    assert_eq!(layers(&store), 0);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(count(&store, "partial"), 0);
    let image = store.image(&id).unwrap().unwrap();
    assert_eq!(
        fs::read_dir(lab.unpacked(&image)[0].join("d")).unwrap().count(),
        3_000
    );
}

/// Imports an archive that comes into a store with little room, and says how that went and how many files are left.
pub const FULL: Stub = Stub {
    name: "full",
    main: import_without_room,
};

fn import_without_room(inside: Inside) -> io::Result<()> {
    let message = inside.channel.receive()?;
    merged::in_memory(Some(c"size=1m"))?;
    let store = Store::open_at(Path::new("/mnt/store")).map_err(io::Error::other)?;
    let archive = message
        .descriptors
        .into_iter()
        .next()
        .ok_or(io::ErrorKind::InvalidInput)?;
    let said = match store.import(File::from(archive), None) {
        Ok(imported) => imported.id,
        Err(error) => error.to_string(),
    };
    let left = count(&store, "blobs/sha256") + count(&store, "partial");
    inside.channel.send(format!("{left}: {said}").as_bytes(), &[])
}

fn a_full_disk_keeps_nothing_of_it(lab: &Lab) {
    let path = lab.place().join("image.tar");
    for (size, expected) in [
        (
            2 << 20,
            "0: the image cannot be kept in `/mnt/store`: No space left",
        ),
        (100 << 10, "3: sha256:"),
    ] {
        let image = Image::new(vec![Layer::new().file("x", 0o644, &vec![1; size])]);
        fs::write(&path, archive(&image.saved())).unwrap();
        let wanted = if lab.ids.are_many() {
            Wanted::Many
        } else {
            Wanted::One
        };
        let started = Started::start(&FULL, wanted).unwrap();
        let file = File::open(&path).unwrap();
        started.channel().send(b"import", &[file.as_fd()]).unwrap();
        let said = String::from_utf8(started.channel().receive().unwrap().bytes).unwrap();
        assert!(said.starts_with(expected), "{said}");
    }
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
