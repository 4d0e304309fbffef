//! What came of tests: expectations, and tests that cannot be honoured.

use std::sync::Arc;

use shellproof_api::facts::{Fact, Gap, What, Witness};

use super::go_pattern::{self, Refused};
use crate::result::{Expectation, Failure};
use crate::scenario::Pattern;
use crate::source::{Diagnostic, SourceFile, Span, Spanned};

/// What came of tests.
#[derive(Debug)]
pub(in crate::verify) struct Sheet {
    file: Arc<SourceFile>,
    pub(in crate::verify) expectations: Vec<Expectation>,
    /// Why a test, or a part of one, says nothing of the image.
    pub(in crate::verify) gaps: Vec<Fact>,
}

impl Sheet {
    pub(super) fn new(file: &Arc<SourceFile>) -> Self {
        Self {
            file: Arc::clone(file),
            expectations: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Notes an expectation; `actual` is what was seen instead, if it was not met.
    pub(super) fn check(&mut self, span: Span, what: impl Into<String>, actual: Option<String>) {
        let what = what.into();
        let failure = actual.map(|actual| Failure {
            diagnostic: Diagnostic::new(&self.file, span, format!("expected {what}")).label(actual),
            container: None,
            errors: Vec::new(),
            log: Vec::new(),
        });
        self.expectations.push(Expectation { what, failure });
    }

    /// Notes what cannot be honoured.
    pub(super) fn skip(&mut self, span: Span, what: impl std::fmt::Display, why: impl std::fmt::Display) {
        let what = What::Unseen {
            gap: Gap::Test,
            why: format!("{what} is not honoured: {why}"),
            help: None,
        };
        let place = self.file.location(span);
        self.gaps.push(Fact::new(Witness::Image, place, what));
    }

    /// A pattern, unless it says nothing: then that is noted.
    pub(super) fn pattern(&mut self, text: &Spanned<String>, what: &str) -> Option<Pattern> {
        match go_pattern::compile(&text.value) {
            Ok(pattern) => Some(pattern),
            Err(Refused::Invalid(why)) => {
                let why = format!("Go knows no such regular expression: {why}");
                self.check(text.span, what, Some(why));
                None
            }
            Err(Refused::Unsure(what_is_unsure)) => {
                let why = format!("nobody here can say for sure what Go makes of {what_is_unsure}");
                self.skip(text.span, what, why);
                None
            }
        }
    }
}
