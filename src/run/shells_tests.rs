use shellproof_api::{ImageConfig, ImageFile};
use shellproof_fake::{Behaviour, Fake};

use super::*;

fn file(kind: FileKind, mode: u32, size: u64) -> ImageFile {
    ImageFile {
        kind,
        mode,
        owner: (0, 0),
        size,
        content: Vec::new(),
    }
}

fn program() -> ImageFile {
    file(FileKind::File, 0o755, 100)
}

fn link(target: &str) -> ImageFile {
    file(FileKind::Symlink(target.into()), 0o777, 0)
}

/// The shells that are found in an image of these files.
async fn found(files: &[(&str, ImageFile)]) -> Vec<String> {
    let mut fake = Fake::new().with_image("x:1", ImageConfig::default(), Behaviour::exit(0));
    for (path, file) in files {
        fake = fake.with_file("x:1", path, file.clone());
    }
    look(&fake, "x:1", &Labels::new()).await.unwrap()
}

#[tokio::test]
async fn an_image_without_files_has_no_shell() {
    assert_eq!(found(&[]).await, [""; 0]);
}

#[tokio::test]
async fn a_shell_is_found_at_each_of_its_places() {
    for place in PLACES {
        assert_eq!(found(&[(place, program())]).await, [*place]);
    }
    assert_eq!(
        found(&[("/usr/bin/bash", program()), ("/bin/sh", program())]).await,
        ["/bin/sh", "/usr/bin/bash"]
    );
    assert_eq!(found(&[("/usr/bin/python3", program())]).await, [""; 0]);
}

#[tokio::test]
async fn links_are_followed_to_their_end() {
    let busybox = ("/opt/x", program());
    for target in ["/opt/x", "../opt/x", "./../../opt/./x", "first"] {
        let files = [
            ("/bin/sh", link(target)),
            ("/bin/first", link("/opt/x")),
            busybox.clone(),
        ];
        assert_eq!(found(&files).await, ["/bin/sh"], "{target}");
    }
    assert_eq!(
        found(&[("/bin/sh", link("dash"))]).await,
        [""; 0],
        "a link to nothing"
    );
    assert_eq!(
        found(&[("/bin/sh", link("sh"))]).await,
        ["/bin/sh"],
        "a link without an end"
    );
}

#[tokio::test]
async fn what_cannot_be_executed_is_no_shell() {
    for other in [
        file(FileKind::Directory, 0o755, 100),
        file(FileKind::Other, 0o755, 100),
        file(FileKind::File, 0o644, 100),
        file(FileKind::File, 0o755, 0),
    ] {
        assert_eq!(found(&[("/bin/sh", other.clone())]).await, [""; 0], "{other:?}");
    }
    assert_eq!(
        found(&[("/bin/sh", file(FileKind::File, 0o100, 1))]).await,
        ["/bin/sh"]
    );
}
