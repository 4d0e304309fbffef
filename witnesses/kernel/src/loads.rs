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
