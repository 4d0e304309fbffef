//! What the store keeps, and what it refuses.

use std::fs;
use std::io::{self, Read};

use serde_json::json;
use shellproof_image::{Form, Source, read_stream};
use shellproof_store::{Limits, Store};

use crate::build::{Image, Layer, Packing, SHELL, archive, pack, sha256, write};
use crate::{Lab, Test, merged};

pub const TESTS: &[(&str, Test)] = &[
    (
        "keeping::an_image_is_the_same_in_each_form",
        an_image_is_the_same_in_each_form,
    ),
    (
        "keeping::names_are_found_as_docker_completes_them",
        names_are_found_as_docker_completes_them,
    ),
    (
        "keeping::an_image_comes_under_another_name_and_takes_nobody_elses",
        another_name_is_nobody_elses,
    ),
    (
        "keeping::what_is_saved_can_be_loaded",
        what_is_saved_can_be_loaded,
    ),
    (
        "keeping::readers_of_layouts_read_a_store",
        readers_of_layouts_read_a_store,
    ),
    (
        "keeping::all_images_of_an_archive_come",
        all_images_of_an_archive_come,
    ),
    ("keeping::what_is_wrong_is_refused", what_is_wrong_is_refused),
    (
        "keeping::a_layer_that_is_not_what_it_should_be_is_refused",
        a_wrong_layer_is_refused,
    ),
    ("keeping::bombs_are_limited", bombs_are_limited),
    ("keeping::blobs_are_kept_once", blobs_are_kept_once),
];

fn image() -> Image {
    Image::new(vec![
        Layer::new().directory("bin").file("bin/a", 0o755, b"a"),
        Layer::new()
            .file("bin/.wh.a", 0o644, b"")
            .file("bin/b", 0o755, b"b"),
    ])
    .config(json!({ "Entrypoint": ["/bin/b"], "Env": ["A=b"], "User": "65532", "WorkingDir": "/w" }))
}

fn an_image_is_the_same_in_each_form(lab: &Lab) {
    let store = lab.store();
    let mut ids = Vec::new();
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let image = image().packed(packing);
        for files in [image.saved(), image.layout()] {
            for outer in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
                let stream = pack(&archive(&files), outer);
                ids.push(store.import(stream.as_slice(), None).unwrap().id);
            }
        }
        let directory = lab.place().join(format!("{packing:?}"));
        write(&directory, &image.layout());
        ids.push(store.import_layout(&directory, Some("1")).unwrap().id);
    }
    ids.dedup();
    assert_eq!(
        ids,
        [format!("sha256:{}", sha256(image().configuration().as_bytes()))]
    );
    let image = store.image(&ids[0]).unwrap().unwrap();
    assert_eq!(
        (image.config().user.as_str(), image.settings().directory.as_str()),
        ("65532", "/w")
    );
    assert_eq!(
        (&image.config().entrypoint[..], &image.config().env[..]),
        (&["/bin/b".into()][..], &["A=b".into()][..])
    );
    let lower = image.lower_directories(&lab.ids).unwrap();
    assert_eq!(merged::paths(&lower, &lab.ids), ["bin", "bin/b"]);
}

fn another_name_is_nobody_elses(lab: &Lab) {
    let store = lab.store();
    let first = store.import(archive(&image().saved()).as_slice(), None).unwrap();
    let other = Image::new(vec![Layer::new().file("other", 0o644, b"")]);
    let file = lab.place().join("other.tar");
    fs::write(&file, archive(&other.saved())).unwrap();
    let layout = write(&lab.place().join("layout"), &other.layout());
    let name = "localhost/own:1".parse().unwrap();
    for source in [Source::saved(file), Source::layout(layout, None)] {
        let own = store.import_as(&source, &name).unwrap();
        assert_eq!(own.names, ["localhost/own:1"]);
        assert_eq!(store.resolve("localhost/own:1").unwrap(), Some(own.id));
        assert_eq!(store.resolve("localhost/x:1").unwrap().as_ref(), Some(&first.id));
        assert!(store.remove("localhost/own:1").unwrap());
        assert_eq!(store.images().unwrap().len(), 1);
    }
}

