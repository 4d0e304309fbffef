//! What a run looks like to a person, to a program and to a CI server. All three read the same results.

mod human;
mod json;
mod junit;
mod program;
mod programs;
mod summary;

pub use human::{Progress, human, plain_result};
pub use json::json;
pub use junit::junit;
pub use program::{program_exit_code, program_human, program_json};
pub use summary::{CriterionResult, Summary, Tally, criteria, exit_code};
