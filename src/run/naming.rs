//! Whether containers find each other by name, where that is in doubt: found out once, before a scenario waits in vain.

use shellproof_api::{ContainerSpec, Error, Naming, NetworkAttachment, NetworkSpec, Resource, ResourceKind};

use super::clean::remove_all;
use super::images::{ImageError, Images};
use crate::invocation::Invocation;

/// The name that is asked for.
const NAME: &str = "named";
/// How long it is asked for, in milliseconds: a name server may be late.
const ASKED: &str = "5000";
/// As long as the other one lives, in milliseconds, unless it is removed.
const LIVES: &str = "600000";

/// Why containers on an engine's networks do not find each other by name, if they do not.
///
/// # Errors
/// It could not be tried.
pub(crate) async fn problem(images: &Images, invocation: &Invocation) -> Result<Option<String>, ImageError> {
    let Naming::Doubtful(cause) = images.runtime().naming() else {
        return Ok(None);
    };
    let network = format!("shellproof-{}-naming", invocation.id());
    let container = async |name: &str, aliases: &[&str], words: &[&str]| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let spec = images
            .probe_container(invocation, &format!("{network}-{name}"), words)
            .await?;
        Ok::<_, ImageError>(ContainerSpec {
            network: Some(NetworkAttachment {
                network: network.clone(),
                aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
            }),
            ..spec
        })
    };
    // Nothing listens on port 1, so this one waits.
    let named = container("named", &[NAME], &["tcp", "127.0.0.1", "1", LIVES]).await?;
    let asking = container("asking", &[], &["resolve", NAME, ASKED]).await?;
    let made = [
        (ResourceKind::Container, &asking.name),
        (ResourceKind::Container, &named.name),
        (ResourceKind::Network, &network),
    ]
    .map(|(kind, name)| Resource {
        kind,
        id: name.clone(),
        name: name.clone(),
        labels: invocation.labels(),
    });
    let answer = ask(images, invocation, &network, &named, &asking).await;
    // What is left is labelled, and `sweep` or `clean` removes it.
    remove_all(&**images.runtime(), made).await;
    Ok((answer? != 0).then(|| format!("containers on its networks do not find each other by name: {cause}")))
}

async fn ask(
    images: &Images,
    invocation: &Invocation,
    network: &str,
    named: &ContainerSpec,
    asking: &ContainerSpec,
) -> Result<i64, Error> {
    let runtime = images.runtime();
    let network = NetworkSpec {
        name: network.to_owned(),
        labels: invocation.labels(),
    };
    runtime.create_network(&network).await?;
    let id = runtime.create_container(named).await?;
    runtime.start_container(&id).await?;
    let id = runtime.create_container(asking).await?;
    runtime.start_container(&id).await?;
    runtime.wait_container(&id).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shellproof_api::{ErrorKind, Runtime};
    use shellproof_fake::{Behaviour, Fake};

    use super::*;
    use crate::run::tests::{config, probe_reference};

    async fn asked(fake: Fake, resolves: bool) -> (Result<Option<String>, ImageError>, Vec<Resource>) {
        let program = move |_: &ContainerSpec, argv: &[String]| match argv[1].as_str() {
            "resolve" => Behaviour::exit(i64::from(!resolves)),
            _ => Behaviour::until_killed(),
        };
        let fake = Arc::new(fake.with_program(&probe_reference(), config(), program));
        let images = Images::new(fake.clone(), "/nowhere".into(), true);
        let problem = problem(&images, &Invocation::start().unwrap()).await;
        (problem, fake.owned().await.unwrap())
    }

    #[tokio::test]
    async fn names_are_tried_where_they_are_in_doubt() {
        let doubtful = || Fake::new().with_naming(Naming::Doubtful("a plugin is missing".into()));
        let expected = "containers on its networks do not find each other by name: a plugin is missing";
        for (fake, resolves, problem) in [
            (doubtful(), false, Some(expected.to_owned())),
            (doubtful(), true, None),
            (Fake::new(), false, None),
        ] {
            let (found, left) = asked(fake, resolves).await;
            assert_eq!((found, left), (Ok(problem), vec![]));
        }
        let (failed, left) = asked(doubtful().fail("start_container", ErrorKind::Other), false).await;
        assert!(failed.is_err());
        assert!(left.is_empty(), "{left:?}");
    }
}
