//! Programs that ran and are none of their image's: what the kernel saw against what the image holds, by content. Such a
//! program was brought when the container ran, wherever it lay: also one that was written, started and removed, in a tmpfs, in a
//! volume, or without any name.

use std::collections::{HashMap, HashSet};

use shellproof_api::facts::{Digest, Executable, Fact, ImageContent, Look, Program, Start, What, Witness};

use super::image::{Images, is_below};
use super::{Evidence, Rule, kernel};
use crate::vocabulary::Mode;

/// How many programs a note lists.
const NAMED: usize = 5;
/// Where engines mount the init that they put before a container's program (`--init`), links in the image followed.
const INITS: &[&str] = &[
    "/sbin/docker-init",
    "/usr/sbin/docker-init",
    "/usr/bin/docker-init",
    "/run/podman-init",
    "/dev/init",
];

/// A mount whose programs a scenario allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The container, as its engine calls it.
    pub container: String,
    /// Where it is mounted.
    pub mount: String,
}

/// A program that is none of its image's.
struct Foreign<'a> {
    /// The first fact that it was seen in.
    fact: &'a Fact,
    program: &'a Program,
    file: &'a Executable,
    start: &'a Start,
    times: usize,
}

/// What each image holds that can be started.
#[derive(Default)]
struct Held<'a>(HashMap<&'a str, HashSet<Digest>>);

impl<'a> Held<'a> {
    fn of(&mut self, id: &'a str, image: &ImageContent) -> &HashSet<Digest> {
        let digests = || {
            image
                .programs
                .iter()
                .filter_map(|program| program.digest)
                .collect()
        };
        self.0.entry(id).or_insert_with(digests)
    }
}

/// What ran and is none of the images': a violation in prebuilt mode, a note in layered mode.
pub(super) fn judge(mode: Mode, all: &[Fact], allowed: &[Allowed]) -> Vec<Evidence> {
    let (foreign, nameless) = find(all, allowed);
    match mode {
        Mode::Prebuilt => {
            let violations = foreign.iter().map(violation);
            violations.chain(nameless.into_iter().map(unknown)).collect()
        }
        Mode::Layered => notes(&foreign),
    }
}

/// The foreign programs, each once in each container, and the first fact of each container of which nobody knows the image.
fn find<'a>(all: &'a [Fact], allowed: &[Allowed]) -> (Vec<Foreign<'a>>, Vec<&'a Fact>) {
    let (images, starts) = (Images::of(all), kernel::starts(all));
    let mut held = Held::default();
    let mut foreign: Vec<Foreign<'a>> = Vec::new();
    let mut places: HashMap<(Option<&str>, &str, Digest), usize> = HashMap::new();
    let mut nameless: Vec<&Fact> = Vec::new();
    for fact in kernel::facts(all) {
        let What::Program(program) = &fact.what else {
            continue;
        };
        let Some(start) = kernel::starts_of(&starts, fact).next() else {
            if !nameless.iter().any(|other| other.name() == fact.name()) {
                nameless.push(fact);
            }
            continue;
        };
        // One that could not be read is a gap of its own.
        let (Some(id), Some((_, image))) = (start.image.as_deref(), images.of_start(start)) else {
            continue;
        };
        let of_image = held.of(id, image);
        for file in program.files() {
            let Some(digest) = file.content.filter(|digest| !of_image.contains(digest)) else {
                continue;
            };
            if file.is_outside || is_init(program, file, start) || is_allowed(allowed, fact, file, image) {
                continue;
            }
            let key = (fact.name(), file.path.as_str(), digest);
            match places.get(&key) {
                Some(&place) => foreign[place].times += 1,
                None => {
                    places.insert(key, foreign.len());
                    foreign.push(Foreign {
                        fact,
                        program,
                        file,
                        start,
                        times: 1,
                    });
                }
            }
        }
    }
    (foreign, nameless)
}

