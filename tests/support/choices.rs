//! The lab's engines as the program takes them.

use shellproof::engines::Choice;
use shellproof_conformance::lab::Engine;

pub fn of(engines: Vec<Engine>) -> Vec<Choice> {
    let choice = |engine: Engine| match engine.listens() {
        true => Choice::Named {
            url: engine.url(),
            name: engine.name,
        },
        false => Choice::Kind(engine.kind),
    };
    engines.into_iter().map(choice).collect()
}
