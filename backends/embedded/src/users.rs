//! Users and groups of an image, by name and number.

/// Whom a container's program runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Further groups.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// The two files of an image that tell its users; empty where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accounts {
    pub(crate) passwd: String,
    pub(crate) group: String,
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl Accounts {
    /// The user that `uid`, `name`, `uid:gid` or `name:group` means. Nobody named is root.
    ///
    /// # Errors
    /// What is not in the image.
    pub(crate) fn user(&self, text: &str) -> Result<User, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
            None => (text, None),
        };
        let account = self.accounts().find(|account| match user.parse::<u32>() {
            Ok(uid) => account.uid == uid,
            Err(_) => account.name == if user.is_empty() { "root" } else { user },
        });
        let uid = match (&account, user.parse()) {
            (Some(account), _) => account.uid,
            (None, Ok(uid)) => uid,
            (None, Err(_)) if user.is_empty() || user == "root" => 0,
            (None, Err(_)) => return Err(format!("the image has no user `{user}` in `/etc/passwd`")),
        };
        let gid = match group {
            None => account.as_ref().map_or(0, |account| account.gid),
            Some(group) => match group.parse() {
                Ok(gid) => gid,
                Err(_) => self
                    .groups()
                    .find(|(name, ..)| *name == group)
                    .map(|(_, gid, _)| gid)
                    .ok_or_else(|| format!("the image has no group `{group}` in `/etc/group`"))?,
            },
        };
        let name = account.as_ref().map(|account| account.name);
        // Whoever names a group wants that one alone.
        let groups = match group {
            Some(_) => Vec::new(),
            None => self
                .groups()
                .filter(|(_, _, members)| name.is_some_and(|name| members.split(',').any(|one| one == name)))
                .map(|(_, gid, _)| gid)
                .filter(|one| *one != gid)
                .collect(),
        };
        let home = account
            .map(|account| account.home)
            .filter(|home| !home.is_empty());
        Ok(User {
            uid,
            gid,
            groups,
            home: home.unwrap_or("/").to_owned(),
        })
    }

    fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.passwd.lines().filter_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            let [name, _, uid, gid, _, home, ..] = fields.as_slice() else {
                return None;
            };
            Some(Account {
                name,
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                home,
            })
        })
    }

    fn groups(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.group.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let gid = fields.nth(1)?.parse().ok()?;
            Some((name, gid, fields.next().unwrap_or_default()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let accounts = Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100:Ann:/home/ann:/bin/sh\nbroken\n".into(),
            group: "users:x:100:\naudio:x:29:ann,bob\n".into(),
        };
        for (text, uid, gid, groups, home) in [
            ("", 0, 0, &[][..], "/root"),
            ("root", 0, 0, &[], "/root"),
            ("ann", 1000, 100, &[29], "/home/ann"),
            ("1000", 1000, 100, &[29], "/home/ann"),
            ("ann:audio", 1000, 29, &[], "/home/ann"),
            ("ann:7", 1000, 7, &[], "/home/ann"),
            ("65532", 65532, 0, &[], "/"),
            ("7:8", 7, 8, &[], "/"),
        ] {
            let user = accounts.user(text).unwrap();
            assert_eq!(
                (user.uid, user.gid, user.groups.as_slice()),
                (uid, gid, groups),
                "{text}"
            );
            assert_eq!(user.home, home, "{text}");
        }
        assert!(accounts.user("bob").unwrap_err().contains("`bob`"));
        assert!(accounts.user("ann:none").unwrap_err().contains("`none`"));
        assert_eq!(Accounts::default().user("root").unwrap().uid, 0);
    }
}
