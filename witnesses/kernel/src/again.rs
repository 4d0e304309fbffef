//! The second look: which of the programs that a process asked for it is that runs now.

use std::collections::HashMap;

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

    /// The program that a process must be running which runs this file: where it is none of those that it asked for, the
    /// last one. Nothing where it runs what it was seen to run before, and so has made this call by itself.
    pub(crate) fn meant(&self, process: u32, key: Option<&Key>) -> Option<&Asked> {
        let One { runs, asked } = self.processes.get(&process)?;
        let is_it = |one: &&Asked| one.key.zip(key).is_some_and(|(one, key)| one.is_same_file(key));
        let changed = || runs.as_ref().filter(|runs| runs.key.as_ref() != key);
        let asked = asked.iter().rev().find(is_it).or(asked.last());
        asked.or_else(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(at: usize, file: Option<u64>) -> Asked {
        Asked {
            at,
            key: file.map(Key::of_test),
            content: Content::Absent,
        }
    }

    fn meant(expected: &Expected, process: u32, file: u64) -> Option<usize> {
        expected
            .meant(process, Some(&Key::of_test(file)))
            .map(|asked| asked.at)
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
        assert_eq!(expected.meant(7, None).map(|asked| asked.at), Some(4));
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
}
