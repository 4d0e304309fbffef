//! What the specification says about each role: its variable, its default, what prebuilt mode needs.

use std::fmt;

use crate::vocabulary::{Mode, Role};

/// The variable that chooses the image mode.
pub const MODE_VARIABLE: &str = "IMAGE_MODE";

/// The image mode where nothing chooses one.
pub const DEFAULT_MODE: Mode = Mode::Layered;

/// The variable that names a role's image.
pub const fn variable(role: Role) -> &'static str {
    match role {
        Role::Python => "IMAGE_PYTHON",
        Role::KerberosTest => "IMAGE_KERBEROS_TEST",
        Role::Postgres => "IMAGE_POSTGRES",
        Role::OpenmetadataServer => "IMAGE_OPENMETADATA_SERVER",
        Role::Opensearch => "IMAGE_OPENSEARCH",
    }
}

/// The variable that is read for a role in a mode. The layered Kerberos test installs what it needs
/// into the Python image, and has no image of its own.
pub const fn variable_in_mode(role: Role, mode: Mode) -> &'static str {
    match (role, mode) {
        (Role::KerberosTest, Mode::Layered) => variable(Role::Python),
        _ => variable(role),
    }
}

/// The image of a role in a mode, where no variable names one.
///
/// The specification's table gives the Kerberos test the Python image and its script gives prebuilt
/// mode an image of its own: the table is layered mode's, since the Python image alone cannot pass.
pub const fn default_image(role: Role, mode: Mode) -> &'static str {
    match (role, mode) {
        (Role::Python, _) | (Role::KerberosTest, Mode::Layered) => "python:3.11-alpine",
        (Role::KerberosTest, Mode::Prebuilt) => "myorg/kerberos-test:latest",
        (Role::Postgres, _) => "postgres:17.5-alpine",
        (Role::OpenmetadataServer, _) => "docker.getcollate.io/openmetadata/server:1.10.1",
        (Role::Opensearch, _) => "opensearchproject/opensearch:2.19.2",
    }
}

/// A version that prebuilt mode asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Any.
    Any,
    /// This one or a later one.
    AtLeast(&'static str),
    /// This one.
    Exactly(&'static str),
}

/// One thing that an image must contain before it may be used in prebuilt mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// What must be there.
    pub what: &'static str,
    /// Which version of it.
    pub version: Version,
}

impl Requirement {
    const fn new(what: &'static str, version: Version) -> Self {
        Self { what, version }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Version::Any => f.write_str(self.what),
            Version::AtLeast(version) => write!(f, "{} {version}+", self.what),
            Version::Exactly(version) => write!(f, "{} {version}", self.what),
        }
    }
}

/// What a role's image must contain in prebuilt mode; nothing can be added when it runs.
pub const fn requirements(role: Role) -> &'static [Requirement] {
    const PYTHON: &[Requirement] = &[Requirement::new("Python", Version::AtLeast("3.11"))];
    const KERBEROS_TEST: &[Requirement] = &[
        Requirement::new("Python", Version::Any),
        Requirement::new("krb5", Version::Any),
        Requirement::new("test script", Version::Any),
    ];
    const POSTGRES: &[Requirement] = &[Requirement::new("PostgreSQL", Version::AtLeast("17.5"))];
    const OPENMETADATA: &[Requirement] = &[Requirement::new("OpenMetadata", Version::Exactly("1.10.1"))];
    const OPENSEARCH: &[Requirement] = &[Requirement::new("OpenSearch", Version::Exactly("2.19.2"))];
    match role {
        Role::Python => PYTHON,
        Role::KerberosTest => KERBEROS_TEST,
        Role::Postgres => POSTGRES,
        Role::OpenmetadataServer => OPENMETADATA,
        Role::Opensearch => OPENSEARCH,
    }
}

/// The requirements in one line, as the specification writes them: `Python + krb5 + test script`.
pub fn requirements_line(role: Role) -> String {
    let all: Vec<String> = requirements(role).iter().map(Requirement::to_string).collect();
    all.join(" + ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_read_as_in_the_specification() {
        let all: Vec<String> = Role::ALL.iter().map(|role| requirements_line(*role)).collect();
        assert_eq!(
            all,
            [
                "Python 3.11+",
                "Python + krb5 + test script",
                "PostgreSQL 17.5+",
                "OpenMetadata 1.10.1",
                "OpenSearch 2.19.2",
            ]
        );
    }
}
