use std::net::IpAddr;

/// A container's state, as its engine tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerState {
    /// Where it is in its life.
    pub status: ContainerStatus,
    /// The exit code, once it has exited.
    pub exit_code: Option<i64>,
    /// Its addresses on its networks, while it runs.
    pub addresses: Vec<IpAddr>,
    /// Published ports as (container, host), while it runs.
    pub ports: Vec<(u16, u16)>,
    /// The program and arguments that the engine runs, the image's configuration merged in.
    pub argv: Vec<String>,
}

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerStatus {
    /// Made and never started.
    Created,
    /// Running.
    Running,
    /// Ended, or failed to start.
    Exited,
    /// Anything between: paused, stopping, removing.
    Other,
}