fn names_are_found_as_docker_completes_them(lab: &Lab) {
    let store = lab.store();
    let imported = store.import(archive(&image().saved()).as_slice(), None).unwrap();
    assert_eq!(imported.names, ["localhost/x:1"]);
    store.tag(&imported.id, &"python".parse().unwrap()).unwrap();
    for name in [
        "localhost/x:1",
        "python",
        "python:latest",
        "docker.io/library/python",
        &imported.id,
    ] {
        assert_eq!(
            store.resolve(name).unwrap().as_ref(),
            Some(&imported.id),
            "{name}"
        );
    }
    for name in ["localhost/x", "python:3", "x:1", "sha256:00", "", "Not A Name"] {
        assert_eq!(store.resolve(name).unwrap(), None, "{name}");
        assert!(store.image(name).unwrap().is_none(), "{name}");
    }
    let mut names = store.image("python").unwrap().unwrap().names().to_vec();
    names.sort();
    assert_eq!(names, ["docker.io/library/python:latest", "localhost/x:1"]);
    // Another image takes the name over.
    let other = Image::new(vec![Layer::new().file("other", 0o644, b"")]);
    let other = store.import(archive(&other.saved()).as_slice(), None).unwrap();
    assert_eq!(store.resolve("localhost/x:1").unwrap(), Some(other.id));
    assert_eq!(store.resolve("python").unwrap(), Some(imported.id));
    // One without a name is known by its id.
    let mut files = image().saved();
    files.last_mut().unwrap().1 = String::from_utf8(files.last().unwrap().1.clone())
        .unwrap()
        .replace("localhost/x:1", "Not/A:Name")
        .into_bytes();
    assert!(
        store
            .import(archive(&files).as_slice(), None)
            .unwrap()
            .names
            .is_empty()
    );
    // By the digest of its manifest, under the repository that it came with.
    let mut layout = image().layout();
    let (_, index) = layout.iter_mut().find(|(name, _)| name == "index.json").unwrap();
    let text = String::from_utf8(index.clone()).unwrap();
    *index = text
        .replace(
            r#""org.opencontainers.image.ref.name":"1""#,
            r#""io.containerd.image.name":"reg.example/a:1""#,
        )
        .into_bytes();
    let id = store.import(archive(&layout).as_slice(), None).unwrap().id;
    let digest = store
        .image("reg.example/a:1")
        .unwrap()
        .unwrap()
        .config()
        .digest
        .clone()
        .unwrap();
    assert_eq!(
        store.resolve(&format!("reg.example/a@{digest}")).unwrap(),
        Some(id)
    );
    assert_eq!(store.resolve(&format!("reg.example/b@{digest}")).unwrap(), None);
    assert_eq!(
        store.image("localhost/x:1").unwrap().unwrap().config().digest,
        None
    );
}

fn what_is_saved_can_be_loaded(lab: &Lab) {
    let store = lab.store();
    for packing in [Packing::Plain, Packing::Gzip] {
        let id = store
            .import(archive(&image().packed(packing).saved()).as_slice(), None)
            .unwrap()
            .id;
        let mut saved = Vec::new();
        store.image(&id).unwrap().unwrap().save(&mut saved).unwrap();
        let read = read_stream(saved.as_slice(), Form::DockerArchive, None).unwrap();
        assert_eq!(
            (read.configuration.id.as_str(), &read.configuration.names[..]),
            (id.as_str(), &["localhost/x:1".into()][..])
        );
        let other = Store::open_at(&lab.place().join(format!("{packing:?}"))).unwrap();
        assert_eq!(other.import(saved.as_slice(), None).unwrap().id, id);
    }
}

fn readers_of_layouts_read_a_store(lab: &Lab) {
    let store = lab.store();
    let shell = Image::new(vec![Layer::new().file("bin/x", 0o755, SHELL)]);
    let mut files = shell.saved();
    files
        .iter_mut()
        .filter(|file| file.0 == "manifest.json")
        .for_each(|file| {
            file.1 = String::from_utf8(file.1.clone())
                .unwrap()
                .replace("localhost/x:1", "reg.example:5000/y:2")
                .into_bytes();
        });
    store.import(archive(&image().saved()).as_slice(), None).unwrap();
    store.import(archive(&files).as_slice(), None).unwrap();
    let source = format!("oci:{}:reg.example:5000/y:2", store.directory().display());
    let content = shellproof_image::read(&source.parse::<Source>().unwrap()).unwrap();
    assert_eq!(content.programs[0].path, "/bin/x");
    assert!(content.programs[0].likeness.is_some());
}

