use shellproof_api::facts::{Container, Outcome};
use shellproof_api::{ErrorKind, ImageConfig, Labels};
use shellproof_fake::{Behaviour, Fake};

use super::*;
use crate::run::archive::write_single_program;

const ID: &str = "sha256:1";

/// A fake with one image, of one program.
fn fake() -> Fake {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.tar");
    write_single_program(&path, "localhost/x", b"\x7fELF", &Labels::new()).unwrap();
    Fake::new()
        .with_image(ID, ImageConfig::default(), Behaviour::exit(0))
        .with_archive(ID, std::fs::read(path).unwrap())
}

fn contents(fake: Fake) -> Contents {
    Contents::new(Arc::new(fake))
}

fn start(container: &str, image: Option<&str>, outcome: Outcome) -> Fact {
    let start = Start {
        argv: vec!["/program".into()],
        checks: Vec::new(),
        image: image.map(str::to_owned),
        image_name: "x:1".into(),
        mounts: Vec::new(),
        has_init: false,
        service: None,
        made_here: true,
        doors: Vec::new(),
        outcome,
    };
    Fact::new(Witness::Wire, "request 1", What::Start(start)).about(Container {
        id: None,
        name: container.into(),
    })
}

fn read(fact: &Fact) -> Result<&Arc<ImageContent>, &str> {
    match &fact.what {
        What::Image { content, .. } => Ok(content),
        What::Unseen {
            gap: Gap::Image, why, ..
        } => Err(why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_image_is_read_once() {
    let contents = contents(fake());
    let seen = [
        start("one", Some(ID), Outcome::Begun),
        start("two", Some(ID), Outcome::Failed),
        start("three", Some("sha256:other"), Outcome::Denied),
    ];
    let first = facts(&contents, &seen, true).await;
    let [image] = first.as_slice() else {
        panic!("{first:?}")
    };
    assert_eq!((image.witness, image.source.as_str()), (Witness::Image, "`x:1`"));
    let content = read(image).unwrap();
    assert_eq!(content.programs[0].path, "/program");
    let again = facts(&contents, &seen, false).await;
    assert!(Arc::ptr_eq(content, read(&again[0]).unwrap()));
}

#[tokio::test]
async fn what_cannot_be_read_is_a_gap_of_its_container() {
    let missing = contents(Fake::new());
    let broken = contents(fake().fail("save_image", ErrorKind::Other));
    let cut = contents(fake().with_archive(ID, vec![0; 100]));
    for contents in [&missing, &broken, &cut] {
        let found = facts(contents, &[start("job", Some(ID), Outcome::Begun)], true).await;
        let why = read(&found[0]).unwrap_err();
        assert!(why.starts_with("the image of `job` could not be read: "), "{why}");
    }
    let nameless = facts(&missing, &[start("job", None, Outcome::Begun)], true).await;
    assert!(
        read(&nameless[0])
            .unwrap_err()
            .ends_with("its engine does not say which it is")
    );
    assert!(facts(&missing, &[], true).await.is_empty());
}

#[tokio::test]
async fn nobody_waits_for_what_broke() {
    let contents = contents(fake());
    let found = facts(&contents, &[start("job", Some(ID), Outcome::Begun)], false).await;
    assert!(
        read(&found[0])
            .unwrap_err()
            .ends_with("nobody waited for it to be read")
    );
}