/// Whether a file is the init that the engine itself has put before the container's program.
fn is_init(program: &Program, file: &Executable, start: &Start) -> bool {
    let own = match program.argv.as_slice() {
        [_, dashes, own @ ..] if dashes == "--" => own,
        _ => return false,
    };
    // Where a mount of the container's own lies over it, it is whatever somebody has put there.
    let is_covered = |init: &&str| start.mounts.iter().any(|mount| is_below(init, mount));
    if INITS.iter().any(is_covered) {
        return false;
    }
    // Podman says what it puts there as if it were the container's own.
    let started = match start.argv.as_slice() {
        [init, dashes, started @ ..] if start.has_init && *init == file.path && dashes == "--" => started,
        started => started,
    };
    let is_same = match program.argv_cut {
        // The last word that was kept may not be whole.
        true => started.starts_with(&own[..own.len().saturating_sub(1)]),
        false => started == own,
    };
    program.parent.is_none() && INITS.contains(&file.path.as_str()) && is_same
}

/// Whether a file lies in a mount whose programs the scenario allows. What is at the end of a link counts.
fn is_allowed(allowed: &[Allowed], fact: &Fact, file: &Executable, image: &ImageContent) -> bool {
    let is_its = |one: &&Allowed| Some(one.container.as_str()) == fact.name();
    allowed.iter().filter(is_its).any(|one| {
        let mount = image.resolve(&one.mount);
        is_below(&file.path, mount.as_deref().unwrap_or(&one.mount))
    })
}

fn violation(foreign: &Foreign<'_>) -> Evidence {
    let line = kernel::line(foreign.program);
    let path = &foreign.file.path;
    let done = match foreign.program.look {
        Look::Once => "was to be started",
        Look::Same | Look::Other(_) => "was started",
    };
    let times = match foreign.times {
        1 => String::new(),
        times => format!(", {times} times"),
    };
    let mount = foreign.start.mounts.iter().find(|mount| is_below(path, mount));
    let (place, help) = match mount {
        Some(mount) => (
            format!(", it lies in the mount `{mount}`"),
            "put the program into the image; a scenario that means to start what it mounts says so: `foreign_programs`",
        ),
        None => (String::new(), "put the program into the image"),
    };
    Evidence {
        help: Some(help.to_owned()),
        ..Evidence::of(
            foreign.fact,
            Rule::ForeignProgram,
            format!("`{path}`, which is none of its image's programs{place}, {done} as `{line}`{times}"),
        )
    }
}

/// A container of which the programs were seen, and no start.
fn unknown(fact: &Fact) -> Evidence {
    Evidence {
        source: "shellproof".to_owned(),
        witness: Witness::Image,
        ..Evidence::of(
            fact,
            Rule::ImageFault,
            "nobody knows which image it is of, nor whether its programs are".to_owned(),
        )
    }
}

/// One note for each container: layered mode is there to install what an image lacks.
fn notes(foreign: &[Foreign<'_>]) -> Vec<Evidence> {
    let mut containers: Vec<(&Fact, Vec<&str>)> = Vec::new();
    for one in foreign {
        let path = one.file.path.as_str();
        match containers
            .iter_mut()
            .find(|(fact, _)| fact.name() == one.fact.name())
        {
            Some((_, paths)) => paths.push(path),
            None => containers.push((one.fact, vec![path])),
        }
    }
    let note = |(fact, paths): (&Fact, Vec<&str>)| {
        let shown: Vec<_> = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
        let more = match paths.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let what = match paths.len() {
            1 => "1 program was started that its image does not have".to_owned(),
            count => format!("{count} programs were started that its image does not have"),
        };
        let detail = format!("{what}: {}{more}", shown.join(", "));
        Evidence {
            source: "its supervisor".to_owned(),
            ..Evidence::of(fact, Rule::ProgramAdded, detail)
        }
    };
    containers.into_iter().map(note).collect()
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
