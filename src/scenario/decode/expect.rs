//! What must be true of a container.

use super::values::{ABSOLUTE, is_absolute};
use super::{Decoder, Fields, container::DEFAULT_WITHIN, invalid};
use crate::scenario::schema::{Expect, FileExpect, HttpExpect, Pattern, TextExpect};
use crate::source::yaml::{Entry, Kind, Node};
use crate::source::{Span, Spanned};

impl Decoder<'_> {
    pub(super) fn container_expect(&mut self, entry: &Entry) -> Option<Expect> {
        let mut fields = self.fields(&entry.value, "a container's `expect`", &entry.key)?;
        if let Some(verdict) = fields.get("verdict") {
            fields.known.push("verdict");
            let error = self.at(
                verdict.key.span,
                "a verdict is expected of a scenario, not of a container",
            );
            self.report(error.label("belongs in the scenario's own `expect`"));
        }
        let expect = Expect {
            exit: fields
                .take("exit")
                .and_then(|entry| self.exit_code(&entry.value, "exit")),
            stdout: fields.take("stdout").and_then(|entry| self.text(entry)),
            stderr: fields.take("stderr").and_then(|entry| self.text(entry)),
            http: fields
                .take("http")
                .and_then(|entry| self.list(entry, Self::http))
                .unwrap_or_default(),
            files: fields
                .take("files")
                .and_then(|entry| self.list(entry, Self::file))
                .unwrap_or_default(),
        };
        if fields.entries.is_empty() {
            let error = self.at(entry.value.span, "an `expect` that expects nothing");
            self.report(error.label("would always pass"));
        }
        self.finish(fields);
        Some(expect)
    }

    fn text(&mut self, entry: &Entry) -> Option<TextExpect> {
        let help = "write `{ contains: … }`, `{ matches: … }`, `{ equals: … }` or `{ not_contains: … }`";
        if !matches!(entry.value.kind, Kind::Map(_) | Kind::Broken) {
            let error = self.wrong_type(&entry.value, &entry.key.value, "a map");
            self.report(error.help(help));
            return None;
        }
        let mut fields = self.fields(&entry.value, "an expected text", &entry.key)?;
        let expect = TextExpect {
            span: entry.key.span,
            contains: fields
                .take("contains")
                .map(|entry| self.texts(entry))
                .unwrap_or_default(),
            not_contains: fields
                .take("not_contains")
                .map(|entry| self.texts(entry))
                .unwrap_or_default(),
            matches: fields
                .take("matches")
                .map(|entry| self.patterns(entry))
                .unwrap_or_default(),
            not_matches: fields
                .take("not_matches")
                .map(|entry| self.patterns(entry))
                .unwrap_or_default(),
            equals: fields
                .take("equals")
                .and_then(|entry| self.string(&entry.value, "equals")),
        };
        if fields.entries.is_empty() {
            let error = self.at(entry.value.span, format!("`{}` expects nothing", entry.key));
            self.report(error.label("would always pass").help(help));
        }
        self.finish(fields);
        Some(expect)
    }

    /// One pattern or a list of patterns.
    fn patterns(&mut self, entry: &Entry) -> Vec<Spanned<Pattern>> {
        let what = entry.key.value.as_str();
        let nodes = self.one_or_more(entry).iter();
        nodes.filter_map(|node| self.pattern(node, what)).collect()
    }

    /// One value or a list of them; none at all would check nothing.
    fn one_or_more<'n>(&mut self, entry: &'n Entry) -> &'n [Node] {
        let nodes = match &entry.value.kind {
            Kind::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        if nodes.is_empty() {
            let error = self.at(entry.value.span, format!("`{}` is an empty list", entry.key));
            self.report(error.label("would always pass"));
        }
        nodes
    }

    /// One text or a list of texts; an empty one is in every output, and so checks nothing.
    fn texts(&mut self, entry: &Entry) -> Vec<Spanned<String>> {
        let what = entry.key.value.as_str();
        let nodes = self.one_or_more(entry);
        let rule = |text: &str| !text.is_empty();
        nodes
            .iter()
            .filter_map(|node| self.checked(node, what, "at least one character", rule))
            .collect()
    }

    /// The keys of a request, shared by readiness and expectations. The status is 200 unless given.
    pub(super) fn request(
        &mut self,
        fields: &mut Fields<'_>,
    ) -> (Option<Spanned<u16>>, Option<Spanned<String>>, Spanned<u16>) {
        let port = fields
            .require("port", "the port inside the container, as in `port: 8080`")
            .and_then(|entry| self.port(&entry.value, "port"));
        let path = fields
            .require("path", "the path to ask for, as in `path: /`")
            .and_then(|entry| {
                let rule =
                    |text: &str| text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
                self.checked(
                    &entry.value,
                    "path",
                    "a path that starts with `/`, without spaces",
                    rule,
                )
            });
        let status = fields
            .take("status")
            .and_then(|entry| self.number(&entry.value, "status", 100, 599))
            .map(|status| status.map(|number| u16::try_from(number).unwrap_or_default()));
        (port, path, status.unwrap_or(Spanned::new(200, fields.place)))
    }

    fn http(&mut self, node: &Node, what: &str) -> Option<HttpExpect> {
        let mut fields = self.item(node, what, "an `http` expectation")?;
        let (port, path, status) = self.request(&mut fields);
        let body = fields.take("body").and_then(|entry| self.text(entry));
        let within = fields.take("within").and_then(|entry| self.duration(entry));
        self.finish(fields);
        Some(HttpExpect {
            span: node.span,
            port: port?,
            path: path?,
            status,
            body,
            within: within.map_or(DEFAULT_WITHIN, |within| within.value),
        })
    }

    fn file(&mut self, node: &Node, what: &str) -> Option<FileExpect> {
        let mut fields = self.item(node, what, "a `files` expectation")?;
        let path = fields
            .require("path", "the path in the image, as in `path: /bin/sh`")
            .and_then(|entry| self.checked(&entry.value, "path", ABSOLUTE, is_absolute));
        let presence = self.at_most_one(&mut fields, &["present", "absent"]);
        let present = presence.and_then(|entry| {
            let is_absent = entry.key.value == "absent";
            Some(
                self.bool(&entry.value, &entry.key.value)?
                    .map(|flag| flag != is_absent),
            )
        });
        let details: Vec<&Entry> = ["mode", "contains"]
            .iter()
            .filter_map(|key| fields.get(key))
            .collect();
        if let (Some(false), Some(detail)) = (present.map(|present| present.value), details.first()) {
            let title = format!("a file that must be absent has no `{}`", detail.key);
            let error = self.at(detail.key.span, title).label("can never be true");
            let place = presence.map_or(fields.place, |entry| entry.key.span);
            self.report(error.secondary(place, "there must be no such file"));
        }
        if presence.is_none() && details.is_empty() {
            let error = self.at(fields.place, "a `files` expectation that expects nothing");
            self.report(
                error
                    .label("would always pass")
                    .help("write `present: true` or `absent: true`"),
            );
        }
        let mode = fields.take("mode").and_then(|entry| self.file_mode(&entry.value));
        let contains = fields
            .take("contains")
            .map(|entry| self.texts(entry))
            .unwrap_or_default();
        let place = fields.place;
        self.finish(fields);
        let present = present.unwrap_or(Spanned::new(true, place));
        Some(FileExpect {
            span: node.span,
            path: path?,
            present,
            mode,
            contains,
        })
    }

    fn file_mode(&mut self, node: &Node) -> Option<Spanned<u32>> {
        let text = self.string(node, "mode")?;
        let is_octal = text.value.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        if (3..=4).contains(&text.value.len()) && is_octal {
            let mode = u32::from_str_radix(&text.value, 8).ok()?;
            return Some(Spanned::new(mode, text.span));
        }
        let error = self.at(text.span, invalid(&text.value, "mode"));
        self.report(error.label("expected three or four octal digits, such as `\"0644\"`"));
        None
    }

    /// The keys of a map that is an item of a list.
    fn item<'n>(&mut self, node: &'n Node, what: &str, is: &'static str) -> Option<Fields<'n>> {
        let place = match &node.kind {
            Kind::Map(entries) => entries.first().map_or(node.span, |entry| entry.key.span),
            _ => Span { ..node.span },
        };
        self.fields(node, is, &Spanned::new(what.to_owned(), place))
    }
}
