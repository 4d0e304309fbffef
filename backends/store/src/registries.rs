//! What `registries.conf` says: where an image really is, and what a name without a registry means.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use shellproof_api::ImageReference;

/// One file, as [containers-registries.conf(5)] has it; other keys do not matter here.
///
/// [containers-registries.conf(5)]: https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
#[derive(Debug, Default, Deserialize)]
struct Document {
    #[serde(rename = "unqualified-search-registries")]
    search: Option<Vec<String>>,
    #[serde(default)]
    registry: Vec<Registry>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    /// Version 1 had this.
    registries: Option<toml::Table>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    prefix: Option<String>,
    location: Option<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<Mirror>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<String>,
}

/// Where an image is to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Registry, repository and tag or digest there.
    pub(crate) reference: ImageReference,
    /// Its certificate need not be right, and it may have none.
    pub(crate) is_insecure: bool,
}

/// What all files together say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registries {
    search: Vec<String>,
    registries: BTreeMap<String, Registry>,
    aliases: BTreeMap<String, String>,
}

impl Registry {
    fn key(&self) -> Option<&str> {
        self.prefix
            .as_deref()
            .filter(|prefix| !prefix.is_empty())
            .or(self.location.as_deref())
    }

    /// How much of a name, in full, is its prefix.
    fn matches(&self, name: &str) -> Option<usize> {
        let prefix = self.key()?;
        if let Some(domain) = prefix.strip_prefix('*') {
            let host = name.split('/').next()?;
            return host.ends_with(domain).then_some(host.len());
        }
        let rest = name.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with(['/', ':', '@'])).then_some(prefix.len())
    }
}

impl Registries {
    /// Reads the user's files, or else the machine's, as Podman does.
    ///
    /// # Errors
    /// Which file is wrong, and why.
    pub(crate) fn of_user() -> Result<Self, String> {
        Self::read(&files(|name| std::env::var_os(name).map(PathBuf::from)))
    }

    fn read(files: &[PathBuf]) -> Result<Self, String> {
        let mut all = Self::default();
        for file in files {
            let wrong = |error: &dyn std::fmt::Display| format!("`{}`: {error}", file.display());
            let text = match fs::read_to_string(file) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(wrong(&error)),
            };
            let document: Document = toml::from_str(&text).map_err(|error| wrong(&error))?;
            if document.registries.is_some() {
                return Err(wrong(
                    &"it is of version 1, which is not read\nhelp: write `[[registry]]` tables",
                ));
            }
            // A later file replaces what an earlier one says of the same.
            all.search = document.search.unwrap_or(all.search);
            all.aliases.extend(document.aliases);
            for registry in document.registry {
                let key = registry.key().map(str::to_owned);
                let key =
                    key.ok_or_else(|| wrong(&"a `[[registry]]` has neither `prefix` nor `location`"))?;
                all.registries.insert(key, registry);
            }
        }
        Ok(all)
    }

    /// The names in full that a reference may mean, in the order in which they are to be tried.
    ///
    /// # Errors
    /// What stands for it is no reference.
    pub(crate) fn full_names(&self, reference: &ImageReference) -> Result<Vec<ImageReference>, String> {
        if reference.registry().is_some() {
            return Ok(vec![reference.clone()]);
        }
        let rest = &reference.as_str()[reference.name().len()..];
        let names = match self.aliases.get(reference.name()) {
            Some(alias) => vec![alias.clone()],
            None if self.search.is_empty() => vec![reference.canonical_name()],
            None => self
                .search
                .iter()
                .map(|registry| format!("{registry}/{}", reference.name()))
                .collect(),
        };
        let full = |name: String| {
            let name = format!("{name}{rest}");
            let parsed: Result<ImageReference, _> = name.parse();
            parsed.map_err(|error| format!("`{reference}` stands for `{name}`, which is no image: {error}"))
        };
        names.into_iter().map(full).collect()
    }

    /// Where an image is to be asked for, mirrors first.
    ///
    /// # Errors
    /// Its registry is blocked, or what it is rewritten to is no reference.
    pub(crate) fn endpoints(&self, reference: &ImageReference) -> Result<Vec<Endpoint>, String> {
        let has_digest = reference.digest().is_some();
        let version = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => format!("@{digest}"),
            (None, tag) => format!(":{}", tag.unwrap_or("latest")),
        };
        let whole = format!("{}{version}", reference.canonical_name());
        let endpoint = |name: String, is_insecure| -> Result<Endpoint, String> {
            let parsed: Result<ImageReference, _> = name.parse();
            let reference = parsed.map_err(|error| {
                format!("`{whole}` is to be asked for as `{name}`, which is no image: {error}")
            })?;
            Ok(Endpoint {
                reference,
                is_insecure,
            })
        };
        let matching = self
            .registries
            .values()
            .filter_map(|one| Some((one.matches(&whole)?, one)));
        let Some((length, registry)) = matching.max_by_key(|(length, _)| *length) else {
            let is_insecure = is_loopback(reference.canonical_registry());
            return Ok(vec![endpoint(whole.clone(), is_insecure)?]);
        };
        if registry.blocked {
            return Err(format!("`{whole}` is blocked by `registries.conf`"));
        }
        let rest = &whole[length..];
        let is_used = |mirror: &&Mirror| match mirror.pull_from_mirror.as_deref() {
            Some("digest-only") => has_digest,
            Some("tag-only") => !has_digest,
            _ => has_digest || !registry.mirror_by_digest_only,
        };
        let mirrors = registry.mirror.iter().filter(is_used);
        let mut all = Vec::new();
        for mirror in mirrors {
            all.push(endpoint(format!("{}{rest}", mirror.location), mirror.insecure)?);
        }
        let own = match &registry.location {
            Some(location) => format!("{location}{rest}"),
            None => whole.clone(),
        };
        all.push(endpoint(own, registry.insecure)?);
        Ok(all)
    }
}

