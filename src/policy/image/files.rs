//! The files of an image: shells and package managers, whether anything starts them or not.

use shellproof_api::facts::{Fact, ImageContent, ImageProgram};

use super::start::{self, content};
use super::{Finding, shown};
use crate::policy::programs::{self, Content, Present, Reading};
use crate::policy::{Evidence, Rule};

/// How many names a finding lists.
const NAMED: usize = 5;

pub(super) fn judge(is_strict: bool, fact: &Fact, image: &ImageContent) -> Vec<Evidence> {
    let judge = |program: &ImageProgram| {
        let source = layer(image, program);
        let found = [judge_program(is_strict, image, program), privileges(program)];
        let found = found.into_iter().flatten().map(|found| found.at(&program.path));
        found.map(|found| found.about(fact, &source)).collect::<Vec<_>>()
    };
    let whole = [scripts(image), escapes(image)].into_iter().flatten();
    let whole = whole.map(|found| found.about(fact, "its files"));
    image.programs.iter().flat_map(judge).chain(whole).collect()
}

/// "layer 2 of 5: `COPY helper /opt/`".
fn layer(image: &ImageContent, program: &ImageProgram) -> String {
    let place = format!("layer {} of {}", program.layer + 1, image.layers.len());
    match instruction(image, program) {
        Some(instruction) => format!("{place}: `{}`", shown(instruction)),
        None => place,
    }
}

fn instruction<'a>(image: &'a ImageContent, program: &ImageProgram) -> Option<&'a str> {
    image.layers.get(program.layer)?.instruction.as_deref()
}

/// Whether a program is a shell, or has one among the programs that it holds.
pub(super) fn is_shell(program: &ImageProgram) -> bool {
    matches!(present(program), Some((Present::Shell | Present::MultiCall, _)))
}

/// What a program is, and the name that says so where it is not its own.
pub(super) fn present(program: &ImageProgram) -> Option<(Present, Option<&str>)> {
    let content = content(program);
    if let Some(module) = module(&program.path) {
        return programs::is_package_manager(module).then_some((Present::PackageManager, None));
    }
    // A name says nothing of what nobody may execute; content does, since a loader starts it all the same.
    if !program.is_executable() {
        let nameless = programs::present("", content)?;
        return Some((nameless, None));
    }
    match programs::present(&program.path, content) {
        Some(Present::PackageManager) if is_about_one(program, content) => return None,
        Some(present) => return Some((present, None)),
        None => {}
    }
    let mut links = program.links.iter();
    links.find_map(|link| Some((programs::present(link, content)?, Some(link.as_str()))))
}

/// Whether a script has a package manager's name because it does something for one: Debian's cron jobs and bug reports have.
fn is_about_one(program: &ImageProgram, content: Content) -> bool {
    content == Content::Script
        && ["/etc/", "/usr/share/"]
            .iter()
            .any(|place| program.path.starts_with(place))
}

/// The module that Python starts by a file.
fn module(path: &str) -> Option<&str> {
    let directory = path.strip_suffix("/__main__.py")?;
    directory.rsplit('/').next()
}

fn judge_program(is_strict: bool, image: &ImageContent, program: &ImageProgram) -> Option<Finding> {
    let path = &program.path;
    let Some((present, by_link)) = present(program) else {
        let rule = match is_strict {
            true => Rule::PackedProgram,
            false => Rule::PackedPresent,
        };
        let packed = || {
            Finding::new(
                rule,
                format!("`{path}` is packed (UPX), so that nobody can say what it is"),
            )
            .help("put the program into the image as it is")
        };
        return program.is_packed.then(packed);
    };
    let (what, rule) = match (present, is_strict) {
        (Present::Shell, true) => ("a shell", Rule::ShellInImage),
        (Present::Shell, false) => ("a shell", Rule::ShellPresent),
        (Present::MultiCall, true) => ("many programs in one, a shell among them", Rule::ShellInImage),
        (Present::MultiCall, false) => ("many programs in one, a shell among them", Rule::ShellPresent),
        (Present::PackageManager, true) => ("a package manager", Rule::PackageManagerInImage),
        (Present::PackageManager, false) => ("a package manager", Rule::PackageManagerPresent),
    };
    let by = match by_link {
        Some(link) => format!(", by the name of the link `{link}`"),
        None if programs::present(path, Content::Unknown).is_none() && module(path).is_none() => {
            ", by its content".to_owned()
        }
        None => String::new(),
    };
    let mode = match program.is_executable() || module(path).is_some() {
        true => "",
        false => "; nobody may execute it, but a loader starts it all the same",
    };
    Some(
        Finding::new(
            rule,
            format!("`{path}` is {what}{by}{}{mode}", also(program, by_link)),
        )
        .help(cure(instruction(image, program))),
    )
}

