//! The fixed words of shellproof: what scenarios, the command line and reports write, each once.

use std::fmt;
use std::str::FromStr;

pub use shellproof_api::facts::Witness;

/// An enum whose variants are written as fixed words, with `ALL`, `as_str`, `Display`, `FromStr`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands in a file or on a command line.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl Word for $name {
            const WHAT: &'static str = $what;
            const WORDS: &'static [&'static str] = &[$($word),+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!(
                        "no {} `{}`, expected {}",
                        $what, text.escape_debug(), one_of(Self::WORDS)
                    )),
                }
            }
        }
    };
}

/// What the decoder needs to know of a fixed set of words.
pub(crate) trait Word: FromStr<Err = String> {
    /// What one of them is called in a message.
    const WHAT: &'static str;
    /// All of them.
    const WORDS: &'static [&'static str];
}

/// "`a`, `b` or `c`".
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

words! {
    /// How images are used.
    Mode, "image mode" {
        /// Packages may be installed when a container runs.
        Layered = "layered",
        /// Images are used as they are.
        Prebuilt = "prebuilt",
    }
}

words! {
    /// What an image is for; the platform maps a role to an image.
    Role, "role" {
        /// Runs the platform's Python code.
        Python = "python",
        /// Checks that a Kerberos ticket reaches a container.
        KerberosTest = "kerberos-test",
        /// The database.
        Postgres = "postgres",
        /// The metadata server.
        OpenmetadataServer = "openmetadata-server",
        /// The search engine.
        Opensearch = "opensearch",
    }
}

words! {
    /// A success criterion of the specification.
    Criterion, "criterion" {
        /// The platform works with distroless images in prebuilt mode.
        DistrolessPrebuilt = "distroless-prebuilt",
        /// No shell command is executed in prebuilt mode.
        NoShellPrebuilt = "no-shell-prebuilt",
        /// The default layered mode is unchanged.
        LayeredUnchanged = "layered-unchanged",
        /// Both modes are documented.
        Documentation = "documentation",
        /// Every image type has a sample Dockerfile.
        Dockerfiles = "dockerfiles",
    }
}

impl Criterion {
    /// Whether scenarios can show it; the others are judged by the project's own tests.
    pub const fn is_for_scenarios(self) -> bool {
        self.mode().is_some()
    }

    /// The image mode that a scenario must run in to say anything about this criterion.
    pub const fn mode(self) -> Option<Mode> {
        match self {
            Self::DistrolessPrebuilt | Self::NoShellPrebuilt => Some(Mode::Prebuilt),
            Self::LayeredUnchanged => Some(Mode::Layered),
            Self::Documentation | Self::Dockerfiles => None,
        }
    }
}

impl Word for Witness {
    const WHAT: &'static str = "witness";
    const WORDS: &'static [&'static str] = &["wire", "image", "kernel"];
}

words! {
    /// How much a scenario needs a witness.
    Need, "audit level" {
        /// Without this witness the verdict is unproven.
        Required = "required",
        /// The witness is heard where it is available.
        IfAvailable = "if-available",
        /// The witness is not asked.
        Off = "off",
    }
}

words! {
    /// The kinds of verdict.
    VerdictKind, "verdict" {
        /// Nothing was violated, and every required witness spoke.
        Clean = "clean",
        /// A rule was violated, with evidence.
        Violated = "violated",
        /// It could not be shown either way.
        Unproven = "unproven",
    }
}

words! {
    /// How a result counts. Where several results count, the last of these does.
    Status, "status" {
        /// All expectations were met, and the verdict is the expected one.
        Passed = "passed",
        /// The same, but for violations that the scenario accepts for a while.
        Waived = "waived",
        /// No container was started, so that there is nothing to judge.
        NothingRan = "nothing-ran",
        /// The verdict is unproven, and that was not expected.
        Unproven = "unproven",
        /// The engine or the machine failed.
        Broken = "broken",
        /// An expectation was not met, or an expected violation was not seen.
        Failed = "failed",
        /// The policy is violated, and that was not expected.
        Violated = "violated",
    }
}

words! {
    /// What a run says about a success criterion. Where several results count, the last of these does.
    CriterionVerdict, "verdict on a criterion" {
        /// It is shown.
        Clean = "clean",
        /// It is shown but for violations that a scenario accepts for a while.
        Waived = "waived",
        /// It is not shown.
        Unproven = "unproven",
        /// What a scenario expects did not hold.
        Failed = "failed",
        /// The policy is violated.
        Violated = "violated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse::<Mode>().as_ref(), Ok(mode));
        }
        for role in Role::ALL {
            assert_eq!(role.to_string().parse::<Role>().as_ref(), Ok(role));
        }
    }

    #[test]
    fn an_unknown_word_lists_the_known_ones() {
        assert_eq!(
            "pre-built".parse::<Mode>().unwrap_err(),
            "no image mode `pre-built`, expected `layered` or `prebuilt`"
        );
    }

    #[test]
    fn a_word_can_be_padded() {
        assert_eq!(format!("{:<9}|", Mode::Layered), "layered  |");
    }
}
