//! From a manifest's parts to what an image is and contains.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use shellproof_api::HealthTest;
use shellproof_api::facts::{
    ImageConfiguration, ImageContent, ImageLayer, ImageProgram, OnBuild, RecordedHealth, Setting,
};

use crate::document::{Configuration, parse};
use crate::entry::{Layer, Program};
use crate::error::{Error, Result};
use crate::path::{Keys, text};
use crate::stack::{Left, flatten, found};
use crate::stream::digest_of;
use crate::wanted::{Files, Looked, WantedFiles};

/// The label of whatever Podman builds.
const BUILT_BY_PODMAN: &str = "io.buildah.version";
/// How Docker's own format calls a configuration; the other one has no place for a health check.
const DOCKER_CONFIGURATION: &str = "application/vnd.docker.container.image.v1+json";

/// What makes an image, of whose layers somebody has made something.
pub(crate) struct Parts<'a, L> {
    pub(crate) digest: Option<String>,
    pub(crate) names: Vec<String>,
    /// The manifest, where there is one.
    pub(crate) manifest: Option<Vec<u8>>,
    pub(crate) configuration: Cow<'a, [u8]>,
    /// What the manifest calls its configuration, where it does.
    pub(crate) media_type: String,
    /// Lowest first.
    pub(crate) layers: Vec<&'a L>,
}

impl<'a, L> Parts<'a, Arc<L>> {
    /// The same of layers that others have too.
    pub(crate) fn borrowed(self) -> Parts<'a, L> {
        let Self {
            digest,
            names,
            manifest,
            configuration,
            media_type,
            layers,
        } = self;
        Parts {
            digest,
            names,
            manifest,
            configuration,
            media_type,
            layers: layers.into_iter().map(|layer| &**layer).collect(),
        }
    }
}

/// Puts an image together, whose layers are checked against its configuration.
pub(crate) fn assemble(parts: &Parts<'_, Layer>, keys: &Keys, wanted: &WantedFiles) -> Result<Looked> {
    let configuration: Configuration = parse("the image's configuration", &parts.configuration)?;
    let rootfs = configuration.rootfs.clone().unwrap_or_default();
    let expected = rootfs.diff_ids.unwrap_or_default();
    if expected.len() != parts.layers.len() {
        return Err(Error::Malformed(format!(
            "the image's configuration names {} layers, its manifest {}",
            expected.len(),
            parts.layers.len()
        )));
    }
    for (place, (layer, expected)) in parts.layers.iter().zip(&expected).enumerate() {
        if layer.unpacked != *expected {
            return Err(Error::Malformed(format!(
                "layer {} is not what the image's configuration says: expected `{}`, found `{}`",
                place + 1,
                expected.escape_debug(),
                layer.unpacked
            )));
        }
    }
    let mut content = ImageContent {
        layers: layers(&configuration, &parts.layers),
        configuration: configured(configuration, parts),
        ..ImageContent::default()
    };
    let mut links = BTreeMap::new();
    let mut crossed = Vec::new();
    for (path, layer, left) in flatten(&parts.layers, keys) {
        match left {
            Left::Program(program) => content.programs.push(named(&path, layer, program)),
            Left::Symlink(target) => {
                let has_more = |layer: &&Layer| layer.parents.contains(&keys.of(&path));
                if parts.layers[layer..].iter().any(has_more) {
                    crossed.push(text(&path));
                }
                links.insert(text(&path), String::from_utf8_lossy(&target).into_owned());
            }
        }
    }
    content.links = links;
    content.programs.sort_by(|one, other| one.path.cmp(&other.path));
    content.name_links();
    let (found, unread) = found(&parts.layers, keys, wanted);
    Ok(Looked {
        files: Files::new(found, &content),
        content,
        crossed,
        unread,
    })
}

