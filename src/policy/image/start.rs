//! What an argument vector starts in an image, whose files are known: behind links, wrappers and scripts.

use shellproof_api::facts::{ImageContent, ImageProgram, Likeness};

use crate::policy::programs::{self, Content, Reading};

/// How many scripts and wrappers are seen through, one behind the other.
const DEEP: usize = 16;
/// Where programs are looked for without a `PATH`, as engines have it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an argument vector runs.
pub(super) fn read(image: &ImageContent, argv: &[String]) -> Reading {
    within(image, argv, DEEP)
}

fn within(image: &ImageContent, argv: &[String], deep: usize) -> Reading {
    let Some((called, arguments)) = argv.split_first() else {
        return Reading::Other;
    };
    if deep == 0 {
        return Reading::Unreadable(called.clone());
    }
    let found = find(image, called);
    // What anything else than a wrapper is, its file says better than its name.
    let mut reading = match found {
        Some(program) => read_wrapper(program, argv),
        None => programs::read(argv),
    };
    if let Some(program) = found {
        let content = content(program);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let started =
            |name: &str| programs::read_started(&[&[name], arguments.as_slice()].concat(), false, content);
        reading = reading.or(started(called));
        if content != Content::MultiCall {
            reading = reading.or(started(&program.path));
        }
        if let Some((interpreter, argument)) = &program.interpreter {
            // A script that was read is not what its name says.
            let path = match content {
                Content::Script => "script",
                _ => &program.path,
            };
            let script = [absolute(image, interpreter)]
                .into_iter()
                .chain(argument.clone())
                .chain([path.to_owned()])
                .chain(argv[1..].iter().cloned());
            let script: Vec<String> = script.collect();
            reading = reading.or(within(image, &script, deep - 1));
        }
    }
    match programs::wrapped(argv) {
        Some(rest) => reading.or(within(image, &rest, deep - 1)),
        None => reading,
    }
}

/// What a program of the image is as a wrapper, by what it is called. What it starts in this image is read by itself.
fn read_wrapper(program: &ImageProgram, argv: &[String]) -> Reading {
    let called = argv.first().map_or("", String::as_str);
    if !programs::is_wrapper(called) || content(program) == Content::Script {
        return Reading::Other;
    }
    match programs::read(argv) {
        // Anybody's program may be called `watch`; the one that runs a shell lies where the system's programs do.
        Reading::Shell(name) if name == called && !is_of_system(&program.path) => Reading::Unreadable(name),
        reading => match programs::wrapped(argv) {
            Some(rest) if finds_as_here(argv, &rest) => Reading::Other,
            _ => reading,
        },
    }
}

fn is_of_system(path: &str) -> bool {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    PATH.split(':').any(|one| one == directory)
}

/// Whether a wrapper leaves it to this image where the program is that it starts.
fn finds_as_here(argv: &[String], rest: &[String]) -> bool {
    let own = argv.len().saturating_sub(rest.len());
    let is_elsewhere = programs::base_name(&argv[0]) == "chroot"
        || argv[..own].iter().any(|word| word.starts_with("PATH="))
        || rest
            .first()
            .is_none_or(|name| name.contains('/') && !name.starts_with('/'));
    !is_elsewhere
}

/// What of the program of an argument vector is not in the image: itself, or an interpreter that it or another one names.
pub(super) fn missing(image: &ImageContent, argv: &[String]) -> Option<String> {
    let mut name = argv.first()?.clone();
    for _ in 0..DEEP {
        let Some(program) = find(image, &name) else {
            return Some(name);
        };
        name = absolute(image, &program.interpreter.as_ref()?.0);
    }
    None
}

/// A path as the kernel takes it, which looks for nothing.
fn absolute(image: &ImageContent, path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", image.configuration.directory),
    }
}

/// The path of the program of an argument vector, links followed: in the image, or as it is given.
pub(super) fn path(image: &ImageContent, argv: &[String]) -> Option<String> {
    let name = argv.first()?;
    match find(image, name) {
        Some(program) => Some(program.path.clone()),
        None => image.resolve(name).filter(|_| name.starts_with('/')),
    }
}

/// What a file shows.
pub(super) fn content(program: &ImageProgram) -> Content {
    match program.likeness {
        Some(Likeness::Shell) => Content::Shell,
        Some(Likeness::PackageManager) => Content::PackageManager,
        Some(Likeness::ManagerScript) => Content::ManagerScript,
        Some(Likeness::MultiCall) => Content::MultiCall,
        Some(Likeness::Loader) => Content::Loader,
        Some(Likeness::Script) => Content::Script,
        None if program.is_packed => Content::Unknown,
        None => Content::Other,
    }
}

/// The file that is started by a name, as an engine looks for it.
fn find<'a>(image: &'a ImageContent, name: &str) -> Option<&'a ImageProgram> {
    if name.starts_with('/') {
        return image.find(name);
    }
    if name.contains('/') {
        return image.find(&absolute(image, name));
    }
    let env = image.configuration.env.iter();
    let path = env.filter_map(|one| one.strip_prefix("PATH=")).next_back();
    let path = path.filter(|path| !path.is_empty()).unwrap_or(PATH);
    path.split(':')
        .filter_map(|directory| image.find(&format!("{directory}/{name}")))
        .find(|program| program.is_executable())
}
