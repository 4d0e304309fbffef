//! The labels by which everything that shellproof makes can be found again.

use std::collections::BTreeMap;

/// Labels of a container, image, network or volume.
pub type Labels = BTreeMap<String, String>;

/// What all our labels begin with.
pub const PREFIX: &str = "io.shellproof.";
/// The id of the run that made an object. Every object has it, and `shellproof clean` looks for it.
pub const RUN: &str = "io.shellproof.run";
/// The run that keeps a container which wanted to be removed as soon as it had ended, until it was looked at.
pub const KEPT: &str = "io.shellproof.kept";
/// The scenario that an object belongs to.
pub const SCENARIO: &str = "io.shellproof.scenario";
/// The fixture that an image was built as.
pub const FIXTURE: &str = "io.shellproof.fixture";
/// What a stand-in image stands in for.
pub const STAND_IN: &str = "io.shellproof.stand-in";
/// Marks the probe image, which waits for ports and answers on a scenario's network.
pub const PROBE: &str = "io.shellproof.probe";
