//! Image references, by the grammar that registries and engines share.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::Range;
use std::str::FromStr;

/// The longest repository, without its registry.
const MAX_REPOSITORY_BYTES: usize = 255;

/// The registry that Docker asks when a reference names none.
const HUB: &str = "docker.io";

/// The longest tag.
const MAX_TAG_BYTES: usize = 128;

/// An image reference whose form is right: `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`.
///
/// This is the only reader of references in the workspace: what it refuses in an env file, it refuses in a scenario
/// and in a request to an engine. The grammar is that of
/// [`distribution/reference`](https://pkg.go.dev/github.com/distribution/reference), which the engines use, with the
/// narrower choice where its versions differ: `ORG/name` is a name in upper case, not a registry called `ORG`.
///
/// A reference is kept as it was written. What an engine makes of a missing registry or tag is the engine's affair:
/// Docker looks on its hub, and Podman asks its own configuration. Two references are compared by
/// [`canonical_name`](Self::canonical_name).
///
/// ```
/// use shellproof_api::ImageReference;
///
/// let image: ImageReference = "internal.company.com:8443/docker-prod/postgres/17.5:hardened".parse()?;
/// assert_eq!(image.registry(), Some("internal.company.com:8443"));
/// assert_eq!(image.repository(), "docker-prod/postgres/17.5");
/// assert_eq!(image.tag(), Some("hardened"));
/// assert_eq!(image.digest(), None);
/// # Ok::<(), shellproof_api::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageReference {
    whole: String,
    /// How many bytes of the name are the registry; the slash follows.
    registry: Option<usize>,
    /// Where the repository ends.
    name: usize,
    tag: Option<Range<usize>>,
    /// Where the digest starts.
    digest: Option<usize>,
}

impl ImageReference {
    /// The reference as it was written.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The registry's host, with its port; nothing when the engine chooses one.
    pub fn registry(&self) -> Option<&str> {
        self.registry.map(|end| &self.whole[..end])
    }

    /// The registry's host without its port, and an IPv6 address without its brackets.
    pub fn host(&self) -> Option<&str> {
        let registry = self.registry()?;
        match registry.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => registry.split(':').next(),
        }
    }

    /// The registry that Docker asks: its hub where the reference names none.
    pub fn canonical_registry(&self) -> &str {
        match self.registry() {
            None | Some("index.docker.io") => HUB,
            Some(registry) => registry,
        }
    }

    /// Registry and repository as Docker completes them: `docker.io/library/python` for `python`.
    pub fn canonical_name(&self) -> String {
        let (registry, repository) = (self.canonical_registry(), self.repository());
        match registry == HUB && !repository.contains('/') {
            true => format!("{HUB}/library/{repository}"),
            false => format!("{registry}/{repository}"),
        }
    }

    /// Registry and repository as they were written, without tag and digest.
    pub fn name(&self) -> &str {
        &self.whole[..self.name]
    }

    /// The path below the registry.
    pub fn repository(&self) -> &str {
        &self.whole[self.registry.map_or(0, |end| end + 1)..self.name]
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.clone().map(|tag| &self.whole[tag])
    }

    /// The digest with its algorithm, `sha256:…`.
    pub fn digest(&self) -> Option<&str> {
        self.digest.map(|start| &self.whole[start..])
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.whole)
    }
}

/// Why a text is no image reference, and which bytes of it are to blame.
///
/// The message never repeats the text, which may have been made from a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ReferenceError {
    /// The bytes to blame; empty where something is missing.
    pub range: Range<usize>,
    /// What is wrong with them.
    pub problem: &'static str,
    /// What is expected there.
    pub expected: &'static str,
}

/// An error for `?`.
fn wrong<T>(range: Range<usize>, problem: &'static str, expected: &'static str) -> Result<T, ReferenceError> {
    Err(ReferenceError {
        range,
        problem,
        expected,
    })
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return wrong(0..0, "the image reference is empty", "expected `REPOSITORY:TAG`");
        }
        if let Some(at) = text.find("://") {
            return wrong(0..at + 3, "an image reference is no URL", "expected none of this");
        }
        let foreign = text
            .char_indices()
            .find(|(_, c)| c.is_whitespace() || c.is_control() || !c.is_ascii());
        if let Some((at, c)) = foreign {
            let problem = match c.is_whitespace() {
                true => "an image reference holds no blanks",
                false => "an image reference holds ASCII letters, digits and `. _ - / : @` only",
            };
            return wrong(at..at + c.len_utf8(), problem, "not allowed here");
        }
        let (before_digest, digest) = match text.split_once('@') {
            Some((before, _)) => (before.len(), Some(before.len() + 1)),
            None => (text.len(), None),
        };
        if let Some(start) = digest {
            check_digest(text, start)?;
        }
        let named = &text[..before_digest];
        let last_component = named.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match named[last_component..].find(':') {
            Some(colon) => {
                let colon = last_component + colon;
                (colon, Some(colon + 1..before_digest))
            }
            None => (before_digest, None),
        };
        let registry = check_name(&text[..name])?;
        if let Some(tag) = &tag {
            check_tag(text, tag.clone())?;
        }
        let longest = registry.map_or(0, |end| end + 1) + MAX_REPOSITORY_BYTES;
        if name > longest {
            let problem = "the repository of an image has at most 255 characters";
            return wrong(longest..name, problem, "too long from here on");
        }
        if tag.is_none() && digest.is_none() && name == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            let problem = "an image ID is no image reference";
            return wrong(
                0..64,
                problem,
                "expected `REPOSITORY:TAG` or `REPOSITORY@sha256:…`",
            );
        }
        Ok(Self {
            whole: text.to_owned(),
            registry,
            name,
            tag,
            digest,
        })
    }
}

