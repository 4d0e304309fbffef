//! The last steps: what the program may not do any more, and who it is. Then it begins.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{self, Access, FileType, Gid, Uid};
use rustix::io::Errno;
use rustix::process::{self, DumpableBehavior, Resource, Rlimit};
use rustix::thread::{
    self, CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use shellproof_userns::Channel;

use super::Stopped;
use super::mounts::named;
use crate::capabilities::Capabilities;
use crate::filter;
use crate::plan::Plan;
use crate::protocol::{Failure, Report};
use crate::sys;

/// Where a program is looked for if no variable says so.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How many processes and threads each user of a container may have at a time. What the caller's own limit leaves is shared:
/// a container gets half of it at most, or nothing could be started any more to end it.
const PROCESSES: u64 = 4096;
/// How readily the kernel ends a container's program where the machine has no memory left: before anything outside.
const FIRST_TO_GO: &str = "500";

/// Takes away what the program is not to have, and becomes it.
pub(super) fn confine(plan: &Plan, control: &Channel) -> Result<Infallible, Stopped> {
    let capabilities = Capabilities(plan.capabilities);
    for (resource, most) in [(Resource::Nproc, PROCESSES), (Resource::Core, 0)] {
        let limit = process::getrlimit(resource)
            .maximum
            .map_or(most, |hard| (hard / 2).min(most));
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        process::setrlimit(resource, limit).map_err(named("its limits"))?;
    }
    // A machine that forbids it has its own rules for that.
    let _ = std::fs::write("/proc/self/oom_score_adj", FIRST_TO_GO);
    for number in capabilities.missing() {
        forbid(number).map_err(named("its capabilities"))?;
    }
    // The filter goes on while we may still do everything: `no_new_privs` is then the container's own choice.
    if plan.no_new_privileges {
        thread::set_no_new_privs(true)?;
    }
    let program = filter::from_bytes(&plan.filter);
    let listener = sys::seccomp(&program, plan.listens).map_err(named("its seccomp filter"))?;
    if let Some(listener) = listener {
        let report = serde_json::to_vec(&Report::Listener).map_err(io::Error::from)?;
        control.send(&report, &[listener.as_fd()])?;
    }
    become_user(plan)?;
    if plan.uid == 0 {
        let set = CapabilitySet::from_bits_retain(plan.capabilities);
        let sets = CapabilitySets {
            effective: set,
            permitted: set,
            inheritable: CapabilitySet::empty(),
        };
        thread::set_capabilities(None, sets).map_err(named("its capabilities"))?;
    }
    // Whoever changed its user is not dumpable, and then nobody may read the first program's arguments.
    process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    if !plan.workdir.is_empty() {
        process::chdir(plan.workdir.as_str())
            .map_err(named(format!("its working directory `{}`", plan.workdir)))?;
    }
    sys::close_on_exec()?;
    execute(plan)
}

/// Kernels that do not know a capability have nothing to take away.
fn forbid(number: u32) -> io::Result<()> {
    match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
        Err(error) if error != Errno::INVAL => Err(error.into()),
        _ => Ok(()),
    }
}

fn become_user(plan: &Plan) -> Result<(), Stopped> {
    let own = (process::getuid().as_raw(), process::getgid().as_raw());
    let groups: Vec<_> = plan.groups.iter().map(|&group| Gid::from_raw(group)).collect();
    match set_thread_groups(&groups) {
        // With one id there are no others, and nothing to drop.
        Err(Errno::PERM) if own == (plan.uid, plan.gid) => return Ok(()),
        done => done.map_err(named("its groups"))?,
    }
    if own == (plan.uid, plan.gid) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(plan.uid), Gid::from_raw(plan.gid));
    let out_of_range = |error: Errno| -> Stopped {
        match error {
            Errno::INVAL => io::Error::other(format!(
                "user {}:{} is beyond the ids that this machine gives; `/etc/subuid` and `/etc/subgid` say how many",
                plan.uid, plan.gid
            ))
            .into(),
            error => error.into(),
        }
    };
    set_thread_res_gid(gid, gid, gid).map_err(out_of_range)?;
    set_thread_res_uid(uid, uid, uid).map_err(out_of_range)
}

fn execute(plan: &Plan) -> Result<Infallible, Stopped> {
    let Some(name) = plan.argv.first() else {
        return Err(io::Error::other("there is no program to run").into());
    };
    let program = if name.contains('/') {
        name.clone()
    } else {
        find(name, &plan.env)?
    };
    let error = sys::execute(&program, &plan.argv, &plan.env);
    Err(refused(name, &error))
}

/// Looks for a program as engines do, once: so a witness sees one attempt.
fn find(name: &str, env: &[String]) -> Result<String, Stopped> {
    let path = env.iter().find_map(|one| one.strip_prefix("PATH="));
    let mut found_any = false;
    for directory in path.unwrap_or(PATH).split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let file = format!("{directory}/{name}");
        let Ok(its) = fs::stat(file.as_str()) else {
            continue;
        };
        if FileType::from_raw_mode(its.st_mode) == FileType::Directory {
            continue;
        }
        if fs::access(file.as_str(), Access::EXEC_OK).is_ok() {
            return Ok(file);
        }
        found_any = true;
    }
    let (failure, why) = match found_any {
        true => (Failure::NotExecutable, "permission denied"),
        false => (Failure::NotFound, "executable file not found in `PATH`"),
    };
    Err(Stopped {
        failure,
        why: format!("exec: `{name}`: {why}"),
    })
}

fn refused(name: &str, error: &io::Error) -> Stopped {
    let failure = match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Failure::NotFound,
        Some(Errno::ACCESS | Errno::NOEXEC | Errno::ISDIR | Errno::PERM | Errno::LIBBAD) => {
            Failure::NotExecutable
        }
        _ => Failure::Other,
    };
    Stopped {
        failure,
        why: format!("exec: `{name}`: {error}"),
    }
}