fn all_images_of_an_archive_come(lab: &Lab) {
    let store = lab.store();
    let other = Image::new(vec![Layer::new().file("other", 0o644, b"")]);
    let ids = [&image(), &other].map(|image| format!("sha256:{}", sha256(image.configuration().as_bytes())));
    // As `docker save a b` writes them, and as a layout has them.
    let mut manifests = Vec::new();
    let mut files = Vec::new();
    for (name, image) in [("a", image()), ("b", other)] {
        for (path, content) in image.saved() {
            match path.as_str() {
                "manifest.json" => {
                    let text = String::from_utf8(content).unwrap();
                    let text = text.replace("localhost/x:1", &format!("localhost/{name}:1"));
                    let text = text.replace("/layer.tar", &format!("/{name}.tar"));
                    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
                    manifests.push(parsed[0].clone());
                }
                _ => files.push((path.replace("/layer.tar", &format!("/{name}.tar")), content)),
            }
        }
    }
    files.push(("manifest.json".into(), json!(manifests).to_string().into_bytes()));
    let imported = store.import_all(archive(&files).as_slice()).unwrap();
    assert_eq!(
        imported.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        ids
    );
    assert_eq!(store.resolve("localhost/b:1").unwrap().as_ref(), Some(&ids[1]));
    assert!(store.import(archive(&files).as_slice(), None).is_err());
    assert_eq!(
        store
            .import(archive(&files).as_slice(), Some("localhost/a:1"))
            .unwrap()
            .id,
        ids[0]
    );
    assert_eq!(
        store
            .import_all(archive(&image().layout()).as_slice())
            .unwrap()
            .len(),
        1
    );
    let none = archive(&[("manifest.json".into(), b"[]".to_vec())]);
    assert!(
        store
            .import_all(none.as_slice())
            .unwrap_err()
            .to_string()
            .contains("holds no image")
    );
}

fn what_is_wrong_is_refused(lab: &Lab) {
    let store = lab.store();
    let error = |bytes: &[u8]| store.import(bytes, None).unwrap_err().to_string();
    assert!(error(b"no archive").contains("no archive"));
    assert!(
        error(&archive(&[("x".into(), b"y".to_vec())])).contains("neither `manifest.json` nor `index.json`")
    );
    let whole = archive(&image().packed(Packing::Gzip).layout());
    for end in [600, whole.len() / 2] {
        error(&whole[..end]);
    }
    let mut files = image().layout();
    for place in 0..files.len() {
        let (name, content) = files[place].clone();
        if !name.starts_with("blobs/") {
            continue;
        }
        let at = content
            .iter()
            .rposition(|&byte| byte == b'o' || byte == b'b')
            .unwrap();
        files[place].1[at] = b'0';
        let error = error(&archive(&files));
        assert!(
            error.contains("is not what")
                || error.contains("is no archive")
                || error.contains("cannot be read"),
            "{error}"
        );
        files[place].1 = content;
    }
    // Nothing of that is an image, nothing is left of it, and the next one does not mind.
    assert_eq!(
        fs::read_dir(store.directory().join("blobs/sha256"))
            .unwrap()
            .count(),
        0
    );
    assert!(store.images().unwrap().is_empty());
    store.import(archive(&files).as_slice(), None).unwrap();
    let several = json!([{ "Config": "a", "Layers": [] }, { "Config": "b", "Layers": [] }]);
    assert!(
        error(&archive(&[(
            "manifest.json".into(),
            several.to_string().into_bytes()
        )]))
        .contains("several images")
    );
}

