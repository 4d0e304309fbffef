//! What was asked of an engine, and what containers changed: the facts of the wire under the policy for prebuilt mode.

use shellproof_api::facts::{
    Asked, ChangedFile, CheckKind, Content, Fact, Gap, Outcome, Start, What, Wish, Witness,
};

use super::programs::{self, Reading};
use super::{Evidence, Rule, Weight, health};

/// How many names or files a finding lists.
const NAMED: usize = 5;
/// What to do about a container that can make others.
const DOOR: &str = "take the mount or the privilege away; a test library's reaper is switched off with \
                    TESTCONTAINERS_RYUK_DISABLED=true";

/// What stands against prebuilt mode, or is worth knowing.
pub(super) fn judge(fact: &Fact) -> Vec<Evidence> {
    let found = |rule, detail: &str| vec![Evidence::of(fact, rule, detail.to_owned())];
    match &fact.what {
        What::Start(start) => judge_start(fact, start),
        What::UnreadStart => found(
            Rule::UnknownStart,
            "a start of which the engine does not say what it runs",
        ),
        What::Wish(wish) => judge_wish(fact, wish),
        What::Exec(Some(argv)) => found(Rule::Exec, &format!("exec of `{}`", argv.join(" "))),
        What::Exec(None) => found(Rule::Exec, "a prepared exec was started"),
        What::CheckRun(Some((checks, service))) => checks
            .iter()
            .filter_map(|check| health::judge_of_image(check, "health check run", service.as_deref()))
            .map(|finding| finding.about(fact))
            .collect(),
        What::CheckRun(None) => found(
            Rule::HealthCheckUnknown,
            "a health check of a container whose start was not recorded",
        ),
        What::CheckNotRun(test) => found(Rule::HealthCheckNotRun, &health::not_run(test)),
        What::ChecksSet(tests) => tests
            .iter()
            .filter_map(|test| health::judge(test, "an update sets the health check", None))
            .map(|finding| finding.about(fact))
            .collect(),
        What::Reconfigured => found(
            Rule::Update,
            "a container's configuration was changed, and nobody can read to what",
        ),
        What::ImageBuilt => found(Rule::Build, "an image was built"),
        What::ImageCommitted => found(Rule::Commit, "an image was made of a container"),
        What::FilesWritten => found(Rule::CopyIn, "files were written into a container"),
        What::OpaqueStream => found(Rule::OpaqueStream, "a stream that cannot be read"),
        What::BuildKit => found(
            Rule::OpaqueStream,
            "BuildKit was called, which builds images and runs programs for that, and its calls cannot be read",
        ),
        What::Unknown => found(Rule::UnknownRequest, "a request that may start anything"),
        What::UntoldStart => found(
            Rule::UnrecordedStart,
            "a container was started by another door than the recorder",
        ),
        What::UntoldExec(program) => {
            let of = program
                .as_ref()
                .map_or(String::new(), |program| format!(" of `{program}`"));
            found(
                Rule::UnrecordedExec,
                &format!("exec{of} by another door than the recorder"),
            )
        }
        What::Foreign {
            names,
            happened,
            door,
        } => vec![judge_foreign(fact, names, happened, door.as_deref())],
        What::Changed(files) => judge_changes(fact, files),
        What::Unseen {
            gap: Gap::Events,
            why,
            ..
        } => found(Rule::EventsMissing, why),
        What::Unseen {
            gap: Gap::Changes,
            why,
            help,
        } => vec![Evidence {
            help: help.map(str::to_owned),
            ..Evidence::of(fact, Rule::ChangesMissing, why.clone())
        }],
        What::Unseen {
            gap: Gap::WayOut,
            why,
            help,
        } => vec![Evidence {
            help: help.map(str::to_owned),
            ..Evidence::of(fact, Rule::NoWayOut, why.clone())
        }],
        // That is told in every mode.
        What::Refused(_) => Vec::new(),
        // What was asked could not be followed: that is a gap in every mode.
        What::Unseen { .. } => Vec::new(),
        // The kernel's, and the image's.
        What::Program(_)
        | What::Entered(_)
        | What::Outlives(_)
        | What::Image { .. }
        | What::OneUser { .. } => Vec::new(),
    }
}

/// Why a request that has not been passed on yet may not be, if so: it violates the policy, or cannot be judged by it.
pub fn refuse(fact: &Fact) -> Option<String> {
    let reason = judge(fact).into_iter().find(|one| one.weight() > Weight::Note)?;
    Some(format!("shellproof: refused by rule `{}`: {reason}", reason.rule))
}

/// A container that starts: its program and its health checks.
fn judge_start(fact: &Fact, start: &Start) -> Vec<Evidence> {
    let foreign = (!start.made_here).then(|| {
        let detail = "a container that was not made on this recorder was started";
        Evidence::of(fact, Rule::Foreign, detail.to_owned())
    });
    let checks = start.checks.iter().filter_map(|check| {
        let what = match check.kind {
            CheckKind::Regular => "health check",
            CheckKind::Startup => "start-up health check",
        };
        health::judge_of_image(check, what, start.service.as_deref())
    });
    let doors = start.doors.iter().map(|door| Evidence {
        help: Some(DOOR.into()),
        ..Evidence::of(
            fact,
            Rule::EngineDoor,
            format!("a container is given a door to an engine: {door}"),
        )
    });
    judge_program(fact, &start.argv)
        .into_iter()
        .chain(doors)
        .chain(checks.map(|finding| finding.about(fact)))
        .chain(foreign)
        .collect()
}

