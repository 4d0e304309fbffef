//! The top level of a scenario.

use std::sync::Arc;

use super::Decoder;
use super::values::{NAME, RESOURCE_NAME, is_name, is_resource_name, parse_date};
use crate::scenario::schema::{Audit, Outcome, Outcomes, Scenario, Waiver};
use crate::source::spelling::quoted;
use crate::source::yaml::{Entry, Kind, Node};
use crate::source::{Span, Spanned};
use crate::vocabulary::{Mode, Need, VerdictKind};

impl Decoder<'_> {
    /// The whole file. Without a name there is still a scenario, so that the rest is checked too.
    pub(super) fn document(mut self, root: &Node) -> Option<Scenario> {
        let top = Span {
            end: root.span.start,
            ..root.span
        };
        let mut fields = self.fields(root, "a scenario", &Spanned::new(String::new(), top))?;
        if let Some(first) = fields.entries.first() {
            fields.place = first.key.span;
        }
        if let Some(entry) = fields.require("schema", "the first line of a scenario is `schema: 1`") {
            self.schema_version(entry);
        }
        let name = fields
            .require("name", "reports call the scenario by its name")
            .and_then(|entry| self.checked(&entry.value, "name", NAME, is_name));
        let proves = fields
            .take("proves")
            .and_then(|entry| self.one_line(&entry.value, "proves"));
        let modes = fields.take("modes").and_then(|entry| self.modes(entry));
        let criteria = fields
            .take("criteria")
            .and_then(|entry| self.distinct(entry, Self::word));
        let networks = fields
            .take("networks")
            .and_then(|entry| self.resource_names(entry));
        let volumes = fields
            .take("volumes")
            .and_then(|entry| self.resource_names(entry));
        let containers = fields
            .require("containers", "a scenario that runs nothing proves nothing")
            .map(|entry| self.containers(entry));
        let audit = fields.take("audit").and_then(|entry| self.audit(entry));
        let expect = fields.take("expect").and_then(|entry| self.outcomes(entry));
        let waivers = fields.take("waivers").and_then(|entry| self.waivers(entry));
        self.finish(fields);
        Some(Scenario {
            file: Arc::clone(self.file),
            name: name.unwrap_or_default(),
            proves,
            modes: modes.unwrap_or_else(|| Mode::ALL.to_vec()),
            criteria: criteria.unwrap_or_default(),
            networks: networks.unwrap_or_default(),
            volumes: volumes.unwrap_or_default(),
            containers: containers.unwrap_or_default(),
            audit: audit.unwrap_or_default(),
            expect: expect.unwrap_or_default(),
            waivers: waivers.unwrap_or_default(),
        })
    }

    fn schema_version(&mut self, entry: &Entry) {
        let Some(version) = self.number(&entry.value, "schema", 0, u32::MAX) else {
            return;
        };
        if version.value != 1 {
            let error = self.at(version.span, format!("no scenario schema {version}"));
            self.report(
                error
                    .label("expected 1")
                    .help("a newer `shellproof` may read this file"),
            );
        }
    }

    fn one_line(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        self.checked(node, what, "one line of text", |text| {
            !text.trim().is_empty() && !text.contains('\n')
        })
    }

    fn modes(&mut self, entry: &Entry) -> Option<Vec<Mode>> {
        let modes = self.distinct(entry, Self::word::<Mode>)?;
        if matches!(&entry.value.kind, Kind::List(nodes) if nodes.is_empty()) {
            let error = self.at(entry.value.span, "`modes` is an empty list");
            self.report(
                error
                    .label("the scenario would never run")
                    .help("leave it out for both modes"),
            );
        }
        // The order of the words, whatever the order in the file: reports come out the same.
        let written = |mode: &&Mode| modes.iter().any(|other| other.value == **mode);
        Some(Mode::ALL.iter().filter(written).copied().collect())
    }

    fn resource_names(&mut self, entry: &Entry) -> Option<Vec<Spanned<String>>> {
        self.distinct(entry, |decoder, node, what| {
            decoder.checked(node, what, RESOURCE_NAME, is_resource_name)
        })
    }

    fn audit(&mut self, entry: &Entry) -> Option<Audit> {
        let mut fields = self.fields(&entry.value, "an audit", &entry.key)?;
        let mut need = |decoder: &mut Self, key| -> Option<Spanned<Need>> {
            let entry = fields.take(key)?;
            decoder.word(&entry.value, key)
        };
        let audit = Audit {
            wire: need(self, "wire"),
            image: need(self, "image"),
            kernel: need(self, "kernel"),
        };
        self.finish(fields);
        Some(audit)
    }

    fn outcomes(&mut self, entry: &Entry) -> Option<Outcomes> {
        let mut fields = self.fields(&entry.value, "the scenario's `expect`", &entry.key)?;
        let by_mode: Vec<&Entry> = ["layered", "prebuilt"]
            .iter()
            .filter_map(|mode| fields.get(mode))
            .collect();
        if by_mode.is_empty() {
            let outcome = self.outcome(entry)?;
            return Some(Outcomes {
                layered: outcome.clone(),
                prebuilt: outcome,
            });
        }
        let layered = fields.take("layered").and_then(|entry| self.outcome(entry));
        let prebuilt = fields.take("prebuilt").and_then(|entry| self.outcome(entry));
        for key in ["verdict", "rule"] {
            if let (Some(mixed), Some(mode)) = (fields.take(key), by_mode.first()) {
                let title = format!("`{key}` cannot stand beside `{}`", mode.key);
                let error = self.at(mixed.key.span, title).label("for which mode?");
                let help = format!("move it into `layered: {{ {key}: … }}` or `prebuilt: {{ {key}: … }}`");
                self.report(
                    error
                        .secondary(mode.key.span, "modes are told apart here")
                        .help(help),
                );
            }
        }
        self.finish(fields);
        Some(Outcomes {
            layered: layered.unwrap_or_default(),
            prebuilt: prebuilt.unwrap_or_default(),
        })
    }

    fn outcome(&mut self, entry: &Entry) -> Option<Outcome> {
        let mut fields = self.fields(&entry.value, "the scenario's `expect`", &entry.key)?;
        let help = "write `verdict: clean`, `violated` or `unproven`; what a container must do stands in its own \
                    `expect`";
        let verdict = fields
            .require("verdict", help)
            .and_then(|entry| self.word::<VerdictKind>(&entry.value, "verdict"));
        let rule = match fields.take("rule") {
            Some(entry) => {
                let rule = self.checked(
                    &entry.value,
                    "rule",
                    "the name of a rule, such as `exec`",
                    is_name,
                );
                if let Some(verdict) = verdict.filter(|verdict| verdict.value != VerdictKind::Violated) {
                    let title = format!("`rule` means nothing with the verdict `{verdict}`");
                    let error = self.at(entry.key.span, title).label("no rule is violated");
                    self.report(error.secondary(verdict.span, "this verdict"));
                }
                rule
            }
            None => None,
        };
        self.finish(fields);
        Some(Outcome {
            span: Some(entry.value.span),
            verdict: verdict?.value,
            rule,
        })
    }

    fn waivers(&mut self, entry: &Entry) -> Option<Vec<Waiver>> {
        self.list(entry, |decoder, node, what| {
            let place = Spanned::new(
                what.to_owned(),
                Span {
                    end: node.span.start,
                    ..node.span
                },
            );
            let mut fields = decoder.fields(node, "a waiver", &place)?;
            let mut text = |decoder: &mut Self, key, help| -> Option<Spanned<String>> {
                let entry = fields.require(key, help)?;
                decoder.one_line(&entry.value, key)
            };
            let rule = text(decoder, "rule", "name the rule that is waived");
            let program = text(decoder, "program", "name the program that may break the rule");
            let reason = text(decoder, "reason", "say why, for those who read the report");
            let until = text(decoder, "until", "a waiver ends: `until: 2027-06-30`");
            decoder.finish(fields);
            let until = until.and_then(|text| match parse_date(&text.value) {
                Some(date) => Some(Spanned::new(date, text.span)),
                None => {
                    let error = decoder.at(text.span, format!("{} is no day", quoted(&text.value)));
                    decoder.report(error.label("expected a day such as `2027-06-30`"));
                    None
                }
            });
            Some(Waiver {
                span: node.span,
                rule: rule?,
                program: program?,
                reason: reason?,
                until: until?,
            })
        })
    }
}
