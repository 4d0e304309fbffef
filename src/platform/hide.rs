//! Hides what may be a secret from messages.

use std::borrow::Cow;

/// What stands for anything that is not shown.
pub(super) const HIDDEN: &str = "***";

/// Whether a text holds a user's name or password in front of an `@`, as URLs may. What follows the
/// `@` of an image reference is a digest, which has no slash and no dot and no port.
pub(super) fn has_credentials(text: &str) -> bool {
    let Some((before, after)) = text.rsplit_once('@') else {
        return false;
    };
    let has_port = after.rsplit_once(':').is_some_and(|(host, port)| {
        let is_digest = host.starts_with("sha") || host.starts_with("md5");
        let is_port = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
        is_port && !is_digest
    });
    before.contains("://") || before.contains('@') || after.contains(['/', '.']) || has_port
}

/// The text without a user's name and password.
pub(super) fn hide_credentials(text: &str) -> Cow<'_, str> {
    if !has_credentials(text) {
        return Cow::Borrowed(text);
    }
    let after = text.rsplit_once('@').map_or("", |(_, after)| after);
    let quote = if text.starts_with(['"', '\'']) {
        &text[..1]
    } else {
        ""
    };
    let scheme = ["http://", "https://", "oci://", "docker://"]
        .into_iter()
        .find(|scheme| text[quote.len()..].starts_with(scheme));
    Cow::Owned(format!("{quote}{}{HIDDEN}@{after}", scheme.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_hidden_and_digests_are_not() {
        let digest = "reg:5000/a@sha256:0123";
        assert_eq!(hide_credentials(digest), digest);
        assert_eq!(hide_credentials("python:3.11@md5:abc"), "python:3.11@md5:abc");
        assert_eq!(hide_credentials("https://me:pw@reg/a"), "https://***@reg/a");
        assert_eq!(hide_credentials("'me:pw@reg.corp/a'"), "'***@reg.corp/a'");
        assert_eq!(hide_credentials("me:pw://x@reg.corp/a"), "***@reg.corp/a");
        assert_eq!(hide_credentials("me:p@w@reg.corp:5000"), "***@reg.corp:5000");
        assert_eq!(hide_credentials("me:pw@reg:5000"), "***@reg:5000");
        assert_eq!(hide_credentials("me:pw@reg/a@sha256:00"), "***@sha256:00");
        assert_eq!(hide_credentials("a@sha256:00"), "a@sha256:00");
    }
}