fn named(path: &[u8], layer: usize, program: Program) -> ImageProgram {
    let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    ImageProgram {
        path: text(path),
        links: Vec::new(),
        mode: program.mode,
        owner: program.owner,
        size: program.size,
        has_capabilities: program.has_capabilities,
        digest: program.digest,
        likeness: program.likeness,
        interpreter: program
            .interpreter
            .map(|(path, argument)| (lossy(path), argument.map(lossy))),
        is_packed: program.is_packed,
        layer,
    }
}

/// The layers with the instructions that made them, unless the history has not as many as there are.
fn layers(configuration: &Configuration, layers: &[&Layer]) -> Vec<ImageLayer> {
    let history = configuration.history.iter().flatten();
    let made: Vec<_> = history
        .filter(|step| !step.empty_layer.unwrap_or_default())
        .collect();
    let is_told = made.len() == layers.len();
    let layer = |(place, layer): (usize, &&Layer)| ImageLayer {
        digest: layer.stored.clone(),
        instruction: match is_told {
            true => made[place]
                .created_by
                .clone()
                .filter(|text| !text.trim().is_empty()),
            false => None,
        },
    };
    layers.iter().enumerate().map(layer).collect()
}

fn configured(configuration: Configuration, parts: &Parts<'_, Layer>) -> ImageConfiguration {
    let defaults = configuration.config.unwrap_or_default();
    let labels = defaults.labels.unwrap_or_default();
    let test = defaults.healthcheck.and_then(|check| check.test);
    let has_no_place = parts.media_type != DOCKER_CONFIGURATION && labels.contains_key(BUILT_BY_PODMAN);
    let health = match test.and_then(|test| HealthTest::from_api(&test)) {
        Some(test) => RecordedHealth::Test(test),
        None if has_no_place => RecordedHealth::NotRecorded,
        None => RecordedHealth::None,
    };
    let history = configuration.history.unwrap_or_default();
    ImageConfiguration {
        id: digest_of(&parts.configuration),
        digest: parts.digest.clone(),
        names: parts.names.clone(),
        entrypoint: defaults.entrypoint.unwrap_or_default(),
        command: defaults.cmd.unwrap_or_default(),
        env: defaults.env.unwrap_or_default(),
        user: defaults.user.unwrap_or_default(),
        directory: defaults.working_dir.unwrap_or_default(),
        labels: labels.into_iter().collect(),
        ports: defaults.exposed_ports.unwrap_or_default().into_keys().collect(),
        volumes: defaults.volumes.unwrap_or_default().into_keys().collect(),
        health,
        on_build: defaults.on_build.into_iter().flatten().map(on_build).collect(),
        history: history.into_iter().filter_map(|step| step.created_by).collect(),
    }
}

/// Reads an instruction as a Dockerfile has it: a program is in exec form if it is a JSON list, and else a shell's.
fn on_build(line: String) -> OnBuild {
    let (instruction, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((&line, ""));
    let program = |text: &str| serde_json::from_str(text.trim()).ok();
    let sets = match instruction.to_ascii_uppercase().as_str() {
        "ENTRYPOINT" | "CMD" => Some((Setting::Program, program(rest))),
        // Its options stand before, and `NONE` has no program.
        "HEALTHCHECK" => {
            let command = rest.to_ascii_uppercase().find("CMD");
            command.map(|at| (Setting::HealthCheck, program(&rest[at + 3..])))
        }
        _ => None,
    };
    OnBuild { line, sets }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_for_others_is_read_as_a_dockerfile_has_it() {
        let sets = |line: &str| on_build(line.to_owned()).sets;
        let argv = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(sets("RUN make"), None);
        assert_eq!(sets("HEALTHCHECK NONE"), None);
        assert_eq!(sets("ENTRYPOINT server --x"), Some((Setting::Program, None)));
        assert_eq!(
            sets("cmd [\"a\", \"b\"]"),
            Some((Setting::Program, argv(&["a", "b"])))
        );
        assert_eq!(
            sets("HEALTHCHECK --interval=5s CMD curl x"),
            Some((Setting::HealthCheck, None))
        );
        assert_eq!(
            sets("HEALTHCHECK cmd [\"a\"]"),
            Some((Setting::HealthCheck, argv(&["a"])))
        );
    }
}