/// Checks a name and finds the registry in front of it, as the engines do: the first of several
/// components, when it holds a dot or a colon, or is `localhost`.
fn check_name(name: &str) -> Result<Option<usize>, ReferenceError> {
    let registry = name.find('/').filter(|slash| {
        let first = &name[..*slash];
        first.contains(['.', ':']) || first == "localhost"
    });
    // `.hidden/x` and `../x` have a dot, but are paths rather than hosts; the host's own check says so.
    if let Some(end) = registry {
        check_host(&name[..end])?;
    }
    let mut start = registry.map_or(0, |end| end + 1);
    for component in name[start..].split('/') {
        check_component(component, start)?;
        start += component.len() + 1;
    }
    Ok(registry)
}

/// Checks a registry's host and port.
fn check_host(registry: &str) -> Result<(), ReferenceError> {
    const EXPECTED: &str = "expected `HOST` or `HOST:PORT`";
    let host_end = match registry.rfind(':') {
        // The colons of an IPv6 address are inside its brackets.
        Some(colon) if !registry.ends_with(']') => {
            let port = &registry[colon + 1..];
            let is_port =
                port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0);
            if !is_port {
                let problem = "the registry's port is no number from 1 to 65535";
                return wrong(colon + 1..registry.len(), problem, EXPECTED);
            }
            colon
        }
        _ => registry.len(),
    };
    let host = &registry[..host_end];
    let is_host = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .filter(|address| !address.contains('.'))
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => host.split('.').all(|label| {
            label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
        }),
    };
    match is_host {
        true => Ok(()),
        false => wrong(0..host_end, "the registry is no host name", EXPECTED),
    }
}

/// Checks one component of a repository: runs of lower-case letters and digits, with `.`, `_`, `__`
/// or any number of `-` between them.
fn check_component(component: &str, start: usize) -> Result<(), ReferenceError> {
    let whole = start..start + component.len();
    if component.is_empty() {
        let problem = "the repository of an image has no empty parts";
        return wrong(start..start, problem, "expected a name here");
    }
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let foreign = component
        .bytes()
        .position(|b| !is_plain(b) && !b"._-".contains(&b));
    if let Some(at) = foreign {
        let capitals = component[at..].bytes().take_while(u8::is_ascii_uppercase).count();
        let range = start + at..start + at + capitals.max(1);
        return match capitals {
            0 => wrong(
                range,
                "the repository of an image holds lower-case letters, digits and `. _ -` only",
                "not allowed here",
            ),
            _ => wrong(
                range,
                "the repository of an image is written in lower case",
                "upper case",
            ),
        };
    }
    let mut separators = component
        .split(|c: char| is_plain(c as u8))
        .filter(|s| !s.is_empty());
    let is_separator = |s: &str| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-');
    let has_edge = !component.starts_with(|c: char| is_plain(c as u8))
        || !component.ends_with(|c: char| is_plain(c as u8));
    if has_edge || !separators.all(is_separator) {
        let problem = "the parts of a repository start and end with a letter or digit, \
                       with one of `. _ __ -` in between";
        return wrong(whole, problem, "not of this form");
    }
    Ok(())
}

/// Checks a tag.
fn check_tag(text: &str, range: Range<usize>) -> Result<(), ReferenceError> {
    let tag = &text[range.clone()];
    if tag.is_empty() {
        return wrong(
            range,
            "the tag of an image is empty",
            "expected a tag after the colon",
        );
    }
    if tag.len() > MAX_TAG_BYTES {
        let problem = "the tag of an image has at most 128 characters";
        return wrong(
            range.start + MAX_TAG_BYTES..range.end,
            problem,
            "too long from here on",
        );
    }
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bad = tag
        .bytes()
        .enumerate()
        .position(|(index, b)| !is_word(b) && (index == 0 || (b != b'.' && b != b'-')));
    if let Some(at) = bad {
        let problem = match at {
            0 => "the tag of an image starts with a letter, a digit or `_`",
            _ => "the tag of an image holds letters, digits and `. _ -` only",
        };
        return wrong(
            range.start + at..range.start + at + 1,
            problem,
            "not allowed here",
        );
    }
    Ok(())
}

/// Checks a digest, which is the rest of the text.
fn check_digest(text: &str, start: usize) -> Result<(), ReferenceError> {
    let whole = start..text.len();
    let Some((algorithm, hex)) = text[start..].split_once(':') else {
        let problem = "what follows `@` is no digest";
        return wrong(whole, problem, "expected `sha256:` and 64 hexadecimal digits");
    };
    let (length, expected) = match algorithm {
        "sha256" => (64, "expected 64 hexadecimal digits, in lower case"),
        "sha384" => (96, "expected 96 hexadecimal digits, in lower case"),
        "sha512" => (128, "expected 128 hexadecimal digits, in lower case"),
        _ => {
            let range = start..start + algorithm.len();
            let problem = "the digest's algorithm is unknown";
            return wrong(range, problem, "expected `sha256`, `sha384` or `sha512`");
        }
    };
    let is_hex = hex
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hex.len() != length || !is_hex {
        let range = start + algorithm.len() + 1..text.len();
        return wrong(range, "the digest has the wrong form", expected);
    }
    Ok(())
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
