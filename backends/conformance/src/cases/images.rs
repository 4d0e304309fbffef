use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use futures_util::StreamExt;
use serde_json::Value;
use shellproof_api::{EngineKind, ErrorKind, FileKind, HealthTest, ImageFile, ResourceKind};

use super::case_list;
use crate::{Bench, LABEL, LARGE, SUBJECT, USER};

case_list! {
    Contract:
        an_unknown_image_is_none,
        what_is_no_reference_is_refused,
        an_image_tells_its_configuration,
        an_image_without_a_configuration_has_none,
        a_file_is_read_without_running_the_image,
        a_path_that_does_not_exist_is_none,
        a_file_of_an_unknown_image_is_refused,
        saving_an_unknown_image_is_refused;
    Kernel:
        loading_twice_is_no_error,
        loading_what_is_no_archive_is_refused,
        loading_an_archive_without_an_image_is_refused,
        loading_what_is_not_there_is_refused,
        an_image_is_saved_as_an_archive,
        an_image_tells_its_health_check,
        an_empty_file_is_read,
        special_permissions_are_read,
        a_link_in_the_middle_is_followed,
        a_link_at_the_end_is_not_followed,
        a_link_to_nothing_is_a_link,
        a_directory_is_no_file,
        the_root_is_a_directory,
        a_path_below_a_file_is_none,
        a_large_file_is_kept_in_part,
        a_file_of_an_image_without_a_command_is_read,
        reading_leaves_nothing_behind;
}

async fn saving_an_unknown_image_is_refused(bench: &Bench) {
    let name = "localhost/shellproof/none:1";
    let saved = bench.runtime().save_image(name).await.map(drop);
    bench.refused(saved, ErrorKind::ImageMissing, &[name]);
}

async fn an_image_is_saved_as_an_archive(bench: &Bench) {
    let saved = bench.runtime().save_image(&bench.subject().reference).await;
    let pieces: Vec<_> = saved.expect("the image is there").collect().await;
    let pieces: Result<Vec<_>, _> = pieces.into_iter().collect();
    let archive = pieces.expect("the image is read").concat();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive.as_slice())
        .entries()
        .expect("an archive")
    {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        files.insert(name, content);
    }
    let json = |name: &str| -> Value { serde_json::from_slice(&files[name]).expect("JSON") };
    let manifest = &json("manifest.json")[0];
    let configuration = json(manifest["Config"].as_str().expect("a name"));
    assert_eq!(configuration["config"]["Entrypoint"][0], SUBJECT);
    assert_eq!(manifest["Layers"].as_array().map(Vec::len), Some(1));
}

async fn read(bench: &Bench, path: &str) -> Option<ImageFile> {
    let (image, labels) = (&bench.subject().reference, bench.labels());
    bench
        .runtime()
        .read_image_file(image, path, &labels)
        .await
        .expect("the file is read")
}

async fn an_unknown_image_is_none(bench: &Bench) {
    for image in [
        "localhost/shellproof/none:1",
        "shellproof-none",
        "127.0.0.1:1/none:1",
    ] {
        assert_eq!(bench.runtime().image(image).await, Ok(None), "{image}");
    }
}

async fn what_is_no_reference_is_refused(bench: &Bench) {
    // Some of these would ask for something else if they were pasted into a request; every backend refuses the rest
    // too, whatever its engine would say.
    for image in [
        "",
        "a b",
        "a?b",
        "../info",
        "UPPER CASE",
        "a..b:1",
        "reg.corp/Foo/bar:1",
        "localhost:99999/a",
        "a:",
        "a@sha256:12",
    ] {
        bench.refused(bench.runtime().image(image).await, ErrorKind::Invalid, &[image]);
    }
}

async fn an_image_tells_its_configuration(bench: &Bench) {
    let image = bench.runtime().image(&bench.subject().reference).await;
    let image = image.expect("the engine answers").expect("the image is there");
    assert_eq!(image.entrypoint, [SUBJECT]);
    assert_eq!(image.command, ["echo", "from", "the", "image"]);
    assert_eq!(image.user, USER);
    assert_eq!(image.labels.get(LABEL.0).map(String::as_str), Some(LABEL.1));
    assert!(image.env.contains(&"FROM=image".to_owned()), "{:?}", image.env);
    assert!(
        image.id.starts_with("sha256:") && image.id.len() == 71,
        "{}",
        image.id
    );
    assert!(image.size > 0);
}

async fn an_image_without_a_configuration_has_none(bench: &Bench) {
    let image = bench.runtime().image(&bench.subject().bare).await;
    let image = image.expect("the engine answers").expect("the image is there");
    assert!(
        image.entrypoint.is_empty() && image.command.is_empty(),
        "{image:?}"
    );
    assert!(image.user.is_empty() && image.labels.is_empty(), "{image:?}");
    assert_eq!(image.health_check, None);
}

async fn an_image_tells_its_health_check(bench: &Bench) {
    let image = bench.runtime().image(&bench.subject().reference).await;
    let check = image
        .expect("the engine answers")
        .expect("the image is there")
        .health_check;
    if check.is_none() && bench.runtime().engine().kind == EngineKind::Podman {
        return; // "Not recorded", says the contract.
    }
    let check = check.expect("the image has a health check");
    assert_eq!(
        check.test,
        HealthTest::Command(vec![SUBJECT.into(), "exit".into(), "0".into()])
    );
    assert_eq!(check.interval.map(|interval| interval.as_secs()), Some(30));
    assert_eq!(check.timeout, None);
}

