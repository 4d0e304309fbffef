//! From facts to a verdict. Nothing here knows how a fact was seen, or talks to an engine.

mod evidence;
mod foreign;
pub(crate) mod health;
pub(crate) mod image;
pub mod kernel;
pub mod programs;
mod usage;
mod verdict;
mod waiver;
pub mod wire;

pub use evidence::{Evidence, Rule, UnknownRule, Weight};
pub use foreign::Allowed;
pub use image::Promise;
pub use usage::Usage;
pub(crate) use verdict::unused_waivers;
pub use verdict::{Judgement, Seen, Standing, WitnessState, judge, judge_image, judge_program};
pub use waiver::check as check_scenarios;

pub use crate::vocabulary::{VerdictKind as Verdict, Witness};