/// What a request to make a container says by itself.
fn judge_wish(fact: &Fact, wish: &Wish) -> Vec<Evidence> {
    let programs = wish.programs.iter().filter_map(|argv| judge_program(fact, argv));
    let checks = wish
        .checks
        .iter()
        .filter_map(|test| health::judge(test, "health check", wish.service.as_deref()));
    programs
        .chain(checks.map(|finding| finding.about(fact)))
        .collect()
}

fn judge_program(fact: &Fact, argv: &[String]) -> Option<Evidence> {
    let line = argv.join(" ");
    let (rule, detail) = match programs::read(argv) {
        Reading::Other => return None,
        Reading::Shell(_) => (Rule::Shell, format!("`{line}`, a shell, was about to run")),
        Reading::PackageManager(_) => (
            Rule::PackageManager,
            format!("`{line}`, a package manager, was about to run"),
        ),
        Reading::Unreadable(unread) | Reading::Cut(unread) => (
            Rule::UnreadableWrapper,
            format!("`{line}` was about to run, and what `{unread}` is or runs cannot be judged"),
        ),
    };
    Some(Evidence::of(fact, rule, detail))
}

/// Run-time installs, whatever made them.
fn judge_changes(fact: &Fact, files: &[ChangedFile]) -> Vec<Evidence> {
    let installed: Vec<&str> = files
        .iter()
        .filter(|file| is_installed(file))
        .map(|file| file.path.as_str())
        .collect();
    let unread = files
        .iter()
        .filter(|file| file.content == Content::Unread)
        .count();
    match (installed.is_empty(), unread) {
        (false, _) => {
            let detail = format!(
                "programs, libraries or packages were added or changed at run time: {}",
                listed(&installed)
            );
            vec![Evidence::of(fact, Rule::RunTimeInstall, detail)]
        }
        (true, 0) => Vec::new(),
        (true, unread) => {
            let detail = format!("{unread} changed files could not be read");
            vec![Evidence::of(fact, Rule::ChangesMissing, detail)]
        }
    }
}

/// A program, a shared library, or a part of Python's library or of a package. What Python compiles of a module that it has
/// is no part.
fn is_installed(file: &ChangedFile) -> bool {
    let path = file.path.as_str();
    let is_package = [
        "/lib/python3",
        "/site-packages/",
        "/dist-packages/",
        ".dist-info/",
        ".egg-info/",
    ]
    .iter()
    .any(|part| path.contains(part));
    let is_compiled = path
        .rsplit_once("/__pycache__/")
        .is_some_and(|(_, name)| name.ends_with(".pyc") && !name.contains('/'));
    matches!(file.content, Content::Elf | Content::Script) || is_package && !is_compiled
}

/// What was done to containers that are not ours: other people's business, or that of a container of ours with a door.
fn judge_foreign(fact: &Fact, names: &[String], happened: &str, door: Option<&str>) -> Evidence {
    let listed = listed(names);
    match door {
        Some(door) => Evidence::of(
            fact,
            Rule::DoorUsed,
            format!(
                "containers that were not made here {happened} while `{door}` had a door to the engine: {listed}"
            ),
        ),
        None => Evidence {
            help: Some("if the program did this, it went past the recorder: see docs/audit.md".into()),
            ..Evidence::of(
                fact,
                Rule::Foreign,
                format!("containers that were not made here {happened} by another door meanwhile: {listed}"),
            )
        },
    }
}

/// The first of some names, and how many there are beyond.
fn listed(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(NAMED)
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

/// What the wire could not follow: a gap in every mode, since a witness that did not see the run has nothing to say.
///
/// `started` are the containers that the harness itself has started, by id.
pub(super) fn gaps(facts: &[Fact], started: &[String]) -> Vec<Evidence> {
    let is_seen = |id: &str| {
        facts.iter().any(|fact| {
            fact.id() == Some(id) && matches!(&fact.what, What::Start(start) if start.outcome.is_asked())
        })
    };
    let faults = facts.iter().filter_map(|fact| match &fact.what {
        What::Unseen {
            gap: Gap::Requests,
            why,
            ..
        } => Some(Evidence::of(fact, Rule::WireFault, why.clone())),
        _ => None,
    });
    let silent = started.iter().filter(|id| !is_seen(id)).map(|id| {
        let detail = format!("the start of container {id} was not recorded");
        Evidence::new(Witness::Wire, "recorder", Rule::WireSilent, detail)
    });
    faults.chain(silent).collect()
}

/// What the engine answered instead of making or starting a container, in every mode.
pub(super) fn refusals(facts: &[Fact]) -> Vec<Evidence> {
    let refused = facts.iter().filter_map(|fact| match &fact.what {
        What::Refused(refused) => Some((fact, refused)),
        _ => None,
    });
    let told = refused.map(|(fact, refused)| {
        let done = match refused.asked {
            Asked::Make => "make",
            Asked::Start => "start",
        };
        let container = fact
            .name()
            .map_or("a container".to_owned(), |name| format!("`{name}`"));
        let said = match refused.said.as_str() {
            "" => "no message",
            said => said,
        };
        let detail = format!(
            "the engine did not {done} {container}: status {}, {said}",
            refused.status
        );
        Evidence::new(fact.witness, &fact.source, Rule::EngineRefused, detail)
    });
    told.collect()
}

/// Whether an engine was asked to start a container, and did.
pub fn has_started(facts: &[Fact]) -> bool {
    facts
        .iter()
        .any(|fact| matches!(&fact.what, What::Start(start) if start.outcome == Outcome::Begun))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
pub(in crate::policy) mod tests;

#[cfg(test)]
#[path = "wire_events_tests.rs"]
mod events_tests;
