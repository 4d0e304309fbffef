//! Files that are asked for by path.

use shellproof_image::{Files, Form, Kind, WantedFiles, look_stream};

use crate::build::{Image, Layer, OTHER, archive};

/// Reads as often as it takes; gives the files, and how often it was read.
fn look(layers: Vec<Layer>, ask: impl FnOnce(&mut WantedFiles)) -> (Files, usize) {
    let files = Image::new(layers).saved();
    let mut wanted = WantedFiles::default();
    ask(&mut wanted);
    for times in 1.. {
        let looked = look_stream(archive(&files).as_slice(), Form::DockerArchive, None, &wanted).unwrap();
        match looked.next(&wanted) {
            Some(more) => wanted = more,
            None => return (looked.files, times),
        }
    }
    unreachable!()
}

fn content(files: &Files, path: &str) -> Option<String> {
    match &files.behind(path)?.kind {
        Kind::File(Some(content)) => Some(String::from_utf8(content.clone()).unwrap()),
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn what_is_asked_for_is_found_in_one_reading_and_nothing_else() {
    let layer = Layer::new()
        .directory("etc")
        .file("etc/motd", 0o640, b"hello")
        .file("etc/other", 0o644, b"x");
    let (files, times) = look(vec![layer], |wanted| {
        wanted.content("/etc/motd");
        wanted.path("etc/../etc/");
        wanted.path("/missing");
    });
    assert_eq!(times, 1);
    assert_eq!(content(&files, "/etc/motd").as_deref(), Some("hello"));
    assert_eq!(files.at("/etc/motd").unwrap().mode, 0o640);
    assert_eq!(files.at("/etc").unwrap().kind, Kind::Directory);
    assert_eq!(files.at("/missing"), None);
    assert_eq!(files.at("/etc/other"), None);
}

#[test]
fn the_uppermost_counts_and_what_is_deleted_is_gone() {
    let layers = || {
        vec![
            Layer::new()
                .file("a/old", 0o644, b"1")
                .file("a/gone", 0o644, b"1")
                .file("b/gone", 0o644, b"1")
                .file("c", 0o644, b"1"),
            Layer::new()
                .file("a/old", 0o755, b"2")
                .file("a/.wh.gone", 0o644, b"")
                .file("b/.wh..wh..opq", 0o644, b"")
                .directory("c"),
        ]
    };
    let (files, _) = look(layers(), |wanted| {
        for path in ["a/old", "a/gone", "b/gone", "c", "b", "a"] {
            wanted.content(path);
        }
    });
    assert_eq!(content(&files, "a/old").as_deref(), Some("2"));
    assert_eq!(files.at("a/old").unwrap().mode, 0o755);
    assert_eq!((files.at("a/gone"), files.at("b/gone")), (None, None));
    assert_eq!(files.at("c").unwrap().kind, Kind::Directory);
    assert_eq!(files.at("a").unwrap().kind, Kind::ImpliedDirectory);
}

#[test]
fn links_are_followed_within_the_image() {
    let layers = || {
        vec![
            Layer::new()
                .file("usr/bin/tool", 0o755, OTHER)
                .symlink("bin", "usr/bin")
                .symlink("usr/bin/t", "/usr/bin/../bin/tool")
                .symlink("loop", "loop")
                .symlink("out", "../../../../etc/motd")
                .file("etc/motd", 0o644, b"inside"),
            Layer::new().hardlink("usr/bin/twin", "usr/bin/tool"),
        ]
    };
    let (files, times) = look(layers(), |wanted| {
        for path in [
            "/bin/tool",
            "/bin/t",
            "/loop",
            "/out",
            "/bin/twin",
            "/bin/../etc/motd",
        ] {
            wanted.content(path);
        }
    });
    assert!(times > 1, "{times}");
    assert!(matches!(files.at("/bin/tool").unwrap().kind, Kind::File(_)));
    assert_eq!(
        files.at("/bin/t").unwrap().kind,
        Kind::Symlink(b"/usr/bin/../bin/tool".to_vec())
    );
    let other = String::from_utf8(OTHER.to_vec()).unwrap();
    for path in ["/bin/tool", "/bin/t", "/bin/twin"] {
        assert_eq!(content(&files, path).as_deref(), Some(other.as_str()), "{path}");
    }
    assert_eq!(content(&files, "/out").as_deref(), Some("inside"));
    assert_eq!(content(&files, "/bin/../etc/motd").as_deref(), Some("inside"));
    assert_eq!(files.behind("/loop"), None);
    assert!(files.at("/loop").is_some());
}

#[test]
fn the_directories_of_a_directory_are_told_with_one_file_of_each() {
    let layer = Layer::new()
        .file("usr/share/doc/a/copyright", 0o644, b"A")
        .directory("usr/share/doc/b")
        .symlink("usr/share/doc/c", "a")
        .symlink("usr/share/doc/d/copyright", "../a/copyright")
        .file("usr/share/doc/a/deep/copyright", 0o644, b"deep")
        .file("usr/share/doc/note", 0o644, b"x");
    let (files, _) = look(vec![layer], |wanted| {
        wanted.each("/usr/share/doc", "copyright");
    });
    assert_eq!(files.directories("/usr/share/doc"), ["a", "b", "d"]);
    assert_eq!(
        content(&files, "/usr/share/doc/a/copyright").as_deref(),
        Some("A")
    );
    assert_eq!(
        content(&files, "/usr/share/doc/d/copyright").as_deref(),
        Some("A")
    );
    assert_eq!(files.at("/usr/share/doc/b/copyright"), None);
}

#[test]
fn a_link_with_something_below_it_is_told() {
    let crossed = |layers| {
        let files = Image::new(layers).saved();
        let mut wanted = WantedFiles::default();
        wanted.path("/usr/bin/tool");
        let looked = look_stream(archive(&files).as_slice(), Form::DockerArchive, None, &wanted);
        looked.unwrap().crossed
    };
    let link = || Layer::new().symlink("bin", "usr/bin");
    assert_eq!(crossed(vec![link().file("bin/tool", 0o755, OTHER)]), ["/bin"]);
    assert_eq!(
        crossed(vec![link(), Layer::new().file("bin/tool", 0o755, OTHER)]),
        ["/bin"]
    );
    // What is replaced is no link.
    let replaced = Layer::new().directory("bin").file("bin/tool", 0o755, OTHER);
    assert!(crossed(vec![link(), replaced]).is_empty());
    assert!(crossed(vec![Layer::new().file("bin/tool", 0o755, OTHER), link()]).is_empty());
}

#[test]
fn a_file_that_is_too_long_is_there_without_its_content() {
    let long = vec![b'x'; (8 << 20) + 1];
    let (files, _) = look(vec![Layer::new().file("long", 0o644, &long)], |wanted| {
        wanted.content("/long");
    });
    assert_eq!(files.at("/long").unwrap().kind, Kind::File(None));
}
