//! From a file's tree to its tests, collecting every mistake on the way.

use std::path::Path;
use std::sync::Arc;

use super::schema::{
    CommandTest, ContentTest, EnvVar, ExistenceTest, LicenceTest, MetadataTest, Output, RunOptions, Tests,
    Whom,
};
use crate::source::decode::{Decoder, Fields};
use crate::source::spelling::{quoted, similar};
use crate::source::yaml::{self, Entry, Form, Kind, Node};
use crate::source::{Diagnostic, Diagnostics, FileKind, SourceFile, Span, Spanned};
use crate::vocabulary::one_of;

const FILE: FileKind = FileKind {
    what: "a test file",
    file: "a file of container-structure-test",
};
const FORM: Form = Form {
    what: "test file",
    begins: "a file of container-structure-test starts with `schemaVersion: 2.0.0`",
};
const VERSION: &str = "2.0.0";

/// Reads a file of tests.
///
/// # Errors
/// It cannot be read, or has mistakes; all of them are told.
pub(crate) fn load(path: &Path) -> Result<Tests, Diagnostics> {
    read(FILE.read(path)?)
}

pub(super) fn read(file: Arc<SourceFile>) -> Result<Tests, Diagnostics> {
    let mut errors = Vec::new();
    let is_json = file
        .path()
        .extension()
        .is_some_and(|extension| extension == "json");
    let tests = yaml::read(&file, FORM, &mut errors).and_then(|root| {
        let mut decoder = Decoder {
            file: &file,
            errors: &mut errors,
        };
        decoder.tests(&root, is_json)
    });
    match (Diagnostics::from_vec(errors), tests) {
        (Some(errors), _) => Err(errors),
        (None, Some(tests)) => Ok(tests),
        (None, None) => Err(Diagnostic::whole_file(&file, "the file holds no tests").into()),
    }
}

