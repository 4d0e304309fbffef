//! What a program is called, and how much that says.

/// A name of a shell or of a package manager.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) name: &'static str,
    /// The package that has a program of this name.
    #[expect(dead_code, reason = "for the reader of the lists")]
    pub(super) source: &'static str,
    /// Whether a version may follow: `bash-5.2`, `pip3.11`.
    pub(super) has_versions: bool,
    pub(super) by: By,
}

/// What makes a program of some name the one that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The name, whatever is in the file.
    Name,
    /// The name, unless the file was read and is something else: a witness knows this program by its content.
    NameUnlessRead,
    /// The content. The name alone is a reason to doubt, since other programs have it too.
    Content,
}

impl Name {
    pub(super) const fn of(name: &'static str, source: &'static str) -> Self {
        Self {
            name,
            source,
            has_versions: false,
            by: By::Name,
        }
    }

    pub(super) const fn versioned(name: &'static str, source: &'static str) -> Self {
        Self {
            has_versions: true,
            ..Self::of(name, source)
        }
    }

    pub(super) const fn by(self, by: By) -> Self {
        Self { by, ..self }
    }

    /// Whether a base name is this one, perhaps with a version or `-static` or `.static` behind it.
    pub(super) fn is(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(self.name) else {
            return false;
        };
        let rest = ["-static", ".static"]
            .iter()
            .find_map(|suffix| rest.strip_suffix(suffix))
            .unwrap_or(rest);
        rest.is_empty() || self.has_versions && is_version(rest)
    }
}

/// `5`, `-5.2`, `3.11`.
fn is_version(text: &str) -> bool {
    let version = text.strip_prefix('-').unwrap_or(text);
    version.starts_with(|first: char| first.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// The last component of a path, without the dash of a login shell.
pub fn base_name(program: &str) -> &str {
    program
        .rsplit('/')
        .next()
        .unwrap_or(program)
        .trim_start_matches('-')
}
