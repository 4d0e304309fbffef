//! As whom containers run, and on what they may meet each other.

use std::collections::BTreeMap;

/// As whom a container runs, and on what it may meet others.
#[derive(Debug)]
pub(super) struct Uses {
    container: String,
    user: String,
    /// Volumes and directories of the machine, as the scenario calls them.
    places: Vec<String>,
}

impl Uses {
    pub(super) fn new(container: &str, user: &str, places: Vec<String>) -> Self {
        Self {
            container: container.to_owned(),
            user: user_of(user).to_owned(),
            places,
        }
    }
}

/// The user of `user:group`, as far as it can be told from others.
fn user_of(text: &str) -> &str {
    match text.split(':').next().unwrap_or_default() {
        "" | "root" => "0",
        user => user,
    }
}

/// What containers of several users share, each with its containers.
pub(super) fn shared(all: &[Uses]) -> Vec<String> {
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
        let uses = |container: &str, user: &str, places: &[&str]| {
            Uses::new(
                container,
                user,
                places.iter().map(|&place| place.into()).collect(),
            )
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
