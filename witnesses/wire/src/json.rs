//! The one reader of request bodies: it takes the names of members as engines do, and refuses a body that two readers could
//! read differently.
//!
//! Engines are written in Go, whose `encoding/json` takes a member for a field whatever its letters' case, and lets a later
//! one win over an earlier one. Its idea of case is Unicode's: `ſ` is an S and the sign for Kelvin a K.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The members whose names in turn are the client's own, as labels are: they differ when they are not equal.
const MAPS: &[&str] = &[
    "annotations",
    "config",
    "driver_opts",
    "driveropts",
    "endpointsconfig",
    "env",
    "expose",
    "exposedports",
    "labels",
    "network_options",
    "networks",
    "options",
    "portbindings",
    "secret_env",
    "storage_opts",
    "storageopt",
    "sysctl",
    "sysctls",
    "tmpfs",
    "unified",
    "volumes",
];

/// Reads a body of which every engine would make the same.
///
/// # Errors
/// It is no JSON, or holds a member that is there twice in any spelling, or one whose name is spelled with a letter that
/// only some readers take for another.
pub fn read(body: &[u8]) -> Result<Value, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Reader { is_map: false }
        .deserialize(&mut deserializer)
        .map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Whether an engine takes a member that is spelled like this for the field `name`.
pub fn names(spelled: &str, name: &str) -> bool {
    folded(spelled) == folded(name)
}

/// A name in small letters, as the readers of all engines compare it.
pub(crate) fn folded(name: &str) -> String {
    name.chars().map(fold).collect()
}

/// The member that an engine reads as `name`.
///
/// # Errors
/// More than one is spelled so.
pub fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Value>, String> {
    Ok(spelling(object, name)?.and_then(|key| object.get(&key)))
}

/// As [`member`], to change it.
///
/// # Errors
/// As [`member`].
pub fn member_mut<'a>(
    object: &'a mut Map<String, Value>,
    name: &str,
) -> Result<Option<&'a mut Value>, String> {
    Ok(spelling(object, name)?.and_then(|key| object.get_mut(&key)))
}

/// As [`member_mut`]; where there is none, or a null, it is made to be `default`.
///
/// # Errors
/// As [`member`].
pub fn member_or<'a>(
    object: &'a mut Map<String, Value>,
    name: &str,
    default: Value,
) -> Result<&'a mut Value, String> {
    let key = spelling(object, name)?.unwrap_or_else(|| name.to_owned());
    let value = object.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = default;
    }
    Ok(value)
}

/// How the body spells a name.
fn spelling(object: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    let mut spelled = object.keys().filter(|key| names(key, name));
    let key = spelled.next().cloned();
    match spelled.next() {
        Some(_) => Err(format!("it has `{name}` in more than one spelling")),
        None => Ok(key),
    }
}

/// A letter as the readers of all engines compare it. All fields of engines have names in ASCII, so that only what may stand
/// for an ASCII letter matters.
fn fold(letter: char) -> char {
    match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        // Not so in `encoding/json`, but in `json-iterator`, which parts of Podman use.
        '\u{130}' => 'i',
        letter => letter.to_ascii_lowercase(),
    }
}

/// Builds a value and looks at the names in it.
struct Reader {
    /// The names of this value's members are the client's own.
    is_map: bool,
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Reader { is_map: false })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        let mut seen = HashSet::new();
        while let Some(name) = object.next_key::<String>()? {
            let plain = folded(&name);
            let is_map = MAPS.contains(&plain.as_str());
            if !self.is_map {
                if plain != name.to_ascii_lowercase() {
                    return Err(A::Error::custom(format_args!(
                        "`{name}` is spelled with a letter that only some readers take for another"
                    )));
                }
                if !seen.insert(plain) {
                    return Err(A::Error::custom(format_args!("it has `{name}` more than once")));
                }
            }
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("it has `{name}` more than once")));
            }
            let value = object.next_value_seed(Reader { is_map })?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_read_as_it_is() {
        let value = json!({ "a": [1, -2, 1.5, "x", null, true], "b": { "c": {} }, "ü": "ſ", "d": u64::MAX });
        assert_eq!(read(value.to_string().as_bytes()), Ok(value));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for body in [
            r#"{"Image":"a","Image":"b"}"#,
            r#"{"Image":"a","iMAGE":"b"}"#,
            r#"{"Image":"a","\u0049mage":"b"}"#,
            r#"{"HostConfig":{"Privileged":false,"privileged":true}}"#,
            r#"{"HostConfig":{"Mounts":[{"Type":"bind","type":"volume"}]}}"#,
            r#"{"Labels":{"a":"1","a":"2"}}"#,
            r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":[],"aliases":[]}}}}"#,
            "{\"HostConfig\":{\"\u{17f}ecurityOpt\":[]}}",
            r#"{"HostConfig":{"\u017fecurityOpt":[]}}"#,
            "{\"Networ\u{212a}ingConfig\":{}}",
            "{\"\u{130}mage\":\"x\"}",
            r#"{"Image":"a"} {"Image":"b"}"#,
            r#"{"Image":"\ud800"}"#,
            r#"{"Image":"#,
            "",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(b"{\"Image\":\"\xff\"}").is_err());
        assert!(read(b"{\"Image\xff\":\"\"}").is_err());
    }

    #[test]
    fn names_that_are_the_clients_own_may_differ_in_case() {
        for body in [
            r#"{"Labels":{"a":"1","A":"2","ſ":"3","s":"4"}}"#,
            r#"{"env":{"path":"1","PATH":"2"},"annotations":{"K":"","k":""}}"#,
            r#"{"HostConfig":{"Sysctls":{"a":"1","A":"2"},"LogConfig":{"Config":{"a":"","A":""}}}}"#,
            r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{},"N":{}}}}"#,
        ] {
            assert_eq!(read(body.as_bytes()), Ok(serde_json::from_str(body).unwrap()));
        }
    }

    #[test]
    fn a_name_is_taken_as_go_takes_it() {
        for spelled in ["SecurityOpt", "securityopt", "\u{17f}ecurityOpt", "SECURITYOPT"] {
            assert!(names(spelled, "SecurityOpt"), "{spelled}");
        }
        for spelled in ["Security_Opt", "SecurityOpts", "Security", "ßecurityOpt", ""] {
            assert!(!names(spelled, "SecurityOpt"), "{spelled}");
        }
    }
}
