//! The members of a request's body, found as engines find them: whatever their letters' case.

use serde_json::{Map, Value};

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
    let mut spelled = object.keys().filter(|key| key.eq_ignore_ascii_case(name));
    let key = spelled.next().cloned();
    match spelled.next() {
        Some(_) => Err(format!("it has `{name}` in more than one spelling")),
        None => Ok(key),
    }
}
