use serde_json::{Map, Value};

/// The member of a request's body that an engine reads as `name`, whatever its letters' case; null where there is none.
///
/// # Errors
/// More than one is spelled so.
pub fn member<'a>(object: &'a mut Map<String, Value>, name: &str) -> Result<&'a mut Value, String> {
    let mut spelled = object
        .keys()
        .filter(|key| key.eq_ignore_ascii_case(name))
        .cloned();
    let key = spelled.next().unwrap_or_else(|| name.to_owned());
    if spelled.next().is_some() {
        return Err(format!("it has `{name}` in more than one spelling"));
    }
    Ok(object.entry(key).or_insert(Value::Null))
}
