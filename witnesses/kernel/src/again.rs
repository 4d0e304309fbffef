//! The second look: which of the programs that a process asked for it is that runs now.

use std::collections::HashMap;
use std::sync::Arc;

use shellproof_api::facts::Program;

use crate::content::{Content, Key};

/// A program that a process asked for, or runs.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its place in the log.
    pub at: usize,
    /// What tells the file that the kernel runs for it from other files; none where there was no file.
    pub key: Option<Key>,
    /// What was in that file.
    pub content: Content,
    /// With which arguments.
    pub words: Arc<Words>,
}

/// The arguments that were given to a program.
#[derive(Debug, Default)]
pub(crate) struct Words {
    given: Vec<String>,
    /// There were more of them, or the last one goes on.
    is_cut: bool,
    /// An interpreter runs in its place, which gets them behind its own.
    is_interpreted: bool,
}

impl Words {
    pub(crate) fn of(program: &Program) -> Self {
        Self {
            given: program.argv.clone(),
            is_cut: program.argv_cut,
            is_interpreted: !program.interpreters.is_empty(),
        }
    }

    /// Whether a process that runs with these arguments was given those.
    fn agree(&self, run: &[String]) -> bool {
        let given = self.given.as_slice();
        match (given, self.is_interpreted) {
            // The kernel gives an empty word where there is none; before Linux 5.18 it did not.
            ([], false) => run.is_empty() || run == [""],
            // How many words come before the first one that was kept is not known.
            (_, true) if self.is_cut => true,
            ([] | [_], true) => true,
            ([_, rest @ ..], true) => run.ends_with(rest),
            ([whole @ .., last], false) if self.is_cut => {
                run.len() > whole.len() && run.starts_with(whole) && run[whole.len()].starts_with(last)
            }
            (given, false) => run == given,
        }
    }
}

/// What each process of a session may run.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    processes: HashMap<u32, One>,
}

#[derive(Debug, Default)]
struct One {
    /// What it was seen to run last.
    runs: Option<Asked>,
    /// What it asked for since, attempts that failed among them.
    asked: Vec<Asked>,
}

impl Expected {
    /// A process may run this next.
    pub(crate) fn ask(&mut self, process: u32, asked: Asked) {
        self.processes.entry(process).or_default().asked.push(asked);
    }

    /// A process was seen to run this.
    pub(crate) fn confirm(&mut self, process: u32, runs: Asked) {
        let one = self.processes.entry(process).or_default();
        one.asked.clear();
        one.runs = Some(runs);
    }

    /// Whether a process asked for anything.
    pub(crate) fn knows(&self, process: u32) -> bool {
        self.processes.contains_key(&process)
    }

    /// Nothing is known of any process any more.
    pub(crate) fn forget(&mut self) {
        self.processes.clear();
    }

