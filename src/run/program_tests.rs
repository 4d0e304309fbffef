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

/// Whether a path is a program in an image of these files.
async fn is(place: &str, files: &[(&str, ImageFile)]) -> bool {
    let mut fake = Fake::new().with_image("x:1", ImageConfig::default(), Behaviour::exit(0));
    for (path, file) in files {
        fake = fake.with_file("x:1", path, file.clone());
    }
    is_program(&fake, "x:1", &Labels::new(), place).await.unwrap()
}

#[tokio::test]
async fn links_are_followed_to_their_end() {
    for target in ["/opt/x", "../opt/x", "./../../opt/./x", "first"] {
        let files = [
            ("/bin/sh", link(target)),
            ("/bin/first", link("/opt/x")),
            ("/opt/x", program()),
        ];
        assert!(is("/bin/sh", &files).await, "{target}");
    }
    assert!(
        !is("/bin/sh", &[("/bin/sh", link("dash"))]).await,
        "a link to nothing"
    );
    assert!(
        is("/bin/sh", &[("/bin/sh", link("sh"))]).await,
        "a link without an end may be anything"
    );
}

#[tokio::test]
async fn what_cannot_be_executed_is_no_program() {
    for other in [
        file(FileKind::Directory, 0o755, 100),
        file(FileKind::Other, 0o755, 100),
        file(FileKind::File, 0o644, 100),
        file(FileKind::File, 0o755, 0),
    ] {
        assert!(!is("/bin/sh", &[("/bin/sh", other.clone())]).await, "{other:?}");
    }
    assert!(is("/bin/sh", &[("/bin/sh", file(FileKind::File, 0o100, 1))]).await);
    assert!(!is("/bin/sh", &[]).await);
}
