use std::fmt;

/// An image reference taken apart: `registry/repository:tag@digest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry's host and port; `docker.io` when the reference names none.
    pub registry: String,
    /// The name with the registry as it was written, without tag and digest.
    pub name: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, such as `sha256:…`.
    pub digest: Option<String>,
}

/// A reference that no engine would take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an image reference")]
pub struct InvalidReference(pub String);

impl Reference {
    /// Takes a reference apart. The engine has the last word on whether it is well-formed; refused here is only
    /// what would change the meaning of a request that carries it.
    ///
    /// # Errors
    /// An empty name, or characters that no reference has.
    pub fn parse(reference: &str) -> Result<Self, InvalidReference> {
        let valid = |c: char| c.is_ascii_alphanumeric() || "._-:/@+[]".contains(c);
        let invalid = || InvalidReference(reference.to_owned());
        if !reference.chars().all(valid) || reference.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(invalid());
        }
        let (rest, digest) = match reference.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (reference, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        if name.is_empty() {
            return Err(invalid());
        }
        let registry = match name.split_once('/') {
            Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
            _ => "docker.io",
        };
        Ok(Self {
            registry: registry.to_owned(),
            name: name.to_owned(),
            tag,
            digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_its_registry() {
        for (reference, registry, name, tag) in [
            ("python", "docker.io", "python", None),
            ("library/python:3.11", "docker.io", "library/python", Some("3.11")),
            ("localhost/x:1", "localhost", "localhost/x", Some("1")),
            ("127.0.0.1:1/x:1", "127.0.0.1:1", "127.0.0.1:1/x", Some("1")),
            (
                "registry.corp:5000/a/b",
                "registry.corp:5000",
                "registry.corp:5000/a/b",
                None,
            ),
        ] {
            let parsed = Reference::parse(reference).unwrap();
            assert_eq!(parsed.registry, registry, "{reference}");
            assert_eq!(
                (parsed.name.as_str(), parsed.tag.as_deref()),
                (name, tag),
                "{reference}"
            );
            assert_eq!(parsed.to_string(), reference);
        }
        let parsed = Reference::parse("quay.io/a@sha256:00").unwrap();
        assert_eq!((parsed.tag, parsed.digest.as_deref()), (None, Some("sha256:00")));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for reference in ["", "a b", "a?b", "a#b", "a%2e", "../x", "a//b", "/a", ":1"] {
            assert_eq!(
                Reference::parse(reference),
                Err(InvalidReference(reference.into()))
            );
        }
    }
}
