//! From evidence to a verdict. Nothing here talks to an engine.

mod evidence;
pub mod programs;
mod verdict;
pub mod wire;

pub use evidence::{Evidence, Rule, UnknownRule, Weight};
pub use verdict::{Judgement, WitnessState, judge};

pub use crate::scenario::{VerdictKind as Verdict, Witness};
