//! What a request does.

/// What a request does, as far as the audit cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Only reads.
    Read,
    /// Lists a container's programs. Podman may run `ps` in the container for it.
    ListPrograms,
    /// Changes something that the audit has no interest in: networks, volumes, stopping, removing, pulling.
    Harmless,
    /// Joins a container's streams, and may leave HTTP for it.
    Attach,
    /// Makes a container.
    CreateContainer,
    /// Starts a container.
    StartContainer,
    /// Prepares a further program in a running container.
    CreateExec,
    /// Starts a further program in a running container.
    StartExec,
    /// Runs a container's health check, whatever the method is.
    RunHealthCheck,
    /// Builds an image.
    Build,
    /// Makes an image of a container.
    Commit,
    /// Writes files into a container.
    CopyIn,
    /// Changes a container's configuration.
    Update,
    /// Removes a container, or containers.
    Remove,
    /// Opens the stream on which BuildKit asks its client for the files of a build.
    BuildSession,
    /// Opens a stream of calls to BuildKit, which cannot be read.
    BuildCalls,
    /// Changes something, and nobody here knows what.
    Unknown,
}

impl Action {
    /// Nothing runs for it.
    pub(crate) fn is_harmless(self) -> bool {
        matches!(
            self,
            Self::Read | Self::ListPrograms | Self::Harmless | Self::Remove
        )
    }

    /// It leaves HTTP for BuildKit.
    pub(crate) fn is_build_stream(self) -> bool {
        matches!(self, Self::BuildSession | Self::BuildCalls)
    }

    /// A container that is wanted does not run when the engine refuses it.
    pub(crate) fn is_on_the_way_to_a_start(self) -> bool {
        matches!(self, Self::CreateContainer | Self::Attach | Self::StartContainer)
    }

    /// It concerns what a container runs, so that the engine is asked about the container first.
    pub(crate) fn runs_container(self) -> bool {
        matches!(
            self,
            Self::StartContainer
                | Self::Attach
                | Self::CreateExec
                | Self::RunHealthCheck
                | Self::ListPrograms
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Action::*;

    #[test]
    fn each_kind_of_action_is_just_these() {
        let all = [
            Read,
            ListPrograms,
            Harmless,
            Attach,
            CreateContainer,
            StartContainer,
            CreateExec,
            StartExec,
            RunHealthCheck,
            Build,
            Commit,
            CopyIn,
            Update,
            Remove,
            BuildSession,
            BuildCalls,
            Unknown,
        ];
        let those =
            |is: fn(super::Action) -> bool| all.into_iter().filter(|one| is(*one)).collect::<Vec<_>>();
        assert_eq!(
            those(super::Action::is_harmless),
            [Read, ListPrograms, Harmless, Remove]
        );
        assert_eq!(those(super::Action::is_build_stream), [BuildSession, BuildCalls]);
        let to_a_start = [Attach, CreateContainer, StartContainer];
        assert_eq!(those(super::Action::is_on_the_way_to_a_start), to_a_start);
        let running = [ListPrograms, Attach, StartContainer, CreateExec, RunHealthCheck];
        assert_eq!(those(super::Action::runs_container), running);
    }
}
