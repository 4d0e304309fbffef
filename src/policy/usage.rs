//! What ran of what the images offer: what was never started may be left out.

use std::collections::{BTreeMap, HashSet};

use shellproof_api::facts::{Digest, Fact, Program, What};

use super::image::Images;
use super::kernel;

/// The programs of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The image's id.
    pub image: String,
    /// Those that were started, by path; under each of its names where a file has several.
    pub started: Vec<String>,
    /// The others. Libraries are none of them, although some may be executed.
    pub never_started: Vec<String>,
}

/// What ran of each image whose containers were watched.
pub(super) fn of(all: &[Fact]) -> Vec<Usage> {
    let (images, starts) = (Images::of(all), kernel::starts(all));
    let mut ran: BTreeMap<&str, HashSet<Digest>> = BTreeMap::new();
    for fact in kernel::facts(all) {
        let What::Program(program) = &fact.what else {
            continue;
        };
        let image = kernel::starts_of(&starts, fact).find_map(|start| start.image.as_deref());
        if let Some(image) = image {
            let files = Program::files(program).filter_map(|file| file.content);
            ran.entry(image).or_default().extend(files);
        }
    }
    let usage = |(id, ran): (&str, HashSet<Digest>)| {
        let mut usage = Usage {
            image: id.to_owned(),
            ..Usage::default()
        };
        for program in images.get(id)?.programs.iter().filter(|one| one.is_executable()) {
            match program.digest.is_some_and(|digest| ran.contains(&digest)) {
                true => usage.started.push(program.path.clone()),
                false if is_library(&program.path) => {}
                false => usage.never_started.push(program.path.clone()),
            }
        }
        Some(usage)
    };
    ran.into_iter().filter_map(usage).collect()
}

/// By its name: Debian's C library may be executed, and says its version then; some of Python's modules have a `#!` line.
fn is_library(path: &str) -> bool {
    const MODULES: [&str; 3] = ["/lib/python3", "/site-packages/", "/dist-packages/"];
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with(".so") || name.contains(".so.") || MODULES.iter().any(|part| path.contains(part))
}
