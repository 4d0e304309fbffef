//! The cases, by what they are about.

mod images;
mod isolation;
mod lifecycle;
mod output;
mod program;
mod pull;
mod refusals;
mod resources;

use std::pin::Pin;

use crate::Bench;

/// One sentence of the contract.
pub struct Case {
    /// The sentence, as the name of a test.
    pub name: &'static str,
    /// What the runtime must have for the case to mean anything.
    pub needs: Needs,
    pub(crate) run: for<'a> fn(&'a Bench) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

/// What a case needs beyond the contract itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it holds for a scripted runtime too.
    Contract,
    /// Real programs on a real kernel.
    Kernel,
    /// An engine that runs health checks by itself.
    HealthChecks,
}

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [
        images::CASES,
        isolation::CASES,
        lifecycle::CASES,
        output::CASES,
        program::CASES,
        pull::CASES,
        refusals::CASES,
        resources::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Makes a module's list of cases from its functions.
macro_rules! case_list {
    ($($needs:ident: $($name:ident),+ $(,)?);+ $(;)?) => {
        pub(super) const CASES: &[crate::Case] = &[$($(
            crate::Case {
                name: stringify!($name),
                needs: crate::Needs::$needs,
                run: |bench| Box::pin($name(bench)),
            },
        )+)+];
    };
}
use case_list;
