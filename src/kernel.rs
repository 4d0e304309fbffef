//! The kernel witness on one engine: a supervisor for each container, and the profile that leads to it.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shellproof_api::{Engine, EngineKind, Seccomp};
use shellproof_kernel::{Deny, Left, Options, Supervisor, Trace, profile};
use shellproof_wire::{Endpoint, Server};

use crate::invocation::Invocation;

/// How long the last programs of a removed container may take to be recorded.
const ENDING: Duration = Duration::from_secs(5);
/// How long they may take where the container may still run.
const SETTLING: Duration = Duration::from_millis(200);

/// What it takes to watch an engine's containers.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Where sockets and profiles go: engine and supervisor see it at the same path.
    directory: PathBuf,
    /// The engine's own profile.
    default: String,
    /// The engine's user, who must be able to use the sockets.
    owner: Option<(u32, u32)>,
}

/// One container that is watched from its start.
#[derive(Debug)]
pub(crate) struct Watch {
    supervisor: Supervisor,
    profile: Profile,
}

/// A profile's file, which goes with it.
#[derive(Debug)]
struct Profile(PathBuf);

impl Kernel {
    /// Finds out how an engine's containers can be watched. One that listens nowhere is in this binary.
    ///
    /// # Errors
    /// Why they cannot, with a cure.
    pub(crate) async fn open(
        endpoint: Option<&Endpoint>,
        engine: &Engine,
        invocation: &Invocation,
    ) -> Result<Self, String> {
        let Some(endpoint) = endpoint else {
            return Ok(Self {
                directory: invocation.shared(""),
                default: profile::DOCKER_DEFAULT.to_owned(),
                owner: None,
            });
        };
        let server = endpoint.server().await;
        let server = server.map_err(|error| format!("the engine's process cannot be found: {error}"))?;
        let own = rustix::process::geteuid();
        if !own.is_root() && own.as_raw() != server.uid {
            return Err(format!(
                "the engine's programs belong to user {}, and only root may look at them; run shellproof as root, or use \
                 rootless Podman",
                server.uid
            ));
        }
        let default = match (&engine.seccomp, engine.kind) {
            (Seccomp::BuiltIn, EngineKind::Docker) => profile::DOCKER_DEFAULT.to_owned(),
            (Seccomp::BuiltIn, _) | (Seccomp::Off, _) => {
                return Err("the engine has seccomp switched off; it must be on in its configuration".into());
            }
            (Seccomp::File(path), _) => read(&server, path).map_err(|error| {
                format!(
                    "the engine's seccomp profile `{}` cannot be read: {error}",
                    path.display()
                )
            })?,
        };
        // Only a supervisor's own path is left to be wrong afterwards.
        profile::notify(&default, Path::new("/")).map_err(|error| error.to_string())?;
        Ok(Self {
            directory: invocation.shared(""),
            default,
            owner: (own.as_raw() != server.uid).then_some((server.uid, server.gid)),
        })
    }

    /// Gets ready for one container, which is to be made with [`Watch::profile`].
    ///
    /// # Errors
    /// Socket or profile cannot be made.
    pub(crate) fn watch(&self, deny: Option<Deny>) -> io::Result<Watch> {
        // Whoever can name the socket can send it a listener, and so can a container's own profile.
        let name = secret()?;
        let socket = self.directory.join(&name);
        let text = profile::notify(&self.default, &socket).map_err(io::Error::other)?;
        let options = Options {
            owner: self.owner,
            deny,
            ..Options::default()
        };
        let watch = Watch {
            supervisor: Supervisor::start(&socket, options)?,
            profile: Profile(self.directory.join(format!("{name}.json"))),
        };
        fs::write(watch.profile(), text)?;
        fs::set_permissions(watch.profile(), Permissions::from_mode(0o644))?;
        Ok(watch)
    }

    /// Where sockets and profiles are: nobody but us has reason to name it.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// A name that nobody can guess.
fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

impl Watch {
    /// The seccomp profile, as engine and supervisor see it.
    pub(crate) fn profile(&self) -> &Path {
        &self.profile.0
    }

    /// Stops recording, and gives what it takes for a keeper to go on answering. Only the engine needs the profile, and has
    /// read it.
    ///
    /// # Errors
    /// As [`Supervisor::leave`].
    pub(crate) fn leave(self) -> io::Result<Left> {
        self.supervisor.leave()
    }

    /// Whether programs were seen, and none runs any longer.
    pub(crate) fn has_ended(&self) -> bool {
        self.supervisor.has_ended()
    }

    /// What was seen up to now.
    pub(crate) fn trace(&self) -> Trace {
        self.supervisor.trace()
    }

    /// What was seen of a container that may still run. Blocks for a moment, for the last programs of one that does not.
    pub(crate) fn settled(&self) -> Trace {
        self.supervisor.wait_ended(SETTLING);
        self.supervisor.trace()
    }

    /// What was seen of a container that has been removed. Blocks until its last program is recorded.
    pub(crate) fn ended(&self) -> Trace {
        let ended = self.supervisor.wait_ended(ENDING);
        let mut trace = self.supervisor.trace();
        if !ended {
            trace.faults.push(format!(
                "a process of it still ran {} s after its removal",
                ENDING.as_secs()
            ));
        }
        trace
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Their directory goes with the invocation; what is gone already is no loss.
        let _ = fs::remove_file(&self.0);
    }
}

/// Reads a file as the engine sees it: its root may be another.
fn read(server: &Server, path: &Path) -> io::Result<String> {
    let inside = Path::new("/proc")
        .join(server.pid.to_string())
        .join("root")
        .join(path.strip_prefix("/").unwrap_or(path));
    fs::read_to_string(inside).or_else(|_| fs::read_to_string(path))
}
