/// What stands in the place of a secret.
const REDACTED: &str = "redacted";

/// Parts of a name that say that its value is a secret.
const SECRET_NAMES: [&str; 10] = [
    "access-key",
    "api-key",
    "apikey",
    "auth",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "token",
];

/// A program's arguments without what looks like a secret: `--password=…`, `--token …`, `SECRET=…`, and the password in
/// a URL.
pub fn without_secrets(argv: &[String]) -> Vec<String> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRET_NAMES.iter().any(|part| name.contains(part))
    };
    let mut value_follows = false;
    let word = |word: &String| {
        if std::mem::take(&mut value_follows) && !word.starts_with('-') {
            return REDACTED.to_owned();
        }
        match word.split_once('=') {
            Some((name, _)) if is_secret(name) => return format!("{name}={REDACTED}"),
            Some(_) => {}
            None => value_follows = word.starts_with("--") && is_secret(word),
        }
        match word.split_once("://") {
            Some((scheme, rest)) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
                let host = rest.split('/').next().unwrap_or_default();
                let at = host.rfind('@').unwrap_or_default();
                format!("{scheme}://{REDACTED}{}", &rest[at..])
            }
            _ => word.clone(),
        }
    };
    argv.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_look_like_secrets_are_not_shown() {
        let shown = |argv: &[&str]| {
            without_secrets(&argv.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()).join(" ")
        };
        assert_eq!(
            shown(&["curl", "--token", "geheim", "x"]),
            "curl --token redacted x"
        );
        assert_eq!(
            shown(&["app", "--db-password=geheim"]),
            "app --db-password=redacted"
        );
        assert_eq!(
            shown(&["env", "API_TOKEN=geheim", "app"]),
            "env API_TOKEN=redacted app"
        );
        assert_eq!(
            shown(&["pip", "https://me:geheim@host/a"]),
            "pip https://redacted@host/a"
        );
        assert_eq!(
            shown(&["pip", "https://me:ge@heim@host/a@b"]),
            "pip https://redacted@host/a@b"
        );
        assert_eq!(
            shown(&["app", "--no-auth", "--level=3"]),
            "app --no-auth --level=3"
        );
        assert_eq!(shown(&["mail", "me@host", "a=b"]), "mail me@host a=b");
    }
}
