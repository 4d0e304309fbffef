//! What a scenario's containers came to where all of their users are one and the same to the machine: nobody knows what they would
//! have come to with users that are told apart.

use std::collections::{BTreeMap, BTreeSet};

use shellproof_api::facts::{Container, Fact, What, Witness};
use shellproof_api::{MountSource, OneId};

use super::state::Execution;
use crate::result::{Expectation, Image};
use crate::scenario::ContainerPlan;

/// Where this is known from.
const SOURCE: &str = "this run";

/// As whom a container runs, and on what it may meet others.
#[derive(Debug)]
pub(in crate::run) struct Uses {
    container: String,
    user: String,
    /// Volumes and directories of the machine, as the scenario calls them.
    places: Vec<String>,
}

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
        self.users.push(Uses {
            container: container.name.value.clone(),
            user: user_of(user).to_owned(),
            places: container
                .volumes
                .iter()
                .map(|mount| place(&mount.value.source))
                .collect(),
        });
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

/// The user of `user:group`, as far as it can be told from others.
fn user_of(text: &str) -> &str {
    match text.split(':').next().unwrap_or_default() {
        "" | "root" => "0",
        user => user,
    }
}

/// What containers of several users share, each with its containers.
fn shared(all: &[Uses]) -> Vec<String> {
    let mut by_place: BTreeMap<&str, Vec<&Uses>> = BTreeMap::new();
    for uses in all {
        for place in &uses.places {
            by_place.entry(place).or_default().push(uses);
        }
    }
    let several = |uses: &Vec<&Uses>| uses.iter().any(|one| one.user != uses[0].user);
    by_place
        .into_iter()
        .filter(|(_, uses)| several(uses))
        .map(|(place, uses)| {
            let users: Vec<_> = uses
                .iter()
                .map(|one| format!("`{}` (user {})", one.container, one.user))
                .collect();
            format!("{} share `{place}`", users.join(" and "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_users_share_is_told_with_them() {
        let uses = |container: &str, user: &str, places: &[&str]| Uses {
            container: container.into(),
            user: user_of(user).into(),
            places: places.iter().map(|&place| place.into()).collect(),
        };
        let all = [
            uses("a", "65532:0", &["cache", "own"]),
            uses("b", "1000", &["cache"]),
            uses("c", "", &["roots"]),
            uses("d", "root", &["roots"]),
        ];
        assert_eq!(
            shared(&all),
            ["`a` (user 65532) and `b` (user 1000) share `cache`"]
        );
        assert!(shared(&all[2..]).is_empty());
    }
}
