//! A container and its `layered:` and `prebuilt:` blocks.

use super::values::{ABSOLUTE, NAME, is_absolute, is_host_name, is_name};
use super::{Decoder, Fields};
use crate::scenario::keys::container_keys;
use crate::scenario::schema::{
    After, Container, EnvVar, HealthCheck, HealthTest, ImageChoice, Mount, Port, Probe, Ready, Settings,
};
use crate::source::spelling::quoted;
use crate::source::yaml::{Entry, Kind};
use crate::source::{Span, Spanned};
use crate::vocabulary::Role;

use std::time::Duration;

/// A scenario is read by people; a larger one is a mistake, or an attack on the checks.
const MAX_CONTAINERS: usize = 64;

/// How long a container may take to become ready, unless it says otherwise.
pub(super) const DEFAULT_WITHIN: Duration = Duration::from_secs(30);

/// Where a block of container keys stands.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    Base,
    Layered,
    Prebuilt,
}

impl Decoder<'_> {
    pub(super) fn containers(&mut self, entry: &Entry) -> Vec<Container> {
        let Kind::Map(entries) = &entry.value.kind else {
            if !matches!(entry.value.kind, Kind::Broken) {
                let error = self.wrong_type(&entry.value, "containers", "a map of containers");
                self.report(error.help("write `name: { image: … }`, one for each container"));
            }
            return Vec::new();
        };
        let has_broken_keys = self
            .errors
            .iter()
            .filter_map(|error| error.span)
            .any(|at| entry.value.span.contains(at));
        if entries.is_empty() && !has_broken_keys {
            let error = self.at(entry.value.span, "`containers` is empty");
            self.report(error.label("a scenario that runs nothing proves nothing"));
        }
        if let Some(first) = entries.get(MAX_CONTAINERS) {
            let title = format!("more than {MAX_CONTAINERS} containers in a scenario");
            let error = self.at(first.key.span, title).label("this one is too many");
            self.report(error.help("split the scenario into several files"));
        }
        entries
            .iter()
            .take(MAX_CONTAINERS)
            .map(|entry| self.container(entry))
            .collect()
    }

    fn container(&mut self, entry: &Entry) -> Container {
        if !is_name(&entry.key.value) {
            let title = format!("{} is not a valid container name", quoted(&entry.key.value));
            let error = self.at(entry.key.span, title);
            self.report(error.label(format!("expected {NAME}")));
        }
        let span = Span {
            end: entry.value.span.end.max(entry.key.span.end),
            ..entry.key.span
        };
        let mut container = Container {
            name: entry.key.clone(),
            span,
            base: Settings::default(),
            layered: None,
            prebuilt: None,
        };
        let Some(mut fields) = self.fields(&entry.value, "a container", &entry.key) else {
            return container;
        };
        container.base = self.settings(&mut fields, Block::Base);
        container.layered = fields
            .take("layered")
            .and_then(|entry| self.block(entry, Block::Layered));
        container.prebuilt = fields
            .take("prebuilt")
            .and_then(|entry| self.block(entry, Block::Prebuilt));
        self.finish(fields);
        container
    }

    fn block(&mut self, entry: &Entry, block: Block) -> Option<Spanned<Settings>> {
        let what = match block {
            Block::Layered => "a `layered` block",
            Block::Base | Block::Prebuilt => "a `prebuilt` block",
        };
        let mut fields = self.fields(&entry.value, what, &entry.key)?;
        let settings = self.settings(&mut fields, block);
        self.finish(fields);
        Some(Spanned::new(settings, entry.key.span))
    }

    fn settings(&mut self, fields: &mut Fields<'_>, block: Block) -> Settings {
        macro_rules! read {
            ($($(#[$doc:meta])* $key:ident: $kind:ident $type:ty = $read:ident,)+) => {
                Settings {
                    image: self.image_choice(fields),
                    command: self.command(fields, block),
                    $($key: fields.take(stringify!($key)).and_then(|entry| self.$read(entry)),)+
                }
            };
        }
        container_keys!(read)
    }

    fn text_of(&mut self, entry: &Entry) -> Option<Spanned<String>> {
        self.string(&entry.value, &entry.key.value)
    }

    fn flag(&mut self, entry: &Entry) -> Option<bool> {
        Some(self.bool(&entry.value, &entry.key.value)?.value)
    }

    fn user(&mut self, entry: &Entry) -> Option<Spanned<String>> {
        let expected = "a name or number, or `user:group`";
        self.checked(&entry.value, "user", expected, |text| {
            text.split(':').count() <= 2
                && text.split(':').all(|part| !part.is_empty())
                && !text.contains(char::is_whitespace)
        })
    }

    fn absolute_path(&mut self, entry: &Entry) -> Option<Spanned<String>> {
        self.checked(&entry.value, &entry.key.value, ABSOLUTE, is_absolute)
    }

    fn absolute_paths(&mut self, entry: &Entry) -> Option<Vec<Spanned<String>>> {
        self.distinct(entry, |decoder, node, what| {
            decoder.checked(node, what, ABSOLUTE, is_absolute)
        })
    }

    fn host_names(&mut self, entry: &Entry) -> Option<Vec<Spanned<String>>> {
        self.distinct(entry, |decoder, node, what| {
            decoder.checked(node, what, "a host name", is_host_name)
        })
    }

    fn mounts(&mut self, entry: &Entry) -> Option<Vec<Spanned<Mount>>> {
        self.list(entry, Self::mount)
    }

    fn ports(&mut self, entry: &Entry) -> Option<Vec<Spanned<Port>>> {
        self.list(entry, Self::published_port)
    }

    fn capabilities(&mut self, entry: &Entry) -> Option<Vec<Spanned<String>>> {
        self.distinct(entry, Self::capability)
    }

    fn image_choice(&mut self, fields: &mut Fields<'_>) -> Option<Spanned<ImageChoice>> {
        let entry = self.at_most_one(fields, &["image", "role"])?;
        if entry.key.value == "image" {
            self.image(&entry.value)
        } else {
            Some(self.word::<Role>(&entry.value, "role")?.map(ImageChoice::Role))
        }
    }

    /// The whole argument vector, which only a `layered:` block may give: elsewhere it would be the
    /// place where shell lines creep in.
    fn command(&mut self, fields: &mut Fields<'_>, block: Block) -> Option<Spanned<Vec<Spanned<String>>>> {
        if block != Block::Layered {
            if let Some(entry) = fields.get("command") {
                fields.known.push("command");
                let error = self.at(entry.key.span, format!("`command` in {}", fields.what));
                self.report(error.label("stands only in a `layered` block").help(
                    "write `args` for what follows the image's entrypoint, `entrypoint` to replace it too",
                ));
            }
            return None;
        }
        let entry = fields.take("command")?;
        for other in ["entrypoint", "args"] {
            if let Some(other) = fields.get(other) {
                let title = format!("`command` and `{}` in one block", other.key);
                let error = self.at(other.key.span, title).label("would have no effect");
                self.report(error.secondary(entry.key.span, "this is the whole argument vector"));
            }
        }
        self.argv(entry)
    }

    fn env(&mut self, entry: &Entry) -> Option<Vec<EnvVar>> {
        let Kind::Map(entries) = &entry.value.kind else {
            if !matches!(entry.value.kind, Kind::Broken) {
                let error = self.wrong_type(&entry.value, "env", "a map");
                self.report(error.help("write `NAME: value`, one for each variable"));
            }
            return None;
        };
        let mut variables = Vec::new();
        for entry in entries {
            let name = &entry.key.value;
            if name.is_empty() || name.contains(['=', '\0']) || name.contains(char::is_whitespace) {
                let title = format!("{} is no name of a variable", quoted(name));
                let error = self
                    .at(entry.key.span, title)
                    .label("holds `=`, a space, or nothing");
                self.report(error);
                continue;
            }
            if let Some(value) = self.string(&entry.value, name) {
                variables.push(EnvVar {
                    name: entry.key.clone(),
                    value,
                });
            }
        }
        Some(variables)
    }

    fn healthcheck(&mut self, entry: &Entry) -> Option<Spanned<HealthCheck>> {
        let mut fields = self.fields(&entry.value, "a health check", &entry.key)?;
        let what = self.exactly_one(&mut fields, &["command", "shell", "none"]);
        let mut time = |decoder: &mut Self, key| {
            let entry = fields.take(key)?;
            Some(decoder.duration(entry)?.value)
        };
        let (interval, timeout) = (time(self, "interval"), time(self, "timeout"));
        let retries = fields
            .take("retries")
            .and_then(|entry| self.number(&entry.value, "retries", 1, 1000));
        let start_period = fields.take("start_period").and_then(|entry| self.duration(entry));
        let what = what?;
        let test = match what.key.value.as_str() {
            "command" => self.argv(what).and_then(|argv| self.health_command(argv)),
            "shell" => {
                let expected = "a line for a shell";
                let line = self.checked(&what.value, "shell", expected, |line| !line.trim().is_empty());
                line.map(|line| HealthTest::Shell(line.value))
            }
            _ => self.no_healthcheck(what, &fields),
        };
        self.finish(fields);
        let check = HealthCheck {
            test: test?,
            interval,
            timeout,
            retries: retries.map(|it| it.value),
            start_period: start_period.map(|it| it.value),
        };
        Some(Spanned::new(check, entry.value.span))
    }

    /// The words of a health check's program, which are not written as in a compose file.
    fn health_command(&mut self, argv: Spanned<Vec<Spanned<String>>>) -> Option<HealthTest> {
        let words: Vec<String> = argv.value.into_iter().map(|word| word.value).collect();
        let listed = |words: &[String]| {
            words
                .iter()
                .map(|word| format!("{word:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (title, help) = match words.as_slice() {
            [first, rest @ ..] if first == "CMD" => (
                "a health check's `command` is its program and arguments alone",
                format!("leave out `CMD`: `command: [{}]`", listed(rest)),
            ),
            [first, rest @ ..] if first == "CMD-SHELL" => (
                "a health check's `command` is not run by a shell",
                format!("a line for a shell is `shell: {:?}`", rest.join(" ")),
            ),
            [only] if only == "NONE" => (
                "a health check's `command` is a program",
                "no health check is `none: true`".to_owned(),
            ),
            [line] if line.trim().contains(char::is_whitespace) => {
                let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
                (
                    "a health check's program cannot be a whole line",
                    format!("write each word by itself: `command: [{}]`", listed(&words)),
                )
            }
            _ => return Some(HealthTest::Command(words)),
        };
        let error = self.at(argv.span, title).label("would always fail");
        self.report(error.help(help));
        None
    }

    fn no_healthcheck(&mut self, none: &Entry, fields: &Fields<'_>) -> Option<HealthTest> {
        if !self.bool(&none.value, "none")?.value {
            let title = "`none: false` says nothing about the health check";
            let error = self.at(none.value.span, title).label("neither none nor one");
            self.report(error.help("leave `healthcheck` out to keep the image's"));
        }
        let timing = ["interval", "timeout", "retries", "start_period"];
        if timing.iter().any(|key| fields.get(key).is_some()) {
            let error = self.at(fields.place, "a health check that is none needs no timing");
            let error = error.label("has both");
            self.report(error.secondary(none.key.span, "there is no health check"));
        }
        Some(HealthTest::None)
    }

    fn ready(&mut self, entry: &Entry) -> Option<Ready> {
        let mut fields = self.fields(&entry.value, "a `ready`", &entry.key)?;
        let probe = self.exactly_one(&mut fields, &["tcp", "http", "log", "exit"]);
        let within = fields.take("within").and_then(|entry| self.duration(entry));
        self.finish(fields);
        let entry = probe?;
        let probe = match entry.key.value.as_str() {
            "tcp" => Probe::Tcp(self.port(&entry.value, "tcp")?.value),
            "log" => Probe::Log(self.pattern(&entry.value, "log")?.value),
            "exit" => Probe::Exit(self.exit_code(&entry.value, "exit")?.value),
            _ => {
                let mut fields = self.fields(&entry.value, "an `http` probe", &entry.key)?;
                let (port, path, status) = self.request(&mut fields);
                self.finish(fields);
                Probe::Http {
                    port: port?.value,
                    path: path?.value,
                    status: status.value,
                }
            }
        };
        let span = Span {
            end: entry.value.span.end.max(entry.key.span.end),
            ..entry.key.span
        };
        Some(Ready {
            probe: Spanned::new(probe, span),
            within: within.map_or(DEFAULT_WITHIN, |within| within.value),
        })
    }

    fn after(&mut self, entry: &Entry) -> Option<Vec<After>> {
        let Kind::Map(entries) = &entry.value.kind else {
            if !matches!(entry.value.kind, Kind::Broken) {
                let error = self.wrong_type(&entry.value, "after", "a map");
                self.report(error.help("write `after: { container: ready }`"));
            }
            return None;
        };
        let after = entries.iter().filter_map(|entry| {
            let state = self.after_state(&entry.value, &entry.key.value)?;
            Some(After {
                container: entry.key.clone(),
                state,
            })
        });
        Some(after.collect())
    }
}
