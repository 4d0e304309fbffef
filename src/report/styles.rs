//! What a report looks like on a terminal, as data. Whoever writes takes one of the two sheets.

use anstyle::{AnsiColor, Style};

/// How each kind of text looks.
#[derive(Clone, Copy, Debug)]
pub struct Styles {
    /// What is as it should be.
    pub good: Style,
    /// What is not.
    pub bad: Style,
    /// What nobody can say.
    pub unsure: Style,
    /// What a reader may pass over.
    pub faint: Style,
    /// What a reader looks for.
    pub strong: Style,
}

impl Styles {
    /// For a terminal.
    pub const COLOURED: Self = Self {
        good: AnsiColor::Green.on_default().bold(),
        bad: AnsiColor::Red.on_default().bold(),
        unsure: AnsiColor::Yellow.on_default().bold(),
        faint: Style::new().dimmed(),
        strong: Style::new().bold(),
    };
    /// For files.
    pub const PLAIN: Self = Self {
        good: Style::new(),
        bad: Style::new(),
        unsure: Style::new(),
        faint: Style::new(),
        strong: Style::new(),
    };
}
