//! What must never be kept: the values of environment variables, of build arguments and of credentials.
//!
//! Headers are not kept at all, so that `X-Registry-Auth` has nowhere to stay.

use percent_encoding::percent_decode_str;
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
            Some((key, value)) if !value.is_empty() && !is_shown(key) => format!("{key}={REDACTED}"),
            _ => parameter.to_owned(),
        });
        shown.push('?');
        shown.push_str(&parameters.collect::<Vec<_>>().join("&"));
    }
    shown
}

/// Whether the value of a parameter is kept, however its name is escaped.
fn is_shown(key: &str) -> bool {
    let key = percent_decode_str(key).decode_utf8_lossy();
    SHOWN.contains(&&*key)
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

#[cfg(test)]
mod tests {
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
        assert_eq!(
            target("/x?n%61me=a&buil%64args=b"),
            "/x?n%61me=a&buil%64args=redacted"
        );
    }
}
