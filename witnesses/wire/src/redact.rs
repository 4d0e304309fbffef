//! What must never be kept: the values of environment variables, of build arguments and of credentials.
//!
//! Headers are not kept at all, so that `X-Registry-Auth` has nowhere to stay.

use serde_json::Value;

use crate::json;

/// What stands in the place of a secret.
const REDACTED: &str = "redacted";

/// The parameters of a query whose values are kept. Anything else may be a secret: `buildargs`, `secrets`, `changes`.
const SHOWN: &[&str] = &[
    "all",
    "condition",
    "container",
    "dockerfile",
    "follow",
    "force",
    "fromImage",
    "fromSrc",
    "logs",
    "name",
    "path",
    "platform",
    "reference",
    "repo",
    "signal",
    "stderr",
    "stdin",
    "stdout",
    "stream",
    "t",
    "tag",
    "target",
    "timeout",
    "v",
];

/// A request's target without the values that may be secret.
pub(crate) fn target(target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut shown = without_user(path);
    if let Some(query) = query {
        let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
            Some((key, value)) if !value.is_empty() && !SHOWN.contains(&key) => format!("{key}={REDACTED}"),
            _ => parameter.to_owned(),
        });
        shown.push('?');
        shown.push_str(&parameters.collect::<Vec<_>>().join("&"));
    }
    shown
}

/// An absolute target may carry a name and a password before its host.
fn without_user(path: &str) -> String {
    if let Some((scheme, rest)) = path.split_once("://")
        && let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()))
        && let Some((_, host)) = host.rsplit_once('@')
    {
        return format!("{scheme}://{REDACTED}@{host}{path}");
    }
    path.to_owned()
}

/// A JSON body without its secrets; null when it cannot be read, since nobody knows then what is in it.
pub(crate) fn body(bytes: &[u8]) -> Value {
    let mut value = serde_json::from_slice(bytes).unwrap_or_default();
    clear(&mut value);
    value
}

fn clear(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let key = json::folded(key);
                if key.contains("env") {
                    clear_values(value);
                } else if ["auth", "password", "secret", "token"]
                    .iter()
                    .any(|word| key.contains(word))
                {
                    *value = REDACTED.into();
                } else {
                    clear(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(clear),
        _ => {}
    }
}

/// `["NAME=value"]` and `{"NAME": "value"}` without the values.
fn clear_values(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(clear_values),
        Value::Object(members) => members.values_mut().for_each(|value| *value = REDACTED.into()),
        Value::String(text) => {
            *text = match text.split_once('=') {
                Some((name, _)) => format!("{name}={REDACTED}"),
                None => REDACTED.to_owned(),
            };
        }
        _ => {}
    }
}

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
pub fn words(argv: &[String]) -> Vec<String> {
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
    #[test]
    fn arguments_that_look_like_secrets_are_not_shown() {
        let shown =
            |argv: &[&str]| words(&argv.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()).join(" ");
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

    use super::*;

    #[test]
    fn no_secret_of_a_body_is_kept_in_any_spelling() {
        let sent = r#"{"Image":"x","Cmd":["serve"],"eNv":["A=geheim","geheim"],"env":{"B":"geheim"},
            "HostConfig":{"Secrets":[{"x":"geheim"}],"env":[["C=geheim"]]},"AuthConfig":"geheim","Token":["geheim"],
            "\u017fecret":"geheim","To\u212aen":"geheim"}"#;
        let kept = body(sent.as_bytes());
        assert!(!kept.to_string().contains("geheim"), "{kept}");
        assert_eq!(kept["Cmd"][0], "serve");
        assert_eq!(kept["eNv"][0], "A=redacted");
        assert_eq!(body(br#"{"Env":["A=geheim""#), Value::Null);
    }

    #[test]
    fn no_secret_of_a_target_is_kept() {
        assert_eq!(
            target("/v1.41/containers/create?name=job"),
            "/v1.41/containers/create?name=job"
        );
        assert_eq!(
            target("/build?t=x&buildargs=%7Bgeheim&secrets=geheim&q"),
            "/build?t=x&buildargs=redacted&secrets=redacted&q"
        );
        assert_eq!(
            target("http://me:geheim@host/build?x="),
            "http://redacted@host/build?x="
        );
        assert_eq!(target("http://host/_ping"), "http://host/_ping");
    }
}