async fn loading_twice_is_no_error(bench: &Bench) {
    for _ in 0..2 {
        bench
            .runtime()
            .load_image(&bench.subject().archive)
            .await
            .expect("the archive is loaded");
    }
}

async fn loading_what_is_no_archive_is_refused(bench: &Bench) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&[b'x'; 100_000]).expect("it takes bytes");
    let error = bench
        .runtime()
        .load_image(file.path())
        .await
        .expect_err("it is no archive");
    assert!(
        error.to_string().contains(&*file.path().to_string_lossy()),
        "{error}"
    );
}

async fn loading_an_archive_without_an_image_is_refused(bench: &Bench) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&[0; 10_240]).expect("it takes bytes");
    bench
        .runtime()
        .load_image(file.path())
        .await
        .expect_err("there is no image in it");
}

async fn loading_what_is_not_there_is_refused(bench: &Bench) {
    let loaded = bench
        .runtime()
        .load_image(Path::new("/no/such/archive.tar"))
        .await;
    bench.refused(loaded, ErrorKind::NotFound, &["/no/such/archive.tar"]);
}

async fn a_file_is_read_without_running_the_image(bench: &Bench) {
    let file = read(bench, "/files/small").await.expect("the file is there");
    assert_eq!(file.kind, FileKind::File);
    assert_eq!((file.mode, file.owner, file.size), (0o640, (12, 34), 6));
    assert_eq!(file.content, b"small\n");
}

async fn an_empty_file_is_read(bench: &Bench) {
    let file = read(bench, "/files/empty").await.expect("the file is there");
    assert_eq!((file.kind, file.size, file.content), (FileKind::File, 0, vec![]));
}

async fn special_permissions_are_read(bench: &Bench) {
    let file = read(bench, "/files/privileged").await.expect("the file is there");
    assert_eq!(file.mode, 0o4755, "{:o}", file.mode);
}

async fn a_path_that_does_not_exist_is_none(bench: &Bench) {
    for path in ["/none", "/none/below", "/files/none", "/files/with space?"] {
        assert_eq!(read(bench, path).await, None, "{path}");
    }
}

async fn a_path_below_a_file_is_none(bench: &Bench) {
    assert_eq!(read(bench, "/files/small/below").await, None);
}

async fn a_link_in_the_middle_is_followed(bench: &Bench) {
    let file = read(bench, "/files/dir-link/inner")
        .await
        .expect("the file is there");
    assert_eq!((file.kind, file.content), (FileKind::File, b"inner\n".to_vec()));
}

async fn a_link_at_the_end_is_not_followed(bench: &Bench) {
    let link = read(bench, "/files/link").await.expect("the link is there");
    assert_eq!(link.kind, FileKind::Symlink("/files/small".into()));
    assert!(link.content.is_empty());
    let link = read(bench, "/files/dir-link").await.expect("the link is there");
    assert_eq!(link.kind, FileKind::Symlink("dir".into()));
}

async fn a_link_to_nothing_is_a_link(bench: &Bench) {
    let link = read(bench, "/files/broken").await.expect("the link is there");
    assert_eq!(link.kind, FileKind::Symlink("/none".into()));
}

async fn a_directory_is_no_file(bench: &Bench) {
    for path in ["/files/dir", "/files/dir/"] {
        let dir = read(bench, path).await.expect("the directory is there");
        assert_eq!((dir.kind, dir.mode), (FileKind::Directory, 0o750), "{path}");
        assert!(dir.content.is_empty());
    }
}

async fn the_root_is_a_directory(bench: &Bench) {
    assert_eq!(
        read(bench, "/").await.expect("the root is there").kind,
        FileKind::Directory
    );
}

async fn a_large_file_is_kept_in_part(bench: &Bench) {
    let file = read(bench, "/files/large").await.expect("the file is there");
    assert_eq!(file.size, LARGE as u64);
    assert_eq!(file.content.len(), ImageFile::MAX_CONTENT);
}

async fn a_file_of_an_image_without_a_command_is_read(bench: &Bench) {
    let (image, labels) = (&bench.subject().bare, bench.labels());
    let file = bench
        .runtime()
        .read_image_file(image, "/files/small", &labels)
        .await;
    assert_eq!(
        file.expect("the file is read")
            .expect("the file is there")
            .content,
        b"small\n"
    );
}

async fn a_file_of_an_unknown_image_is_refused(bench: &Bench) {
    let image = "localhost/shellproof/none:1";
    let file = bench
        .runtime()
        .read_image_file(image, "/file", &bench.labels())
        .await;
    bench.refused(file, ErrorKind::ImageMissing, &[image]);
}

async fn reading_leaves_nothing_behind(bench: &Bench) {
    read(bench, "/files/small").await;
    read(bench, "/files/dir").await;
    read(bench, "/files/large").await;
    assert_eq!(read(bench, "/files/none").await, None);
    let owned = bench.owned().await.expect("the engine lists");
    assert!(
        owned
            .iter()
            .all(|resource| resource.kind != ResourceKind::Container),
        "{owned:?}"
    );
}
