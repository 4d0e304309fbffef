//! What a scenario's containers came to where all of their users are one and the same to the machine: nobody knows what they would
//! have come to with users that are told apart.

use std::collections::BTreeSet;

use shellproof_api::facts::{Container, Fact, What, Witness};
use shellproof_api::{MountSource, OneId};

use super::state::Execution;
use super::users::{Uses, shared};
use crate::result::{Expectation, Image};
use crate::scenario::ContainerPlan;

/// Where this is known from.
const SOURCE: &str = "this run";

impl Execution<'_> {
    /// Notes as whom a container is about to run.
    pub(super) fn note_user(&mut self, container: &ContainerPlan, image: &Image) {
        let user = container
            .user
            .as_ref()
            .map_or(&image.config.user, |user| &user.value);
        let place = |source: &MountSource| match source {
            MountSource::Volume(name) => name.clone(),
            MountSource::Bind(path) => path.display().to_string(),
        };
        let places = container.volumes.iter().map(|mount| place(&mount.value.source));
        self.users
            .push(Uses::new(&container.name.value, user, places.collect()));
    }

    /// What rests on users that are not told apart: what failed, and what containers of several users share.
    pub(in crate::run) fn one_user(&self, expectations: &[Expectation]) -> Vec<Fact> {
        let Some(one) = self.context.runtime.one_id() else {
            return Vec::new();
        };
        let failures = expectations.iter().filter_map(|one| one.failure.as_ref());
        let failed: BTreeSet<_> = failures.map(|failure| failure.container.as_deref()).collect();
        let failed = failed.into_iter().map(|container| {
            let fact = fact(&one, "something failed that may need more");
            match container {
                Some(name) => fact.about(Container {
                    id: None,
                    name: self.name(name),
                }),
                None => fact,
            }
        });
        failed
            .chain(shared(&self.users).iter().map(|shared| fact(&one, shared)))
            .collect()
    }
}

fn fact(one: &OneId, what: &str) -> Fact {
    let what = What::OneUser {
        why: format!("there is one user id only ({}), and {what}", one.cause),
        help: one.help.clone(),
    };
    Fact::new(Witness::Kernel, SOURCE, what)
}
