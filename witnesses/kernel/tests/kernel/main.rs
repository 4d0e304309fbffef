//! A supervisor and the kernel, without an engine: processes that put the filter on themselves.
//!
//! Needs no privilege. `-- --ignored --nocapture` runs the measurements.

mod confined;
mod elf;
mod kept;
mod looks;
mod measures;
mod names;
mod random;
mod trials;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libtest_mimic::Arguments;
use shellproof_kernel::{Options, Program, Supervisor, Trace};

/// The programs that are executed. They are written before any test runs: a process that is forked by one test while
/// another writes a program would keep it from being executed.
struct Programs(PathBuf);

impl Programs {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("shellproof-programs-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let path = path.canonicalize().unwrap();
        let name = |name: &str| path.join(name).to_str().unwrap().to_owned();
        let files: [(&str, Vec<u8>); 7] = [
            ("exit", elf::exit()),
            ("exit32", elf::exit32()),
            ("execve32", elf::execve32(&name("exit32"))),
            ("execveat32", elf::execveat32(&name("exit32"))),
            ("script", format!("#! {} -e -x\n", name("exit")).into()),
            ("nested", format!("#!{} inner\n", name("script")).into()),
            ("lost-script", b"#!/no/such/interpreter\n".to_vec()),
        ];
        for (file, content) in files {
            std::fs::write(path.join(file), content).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(path.join(file), executable).unwrap();
        }
        std::os::unix::fs::symlink(path.join("exit"), path.join("link")).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A supervisor in a directory of its own.
struct Lab<'p> {
    programs: &'p Programs,
    directory: PathBuf,
    supervisor: Option<Supervisor>,
}

impl<'p> Lab<'p> {
    fn new(programs: &'p Programs, options: Options) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("shellproof-kernel-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let supervisor = Supervisor::start(&directory.join("socket"), options).unwrap();
        assert!(!supervisor.has_ended(), "nothing has begun");
        Self {
            programs,
            directory,
            supervisor: Some(supervisor),
        }
    }

    fn supervisor(&self) -> &Supervisor {
        self.supervisor.as_ref().unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    /// A process that will execute programs under this supervisor.
    fn command(&self, status: &str, plan: &str, count: u64) -> Command {
        command(&self.socket(), status, self.programs, plan, count)
    }

    fn run(&self, plan: &str) {
        succeed(&mut self.command("creating", plan, 1));
    }

    /// What was seen when all sessions have ended.
    fn trace(&self) -> Trace {
        assert!(self.supervisor().wait_ended(Duration::from_secs(10)));
        let trace = self.supervisor().trace();
        assert_eq!(self.supervisor().has_ended(), !trace.sessions.is_empty());
        trace
    }
}

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        self.supervisor.take();
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

fn command(socket: &Path, status: &str, programs: &Programs, plan: &str, count: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg("confined")
        .arg(socket)
        .args([status])
        .arg(&programs.0)
        .arg(plan);
    command.arg(count.to_string());
    command
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {:?}: {errors}",
        output.status
    );
    output
}

/// Runs one plan and gives its session's programs.
fn programs_of(programs: &Programs, plan: &str) -> Vec<Program> {
    let lab = Lab::new(programs, Options::default());
    lab.run(plan);
    let trace = lab.trace();
    assert_eq!(trace.faults, [""; 0]);
    let [session] = trace.sessions.try_into().unwrap();
    assert_eq!((session.lost, session.withdrawn, session.unread), (0, 0, 0));
    assert!(session.ended.is_some());
    session.programs
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("confined") => std::process::exit(confined::main(&arguments[1..])),
        Some("leaks") => std::process::exit(trials::leaks(Path::new(&arguments[1]))),
        _ => {}
    }
    let arguments = Arguments::from_args();
    let programs = std::sync::Arc::new(Programs::new());
    let conclusion = libtest_mimic::run(&arguments, trials::all(&programs));
    // `exit` runs no destructor.
    drop(programs);
    conclusion.exit();
}
