use std::sync::Mutex;

use shellproof_api::{Credentials, ErrorKind, PullProgress, ResourceKind, Result};

use super::case_list;
use crate::Bench;
use crate::registry::{Access, Registry};

case_list! {
    Kernel:
        an_unreachable_registry_is_named,
        a_pulled_image_is_there_with_its_digest_and_its_labels,
        a_pull_reports_progress,
        an_image_that_the_registry_does_not_have_is_missing,
        a_private_registry_denies_who_is_unknown,
        a_private_registry_denies_a_wrong_password,
        a_private_registry_takes_user_and_password,
        a_private_registry_takes_an_identity_token;
}

async fn registry(bench: &Bench, access: Access) -> Registry {
    Registry::start(bench.network_of_engine(), access, &bench.labels())
        .await
        .expect("a registry starts")
}

async fn pull(bench: &Bench, registry: &Registry, username: &str, secret: &str) -> Result<()> {
    let credentials = Credentials {
        registry: registry.host(),
        username: username.to_owned(),
        secret: secret.to_owned(),
    };
    bench
        .runtime()
        .pull_image(&registry.image(), Some(&credentials), &|_| {})
        .await
}

async fn an_unreachable_registry_is_named(bench: &Bench) {
    let pulled = bench.runtime().pull_image("127.0.0.1:1/x:1", None, &|_| {}).await;
    let error = bench.refused(pulled, ErrorKind::Unreachable, &["`127.0.0.1:1/x:1`", "refused"]);
    assert!(error.message.contains("registry `127.0.0.1:1`"), "{error}");
}

async fn a_pulled_image_is_there_with_its_digest_and_its_labels(bench: &Bench) {
    let registry = registry(bench, Access::Open).await;
    bench
        .runtime()
        .pull_image(&registry.image(), None, &|_| {})
        .await
        .expect("it is pulled");
    let image = bench
        .runtime()
        .image(&registry.image())
        .await
        .expect("the engine answers");
    let image = image.expect("the image is there");
    assert_eq!(image.command, ["/pulled"]);
    assert_eq!(image.labels, bench.labels());
    let digest = image.digest.expect("a pulled image has a digest");
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");

    let owned = bench.owned().await.expect("the engine lists");
    let [owned] = owned.as_slice() else {
        panic!("one image, not {owned:?}")
    };
    assert_eq!(
        (owned.kind, owned.name.as_str()),
        (ResourceKind::Image, registry.image().as_str())
    );
    bench.runtime().remove(owned).await.expect("it is removed");
    assert_eq!(bench.runtime().image(&registry.image()).await, Ok(None));
}

async fn a_pull_reports_progress(bench: &Bench) {
    let registry = registry(bench, Access::Open).await;
    let steps = Mutex::new(Vec::<PullProgress>::new());
    let progress = |step| steps.lock().expect("no step panics").push(step);
    bench
        .runtime()
        .pull_image(&registry.image(), None, &progress)
        .await
        .expect("it is pulled");
    let steps = steps.into_inner().expect("no step panics");
    assert!(!steps.is_empty());
    assert!(steps.iter().all(|step| !step.status.is_empty()), "{steps:?}");
}

async fn an_image_that_the_registry_does_not_have_is_missing(bench: &Bench) {
    let registry = registry(bench, Access::Open).await;
    let (host, image) = (registry.host(), format!("{}/team/other:1", registry.host()));
    let pulled = bench.runtime().pull_image(&image, None, &|_| {}).await;
    bench.refused(
        pulled,
        ErrorKind::ImageMissing,
        &[&image, &format!("registry `{host}`")],
    );
}

// Password and token hold what differs between plain and URL-safe base64: engines decode the latter.
const PASSWORD: &str = "p>>???~~~w";
const TOKEN: &str = "token~~~~~~~~";

async fn a_private_registry_denies_who_is_unknown(bench: &Bench) {
    let registry = registry(bench, Access::Password("user", PASSWORD)).await;
    let pulled = bench.runtime().pull_image(&registry.image(), None, &|_| {}).await;
    bench.refused(
        pulled,
        ErrorKind::Denied,
        &[&registry.image(), &format!("registry `{}`", registry.host())],
    );
}

async fn a_private_registry_denies_a_wrong_password(bench: &Bench) {
    let registry = registry(bench, Access::Password("user", PASSWORD)).await;
    let pulled = pull(bench, &registry, "user", "hunter-2").await;
    let error = bench.refused(pulled, ErrorKind::Denied, &[&registry.image()]);
    assert!(!error.to_string().contains("hunter-2"), "the secret is shown");
}

async fn a_private_registry_takes_user_and_password(bench: &Bench) {
    let registry = registry(bench, Access::Password("user", PASSWORD)).await;
    pull(bench, &registry, "user", PASSWORD)
        .await
        .expect("it is pulled");
    assert!(
        bench
            .runtime()
            .image(&registry.image())
            .await
            .expect("the engine answers")
            .is_some()
    );
}

async fn a_private_registry_takes_an_identity_token(bench: &Bench) {
    let registry = registry(bench, Access::Identity(TOKEN)).await;
    pull(bench, &registry, "", TOKEN).await.expect("it is pulled");
    assert!(
        bench
            .runtime()
            .image(&registry.image())
            .await
            .expect("the engine answers")
            .is_some()
    );
}
