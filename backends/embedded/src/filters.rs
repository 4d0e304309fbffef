//! Filters that were compiled: a run's containers have the same profile, but for the path of its listener.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::filter::{Filter, FilterError, Target, compile};
use crate::sys::Instruction;

/// What stands before a listener's path in a profile without blanks. In a string these quotes would be escaped.
const LISTENER: &str = "\"listenerPath\":\"";

/// Programs by what they were made of: a profile without its listener's path, and capabilities.
#[derive(Default)]
pub(crate) struct Filters(Mutex<HashMap<(String, Vec<String>), Arc<Vec<Instruction>>>>);

impl Filters {
    /// The filter of a profile, compiled or known already.
    ///
    /// # Errors
    /// As [`compile`].
    pub(crate) fn get(&self, profile: &str, target: Target<'_>) -> Result<Filter, FilterError> {
        let Some((rest, path)) = without_listener(profile) else {
            return compile(profile, target);
        };
        let key = (rest, target.capabilities.to_vec());
        if let Some(program) = self.known().get(&key) {
            return Ok(Filter {
                program: program.to_vec(),
                listener: Some(path),
            });
        }
        let filter = compile(profile, target)?;
        // A path that stands elsewhere is no listener's.
        if filter.listener.as_ref() == Some(&path) {
            self.known().insert(key, Arc::new(filter.program.clone()));
        }
        Ok(filter)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(String, Vec<String>), Arc<Vec<Instruction>>>> {
        // What is put in is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A profile without the path of its listener, and that; none if it has none, or one that is written with escapes.
fn without_listener(profile: &str) -> Option<(String, PathBuf)> {
    let (before, rest) = profile.split_once(LISTENER)?;
    let (path, after) = rest.split_once('"')?;
    (!path.contains('\\')).then(|| (format!("{before}{LISTENER}\"{after}"), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Machine;

    fn profile(listener: &str, call: &str) -> String {
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"{listener}","syscalls":[{{"names":["{call}"],"action":"SCMP_ACT_NOTIFY","listenerPath":"/no"}}]}}"#
        )
    }

    #[test]
    fn containers_share_a_program_and_each_has_its_own_listener() {
        let filters = Filters::default();
        let capabilities = ["CAP_CHOWN".to_owned()];
        let target = Target {
            machine: Machine::X86_64,
            capabilities: &capabilities,
            kernel: (6, 1),
        };
        let text = |filter: &Filter| format!("{:?}", crate::filter::to_bytes(&filter.program));
        for (listener, call) in [
            ("/one", "execve"),
            ("/two", "execve"),
            ("/one", "execveat"),
            ("/a\\n", "execve"),
        ] {
            let profile = profile(listener, call);
            let (kept, anew) = (
                filters.get(&profile, target).unwrap(),
                compile(&profile, target).unwrap(),
            );
            assert_eq!(
                (kept.listener.as_ref(), text(&kept)),
                (anew.listener.as_ref(), text(&anew))
            );
        }
        // One for each call: paths make no difference, and an escaped one is compiled each time.
        assert_eq!(filters.known().len(), 2);
        // A nested key of that name, before the right one, is not taken for it.
        let nested = r#"{"syscalls":[{"names":["execve"],"action":"SCMP_ACT_NOTIFY","listenerPath":"/no"}],"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/yes"}"#;
        for _ in 0..2 {
            assert_eq!(filters.get(nested, target).unwrap().listener, Some("/yes".into()));
        }
        let none = filters
            .get(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, target)
            .unwrap();
        assert_eq!(none.listener, None);
        assert_eq!(filters.known().len(), 2);
    }
}
