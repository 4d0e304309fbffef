//! What witnesses saw: the one thing that passes between a witness and the policy.
//!
//! A witness knows its protocol and no policy; the policy reads facts and knows no protocol. So nothing here holds HTTP,
//! JSON or protobuf.

mod program;

use std::fmt;
use std::str::FromStr;

pub use program::{
    Abi, Answer, Call, Digest, Executable, Interpreter, Kind, Likeness, Program, Session, Trace, Unread,
};

/// An independent place that evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Witness {
    /// The requests that the engine received.
    Wire,
    /// What the image is and contains.
    Image,
    /// The programs that were started in a container.
    Kernel,
}

impl Witness {
    /// Every witness, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Wire, Self::Image, Self::Kernel];

    /// Its name in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Image => "image",
            Self::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Witness {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let witness = Self::ALL.iter().find(|witness| witness.as_str() == text);
        witness.copied().ok_or_else(|| {
            format!(
                "no witness `{}`, expected `wire`, `image` or `kernel`",
                text.escape_debug()
            )
        })
    }
}
