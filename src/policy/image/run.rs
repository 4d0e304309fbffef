//! The images of a run: what its containers start, seen in the files of their images, and what lies in these images.

use std::collections::BTreeMap;

use shellproof_api::HealthTest;
use shellproof_api::facts::{Fact, Gap, ImageContent, Start, What};

use super::files::{self, listed};
use super::{Finding, debug, of_reading, start};
use crate::policy::programs::{Present, Reading};
use crate::policy::{Evidence, Rule};

/// The images that were read, by their ids.
#[derive(Debug, Default)]
pub(in crate::policy) struct Images<'a>(BTreeMap<&'a str, (&'a Fact, &'a ImageContent)>);

impl<'a> Images<'a> {
    pub(in crate::policy) fn of(all: &'a [Fact]) -> Self {
        let images = all.iter().filter_map(|fact| match &fact.what {
            What::Image { id, content } => Some((id.as_str(), (fact, &**content))),
            _ => None,
        });
        Self(images.collect())
    }

    /// Whether there is any.
    pub(in crate::policy) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The image of an id.
    pub(in crate::policy) fn get(&self, id: &str) -> Option<&'a ImageContent> {
        self.0.get(id).map(|(_, content)| *content)
    }

    /// The image of a container that was started.
    pub(in crate::policy) fn of_start(&self, start: &Start) -> Option<(&'a Fact, &'a ImageContent)> {
        self.0.get(start.image.as_deref()?).copied()
    }
}

/// The images that could not be read, and what was asked of them and not answered.
pub(in crate::policy) fn gaps(all: &[Fact]) -> Vec<Evidence> {
    let gaps = all.iter().filter_map(|fact| match &fact.what {
        What::Unseen {
            gap: Gap::Image, why, ..
        } => Some(Evidence::of(fact, Rule::ImageFault, why.clone())),
        What::Unseen {
            gap: Gap::Test, why, ..
        } => Some(Evidence::of(fact, Rule::TestNotHonoured, why.clone())),
        _ => None,
    });
    gaps.collect()
}

/// What the images say of what was started, and what lies in them.
pub(in crate::policy) fn judge_run(all: &[Fact]) -> Vec<Evidence> {
    let images = Images::of(all);
    let mut found = Vec::new();
    for fact in all {
        let What::Start(start) = &fact.what else { continue };
        if let (true, Some((image, content))) = (start.outcome.is_asked(), images.of_start(start)) {
            let judged = judge_start(content, start).into_iter();
            found.extend(judged.map(|finding| Evidence {
                container: fact.name().map(str::to_owned),
                ..finding.about(image, &image.source)
            }));
        }
    }
    // A restart is no news.
    let mut told: Vec<Evidence> = Vec::new();
    for one in found {
        if !told.contains(&one) {
            told.push(one);
        }
    }
    let present = images.0.values().flat_map(|(fact, content)| {
        let present = presences(content).into_iter().chain(debug::judge(false, content));
        present.map(|finding| finding.about(fact, &fact.source))
    });
    told.extend(present);
    told
}

/// Whether all that a start asks for was found in the image, and is by its content nothing that is forbidden.
pub(in crate::policy) fn clears(image: &ImageContent, start: &Start) -> bool {
    let is_known = |argv: &[String]| {
        !is_covered(image, start, argv)
            && start::missing(image, argv).is_none()
            && matches!(start::read(image, argv), Reading::Other | Reading::Unreadable(_))
    };
    let mut checks = start.checks.iter();
    is_known(&start.argv)
        && checks.all(|check| match &check.test {
            HealthTest::Command(argv) => is_known(argv),
            HealthTest::Shell(_) => false,
            HealthTest::None => true,
        })
}

/// Whether something is mounted over the image's files that a program is among.
fn is_covered(image: &ImageContent, start: &Start, argv: &[String]) -> bool {
    let path = start::path(image, argv);
    path.is_some_and(|path| start.mounts.iter().any(|mount| is_below(&path, mount)))
}

/// What a container starts, behind the links, wrappers and scripts of its image.
fn judge_start(image: &ImageContent, start: &Start) -> Vec<Finding> {
    let is_covered = |argv: &[String]| is_covered(image, start, argv);
    let program = (!is_covered(&start.argv)).then(|| of_reading(image, &start.argv, "what it starts,"));
    let checks = start.checks.iter().filter_map(|check| match &check.test {
        HealthTest::Command(argv) if !is_covered(argv) => {
            let mut found = of_reading(image, argv, "its health check,")?;
            if found.rule == Rule::Shell {
                found.rule = Rule::HealthCheckShell;
            }
            Some(found)
        }
        // A line is a shell's whatever the image has, and the request says so.
        HealthTest::Command(_) | HealthTest::Shell(_) | HealthTest::None => None,
    });
    program.flatten().into_iter().chain(checks).collect()
}

/// Whether a path is a directory, or below it.
pub(in crate::policy) fn is_below(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What lies in an image, whether anything starts it or not: one finding of each kind, since `shellproof verify` says more.
fn presences(image: &ImageContent) -> Vec<Finding> {
    let mut kinds: BTreeMap<Rule, Vec<&String>> = BTreeMap::new();
    for program in &image.programs {
        let rule = match files::present(program) {
            Some((Present::Shell | Present::MultiCall, _)) => Rule::ShellPresent,
            Some((Present::PackageManager, _)) => Rule::PackageManagerPresent,
            None if program.is_packed => Rule::PackedPresent,
            None => continue,
        };
        kinds.entry(rule).or_default().push(&program.path);
    }
    let finding = |(rule, paths): (Rule, Vec<&String>)| {
        let what = match rule {
            Rule::ShellPresent => "the image has shells",
            Rule::PackageManagerPresent => "the image has package managers",
            _ => "the image has packed programs, of which nobody can say what they are",
        };
        Finding::new(rule, format!("{what}: {}", listed(&paths)))
            .help("`shellproof verify --strict` says where each comes from")
    };
    kinds.into_iter().map(finding).collect()
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
