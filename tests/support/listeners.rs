//! Which engines the kernel witness can watch.

use shellproof::engines::Choice;

/// Whether containers of an engine can have a seccomp listener. Docker 20.10 gives nobody one: `tests/engines` shows what
/// comes of it where nobody gives in.
pub fn are_given_by(choice: &Choice) -> bool {
    !matches!(choice, Choice::Named { name, .. } if name == "docker-20")
}
