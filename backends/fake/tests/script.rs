//! What can be scripted beyond the contract.

use shellproof_api::{ContainerSpec, ErrorKind, ImageConfig, NetworkSpec, Runtime};
use shellproof_fake::{Behaviour, Fake};

fn config() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/program".into()],
        ..ImageConfig::default()
    }
}

#[tokio::test]
async fn a_scripted_failure_happens_every_time() {
    let fake = Fake::new().fail("create_network", ErrorKind::Denied);
    for _ in 0..2 {
        let error = fake
            .create_network(&NetworkSpec {
                name: "net".into(),
                ..NetworkSpec::default()
            })
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(
            error.to_string(),
            "failed to create network `net` on fake: scripted to fail"
        );
    }
}

#[test]
#[should_panic(expected = "no operation is called `start`")]
fn a_failure_that_cannot_happen_is_refused() {
    let _ = Fake::new().fail("start", ErrorKind::Other);
}

#[tokio::test]
async fn a_refused_program_leaves_an_exited_container() {
    let fake = Fake::new().with_image("x:1", config(), Behaviour::refuse(ErrorKind::NotExecutable));
    let spec = ContainerSpec {
        name: "c".into(),
        image: "x:1".into(),
        ..ContainerSpec::default()
    };
    let id = fake.create_container(&spec).await.unwrap();
    assert_eq!(
        fake.start_container(&id).await.unwrap_err().kind,
        ErrorKind::NotExecutable
    );
    assert_eq!(fake.wait_container(&id).await, Ok(127));
}

#[tokio::test]
async fn a_remote_image_is_there_once_it_is_pulled() {
    let fake = Fake::new()
        .with_image("r.example/x:1", config(), Behaviour::exit(0))
        .with_remote("r.example/x:1");
    assert_eq!(fake.image("r.example/x:1").await, Ok(None));
    fake.pull_image("r.example/x:1", None, &|_| {}).await.unwrap();
    assert_eq!(fake.image("r.example/x:1").await, Ok(Some(config())));
    let error = fake.pull_image("r.example/y:1", None, &|_| {}).await.unwrap_err();
    assert!(error.message.contains("registry `r.example`"), "{error}");
}
