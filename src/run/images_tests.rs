use shellproof_api::{FileKind, ImageConfig};
use shellproof_fake::{Behaviour, Fake};

use super::*;

fn file(kind: FileKind, mode: u32) -> ImageFile {
    ImageFile {
        kind,
        mode,
        owner: (0, 0),
        size: 1,
        content: Vec::new(),
    }
}

#[tokio::test]
async fn a_program_is_found_as_the_image_would_find_it() {
    let config = ImageConfig {
        id: "sha256:1".into(),
        env: vec!["PATH=bin:/opt/bin/:/usr/bin".into()],
        ..ImageConfig::default()
    };
    let link = |target: &str| file(FileKind::Symlink(target.into()), 0o777);
    let fake = Fake::new()
        .with_image("x:1", config.clone(), Behaviour::exit(0))
        .with_file("x:1", "/opt/bin/app", file(FileKind::File, 0o755))
        .with_file("x:1", "/opt/bin/data", file(FileKind::File, 0o644))
        .with_file("x:1", "/usr/bin/data", file(FileKind::File, 0o755))
        .with_file("x:1", "/opt/bin/dir", file(FileKind::Directory, 0o755))
        .with_file("x:1", "/usr/bin/python", link("../lib/python3"))
        .with_file("x:1", "/usr/lib/python3", file(FileKind::File, 0o755))
        .with_file("x:1", "/usr/bin/here", link("/opt/bin/app"))
        .with_file("x:1", "/bin/curl", file(FileKind::File, 0o755));
    let images = Images::new(Arc::new(fake), "/nowhere".into(), true);
    let image = Image {
        source: "x:1".into(),
        reference: "x:1".into(),
        config,
        shells: None,
    };
    let invocation = Invocation::start().unwrap();
    for (program, expected) in [
        ("app", true),
        ("/opt/bin/app", true),
        // The first that can be executed counts, as in `execvp`.
        ("data", true),
        ("/opt/bin/data", false),
        ("dir", false),
        ("python", true),
        ("here", true),
        // It is there, but in no directory of this image's `PATH`.
        ("curl", false),
        ("/bin/curl", true),
        ("wget", false),
    ] {
        for _ in 0..2 {
            let has = images.has_program(&image, program, &invocation).await;
            assert_eq!(has, Ok(expected), "{program}");
        }
    }
}
