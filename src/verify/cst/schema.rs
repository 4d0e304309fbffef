//! What a file of container-structure-test says, in its schema 2.0.0.

use std::sync::Arc;

use crate::source::{SourceFile, Span, Spanned};

/// A file of tests.
#[derive(Debug)]
pub(crate) struct Tests {
    pub(super) file: Arc<SourceFile>,
    pub(super) global_env: Vec<EnvVar>,
    pub(super) commands: Vec<CommandTest>,
    pub(super) existence: Vec<ExistenceTest>,
    pub(super) contents: Vec<ContentTest>,
    pub(super) metadata: Option<MetadataTest>,
    pub(super) licences: Vec<LicenceTest>,
    pub(super) options: RunOptions,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct EnvVar {
    pub(super) key: Spanned<String>,
    pub(super) value: Spanned<String>,
    pub(super) is_regex: bool,
}

#[derive(Debug)]
pub(super) struct CommandTest {
    pub(super) name: Spanned<String>,
    /// Where `setup` stands, if it has commands.
    pub(super) setup: Option<Span>,
    pub(super) env: Vec<EnvVar>,
    pub(super) exit: Spanned<u8>,
    pub(super) command: Spanned<String>,
    pub(super) args: Vec<Spanned<String>>,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
}

/// Patterns of one stream.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) expected: Vec<Spanned<String>>,
    pub(super) excluded: Vec<Spanned<String>>,
}

#[derive(Debug)]
pub(super) struct ExistenceTest {
    pub(super) name: Spanned<String>,
    pub(super) path: Spanned<String>,
    pub(super) should_exist: bool,
    pub(super) permissions: Option<Spanned<String>>,
    pub(super) uid: Option<Spanned<u64>>,
    pub(super) gid: Option<Spanned<u64>>,
    pub(super) executable_by: Option<Spanned<Whom>>,
}

/// Who may execute a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Any,
    Owner,
    Group,
    Other,
}

impl Whom {
    pub(super) const WORDS: &[&str] = &["any", "owner", "group", "other"];

    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "any" => Self::Any,
            "owner" => Self::Owner,
            "group" => Self::Group,
            "other" => Self::Other,
            _ => return None,
        })
    }

    /// Its bits of a mode.
    pub(super) const fn bits(self) -> u32 {
        match self {
            Self::Any => 0o111,
            Self::Owner => 0o100,
            Self::Group => 0o010,
            Self::Other => 0o001,
        }
    }
}

#[derive(Debug)]
pub(super) struct ContentTest {
    pub(super) name: Spanned<String>,
    pub(super) path: Spanned<String>,
    pub(super) contents: Output,
}

#[derive(Debug, Default)]
pub(super) struct MetadataTest {
    pub(super) env: Vec<EnvVar>,
    pub(super) unbound_env: Vec<EnvVar>,
    pub(super) labels: Vec<EnvVar>,
    pub(super) exposed_ports: Vec<Spanned<String>>,
    pub(super) unexposed_ports: Vec<Spanned<String>>,
    pub(super) entrypoint: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) cmd: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) workdir: Option<Spanned<String>>,
    pub(super) volumes: Vec<Spanned<String>>,
    pub(super) unmounted_volumes: Vec<Spanned<String>>,
    pub(super) user: Option<Spanned<String>>,
}

#[derive(Debug)]
pub(super) struct LicenceTest {
    pub(super) place: Span,
    pub(super) debian: bool,
    pub(super) files: Vec<Spanned<String>>,
}

/// `containerRunOptions`.
#[derive(Debug, Default)]
pub(super) struct RunOptions {
    /// Where it stands, if it sets anything: then the tests' own `envVars` are dropped by container-structure-test.
    pub(super) is_set: Option<Span>,
    pub(super) user: Option<Spanned<String>>,
    /// Variables of whoever asks, by name.
    pub(super) env: Vec<Spanned<String>>,
    /// What it has that cannot be honoured, by key.
    pub(super) beyond: Vec<Spanned<&'static str>>,
}