impl Decoder<'_> {
    fn tests(&mut self, root: &Node, is_json: bool) -> Option<Tests> {
        let whole = Spanned::new(
            "the file".to_owned(),
            Span {
                end: root.span.start,
                ..root.span
            },
        );
        let mut fields = self.fields(root, "a file of container-structure-test", &whole)?;
        if let Some(entry) = fields.require("schemaVersion", "write `schemaVersion: 2.0.0`") {
            self.version(entry);
        }
        let tests = Tests {
            file: Arc::clone(self.file),
            global_env: self.many(&mut fields, "globalEnvVars", Self::env_var),
            commands: self.many(&mut fields, "commandTests", Self::command_test),
            existence: self.many(&mut fields, "fileExistenceTests", |decoder, node, what| {
                decoder.existence(node, what, is_json)
            }),
            contents: self.many(&mut fields, "fileContentTests", Self::content),
            metadata: fields.take("metadataTest").and_then(|entry| self.metadata(entry)),
            licences: self.many(&mut fields, "licenseTests", Self::licence),
            options: fields
                .take("containerRunOptions")
                .and_then(|entry| self.options(entry))
                .unwrap_or_default(),
        };
        let keys = [
            "commandTests",
            "fileExistenceTests",
            "fileContentTests",
            "metadataTest",
            "licenseTests",
        ];
        let has_any = fields
            .entries
            .iter()
            .any(|entry| keys.contains(&entry.key.value.as_str()));
        self.finish(fields);
        let is_empty = tests.commands.is_empty()
            && tests.existence.is_empty()
            && tests.contents.is_empty()
            && tests.metadata.is_none()
            && tests.licences.is_empty();
        if is_empty && self.errors.is_empty() {
            let place = match has_any {
                true => "would always pass",
                false => "none here",
            };
            let error = self.at(whole.span, "the file holds no test").label(place);
            self.report(error.help(format!("write {}", one_of(&keys))));
        }
        Some(tests)
    }

    fn version(&mut self, entry: &Entry) {
        let Some(version) = self.string(&entry.value, "schemaVersion") else {
            return;
        };
        if version.value != VERSION {
            let error = self.at(
                version.span,
                format!("schema version {} is not read here", quoted(&version.value)),
            );
            self.report(error.label(format!("expected `{VERSION}`")));
        }
    }

    /// The items of a list, if the key is there.
    fn many<T>(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        item: impl FnMut(&mut Self, &Node, &str) -> Option<T>,
    ) -> Vec<T> {
        match fields.take(key) {
            Some(entry) if matches!(entry.value.kind, Kind::Null) => Vec::new(),
            Some(entry) => self.list(entry, item).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    fn filled_texts(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Vec<Spanned<String>> {
        self.many(fields, key, |decoder, node, what| decoder.filled(node, what))
    }

    /// Any text but an empty one, which would check nothing.
    fn filled(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        self.checked(node, what, "at least one character", |text| !text.is_empty())
    }

    fn required(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        help: &'static str,
    ) -> Option<Spanned<String>> {
        let entry = fields.require(key, help)?;
        self.filled(&entry.value, key)
    }

    fn optional(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Spanned<String>> {
        let entry = fields.take(key)?;
        match entry.value.kind {
            Kind::Null => None,
            _ => self
                .string(&entry.value, key)
                .filter(|text| !text.value.is_empty()),
        }
    }

    /// A truth value, with the words that YAML 1.1 has for it.
    fn truth(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<bool> {
        let entry = fields.take(key)?;
        match &entry.value.kind {
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some(true),
                "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some(false),
                _ => {}
            },
            Kind::Null => return None,
            _ => {}
        }
        self.bool(&entry.value, key).map(|truth| truth.value)
    }

    fn env_var(&mut self, node: &Node, what: &str) -> Option<EnvVar> {
        let place = Spanned::new(what.to_owned(), node.span);
        let mut fields = self.fields(node, "a variable", &place)?;
        let key = self.required(&mut fields, "key", "name the variable, as in `key: PATH`");
        let value = self.optional(&mut fields, "value");
        let is_regex = self.truth(&mut fields, "isRegex").unwrap_or_default();
        self.finish(fields);
        let key = key?;
        let value = value.unwrap_or_else(|| Spanned::new(String::new(), key.span));
        Some(EnvVar { key, value, is_regex })
    }

    fn output(&mut self, fields: &mut Fields<'_>, expected: &'static str, excluded: &'static str) -> Output {
        Output {
            expected: self.filled_texts(fields, expected),
            excluded: self.filled_texts(fields, excluded),
        }
    }

    fn command_test(&mut self, node: &Node, what: &str) -> Option<CommandTest> {
        let place = Spanned::new(what.to_owned(), node.span);
        let mut fields = self.fields(node, "a command test", &place)?;
        let name = self.required(&mut fields, "name", "give the test a name");
        let command = self.required(
            &mut fields,
            "command",
            "name the program, as in `command: /usr/bin/python3`",
        );
        let args = self.many(&mut fields, "args", |decoder, node, what| {
            decoder.string(node, what)
        });
        let setup = fields.take("setup").filter(|entry| is_filled(&entry.value));
        // Known, and never run: container-structure-test runs it with its host driver only.
        fields.take("teardown");
        let env = self.many(&mut fields, "envVars", Self::env_var);
        for one in env.iter().filter(|one| one.value.value.is_empty()) {
            let error = self.at(
                one.key.span,
                format!("variable `{}` of a command test has no value", one.key),
            );
            self.report(error.label("container-structure-test fails such a test"));
        }
        let exit = match fields
            .take("exitCode")
            .filter(|entry| !matches!(entry.value.kind, Kind::Null))
        {
            Some(entry) => self.number(&entry.value, "exitCode", 0, 255),
            None => Some(Spanned::new(0, node.span)),
        };
        let stdout = self.output(&mut fields, "expectedOutput", "excludedOutput");
        let stderr = self.output(&mut fields, "expectedError", "excludedError");
        self.finish(fields);
        let (name, command) = (name?, command?);
        let exit = exit?.map(|code| u8::try_from(code).unwrap_or_default());
        Some(CommandTest {
            exit: match exit.span == node.span {
                true => Spanned::new(exit.value, name.span),
                false => exit,
            },
            setup: setup.map(|entry| entry.key.span),
            name,
            env,
            command,
            args,
            stdout,
            stderr,
        })
    }

    fn existence(&mut self, node: &Node, what: &str, is_json: bool) -> Option<ExistenceTest> {
        let place = Spanned::new(what.to_owned(), node.span);
        let mut fields = self.fields(node, "a file existence test", &place)?;
        let name = self.required(&mut fields, "name", "give the test a name");
        let path = self.required(&mut fields, "path", "name the file, as in `path: /etc/passwd`");
        // What is not said is another thing in JSON: there, container-structure-test takes Go's zero values.
        let should_exist = self.truth(&mut fields, "shouldExist").unwrap_or(!is_json);
        let permissions = self.optional(&mut fields, "permissions");
        let unsaid = is_json.then(|| Spanned::new(0, node.span));
        let uid = self.owner(&mut fields, "uid", unsaid);
        let gid = self.owner(&mut fields, "gid", unsaid);
        let executable_by = self
            .optional(&mut fields, "isExecutableBy")
            .and_then(|word| self.whom(&word));
        self.finish(fields);
        let (name, path) = (name?, path?);
        Some(ExistenceTest {
            name,
            path,
            should_exist,
            permissions,
            uid,
            gid,
            executable_by,
        })
    }

    /// A number of a user or a group; -1 is none.
    fn owner(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        unsaid: Option<Spanned<u64>>,
    ) -> Option<Spanned<u64>> {
        let Some(entry) = fields.take(key) else {
            return unsaid;
        };
        match &entry.value.kind {
            Kind::Scalar { text, plain: true } if text == "-1" => None,
            Kind::Null => unsaid,
            _ => self
                .number(&entry.value, key, 0, u32::MAX)
                .map(|number| number.map(u64::from)),
        }
    }

    fn whom(&mut self, word: &Spanned<String>) -> Option<Spanned<Whom>> {
        let whom = Whom::of(&word.value).map(|whom| Spanned::new(whom, word.span));
        if whom.is_none() {
            let error = self.at(
                word.span,
                format!("unknown `isExecutableBy` {}", quoted(&word.value)),
            );
            let mut error = error.label(format!("expected {}", one_of(Whom::WORDS)));
            if let Some(meant) = similar(&word.value, Whom::WORDS.iter().copied()) {
                error = error.help(format!("did you mean `{meant}`?"));
            }
            self.report(error);
        }
        whom
    }

    fn content(&mut self, node: &Node, what: &str) -> Option<ContentTest> {
        let place = Spanned::new(what.to_owned(), node.span);
        let mut fields = self.fields(node, "a file content test", &place)?;
        let name = self.required(&mut fields, "name", "give the test a name");
        let path = self.required(&mut fields, "path", "name the file, as in `path: /etc/passwd`");
        let contents = self.output(&mut fields, "expectedContents", "excludedContents");
        self.finish(fields);
        let (name, path) = (name?, path?);
        Some(ContentTest { name, path, contents })
    }

    fn metadata(&mut self, entry: &Entry) -> Option<MetadataTest> {
        let mut fields = self.fields(&entry.value, "`metadataTest`", &entry.key)?;
        let words = |decoder: &mut Self, entry: &Entry| {
            let words = decoder.list(entry, |decoder, node, what| decoder.string(node, what))?;
            Some(Spanned::new(words, entry.key.span))
        };
        let argv = |decoder: &mut Self, fields: &mut Fields<'_>, key| {
            let entry = fields
                .take(key)
                .filter(|entry| !matches!(entry.value.kind, Kind::Null))?;
            words(decoder, entry)
        };
        let test = MetadataTest {
            env: self.many(&mut fields, "envVars", Self::env_var),
            unbound_env: self.many(&mut fields, "unboundEnvVars", Self::env_var),
            labels: self.many(&mut fields, "labels", Self::env_var),
            exposed_ports: self.filled_texts(&mut fields, "exposedPorts"),
            unexposed_ports: self.filled_texts(&mut fields, "unexposedPorts"),
            entrypoint: argv(self, &mut fields, "entrypoint"),
            cmd: argv(self, &mut fields, "cmd"),
            workdir: self.optional(&mut fields, "workdir"),
            volumes: self.filled_texts(&mut fields, "volumes"),
            unmounted_volumes: self.filled_texts(&mut fields, "unmountedVolumes"),
            user: self.optional(&mut fields, "user"),
        };
        let is_empty = fields.entries.iter().all(|entry| !is_filled(&entry.value))
            && test.entrypoint.is_none()
            && test.cmd.is_none();
        self.finish(fields);
        (!is_empty).then_some(test)
    }

    fn licence(&mut self, node: &Node, what: &str) -> Option<LicenceTest> {
        let place = Spanned::new(what.to_owned(), node.span);
        let mut fields = self.fields(node, "a licence test", &place)?;
        let debian = self.truth(&mut fields, "debian").unwrap_or_default();
        let files = self.filled_texts(&mut fields, "files");
        self.finish(fields);
        if !debian && files.is_empty() {
            let error = self.at(node.span, "a licence test that looks at nothing");
            self.report(
                error
                    .label("would always pass")
                    .help("write `debian: true`, or a list of `files`"),
            );
            return None;
        }
        Some(LicenceTest {
            place: node.span,
            debian,
            files,
        })
    }

    fn options(&mut self, entry: &Entry) -> Option<RunOptions> {
        let mut fields = self.fields(&entry.value, "`containerRunOptions`", &entry.key)?;
        let mut options = RunOptions {
            user: self.optional(&mut fields, "user"),
            env: self.filled_texts(&mut fields, "envVars"),
            ..RunOptions::default()
        };
        for key in ["privileged", "allocateTty"] {
            let place = fields.get(key).map(|entry| entry.key.span).unwrap_or_default();
            if self.truth(&mut fields, key) == Some(true) {
                options.beyond.push(Spanned::new(key, place));
            }
        }
        for key in ["envFile", "capabilities", "bindMounts"] {
            if let Some(entry) = fields.take(key).filter(|entry| is_filled(&entry.value)) {
                options.beyond.push(Spanned::new(key, entry.key.span));
            }
        }
        let is_set = options.user.is_some() || !options.env.is_empty() || !options.beyond.is_empty();
        options.is_set = is_set.then_some(entry.key.span);
        self.finish(fields);
        Some(options)
    }
}

/// Whether a value says anything.
fn is_filled(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => false,
        Kind::Scalar { text, .. } => !text.is_empty(),
        Kind::List(items) => !items.is_empty(),
        Kind::Map(_) | Kind::Broken => true,
    }
}
