//! The scenario of a role, run on an image.

use shellproof_api::ImageReference;
use tokio::sync::watch;

use super::named::Wanted;
use super::start;
use crate::engines::EngineSpec;
use crate::failure::Failure;
use crate::platform::{Platform, variable};
use crate::result::Report;
use crate::scenario::{self, Scenario};
use crate::vocabulary::Role;

/// Runs it in prebuilt mode; `is_debug` where the image is a debug variant.
///
/// # Errors
/// The image cannot be taken, the engine or the machine failed, or nothing can be proven there.
pub(super) async fn run(
    role: Role,
    wanted: &Wanted,
    engine: &EngineSpec,
    is_debug: bool,
    interrupt: watch::Receiver<bool>,
) -> Result<Report, Failure> {
    // No criterion rests on it under another name either.
    let debug = if is_debug { "-debug" } else { "" };
    let scenarios = vec![scenario(role)?.into()];
    let platform = |image: &ImageReference| {
        Platform::from_parts(None, [(variable(role).to_owned(), image.to_string())])
            .map_err(|mistakes| Failure::Input(mistakes.to_string()))
    };
    start::run(scenarios, wanted, engine, debug, interrupt, platform).await
}

/// The shipped scenario, which is in the binary: it mounts nothing of the machine.
fn scenario(role: Role) -> Result<Scenario, Failure> {
    macro_rules! shipped {
        ($name:literal) => {
            (
                concat!("scenarios/roles/", $name, ".yaml"),
                include_str!(concat!("../../scenarios/roles/", $name, ".yaml")),
            )
        };
    }
    let (path, text) = match role {
        Role::Python => shipped!("python"),
        Role::KerberosTest => shipped!("kerberos-test"),
        Role::Postgres => shipped!("postgres"),
        Role::OpenmetadataServer => shipped!("openmetadata-server"),
        Role::Opensearch => shipped!("opensearch"),
    };
    scenario::parse(path, text).map_err(|mistakes| Failure::Input(mistakes.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Mode;

    #[test]
    fn each_role_has_a_scenario_of_prebuilt_mode_that_runs_its_image() {
        for role in Role::ALL {
            let scenario = scenario(*role).unwrap();
            assert_eq!(scenario.name.value, format!("role-{role}"));
            assert!(scenario.for_mode(Mode::Prebuilt).is_some());
        }
    }
}
