//! The lab's engines as the program takes them.

use shellproof::engines::Choice;
use shellproof_conformance::lab::Engine;

pub fn of(engines: Vec<Engine>) -> Vec<Choice> {
    let choice = |engine: Engine| Choice::Named {
        url: engine.url(),
        name: engine.name,
    };
    engines.into_iter().map(choice).collect()
}
