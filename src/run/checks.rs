//! Whether the programs of health checks are in their images: an engine may never run a check, or say no word of one that
//! fails.

use shellproof_api::Error;
use shellproof_api::facts::{Fact, What};
use shellproof_wire::{InspectedContainer, Recording};

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
        for check in &mut start.checks {
            let Some(program) = health::program(&check.test) else {
                continue;
            };
            if is_to_be_found(recording, subject, &program)
                && let Ok(false) = is_there(images, invocation, &subject.image, &program).await
            {
                check.lacking = Some(program);
            }
        }
    }
}

/// Whether a program is where its image says, if it is anywhere.
fn is_to_be_found(recording: &Recording, subject: &InspectedContainer, program: &str) -> bool {
    let is_mounted = |path: &str| {
        let mut mounts = subject.mounts.iter();
        mounts.any(|mount| path.starts_with(mount.as_str()))
    };
    if program.contains('/') {
        return program.starts_with('/') && !is_mounted(program);
    }
    let mut made = recording.records.iter();
    let made = made.find(|record| record.made.as_ref() == Some(&subject.id));
    let has_path = made.is_none_or(|record| {
        let body = record.body.to_string();
        body.contains("\"PATH=") || body.contains("\"PATH\":")
    });
    // A mount may cover any directory of `PATH`.
    !has_path && !subject.mounts.iter().any(|mount| mount.contains("bin"))
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
