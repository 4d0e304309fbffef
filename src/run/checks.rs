//! Whether the programs of health checks are in their images: an engine may never run a check, or say no word of one that
//! fails.

use shellproof_api::facts::{Fact, What};
use shellproof_api::{Error, HealthTest};
use shellproof_wire::Recording;

use super::images::Images;
use crate::invocation::Invocation;
use crate::policy::health;

/// Notes in the facts of starts which health checks have a program, or a cure, that the container's image lacks. What is
/// mounted into it, or found by a `PATH` of its own, nobody looks for; nor for what an engine does not show.
pub(crate) async fn look(
    images: &Images,
    invocation: &Invocation,
    recording: &Recording,
    facts: &mut [Fact],
) {
    for fact in facts {
        let id = fact.id().map(str::to_owned);
        let What::Start(start) = &mut fact.what else {
            continue;
        };
        let mut subjects = recording.starts().filter_map(|record| record.subject.as_ref());
        let Some(subject) = subjects.find(|subject| Some(&subject.id) == id.as_ref()) else {
            continue;
        };
        let mut made = recording.records.iter();
        let made = made.find(|record| record.made.as_ref() == Some(&subject.id));
        let has_path = made.is_none_or(|record| {
            let body = record.body.to_string();
            body.contains("\"PATH=") || body.contains("\"PATH\":")
        });
        let place = Place {
            image: &subject.image,
            mounts: &subject.mounts,
            has_path,
        };
        for check in &mut start.checks {
            check.lacking = lacking(images, invocation, &place, &check.test).await;
        }
    }
}

/// Where a check's program is looked for.
pub(super) struct Place<'a> {
    /// The container's image, by its id.
    pub(super) image: &'a str,
    /// Where something is mounted into the container.
    pub(super) mounts: &'a [String],
    /// The container may have a `PATH` of its own.
    pub(super) has_path: bool,
}

/// The program that a check runs, or that its cure would name, if the image lacks it.
pub(super) async fn lacking(
    images: &Images,
    invocation: &Invocation,
    place: &Place<'_>,
    test: &HealthTest,
) -> Option<String> {
    let program = health::program(test)?;
    let is_missing = place.has(&program) && {
        let found = is_there(images, invocation, place.image, &program).await;
        matches!(found, Ok(false))
    };
    is_missing.then_some(program)
}

impl Place<'_> {
    /// Whether a program is where its image says, if it is anywhere.
    fn has(&self, program: &str) -> bool {
        if program.contains('/') {
            let is_mounted = self
                .mounts
                .iter()
                .any(|mount| program.starts_with(mount.as_str()));
            return program.starts_with('/') && !is_mounted;
        }
        // A mount may cover any directory of `PATH`.
        !self.has_path && !self.mounts.iter().any(|mount| mount.contains("bin"))
    }
}

async fn is_there(
    images: &Images,
    invocation: &Invocation,
    image: &str,
    program: &str,
) -> Result<bool, Error> {
    match images.by_id(image).await? {
        Some(image) => images.has_program(&image, program, invocation).await,
        // Somebody has removed it.
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use shellproof_api::{FileKind, ImageConfig, ImageFile};
    use shellproof_fake::{Behaviour, Fake};
    use shellproof_wire::{InspectedContainer, Record, Route};

    use super::*;

    const IMAGE: &str = "sha256:1";

    fn images() -> Images {
        let config = ImageConfig {
            id: IMAGE.into(),
            env: vec!["PATH=/usr/bin".into()],
            ..ImageConfig::default()
        };
        let program = ImageFile {
            kind: FileKind::File,
            mode: 0o755,
            owner: (0, 0),
            size: 1,
            content: Vec::new(),
        };
        let fake = Fake::new()
            .with_image(IMAGE, config, Behaviour::exit(0))
            .with_file(IMAGE, "/usr/bin/probe", program);
        Images::new(Arc::new(fake), "/nowhere".into(), true)
    }

    /// What the image lacks, as the facts of one start say it.
    async fn lacking(test: &[&str], image: &str, mounts: &[&str], body: Value) -> Option<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let record = |target: &str| Record {
            method: "POST".into(),
            target: target.into(),
            route: Route::parse("POST", target),
            status: Some(204),
            ..Record::default()
        };
        let recording = Recording {
            records: vec![
                Record {
                    made: Some("1".into()),
                    body,
                    ..record("/containers/create")
                },
                Record {
                    subject: Some(InspectedContainer {
                        id: "1".into(),
                        image: image.into(),
                        argv: vec!["/x".into()],
                        health_test: words(test),
                        mounts: words(mounts),
                        ..InspectedContainer::default()
                    }),
                    ..record("/containers/1/start")
                },
            ],
            ..Recording::default()
        };
        let mut facts = recording.facts();
        let invocation = Invocation::start().unwrap();
        look(&images(), &invocation, &recording, &mut facts).await;
        facts.into_iter().find_map(|fact| match fact.what {
            What::Start(start) => start.checks.into_iter().next()?.lacking,
            _ => None,
        })
    }

    #[tokio::test]
    async fn a_program_that_the_image_lacks_is_found_and_one_that_it_has_is_not() {
        for (test, expected) in [
            (&["CMD", "curl", "x"][..], Some("curl")),
            (&["CMD", "/usr/bin/curl"], Some("/usr/bin/curl")),
            (&["CMD", "probe", "x"], None),
            (&["CMD", "/usr/bin/probe"], None),
            (&["CMD-SHELL", "curl x || exit 1"], Some("curl")),
            (&["CMD-SHELL", "probe x"], None),
            // What a shell makes of this, nobody knows.
            (&["CMD-SHELL", "curl x | grep y"], None),
            (&["NONE"], None),
        ] {
            let found = lacking(test, IMAGE, &[], json!({ "Env": ["A=redacted"] })).await;
            assert_eq!(found.as_deref(), expected, "{test:?}");
            // As Podman has the id.
            let found = lacking(test, "1", &[], json!({})).await;
            assert_eq!(found.as_deref(), expected, "{test:?}");
        }
    }

    #[tokio::test]
    async fn what_may_come_from_elsewhere_is_not_missed() {
        let by_path = &["CMD", "/opt/probe/curl"][..];
        let by_name = &["CMD", "curl"][..];
        for (test, image, mounts, body) in [
            (by_path, IMAGE, &["/opt/probe"][..], json!({})),
            (by_name, IMAGE, &["/usr/local/bin"], json!({})),
            (by_name, IMAGE, &[], json!({ "Env": ["PATH=redacted"] })),
            (by_name, IMAGE, &[], json!({ "env": { "PATH": "redacted" } })),
            (by_name, "sha256:gone", &[], json!({})),
        ] {
            assert_eq!(
                lacking(test, image, mounts, body.clone()).await,
                None,
                "{mounts:?} {body}"
            );
        }
        assert!(
            lacking(by_path, IMAGE, &["/data"], json!({ "Env": ["PATH=redacted"] }))
                .await
                .is_some()
        );
    }
}