/// The other links that lead to a program.
fn also(program: &ImageProgram, told: Option<&str>) -> String {
    let links: Vec<_> = program
        .links
        .iter()
        .filter(|link| Some(link.as_str()) != told)
        .collect();
    match links.is_empty() {
        true => String::new(),
        false => format!(" (also {})", listed(&links)),
    }
}

pub(super) fn listed(names: &[&String]) -> String {
    let quoted: Vec<_> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

/// What to do in the Dockerfile about what an instruction has brought.
fn cure(instruction: Option<&str>) -> &'static str {
    let instruction = instruction.unwrap_or_default().trim_start();
    // As builders of old write what runs nothing.
    let instruction = instruction
        .strip_prefix("/bin/sh -c #(nop)")
        .unwrap_or(instruction)
        .trim_start();
    if instruction.starts_with("COPY") {
        "leave it out of what this `COPY` copies"
    } else if instruction.starts_with("RUN") || instruction.starts_with("/bin/sh -c") {
        "do this step in a stage of its own, and `COPY --from` it only what the program needs"
    } else {
        "build `FROM` a base image without it, or `FROM scratch`, and `COPY --from` a build stage only what the program needs"
    }
}

/// What gives its caller more rights than he has.
fn privileges(program: &ImageProgram) -> Option<Finding> {
    const SETUID: u32 = 0o4000;
    const SETGID: u32 = 0o2000;
    if !program.is_executable() {
        return None;
    }
    let path = &program.path;
    let what = match (program.mode & SETUID != 0, program.mode & SETGID != 0) {
        (true, _) if program.owner.0 == 0 => format!("`{path}` runs as root, whoever starts it (setuid)"),
        (true, _) => format!(
            "`{path}` runs as user {}, whoever starts it (setuid)",
            program.owner.0
        ),
        (false, true) => format!(
            "`{path}` runs with group {}, whoever starts it (setgid)",
            program.owner.1
        ),
        (false, false) if program.has_capabilities => {
            format!("`{path}` has capabilities of its own, whoever starts it")
        }
        (false, false) => return None,
    };
    Some(
        Finding::new(Rule::PrivilegedFile, what)
            .help("leave it out, or take it from the file in a build stage: `chmod a-s`, `setcap -r`"),
    )
}

/// The scripts that a shell would run.
fn scripts(image: &ImageContent) -> Option<Finding> {
    let is_by_shell = |program: &&ImageProgram| {
        let Some((interpreter, argument)) = &program.interpreter else {
            return false;
        };
        let argv: Vec<String> = [interpreter].into_iter().chain(argument).cloned().collect();
        program.is_executable() && matches!(start::read(image, &argv), Reading::Shell(_))
    };
    let found: Vec<_> = image
        .programs
        .iter()
        .filter(is_by_shell)
        .map(|program| &program.path)
        .collect();
    let what = match found.len() {
        0 => return None,
        1 => "1 script is run by a shell".to_owned(),
        count => format!("{count} scripts are run by a shell"),
    };
    Some(Finding::new(
        Rule::ShellScript,
        format!("{what}: {}", listed(&found)),
    ))
}

/// The programs that start a shell for whoever tells them to, by their names and those of their links.
fn escapes(image: &ImageContent) -> Option<Finding> {
    let has_escape = |program: &&ImageProgram| {
        let mut names = program.links.iter().chain([&program.path]);
        program.is_executable() && present(program).is_none() && names.any(|name| programs::has_escape(name))
    };
    let found: Vec<_> = image
        .programs
        .iter()
        .filter(has_escape)
        .map(|program| &program.path)
        .collect();
    let what = match found.len() {
        0 => return None,
        1 => "1 program starts a shell for whoever tells it to, where there is one".to_owned(),
        count => format!("{count} programs start a shell for whoever tells them to, where there is one"),
    };
    Some(Finding::new(
        Rule::ShellEscape,
        format!("{what}: {}", listed(&found)),
    ))
}
