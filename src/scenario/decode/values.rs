//! The small languages inside scalars: durations, images, mounts, ports, dates.

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;

use super::{Decoder, invalid};
use shellproof_api::ReferenceError;

use crate::image_name::suggestion;
use crate::scenario::schema::{AfterState, ImageChoice, Mount, MountSource, Port, Relabel};
use crate::source::Spanned;
use crate::source::spelling::{quoted, similar};
use crate::source::yaml::Node;

/// No scenario waits longer than this.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// What is wrong with a scalar, and what to do about it.
#[derive(Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) label: String,
    pub(super) help: String,
}

/// A length of time such as `500ms`, `20s`, `2m` or `1h`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Problem> {
    let problem = |label: String, help: String| Err(Problem { label, help });
    let examples = || "durations look like `500ms`, `20s` or `2m`".to_owned();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return problem("expected a whole number and a unit".into(), examples());
    }
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "" => {
            return problem(
                "the unit is missing".into(),
                format!("for seconds, write `{number}s`"),
            );
        }
        _ => {
            return problem(
                "expected a whole number and a unit: `ms`, `s`, `m` or `h`".into(),
                examples(),
            );
        }
    };
    match number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(milliseconds))
    {
        Some(0) => problem(
            "a duration of zero".into(),
            "leave the key out, or give it some time".into(),
        ),
        Some(total) if Duration::from_millis(total) <= MAX_DURATION => Ok(Duration::from_millis(total)),
        _ => problem("longer than a day".into(), "the longest duration is `24h`".into()),
    }
}

/// A day such as `2026-12-31`.
pub(super) fn parse_date(text: &str) -> Option<NaiveDate> {
    let date: NaiveDate = text.parse().ok()?;
    (date.to_string() == text).then_some(date)
}

/// Whether a text can name a scenario or a container: it becomes a host name.
pub(super) fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

pub(super) const NAME: &str = "lower-case letters, digits and dashes, 63 at most";

/// Whether a text can name a network or a volume, as engines see it.
pub(super) fn is_resource_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    text.len() <= 63
        && text.bytes().all(inner)
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
}

pub(super) const RESOURCE_NAME: &str = "letters, digits, `_`, `.` and `-`, starting with a letter or digit";

/// Whether a text is a host name, with or without dots.
pub(super) fn is_host_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_name)
}

/// Whether a text is an absolute path of a container.
pub(super) fn is_absolute(text: &str) -> bool {
    text.starts_with('/') && !text.split('/').any(|part| part == "..")
}

pub(super) const ABSOLUTE: &str = "an absolute path without `..`";