/// Whether a registry is on this very machine. Docker takes those without a certificate, unless somebody says otherwise.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => registry.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The files to read, in their order.
fn files(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(file) = variable("CONTAINERS_REGISTRIES_CONF") {
        return vec![file];
    }
    let config = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let users = config.map(|config| config.join("containers"));
    let machines = PathBuf::from("/etc/containers");
    let main = |place: &Path| place.join("registries.conf");
    // The user's file stands for the machine's, and the files beside them add to it.
    let first = users.as_deref().map(main).filter(|file| file.exists());
    let mut files = vec![first.unwrap_or_else(|| main(&machines))];
    for place in [Some(machines), users].into_iter().flatten() {
        let entries = fs::read_dir(place.join("registries.conf.d"));
        let mut beside: Vec<_> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        beside.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
        beside.sort();
        files.extend(beside);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Registries, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = |(place, text): (usize, &&str)| {
            let path = directory.path().join(format!("{place}.conf"));
            fs::write(&path, text).unwrap();
            path
        };
        let mut files: Vec<_> = texts.iter().enumerate().map(file).collect();
        files.push(directory.path().join("missing.conf"));
        Registries::read(&files)
    }

    fn asked(texts: &[&str], reference: &str) -> Vec<String> {
        let all = read(texts).unwrap();
        let endpoints = all.endpoints(&reference.parse().unwrap()).unwrap();
        let shown = |one: Endpoint| {
            format!(
                "{}{}",
                one.reference,
                if one.is_insecure { " insecure" } else { "" }
            )
        };
        endpoints.into_iter().map(shown).collect()
    }

    const MIRRORS: &str = r#"
        [[registry]]
        prefix = "reg.example/a"
        location = "other.example/b"
        [[registry.mirror]]
        location = "mirror.example:5000/m"
        insecure = true
        [[registry.mirror]]
        location = "digests.example"
        pull-from-mirror = "digest-only"
        [[registry]]
        location = "reg.example"
        insecure = true
        [[registry]]
        prefix = "*.corp.example"
        location = "proxy.example"
        [[registry]]
        prefix = "blocked.example"
        blocked = true
    "#;

    #[test]
    fn mirrors_come_before_the_registry_and_the_longest_prefix_counts() {
        let own = ["mirror.example:5000/m/x:1 insecure", "other.example/b/x:1"];
        assert_eq!(asked(&[MIRRORS], "reg.example/a/x:1"), own);
        assert_eq!(
            asked(&[MIRRORS], "reg.example/ab/x"),
            ["reg.example/ab/x:latest insecure"]
        );
        assert_eq!(asked(&[MIRRORS], "a.b.corp.example/x:1"), ["proxy.example/x:1"]);
        assert_eq!(asked(&[MIRRORS], "corp.example/x:1"), ["corp.example/x:1"]);
        assert_eq!(asked(&[], "python:3"), ["docker.io/library/python:3"]);
        let digest = format!("@sha256:{}", "0".repeat(64));
        let by_digest = asked(&[MIRRORS], &format!("reg.example/a/x:1{digest}"));
        assert_eq!(by_digest[1], format!("digests.example/x{digest}"));
        let blocked = read(&[MIRRORS])
            .unwrap()
            .endpoints(&"blocked.example/x:1".parse().unwrap());
        assert!(blocked.unwrap_err().contains("is blocked"));
        let later = "[[registry]]\nlocation = \"reg.example\"";
        assert_eq!(asked(&[MIRRORS, later], "reg.example/x:1"), ["reg.example/x:1"]);
    }

    #[test]
    fn a_registry_on_this_machine_needs_no_certificate_unless_somebody_says_so() {
        for (reference, is_insecure) in [
            ("localhost:5000/x:1", true),
            ("127.0.0.9/x:1", true),
            ("[::1]:5000/x:1", true),
            ("128.0.0.1:5000/x:1", false),
            ("localhost.example/x:1", false),
        ] {
            let asked = asked(&[], reference);
            assert_eq!(asked[0].ends_with(" insecure"), is_insecure, "{asked:?}");
        }
        let secure = "[[registry]]\nlocation = \"localhost:5000\"";
        assert_eq!(asked(&[secure], "localhost:5000/x:1"), ["localhost:5000/x:1"]);
    }

    #[test]
    fn a_mirror_by_digest_only_is_not_asked_for_tags() {
        let text = "[[registry]]\nlocation = \"r.example\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m.example\"";
        assert_eq!(asked(&[text], "r.example/x:1"), ["r.example/x:1"]);
        let digest = format!("r.example/x@sha256:{}", "0".repeat(64));
        assert_eq!(asked(&[text], &digest).len(), 2);
    }

    #[test]
    fn a_name_without_a_registry_means_its_alias_or_what_is_searched() {
        let names = |texts: &[&str], reference: &str| {
            let full = read(texts)
                .unwrap()
                .full_names(&reference.parse().unwrap())
                .unwrap();
            full.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let text = r#"
            unqualified-search-registries = ["one.example", "two.example:5000"]
            short-name-mode = "enforcing"
            [aliases]
            "tool" = "three.example/x/tool"
        "#;
        assert_eq!(
            names(&[text], "a/b:1"),
            ["one.example/a/b:1", "two.example:5000/a/b:1"]
        );
        assert_eq!(names(&[text], "tool:2"), ["three.example/x/tool:2"]);
        assert_eq!(names(&[text], "four.example/tool:2"), ["four.example/tool:2"]);
        assert_eq!(names(&[], "python"), ["docker.io/library/python"]);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        for (text, expected) in [
            ("[[registry]]\nprefix = 1", "0.conf`: "),
            ("[registries.search]\nregistries = [\"x\"]", "version 1"),
            ("[[registry]]\ninsecure = true", "neither `prefix` nor `location`"),
        ] {
            let error = read(&[text]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_users_file_stands_for_the_machines() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().to_owned();
        let found = || files(|name| (name == "XDG_CONFIG_HOME").then(|| config.clone()));
        assert_eq!(found()[0], Path::new("/etc/containers/registries.conf"));
        fs::create_dir_all(config.join("containers/registries.conf.d")).unwrap();
        fs::write(config.join("containers/registries.conf"), "").unwrap();
        for name in ["b.conf", "a.conf", "c.txt"] {
            fs::write(config.join("containers/registries.conf.d").join(name), "").unwrap();
        }
        let all = found();
        assert_eq!(all[0], config.join("containers/registries.conf"));
        let names: Vec<_> = all[all.len() - 2..]
            .iter()
            .map(|file| file.file_name().unwrap())
            .collect();
        assert_eq!(names, ["a.conf", "b.conf"]);
        let only = files(|name| (name == "CONTAINERS_REGISTRIES_CONF").then(|| "/x".into()));
        assert_eq!(only, [Path::new("/x")]);
    }
}
