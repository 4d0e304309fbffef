//! Words of the file in messages, and the words that were probably meant.

/// Names are only compared for a suggestion when there are few enough to do it quickly.
const MAX_CANDIDATES: usize = 200;

/// A text from the file for use in a message: in backticks, printable and not too long.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let short: String = text.chars().take(LONGEST).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!(
        "`{}{more}`",
        short
            .escape_debug()
            .to_string()
            .replace("\\\"", "\"")
            .replace("\\'", "'")
    )
}

/// The known word that was probably meant.
pub(crate) fn similar<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    let farthest = |candidate: &str| (word.len().max(candidate.len()) / 3).max(1);
    known
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= farthest(candidate))
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= farthest(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What other tools call a key of ours.
pub(crate) const SYNONYMS: &[(&str, &str)] = &[
    ("cmd", "args"),
    ("depends_on", "after"),
    ("env", "envVars"),
    ("environment", "env"),
    ("health_check", "healthcheck"),
    ("hostname", "aliases"),
    ("needs", "after"),
    ("networks", "network"),
    ("privileged", "cap_add"),
    ("readiness", "ready"),
    ("security_opt", "no_new_privileges"),
    ("services", "containers"),
    ("skip", "waivers"),
    ("wait_for", "after"),
    ("working_dir", "workdir"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let known = ["network", "networks", "env", "expect"];
        assert_eq!(similar("netwrok", known), Some("network"));
        assert_eq!(similar("Expect", known), Some("expect"));
        assert_eq!(similar("evn", known), Some("env"));
        assert_eq!(similar("volume", known), None);
        assert_eq!(similar(&"x".repeat(1000), known), None);
    }

    #[test]
    fn a_text_is_shown_short_and_printable() {
        assert_eq!(quoted("a\u{1b}[31m\n\"b'"), "`a\\u{1b}[31m\\n\"b'`");
        assert_eq!(quoted(&"ä".repeat(61)), format!("`{}…`", "ä".repeat(60)));
    }

    #[test]
    fn a_synonym_is_no_key_of_ours_by_another_name() {
        assert!(SYNONYMS.iter().all(|(other, ours)| other != ours));
        assert!(SYNONYMS.is_sorted());
    }
}
