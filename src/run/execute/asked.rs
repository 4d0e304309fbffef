//! What a scenario's containers were asked to be, where there is no wire to see it: a health check that is never run in the
//! time of a scenario stands against it all the same.

use shellproof_api::facts::{Check, CheckKind, Container, Fact, Outcome, Start, What, Witness};
use shellproof_api::{ContainerId, ContainerSpec, ImageConfig};

use super::state::Execution;

/// Where this is known from.
const SOURCE: &str = "this run";

impl Execution<'_> {
    /// Notes a container that was started here, or could not be.
    pub(super) fn note_start(&mut self, id: &ContainerId, spec: &ContainerSpec, outcome: Outcome) {
        if !self.has_no_wire() {
            return;
        }
        let image = self.images.iter().find(|image| image.reference == spec.image);
        let none = ImageConfig::default();
        let config = image.map_or(&none, |image| &image.config);
        let test = spec.health_check.as_ref().or(config.health_check.as_ref());
        let check = test.map(|check| Check {
            kind: CheckKind::Regular,
            test: check.test.clone(),
            lacking: None,
        });
        let start = Start {
            argv: spec.argv(config),
            checks: check.into_iter().collect(),
            service: None,
            made_here: true,
            doors: Vec::new(),
            outcome,
        };
        let container = Container {
            id: Some(id.0.clone()),
            name: spec.name.clone(),
        };
        let fact = Fact::new(Witness::Wire, SOURCE, What::Start(start));
        self.asked.push(fact.about(container));
    }
}
