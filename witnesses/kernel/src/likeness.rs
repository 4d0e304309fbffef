//! What a program is by the words in it, whatever it is called.

use std::collections::HashSet;

use shellproof_api::facts::Likeness;

/// Words that a POSIX shell cannot do without. No other program of a Debian system has all of them.
pub(crate) const SHELL_WORDS: [&[u8]; 5] = [b"getopts", b"OPTIND", b"PS4", b"readonly", b"umask"];
const MULTI_CALL_WORD: &[u8] = b"BusyBox v";
/// Options of the dynamic loaders, of glibc and of musl.
const LOADER_WORDS: [[&[u8]; 2]; 2] = [
    [b"--inhibit-cache", b"--library-path"],
    [b"musl libc", b"--library-path"],
];

/// What shows in a program's content, which comes in parts.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    /// Nothing before the first part.
    is_program: Option<bool>,
    words: HashSet<&'static [u8]>,
    /// The end of what came, which may be a word's beginning.
    end: Vec<u8>,
}

impl Signs {
    /// Those of a program whose beginning need not come first.
    pub(crate) fn of_program() -> Self {
        Self {
            is_program: Some(true),
            ..Self::default()
        }
    }

    pub(crate) fn look_at(&mut self, part: &[u8]) {
        let is_program = || part.starts_with(b"\x7fELF");
        if !*self.is_program.get_or_insert_with(is_program) {
            return;
        }
        self.end.extend_from_slice(part);
        let words = SHELL_WORDS.iter().chain(LOADER_WORDS.as_flattened());
        let mut longest = 0;
        for &word in words.chain([&MULTI_CALL_WORD]) {
            longest = longest.max(word.len());
            if !self.words.contains(word) && memchr::memmem::find(&self.end, word).is_some() {
                self.words.insert(word);
            }
        }
        self.end.drain(..self.end.len().saturating_sub(longest - 1));
    }

    pub(crate) fn likeness(&self) -> Option<Likeness> {
        let has = |word: &&[u8]| self.words.contains(word);
        // A static BusyBox may hold a loader's words too, and has a shell among its programs.
        if has(&MULTI_CALL_WORD) {
            return Some(Likeness::MultiCall);
        }
        if SHELL_WORDS.iter().all(has) {
            return Some(Likeness::Shell);
        }
        let is_loader = LOADER_WORDS.iter().any(|words| words.iter().all(has));
        is_loader.then_some(Likeness::Loader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(words: &[&[u8]]) -> Vec<u8> {
        [b"\x7fELF".as_slice(), &words.join(&0)].concat()
    }

    fn likeness(content: &[u8]) -> Option<Likeness> {
        let mut signs = Signs::default();
        signs.look_at(content);
        signs.likeness()
    }

    #[test]
    fn a_word_is_found_wherever_the_parts_end() {
        let shell = elf(&SHELL_WORDS);
        for end in 4..shell.len() {
            let mut signs = Signs::default();
            let (first, rest) = shell.split_at(end);
            signs.look_at(first);
            for byte in rest {
                signs.look_at(&[*byte]);
            }
            assert_eq!(signs.likeness(), Some(Likeness::Shell), "{end}");
        }
    }

    #[test]
    fn a_shell_is_known_by_all_its_words() {
        assert_eq!(likeness(&elf(&SHELL_WORDS)), Some(Likeness::Shell));
        for missing in 0..SHELL_WORDS.len() {
            let mut words = SHELL_WORDS.to_vec();
            words.remove(missing);
            assert_eq!(likeness(&elf(&words)), None, "without {missing}");
        }
    }

    #[test]
    fn busybox_is_what_it_is_called_by() {
        let words = [SHELL_WORDS.as_slice(), &[b"BusyBox v1.35.0"]].concat();
        assert_eq!(likeness(&elf(&words)), Some(Likeness::MultiCall));
    }

    #[test]
    fn a_loader_is_known_by_its_options() {
        for words in LOADER_WORDS {
            assert_eq!(likeness(&elf(&words)), Some(Likeness::Loader));
            assert_eq!(likeness(&elf(&words[..1])), None);
        }
        assert_eq!(likeness(&elf(&[b"--library-path"])), None);
    }

    #[test]
    fn a_text_about_shells_is_none() {
        assert_eq!(likeness(&SHELL_WORDS.join(&b' ')), None);
        assert_eq!(likeness(b""), None);
    }
}