fn a_wrong_layer_is_refused(lab: &Lab) {
    let mut wrong = image();
    let configuration = wrong.configuration();
    wrong.layers[1].0 = Layer::new().file("evil", 0o755, b"").bytes();
    let mut files = wrong.saved();
    let name = format!("{}.json", sha256(wrong.configuration().as_bytes()));
    let right = format!("{}.json", sha256(configuration.as_bytes()));
    for (file, content) in &mut files {
        *file = file.replace(&name, &right);
        if *file == right {
            *content = configuration.clone().into_bytes();
        } else if file == "manifest.json" {
            *content = String::from_utf8(content.clone())
                .unwrap()
                .replace(&name, &right)
                .into_bytes();
        }
    }
    let id = lab.store().import(archive(&files).as_slice(), None).unwrap().id;
    let image = lab.store().image(&id).unwrap().unwrap();
    let error = image.lower_directories(&lab.ids).unwrap_err().to_string();
    assert!(
        error.contains("layer 2 of image")
            && error.contains("is not what the image's configuration says: expected `sha256:"),
        "{error}"
    );
    // Somebody has changed a blob of the store.
    let image = lab.image(vec![Layer::new().file("a", 0o644, b"whole")]);
    for blob in fs::read_dir(lab.store().directory().join("blobs/sha256")).unwrap() {
        let path = blob.unwrap().path();
        let mut content = fs::read(&path).unwrap();
        if let Some(at) = content.windows(5).position(|five| five == b"whole") {
            content[at] = b'W';
            fs::write(&path, content).unwrap();
        }
    }
    let error = image.lower_directories(&lab.ids).unwrap_err().to_string();
    assert!(
        error.contains("the store's blob was damaged")
            && error.contains("\nhelp: load or pull the image again"),
        "{error}"
    );
    // Which cures it.
    let image = lab.image(vec![Layer::new().file("a", 0o644, b"whole")]);
    assert_eq!(fs::read(lab.unpacked(&image)[0].join("a")).unwrap(), b"whole");
}

fn bombs_are_limited(lab: &Lab) {
    let limits = |bytes, entries| lab.store().with_limits(Limits { bytes, entries });
    let large = || Layer::new().file("a", 0o644, &[0; 3 << 20]);
    for packing in [Packing::Plain, Packing::Gzip] {
        let bytes = archive(&Image::new(vec![large()]).packed(packing).saved());
        let store = limits(2 << 20, 1000);
        let imported = store.import(bytes.as_slice(), None).unwrap();
        let error = store
            .image(&imported.id)
            .unwrap()
            .unwrap()
            .lower_directories(&lab.ids)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unpacks to more than 2 MiB"), "{error}");
        let store = limits(4 << 20, 1000);
        store
            .image(&imported.id)
            .unwrap()
            .unwrap()
            .lower_directories(&lab.ids)
            .unwrap();
        lab.store().clean().unwrap();
    }
    // An archive that is packed as a whole.
    let packed = pack(&archive(&Image::new(vec![large()]).saved()), Packing::Gzip);
    let error = limits(2 << 20, 1000)
        .import(packed.as_slice(), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("unpacks to more than 2 MiB"), "{error}");
    let many = (0..11).fold(Layer::new(), |layer, place| {
        layer.file(&place.to_string(), 0o644, b"")
    });
    let bytes = archive(&Image::new(vec![many]).saved());
    let store = limits(1 << 20, 10);
    let id = store.import(bytes.as_slice(), None).unwrap().id;
    let error = store
        .image(&id)
        .unwrap()
        .unwrap()
        .lower_directories(&lab.ids)
        .unwrap_err()
        .to_string();
    assert!(error.contains("more than 10 entries"), "{error}");
    // A stream without an end is not kept in memory, and what breaks it off is told.
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += buffer.len() as u64;
            match self.0 > 64 << 20 {
                true => Err(io::Error::other("the line was cut")),
                false => Ok(buffer.len()),
            }
        }
    }
    let start = archive(&[]);
    let endless = lab.store().import(start.as_slice().chain(Endless(0)), None);
    assert!(endless.unwrap_err().to_string().contains("the line was cut"));
}

fn blobs_are_kept_once(lab: &Lab) {
    let store = lab.store();
    let blobs = || {
        fs::read_dir(store.directory().join("blobs/sha256"))
            .unwrap()
            .count()
    };
    let below = || Layer::new().file("shared", 0o644, b"");
    let image = |name: &str| Image::new(vec![below(), Layer::new().file(name, 0o644, b"")]);
    store
        .import(archive(&image("a").layout()).as_slice(), None)
        .unwrap();
    assert_eq!(blobs(), 4);
    store
        .import(archive(&image("a").layout()).as_slice(), None)
        .unwrap();
    assert_eq!(blobs(), 4);
    store
        .import(archive(&image("b").layout()).as_slice(), None)
        .unwrap();
    assert_eq!(blobs(), 7);
}