/// The capabilities of Linux, without their prefix.
const CAPABILITIES: &[&str] = &[
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

impl Decoder<'_> {
    /// An image reference, or `fixture:NAME`.
    pub(super) fn image(&mut self, node: &Node) -> Option<Spanned<ImageChoice>> {
        let text = self.string(node, "image")?;
        let error = match text.value.parse() {
            Ok(name) => return Some(Spanned::new(ImageChoice::Named(name), text.span)),
            Err(error) => error,
        };
        let error: ReferenceError = error;
        let mistake = match text.value.contains('$') {
            true => self
                .at(
                    text.span,
                    format!("{} is no image reference", quoted(&text.value)),
                )
                .label("there are no variables in a scenario")
                .help("write `role:` for an image that the platform's configuration names"),
            false => {
                let span = self.file.part(text.span, &text.value, error.range);
                let mistake = self
                    .at(span, format!("`image`: {}", error.problem))
                    .label(error.expected);
                match suggestion(&text.value) {
                    Some(meant) => mistake.help(meant),
                    None => mistake,
                }
            }
        };
        self.report(mistake);
        None
    }

    /// `name:/path`, `./host/path:/path` or `/host/path:/path`, with options such as `:ro,z` at the end.
    pub(super) fn mount(&mut self, node: &Node, what: &str) -> Option<Spanned<Mount>> {
        let text = self.string(node, what)?;
        let parts: Vec<&str> = text.value.split(':').collect();
        let (source, target, options) = match parts.as_slice() {
            [source, target] => (*source, *target, None),
            [source, target, options] => (*source, *target, Some(*options)),
            _ => ("", "", None),
        };
        let is_path = source.starts_with(['/', '.']);
        if !is_absolute(target) || !(is_resource_name(source) || is_path) {
            let error = self.at(text.span, invalid(&text.value, what));
            self.report(
                error
                    .label("expected `name:/path`, or with options such as `:ro`")
                    .help("a host path starts with `/`, or with `./` for one beside the scenario file"),
            );
            return None;
        }
        let source = match is_path {
            true => MountSource::Bind(PathBuf::from(source)),
            false => MountSource::Volume(source.to_owned()),
        };
        let mut mount = Mount {
            source,
            target: target.to_owned(),
            read_only: false,
            relabel: None,
            chown: false,
        };
        let (mut access, mut label) = (0, 0);
        for option in options.iter().flat_map(|options| options.split(',')) {
            match option {
                "rw" | "ro" => (mount.read_only, access) = (option == "ro", access + 1),
                "z" => (mount.relabel, label) = (Some(Relabel::Shared), label + 1),
                "Z" => (mount.relabel, label) = (Some(Relabel::Private), label + 1),
                "U" if !mount.chown => mount.chown = true,
                _ => {
                    let error = self.at(text.span, format!("unknown mount option {}", quoted(option)));
                    self.report(error.label("expected `ro`, `rw`, `z`, `Z` or `U`, each once").help(
                        "`z` and `Z` label it for SELinux, for all containers or for this one; `U`, on Podman, gives it \
                         to the container's user",
                    ));
                    return None;
                }
            }
        }
        if access > 1 || label > 1 {
            let error = self.at(text.span, "mount options that exclude each other");
            self.report(error.label("expected one of `ro` and `rw`, and one of `z` and `Z`"));
            return None;
        }
        Some(Spanned::new(mount, text.span))
    }

    /// `container`, `host:container`, either with `/tcp`.
    pub(super) fn published_port(&mut self, node: &Node, what: &str) -> Option<Spanned<Port>> {
        let text = self.string(node, what)?;
        let ports = text.value.strip_suffix("/tcp").unwrap_or(&text.value);
        let number = |part: &str| {
            let is_plain = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u16>().ok().filter(|&port| is_plain && port > 0)
        };
        let port = match ports.split_once(':') {
            None => number(ports).map(|container| Port {
                host: None,
                container,
            }),
            Some((host, container)) => number(host).zip(number(container)).map(|(host, container)| Port {
                host: Some(host),
                container,
            }),
        };
        if port.is_none() {
            let error = self.at(text.span, invalid(&text.value, what));
            self.report(
                error
                    .label("expected `\"container\"` or `\"host:container\"`, from 1 to 65535")
                    .help("only TCP ports are published, and the host's address is not chosen here"),
            );
        }
        port.map(|port| Spanned::new(port, text.span))
    }

    /// A capability, with or without `CAP_`.
    pub(super) fn capability(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let text = self.string(node, what)?;
        let name = text.value.strip_prefix("CAP_").unwrap_or(&text.value);
        if CAPABILITIES.contains(&name) {
            return Some(Spanned::new(name.to_owned(), text.span));
        }
        let mut error = self.at(text.span, format!("unknown capability {}", quoted(&text.value)));
        error = error.label("not one that Linux has");
        if let Some(meant) = similar(name, CAPABILITIES.iter().copied()) {
            error = error.help(format!("did you mean `{meant}`?"));
        }
        self.report(error);
        None
    }

    /// `started`, `ready` or `exited-N`.
    pub(super) fn after_state(&mut self, node: &Node, what: &str) -> Option<Spanned<AfterState>> {
        let text = self.string(node, what)?;
        let exited = |code: &str| {
            let is_plain = code.bytes().all(|byte| byte.is_ascii_digit());
            code.parse::<u8>()
                .ok()
                .filter(|_| is_plain)
                .map(AfterState::Exited)
        };
        let state = match text.value.as_str() {
            "started" => Some(AfterState::Started),
            "ready" => Some(AfterState::Ready),
            other => other.strip_prefix("exited-").and_then(exited),
        };
        if state.is_none() {
            let mut error = self.at(
                text.span,
                format!("{} is nothing to wait for", quoted(&text.value)),
            );
            error = error.label("expected `started`, `ready` or `exited-N`");
            let meant = match text.value.as_str() {
                "exited" | "completed" | "done" | "service_completed_successfully" => Some("exited-0"),
                "healthy" | "service_healthy" => Some("ready"),
                "running" | "service_started" => Some("started"),
                other => similar(other, ["started", "ready", "exited-0"]),
            };
            if let Some(meant) = meant {
                error = error.help(format!("did you mean `{meant}`?"));
            }
            self.report(error);
        }
        state.map(|state| Spanned::new(state, text.span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_units() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("24h"), Ok(MAX_DURATION));
        assert_eq!(parse_duration("20").unwrap_err().help, "for seconds, write `20s`");
        for wrong in [
            "",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "0s",
            "25h",
            "99999999999999999999s",
            "٣s",
            "1S",
            "1s ",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn dates_are_real_days() {
        assert_eq!(
            parse_date("2028-02-29").map(|date| date.to_string()),
            Some("2028-02-29".into())
        );
        assert!(parse_date("2026-01-31") < parse_date("2026-02-01"));
        for wrong in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-1",
            "26-01-01",
            "",
            "----",
        ] {
            assert_eq!(parse_date(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_become_host_names() {
        assert!(is_name("a") && is_name("python-3") && is_name("0"));
        for wrong in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &"a".repeat(64)] {
            assert!(!is_name(wrong), "{wrong}");
        }
        assert!(is_host_name("kdc.example.com") && !is_host_name("kdc..com"));
    }

    #[test]
    fn the_capabilities_are_sorted() {
        assert!(CAPABILITIES.is_sorted());
    }
}
