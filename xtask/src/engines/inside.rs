//! How a process becomes an engine: namespaces of its own, a root of its own, and a network with a way out.
//!
//! No engine is installed on this machine, an engine that is installed here is never touched, and the versions are the
//! same whatever the machine runs. `chroot` would not do: the commands of `exec` and of health checks would see this
//! machine's files instead of the container's.

use std::env::set_current_dir;
use std::fs::{self, File, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    unmount,
};
use rustix::process::pivot_root;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::SHARED;
use super::engine::Engine;
use crate::{Result, call};

/// The user of the rootless engines, in their root only.
const USER: &str = "shellproof-lab";

/// Comes back only if it fails. Runs as the first process of its namespaces.
pub fn run(engine: &Engine) -> Result {
    // What this machine calls it, whose /proc is still here.
    let pid = fs::read_link("/proc/self")?;
    engine.note_first_process(pid.to_string_lossy().parse()?)?;
    enter_root(engine)?;
    if engine.is_rootless {
        call(Command::new("chown").arg(USER).arg(&engine.directory))?;
    } else {
        enter_network()?;
    }
    // Passes signals on, and takes the exit codes of processes that lost their parents: no engine does.
    let mut first = Command::new("catatonit");
    as_its_user(engine, first.arg("--"));
    let socket = format!("unix://{}", engine.own_socket.display());
    if engine.is_docker {
        // The group of the socket: `docker` in this root may be the number of any other group on this machine.
        first.args(["dockerd", "--host", &socket, "--group", "root"]);
    } else {
        first.args(["podman", "system", "service", "--time=0", &socket]);
    }
    Err(first.exec().into())
}

/// Adds to a command what makes the program that follows run as the engine does.
pub fn as_its_user(engine: &Engine, command: &mut Command) {
    if engine.is_rootless {
        let words = format!("setpriv --reuid {USER} --regid {USER} --init-groups env HOME=/home/{USER}");
        command.args(words.split(' ')).arg(format!("USER={USER}"));
        command.arg(format!("XDG_RUNTIME_DIR={}", engine.directory.display()));
        // Podman 4.3 takes vfs for itself, which copies the image for each container. Native overlay works as well.
        command.arg("STORAGE_DRIVER=overlay");
    }
}

/// Makes the engine's root this process's root. It shares with this machine: /sys, /dev, a directory for listener
/// sockets and sources of bind mounts, and the directory of its own socket. Its /run is empty at each start, so that a
/// stop is to the engine what a reboot is: containers are found stopped, images are kept.
fn enter_root(engine: &Engine) -> Result {
    let root = &engine.root;
    // Without a name server an engine is still an engine.
    let _ = fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf"));
    mount_bind(root, root)?;
    set_current_dir(root)?;
    mount_bind_recursive("/sys", "sys")?;
    mount_bind_recursive("/dev", "dev")?;
    mount("proc", "proc", "proc", MountFlags::empty(), None)?;
    mount("run", "run", "tmpfs", MountFlags::empty(), Some(c"mode=755"))?;
    for directory in [Path::new(SHARED), &engine.directory] {
        let inside = Path::new(".").join(directory.strip_prefix("/")?);
        fs::create_dir_all(&inside)?;
        mount_bind(directory, &inside)?;
    }
    // Rootless networks and fuse need these two for everyone. Nodes of our own leave this machine's as they are.
    for (node, device, minor) in [("run/tun", "dev/net/tun", 200), ("run/fuse", "dev/fuse", 229)] {
        let (kind, number) = (FileType::CharacterDevice, makedev(10, minor));
        mknodat(CWD, node, kind, Mode::empty(), number)?;
        fs::set_permissions(node, Permissions::from_mode(0o666))?;
        if Path::new(device).exists() {
            mount_bind(node, device)?;
        }
    }
    fs::create_dir("run/lock")?;
    fs::create_dir("run/host")?;
    pivot_root(".", "run/host")?;
    set_current_dir("/")?;
    unmount("/run/host", UnmountFlags::DETACH)?;
    // As on a machine with systemd: rootless engines want it, and so does `-v ...:rshared`.
    Ok(mount_change("/", MountPropagationFlags::SHARED)?)
}

/// Gives a rootful engine a network of its own, with a way out but none in: its published ports and container addresses
/// can be reached from in there alone. Two in one namespace, or one beside an engine of this machine, would take each
/// other's bridges and addresses. The rootless ones publish their ports on this machine.
fn enter_network() -> Result {
    call(Command::new("ip").args(["netns", "add", "engine"]))?;
    call(Command::new("ip").args(["-n", "engine", "link", "set", "lo", "up"]))?;
    // Ends when the way out is there and goes on in the background. Nothing is forwarded in: its `auto` would also take
    // this machine's port 53 for the engine's name server.
    let way_out = "--quiet --runas 0 --config-net --ns-ifname uplink0 --no-map-gw \
                   --tcp-ports none --udp-ports none --tcp-ns none --udp-ns none --netns /run/netns/engine";
    if let Err(error) = call(Command::new("pasta").args(way_out.split_whitespace())) {
        eprintln!("note: this engine has no way out: {error}");
    }
    let (network, kind) = (File::open("/run/netns/engine")?, LinkNameSpaceType::Network);
    Ok(move_into_link_name_space(network.as_fd(), Some(kind))?)
}
