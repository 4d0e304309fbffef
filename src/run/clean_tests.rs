use shellproof_api::{ContainerSpec, ImageConfig, Labels};
use shellproof_fake::{Behaviour, Fake};

use super::*;

fn image(name: &str, label: &str, value: &str) -> Resource {
    Resource {
        kind: ResourceKind::Image,
        id: name.into(),
        name: name.into(),
        labels: Labels::from([(label.to_owned(), value.to_owned())]),
    }
}

#[test]
fn an_image_is_ours_if_name_and_label_say_it_alike() {
    let tiny = "localhost/shellproof/fixture-tiny:7e6d1c81ffe5";
    assert!(is_ours(&image(tiny, labels::FIXTURE, "tiny")));
    assert!(is_ours(&image(
        "localhost/shellproof/probe:0123456789ab",
        labels::PROBE,
        "1"
    )));
    // Built from one of ours, or called like it.
    for (name, label, value) in [
        ("registry.example/team/app:1", labels::FIXTURE, "tiny"),
        ("localhost/app:latest", labels::PROBE, "1"),
        (
            "localhost/shellproof/fixture-tiny:latest",
            labels::FIXTURE,
            "tiny",
        ),
        ("localhost/shellproof/app:7e6d1c81ffe5", labels::FIXTURE, "tiny"),
        (tiny, labels::FIXTURE, "python"),
        (tiny, "maintainer", "tiny"),
        (format!("sha256:{:064x}", 7).as_str(), labels::FIXTURE, "tiny"),
    ] {
        assert!(!is_ours(&image(name, label, value)), "{name}");
    }
}

#[tokio::test]
async fn images_go_only_if_they_are_asked_for_and_nobody_needs_them() {
    let config = ImageConfig {
        entrypoint: vec!["/program".into()],
        ..ImageConfig::default()
    };
    let fake = Fake::new().with_image("x:1", config, Behaviour::until_killed());
    let invocation = Invocation::start().unwrap();
    let container = |name: &str, labels| ContainerSpec {
        name: name.into(),
        image: "x:1".into(),
        labels,
        ..ContainerSpec::default()
    };
    let dead = Labels::from([(labels::RUN.to_owned(), "00000000".to_owned())]);
    fake.create_container(&container("dead", dead)).await.unwrap();
    fake.create_container(&container("alive", invocation.labels()))
        .await
        .unwrap();
    let ours = "localhost/shellproof/fixture-tiny:7e6d1c81ffe5";
    let theirs = image("app:1", labels::FIXTURE, "tiny");
    let owned = async || {
        let mut owned = fake.owned().await.unwrap();
        owned.extend([image(ours, labels::FIXTURE, "tiny"), theirs.clone()]);
        owned
    };
    let names = |resources: &[Resource]| -> Vec<String> {
        resources.iter().map(|resource| resource.name.clone()).collect()
    };

    let cleaned = clean_engine(&fake, "fake".into(), owned().await, false, false).await;
    assert_eq!(names(&cleaned.removed), ["dead"]);
    assert_eq!(cleaned.images, 1);
    let [(alive, _)] = cleaned.left.as_slice() else {
        panic!("one container, not {:?}", cleaned.left)
    };
    assert_eq!(alive.name, "alive");

    // What goes on here may need the image.
    let cleaned = clean_engine(&fake, "fake".into(), owned().await, false, true).await;
    assert_eq!(names(&cleaned.removed), [""; 0]);
    assert_eq!(cleaned.left.len(), 2);

    fake.remove(&alive.clone()).await.unwrap();
    let cleaned = clean_engine(&fake, "fake".into(), owned().await, true, true).await;
    assert_eq!(names(&cleaned.removed), [""; 0], "a run goes on elsewhere");
    let cleaned = clean_engine(&fake, "fake".into(), owned().await, false, true).await;
    assert_eq!(names(&cleaned.removed), [ours]);
    assert_eq!(cleaned.errors, [""; 0]);
}
