//! Reads words as a program reads its options: which of them take a value, and what is left.

/// What stands for arguments that a witness did not keep; at a word's end, for the rest of that word. No argument can
/// hold this byte.
pub(super) const CUT: char = '\0';

/// Whether a word is in a list that is parted by spaces.
pub(super) fn has(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split(' ').any(|one| one == word)
}

/// Whether a word is not known to its end.
pub(super) fn is_cut(word: &str) -> bool {
    word.ends_with(CUT)
}

/// The options of one program.
#[derive(Debug)]
pub(super) struct Options {
    /// Short options without and with a value.
    pub(super) flags: &'static str,
    pub(super) valued: &'static str,
    /// Long options without and with a value, parted by spaces.
    pub(super) long_flags: &'static str,
    pub(super) long_valued: &'static str,
}

impl Options {
    pub(super) const NONE: Self = Self {
        flags: "",
        valued: "",
        long_flags: "",
        long_valued: "",
    };

    /// Whether a long option takes a value; `None` for one that is not known. Most programs take the beginning of a name
    /// for the name.
    fn takes_value(&self, long: &str) -> Option<bool> {
        let is =
            |names: &str, matches: fn(&str, &str) -> bool| names.split(' ').any(|name| matches(name, long));
        [
            |name: &str, long: &str| name == long,
            |name: &str, long: &str| long.len() > 1 && name.starts_with(long),
        ]
        .into_iter()
        .find_map(
            |matches| match (is(self.long_flags, matches), is(self.long_valued, matches)) {
                (false, false) => None,
                (_, is_valued) => Some(is_valued),
            },
        )
    }

    /// Whether an option takes a value, by its name without dashes.
    pub(super) fn needs_value(&self, name: &str) -> bool {
        let is_short = name.chars().count() == 1 && self.valued.contains(name);
        is_short || self.takes_value(name) == Some(true)
    }
}

/// One thing among a program's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// An option without dashes, with its value.
    Option {
        name: &'a str,
        value: Option<&'a str>,
        /// Otherwise the next word may be its value.
        is_known: bool,
    },
    /// The first of the words that are no options.
    Operand,
    /// What comes was not kept.
    Cut,
}

/// Goes through arguments.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    options: &'a Options,
    /// What was not looked at yet.
    pub(super) rest: &'a [&'a str],
    /// The short options behind one dash that were not looked at yet.
    cluster: &'a str,
    has_ended: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(options: &'a Options, words: &'a [&'a str]) -> Self {
        Self {
            options,
            rest: words,
            cluster: "",
            has_ended: false,
        }
    }

    /// Takes an operand, after [`Item::Operand`].
    pub(super) fn operand(&mut self) -> Option<&'a str> {
        let (word, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*word)
    }

    /// Whether an option that is on by its name is so here: `--dry-run=false` and npm's `--dry-run false` switch it off.
    pub(super) fn is_on(&self, name: &str, value: Option<&str>) -> bool {
        match value {
            None => !matches!(self.rest, ["false", ..]) || !self.cluster.is_empty(),
            Some(_) if self.options.needs_value(name) => true,
            Some(value) => ["true", "yes", "on", "with", "enable", "1"].contains(&value),
        }
    }

    /// Whether one of these options is switched off again in what is left.
    pub(super) fn switches_off(mut self, options: &str) -> bool {
        let mut is_off = false;
        while let Some(item) = self.next() {
            match item {
                Item::Cut => return is_off,
                Item::Operand => drop(self.operand()),
                Item::Option { name, value, .. } if has(options, name) => is_off = !self.is_on(name, value),
                Item::Option { name, .. } => {
                    is_off |= name.strip_prefix("no-").is_some_and(|name| has(options, name));
                }
            }
        }
        is_off
    }

    fn short(&mut self) -> Item<'a> {
        let first = self.cluster.chars().next().map_or(0, char::len_utf8);
        let (name, rest) = self.cluster.split_at(first);
        self.cluster = rest;
        let is_valued = self.options.valued.contains(name);
        let value = match is_valued {
            // apt takes `-s=no`.
            false => match rest.strip_prefix('=') {
                Some(value) => {
                    self.cluster = "";
                    Some(value)
                }
                None => None,
            },
            true if !rest.is_empty() => {
                self.cluster = "";
                Some(rest)
            }
            true => self.operand(),
        };
        Item::Option {
            name,
            value,
            is_known: is_valued || self.options.flags.contains(name),
        }
    }

    fn long(&mut self, text: &'a str) -> Item<'a> {
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let takes_value = self.options.takes_value(name);
        let value = match (attached, takes_value) {
            (None, Some(true)) => self.operand(),
            (attached, _) => attached,
        };
        Item::Option {
            name,
            value,
            // With its value attached, it takes no other.
            is_known: takes_value.is_some(),
        }
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Item<'a>;

    /// The next option, or that an operand is next: it is for the caller to take.
    fn next(&mut self) -> Option<Item<'a>> {
        if !self.cluster.is_empty() {
            return Some(self.short());
        }
        let word = *self.rest.first()?;
        // Of `--name=value` only the value may be cut.
        if is_cut(word) && !(word.starts_with("--") && word.contains('=')) {
            return Some(Item::Cut);
        }
        if self.has_ended || word == "-" || !word.starts_with('-') {
            return Some(Item::Operand);
        }
        self.rest = &self.rest[1..];
        match word.strip_prefix("--") {
            Some("") => {
                self.has_ended = true;
                self.next()
            }
            Some(long) => Some(self.long(long)),
            None => {
                self.cluster = &word[1..];
                Some(self.short())
            }
        }
    }
}
