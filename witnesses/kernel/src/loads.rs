//! All that the kernel loads for one call: the file that it names, interpreters and loader.

use shellproof_api::facts::{Executable, Interpreter, Program, Unread};
use shellproof_likeness::{Format, Next};

use crate::call::Arguments;
use crate::content::{Content, Hasher, Key};
use crate::dead::Dead;
use crate::files::{self, Found, View, lossy};
use crate::log::Contents;
use crate::shared::Shared;

/// How many interpreters the kernel follows.
const INTERPRETERS: usize = 5;

/// Finds the files of a call, adds them to its program, and takes what is in them.
pub(crate) fn find(
    view: &View,
    shared: &Shared,
    arguments: &Arguments,
    path: &[u8],
    program: &mut Program,
) -> Contents {
    let hasher = &shared.hasher;
    let mut name = path.to_vec();
    let (file, content, mut format, key) = take(hasher, path, view.find_called(arguments, path));
    program.file = file;
    let mut contents = Contents {
        file: content,
        key,
        ..Contents::none()
    };
    let follow = |found, path: &[u8], argument: Option<&[u8]>| {
        let (file, content, format, key) = take(hasher, path, found);
        let interpreter = Interpreter {
            path: lossy(path),
            argument: argument.map(lossy),
            file,
        };
        (interpreter, content, format, key)
    };
    loop {
        let handler = shared.handlers.of(&name, &format.head);
        let is_outside = handler.as_ref().is_some_and(|handler| handler.is_fixed);
        let (found, next, argument) = match (handler, format.next) {
            // It was opened outside of the container, by its name there.
            (Some(handler), _) if handler.is_fixed => (
                files::found_outside(&handler.interpreter),
                handler.interpreter,
                None,
            ),
            (Some(handler), _) => (view.find(&handler.interpreter), handler.interpreter, None),
            (None, Next::Script(line)) => (view.find(&line.interpreter), line.interpreter, line.argument),
            (None, Next::Loader(path)) => {
                let (loader, content, _, _) = follow(view.find(&path), &path, None);
                program.loader = Some(loader);
                contents.loader = content;
                return contents;
            }
            (None, Next::Nothing) => return contents,
        };
        if program.interpreters.len() == INTERPRETERS {
            return contents;
        }
        let (mut interpreter, content, of_next, key) = follow(found, &next, argument.as_deref());
        interpreter
            .file
            .iter_mut()
            .for_each(|file| file.is_outside = is_outside);
        contents.key = key;
        program.interpreters.push(interpreter);
        contents.interpreters.push(content);
        (name, format) = (next, of_next);
    }
}

fn take(
    hasher: &Hasher,
    path: &[u8],
    found: Result<Found, Dead>,
) -> (Option<Executable>, Content, Format, Option<Key>) {
    let at = |path| {
        Some(Executable {
            path,
            ..Executable::default()
        })
    };
    match found {
        Ok(mut found) => {
            let file = at(std::mem::take(&mut found.path));
            let key = Key::of(&found.stat);
            let (content, format) = hasher.take(found);
            (file, content, format, Some(key))
        }
        Err(Dead::Absent) => (None, Content::Absent, Format::default(), None),
        Err(Dead::OutOfReach) => (
            at(lossy(path)),
            Content::Unread(Unread::OutOfReach),
            Format::default(),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use shellproof_api::facts::{Abi, Answer, Call, Look};

    use super::*;
    use crate::files::Prefix;
    use crate::misc::Handlers;
    use crate::options::Options;

    /// What is loaded for a file that another process executes.
    fn loaded(path: &str, handlers: Handlers) -> (Program, Contents) {
        let mut other = Command::new("sleep")
            .arg("60")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut shared = Shared::new(Options::default(), Hasher::start().unwrap());
        shared.handlers = handlers;
        let mut prefix = Prefix::default();
        let view = View::of(other.id(), &mut prefix).unwrap();
        let mut program = Program {
            at: Duration::ZERO,
            pid: other.id(),
            parent: None,
            caller: None,
            call: Call::Execve(Abi::X86_64),
            path: path.to_owned(),
            argv: Vec::new(),
            argv_cut: false,
            readable: true,
            file: None,
            interpreters: Vec::new(),
            loader: None,
            answer: Answer::Continued,
            look: Look::Once,
            ran_argv: None,
        };
        let arguments = Arguments {
            follows: true,
            ..Arguments::default()
        };
        let contents = find(&view, &shared, &arguments, path.as_bytes(), &mut program);
        other.kill().unwrap();
        other.wait().unwrap();
        (program, contents)
    }

    fn path_of(file: &Option<Executable>) -> &str {
        &file.as_ref().unwrap().path
    }

    #[test]
    fn the_key_is_that_of_the_file_which_the_kernel_runs() {
        let key = |path: &str| Some(Key::of(&rustix::fs::stat(path).unwrap()));
        let own = std::env::current_exe().unwrap();
        let own = own.to_str().unwrap();
        let (program, contents) = loaded(own, Handlers::of_host());
        assert_eq!((contents.key, path_of(&program.file)), (key(own), own));
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        std::fs::write(&script, format!("#!{own}\n")).unwrap();
        let (program, contents) = loaded(script.to_str().unwrap(), Handlers::of_host());
        assert_eq!(contents.key, key(own));
        assert_eq!(path_of(&program.interpreters[0].file), own);
    }

    #[test]
    fn the_interpreter_of_a_handler_is_the_containers_unless_it_was_opened_before() {
        let directory = tempfile::tempdir().unwrap();
        let handlers = directory.path().join("handlers");
        std::fs::create_dir(&handlers).unwrap();
        let jar = directory.path().join("a.jar");
        std::fs::write(&jar, "").unwrap();
        let interpreter = |flags: &str| {
            let text = format!("enabled\ninterpreter /proc/self/exe\nflags: {flags}\nextension .jar\n");
            std::fs::write(handlers.join("jar"), text).unwrap();
            let (program, _) = loaded(jar.to_str().unwrap(), Handlers::in_directory(handlers.clone()));
            let file = program.interpreters[0].file.clone().unwrap();
            let is_own = std::fs::metadata(&file.path).is_ok_and(|there| {
                let own = std::fs::metadata("/proc/self/exe").unwrap();
                (there.dev(), there.ino()) == (own.dev(), own.ino())
            });
            (is_own, file.is_outside)
        };
        assert_eq!(interpreter("F"), (true, true));
        assert_eq!(interpreter(""), (false, false));
    }
}