    /// The program that a process must be running which runs this file with these arguments: where it is none of those that
    /// it asked for, the last one of that file, or of all. Nothing where it runs what it was seen to run before, and so has
    /// made this call by itself. Says also whether it was asked for with these arguments, as far as they are known.
    pub(crate) fn meant(
        &self,
        process: u32,
        key: Option<&Key>,
        words: Option<&[String]>,
    ) -> Option<(&Asked, bool)> {
        let One { runs, asked } = self.processes.get(&process)?;
        let is_file = |one: &&Asked| one.key.zip(key).is_some_and(|(one, key)| one.is_same_file(key));
        let agrees = |one: &Asked| words.is_none_or(|words| one.words.agree(words));
        let of_file = || asked.iter().rev().filter(is_file);
        let changed = || runs.as_ref().filter(|runs| runs.key.as_ref() != key);
        let asked = of_file()
            .find(|one| agrees(one))
            .or_else(|| of_file().next())
            .or(asked.last());
        Some(match asked {
            Some(asked) => (asked, agrees(asked)),
            // Nobody knows with which arguments, since nobody asked.
            None => (changed()?, true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(at: usize, file: Option<u64>) -> Asked {
        asked_with(at, file, &["x"])
    }

    fn asked_with(at: usize, file: Option<u64>, given: &[&str]) -> Asked {
        Asked {
            at,
            key: file.map(Key::of_test),
            content: Content::Absent,
            words: Arc::new(words(given, false, false)),
        }
    }

    fn words(given: &[&str], is_cut: bool, is_interpreted: bool) -> Words {
        Words {
            given: texts(given),
            is_cut,
            is_interpreted,
        }
    }

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn meant(expected: &Expected, process: u32, file: u64) -> Option<usize> {
        expected
            .meant(process, Some(&Key::of_test(file)), None)
            .map(|(asked, _)| asked.at)
    }

    #[test]
    fn what_runs_is_one_of_those_that_were_asked_for_or_the_last_one() {
        let mut expected = Expected::default();
        for (at, file) in [(0, None), (1, Some(10)), (2, Some(11)), (3, None)] {
            expected.ask(7, asked(at, file));
        }
        expected.ask(7, asked(4, Some(11)));
        assert_eq!(meant(&expected, 7, 10), Some(1));
        assert_eq!(meant(&expected, 7, 11), Some(4));
        assert_eq!(meant(&expected, 7, 12), Some(4));
        assert_eq!(expected.meant(7, None, None).map(|(asked, _)| asked.at), Some(4));
        assert_eq!(meant(&expected, 8, 10), None);
        assert!(expected.knows(7) && !expected.knows(8));
        expected.forget();
        assert!(!expected.knows(7));
    }

    #[test]
    fn a_running_program_may_make_the_call_again_and_no_other_in_its_place() {
        let mut expected = Expected::default();
        expected.ask(7, asked(0, Some(10)));
        expected.confirm(7, asked(0, Some(10)));
        assert_eq!(meant(&expected, 7, 10), None);
        // Nobody asked for this one.
        assert_eq!(meant(&expected, 7, 11), Some(0));
        // What was there before is no answer to a new call.
        expected.ask(7, asked(1, Some(12)));
        assert_eq!(meant(&expected, 7, 10), Some(1));
    }

    #[test]
    fn arguments_tell_apart_what_was_asked_for_of_one_file() {
        let mut expected = Expected::default();
        expected.ask(7, asked_with(0, Some(10), &["box", "true"]));
        expected.ask(7, asked_with(1, Some(10), &["box", "false"]));
        expected.ask(7, asked_with(2, Some(11), &["other"]));
        let meant = |file, run: &[&str]| {
            let run = texts(run);
            let (asked, agrees) = expected.meant(7, Some(&Key::of_test(file)), Some(&run)).unwrap();
            (asked.at, agrees)
        };
        assert_eq!(meant(10, &["box", "true"]), (0, true));
        assert_eq!(meant(10, &["box", "false"]), (1, true));
        assert_eq!(meant(10, &["box", "sh"]), (1, false));
        assert_eq!(meant(12, &["other"]), (2, true));
        assert_eq!(meant(12, &["box", "true"]), (2, false));
    }

    #[test]
    fn arguments_agree_as_the_kernel_passes_them_on() {
        for (given, is_cut, is_interpreted, run, agrees) in [
            (&["a", "b"][..], false, false, &["a", "b"][..], true),
            (&["a", "b"], false, false, &["a", "c"], false),
            (&["a", "b"], false, false, &["a", "b", ""], false),
            (&["a", "b"], false, false, &["a"], false),
            (&[], false, false, &[], true),
            (&[], false, false, &[""], true),
            (&[], false, false, &["sh"], false),
            (&["a", "bc"], true, false, &["a", "bcd", "e"], true),
            (&["a", "bc"], true, false, &["a", "bc"], true),
            (&["a", "bc"], true, false, &["a", "b"], false),
            (&["a", "bc"], true, false, &["x", "bcd"], false),
            (&["a", "bc"], true, false, &["a"], false),
            (&["a", "b"], false, true, &["/x", "-e", "/script", "b"], true),
            (&["a", "b"], false, true, &["/x", "/script", "c"], false),
            (&["a"], false, true, &["/x", "/script"], true),
            (&[], false, true, &["/x", "/script"], true),
            (&["a", "b"], true, true, &["/x", "/script", "bcd"], true),
        ] {
            let run = texts(run);
            assert_eq!(
                words(given, is_cut, is_interpreted).agree(&run),
                agrees,
                "{given:?} {run:?}"
            );
        }
    }
}
