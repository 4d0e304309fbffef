//! From evidence to a verdict. Nothing here talks to an engine.

mod changes;
mod events;
mod evidence;
mod health;
pub mod kernel;
mod program;
pub mod programs;
mod verdict;
mod waiver;
pub mod wire;

pub use evidence::{Evidence, Rule, UnknownRule, Weight};
pub use kernel::{Testimony, Traced};
pub use program::{Exit, ExpectedExit, ProgramResult, ProgramStatus};
pub use verdict::{Judgement, Seen, WitnessState, judge, judge_program};
pub use waiver::check as check_scenarios;
pub(crate) use waiver::unused as unused_waivers;

pub use crate::vocabulary::{VerdictKind as Verdict, Witness};
