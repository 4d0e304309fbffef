//! What the supervisor says that was executed, against what the kernel executed.
//!
//! Each program ends with a code of its own: the code tells the kernel's choice, the content's hash the supervisor's.
#![expect(unsafe_code, reason = "forks, roots and raw calls are what is tested")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use shellproof_kernel::{Options, Program};

use crate::confined::{child, execve, execveat};
use crate::{Lab, Programs, elf, succeed};

/// What a call gives that fails: this and its error.
pub const FAILED: i32 = 100;
/// A directory that is removed with all that is in it.
pub struct Tree(pub PathBuf);

impl Tree {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("shellproof-names-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn program(&self, name: &str, code: u8) -> PathBuf {
        write(&self.0.join(name), &elf::exit_with(code))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // What a test mounted there is gone with its process.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn write(path: &Path, content: &[u8]) -> PathBuf {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    path.to_owned()
}

pub fn text(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap()
}

/// Executes a path, and says what came of it where nothing did.
pub fn run(path: impl AsRef<Path>) -> i32 {
    FAILED + execve(&text(path))
}

fn run_at(directory: &File, path: &str, flags: i32) -> i32 {
    FAILED + execveat(directory, &text(path), flags)
}

/// A user and mount namespace of its own, where a root can be changed and directories can be mounted.
pub fn own_mounts() {
    unsafe {
        if libc::geteuid() != 0 {
            assert_eq!(libc::unshare(libc::CLONE_NEWUSER), 0, "no user namespaces");
        }
        assert_eq!(libc::unshare(libc::CLONE_NEWNS), 0, "no mount namespaces");
        mount(None, Path::new("/"), libc::MS_REC | libc::MS_PRIVATE);
    }
}

pub fn mount(from: Option<&Path>, to: &Path, flags: libc::c_ulong) {
    let (from, to) = (from.map(text), text(to));
    let from = from.as_ref().map_or(std::ptr::null(), |from| from.as_ptr());
    let done = unsafe { libc::mount(from, to.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    assert_eq!(done, 0, "mount: {}", std::io::Error::last_os_error());
}

fn mount_type(kind: &str, to: &Path) {
    let (kind, to) = (text(kind), text(to));
    let done = unsafe { libc::mount(kind.as_ptr(), to.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
    assert_eq!(done, 0, "mount: {}", std::io::Error::last_os_error());
}

pub fn change_root(to: &Path) {
    assert_eq!(unsafe { libc::chroot(text(to).as_ptr()) }, 0);
}

pub fn change_directory(to: impl AsRef<Path>) {
    std::env::set_current_dir(to).unwrap();
}

fn thread() -> i64 {
    unsafe { libc::syscall(libc::SYS_gettid) }
}

/// Executes in a process of a namespace that calls it 1, or what comes next, and has a procfs that says so.
fn in_own_processes(work: impl FnOnce() -> i32) -> i32 {
    own_mounts();
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0);
    child(|| {
        mount_type("proc", Path::new("/proc"));
        child(work)
    })
}

/// One way to name a program: what is done in a process of its own.
type Way = (&'static str, fn(&Tree) -> i32);

/// Every program `good` ends with 1; any other is a trap.
const WAYS: &[Way] = &[
    ("/dev/stdin", |tree| {
        on_stdin(&tree.0.join("good"));
        run("/dev/stdin")
    }),
    ("/proc/self/fd/0", |tree| {
        on_stdin(&tree.0.join("good"));
        run("/proc/self/fd/0")
    }),
    ("a link to standard input", |tree| {
        on_stdin(&tree.0.join("good"));
        run(tree.0.join("stdin"))
    }),
    ("/proc/thread-self/fd/N of a thread", |tree| {
        let path = tree.0.join("good");
        let other = || {
            // From here on the thread has descriptors of its own.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
            let file = File::open(&path).unwrap();
            run(format!("/proc/thread-self/fd/{}", file.as_raw_fd()))
        };
        std::thread::scope(|scope| scope.spawn(other).join().unwrap())
    }),
    ("a descriptor that only the thread has", |tree| {
        let path = tree.0.join("good");
        let other = || {
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
            let file = File::open(&path).unwrap();
            run_at(&file, "", libc::AT_EMPTY_PATH)
        };
        std::thread::scope(|scope| scope.spawn(other).join().unwrap())
    }),
    ("/proc/PID/fd/N", |tree| {
        let file = File::open(tree.0.join("good")).unwrap();
        run(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
    }),
    ("/proc/self/task/TID/fd/N", |tree| {
        let file = File::open(tree.0.join("good")).unwrap();
        run(format!("/proc/self/task/{}/fd/{}", thread(), file.as_raw_fd()))
    }),
    ("/proc/self/cwd", |tree| {
        change_directory(&tree.0);
        run("/proc/self/cwd/good")
    }),
    ("/proc/self/root", |tree| {
        run(format!("/proc/self/root{}/good", tree.0.display()))
    }),
    ("dots behind /proc/self", |tree| {
        run(format!(
            "/proc/self/../thread-self/../../../..{}/good",
            tree.0.display()
        ))
    }),
    ("a procfs at another place", |tree| {
        own_mounts();
        mount(
            Some(Path::new("/proc")),
            &tree.0.join("d"),
            libc::MS_BIND | libc::MS_REC,
        );
        on_stdin(&tree.0.join("good"));
        run(tree.0.join("d/self/fd/0"))
    }),
    ("a procfs of another process namespace", |tree| {
        let path = tree.0.join("good");
        in_own_processes(|| {
            on_stdin(&path);
            run("/proc/self/fd/0")
        })
    }),
    ("a thread in a procfs of another process namespace", |tree| {
        let path = tree.0.join("good");
        in_own_processes(|| {
            on_stdin(&path);
            let other = || run("/proc/thread-self/fd/0");
            std::thread::spawn(other).join().unwrap()
        })
    }),
    ("a removed directory", |tree| {
        fs::create_dir(tree.0.join("d/e")).unwrap();
        change_directory(tree.0.join("d/e"));
        fs::remove_dir(tree.0.join("d/e")).unwrap();
        run("../../good")
    }),
    ("a removed directory whose name is another's now", |tree| {
        fs::create_dir(tree.0.join("d/e")).unwrap();
        change_directory(tree.0.join("d/e"));
        fs::remove_dir(tree.0.join("d/e")).unwrap();
        fs::create_dir_all(tree.0.join("d/e (deleted)/x")).unwrap();
        write(&tree.0.join("d/e (deleted)/x/good"), &elf::exit_with(50));
        write(&tree.0.join("d/good"), &elf::exit_with(1));
        run("../good")
    }),
    ("a removed program", |tree| {
        let file = File::open(tree.0.join("good")).unwrap();
        fs::remove_file(tree.0.join("good")).unwrap();
        tree.program("good (deleted)", 50);
        run_at(&file, "", libc::AT_EMPTY_PATH)
    }),
    ("a working directory outside the root", |tree| {
        own_mounts();
        change_directory(&tree.0);
        change_root(&tree.0.join("d"));
        run("good")
    }),
    ("above a working directory outside the root", |tree| {
        own_mounts();
        change_directory(tree.0.join("d"));
        change_root(&tree.0.join("d/root"));
        run("../good")
    }),
    ("a directory's descriptor outside the root", |tree| {
        own_mounts();
        let directory = File::open(&tree.0).unwrap();
        change_root(&tree.0.join("d/root"));
        run_at(&directory, "d/../good", 0)
    }),
    ("nothing is above a root", |tree| {
        own_mounts();
        change_root(&tree.0);
        change_directory("/d");
        run("../../../../good")
    }),
    ("a link out of a root", |tree| {
        own_mounts();
        symlink("/../../good", tree.0.join("d/out")).unwrap();
        change_root(&tree.0);
        run("/d/out")
    }),
    ("a directory that is mounted over another", |tree| {
        own_mounts();
        fs::create_dir(tree.0.join("o")).unwrap();
        write(&tree.0.join("o/good"), &elf::exit_with(1));
        tree.program("d/good", 50);
        mount(Some(&tree.0.join("o")), &tree.0.join("d"), libc::MS_BIND);
        run(tree.0.join("d/good"))
    }),
    ("a program that is mounted over another", |tree| {
        own_mounts();
        tree.program("d/other", 50);
        mount(Some(&tree.0.join("good")), &tree.0.join("d/other"), libc::MS_BIND);
        run(tree.0.join("d/other"))
    }),
    ("a root that is mounted at two places", |tree| {
        own_mounts();
        mount(Some(&tree.0), &tree.0.join("d/root"), libc::MS_BIND);
        write(&tree.0.join("d/good"), &elf::exit_with(50));
        change_root(&tree.0.join("d/root"));
        change_directory("/d");
        run("../../good")
    }),
    ("above the root, by the place that is not the root", |tree| {
        own_mounts();
        change_directory(&tree.0);
        mount(Some(&tree.0), &tree.0.join("d/root"), libc::MS_BIND);
        change_root(&tree.0.join("d/root"));
        run(Path::new("..").join(tree.0.file_name().unwrap()).join("good"))
    }),
    ("an interpreter on standard input", |tree| {
        on_stdin(&tree.0.join("good"));
        run(write(&tree.0.join("script"), b"#!/dev/stdin\n"))
    }),
    ("an interpreter relative to the working directory", |tree| {
        change_directory(&tree.0);
        run(write(&tree.0.join("d/script"), b"#!good\n"))
    }),
    ("an interpreter of an interpreter", |tree| {
        let script = |to: &Path| format!("#! {}\n", to.display()).into_bytes();
        let mut last = tree.0.join("good");
        for number in 0..5 {
            last = write(&tree.0.join(format!("script{number}")), &script(&last));
        }
        run(last)
    }),
    ("a loader", |tree| {
        let loader = tree.0.join("good");
        run(write(
            &tree.0.join("tool"),
            &elf::loaded_by(loader.to_str().unwrap()),
        ))
    }),
    ("a loader on standard input", |tree| {
        on_stdin(&tree.0.join("good"));
        run(write(&tree.0.join("tool"), &elf::loaded_by("/proc/self/fd/0")))
    }),
    ("a loader of an interpreter", |tree| {
        change_directory(&tree.0);
        write(&tree.0.join("tool"), &elf::loaded_by("good"));
        run(write(&tree.0.join("script"), b"#!tool\n"))
    }),
    ("a file in memory that was rewritten", |_| {
        // Written, run and, without a call that the file's times would show, written again.
        let descriptor = unsafe { libc::memfd_create(c"good".as_ptr(), 0) };
        let mut file = unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(descriptor) };
        let (first, second) = (elf::exit_with(50), elf::exit_with(1));
        file.write_all(&first).unwrap();
        let memory = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(
                std::ptr::null_mut(),
                first.len(),
                access,
                libc::MAP_SHARED,
                descriptor,
                0,
            )
        };
        std::thread::sleep(std::time::Duration::from_millis(200));
        for _ in 0..2 {
            assert_eq!(child(|| run_at(&file, "", libc::AT_EMPTY_PATH)), 50);
        }
        unsafe { std::ptr::copy_nonoverlapping(second.as_ptr(), memory.cast(), second.len()) };
        run_at(&file, "", libc::AT_EMPTY_PATH)
    }),
    ("a program that is written, run and removed", |tree| {
        let path = tree.program("d/short", 1);
        std::thread::sleep(std::time::Duration::from_millis(200));
        let code = child(|| run(&path));
        fs::remove_file(path).unwrap();
        unsafe { libc::_exit(code) }
    }),
    // What fails, fails for the supervisor too, and is no gap.
    ("a slash behind a program", |tree| run(tree.0.join("good/"))),
    ("a dot behind a program", |tree| run(tree.0.join("good/."))),
    ("a name below a program", |tree| run(tree.0.join("good/x"))),
    ("a link to itself", |tree| run(tree.0.join("loop"))),
    ("a link to nothing", |tree| run(tree.0.join("lost"))),
    ("a link that must not be followed", |tree| {
        let directory = File::open(&tree.0).unwrap();
        run_at(&directory, "link", libc::AT_SYMLINK_NOFOLLOW)
    }),
    ("a descriptor that is not open", |_| run("/proc/self/fd/400")),
    ("no such process", |_| run("/proc/0/exe")),
    ("an empty path", |_| run("")),
    ("a working directory that is no program", |tree| {
        change_directory(&tree.0);
        run(".")
    }),
    ("nothing in a removed directory", |tree| {
        fs::create_dir(tree.0.join("d/e")).unwrap();
        change_directory(tree.0.join("d/e"));
        fs::remove_dir(tree.0.join("d/e")).unwrap();
        run("good")
    }),
    ("nothing that the root does not have", |tree| {
        own_mounts();
        change_root(&tree.0.join("d"));
        run(tree.0.join("good"))
    }),
];

fn on_stdin(path: &Path) {
    let file = File::open(path).unwrap();
    assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), 0) }, 0);
}

/// Goes all ways, each in a tree of its own, and writes what each gave.
pub fn run_all() -> bool {
    for (_, way) in WAYS {
        let tree = Tree::new();
        tree.program("good", 1);
        fs::create_dir_all(tree.0.join("d/root")).unwrap();
        for (link, to) in [
            ("link", "good"),
            ("loop", "loop"),
            ("lost", "d/lost"),
            ("stdin", "/dev/stdin"),
        ] {
            symlink(to, tree.0.join(link)).unwrap();
        }
        println!("{}", child(|| way(&tree)));
    }
    true
}

/// The programs that were seen must be those that ran.
pub fn check(programs: &Programs) {
    let (codes, mut seen) = both(programs, "names", 0);
    // One way runs more than one program, and the last of them counts.
    let rewritten = WAYS
        .iter()
        .position(|(way, _)| way.contains("rewritten"))
        .unwrap();
    assert_eq!(seen.drain(rewritten..rewritten + 2).count(), 2);
    assert_eq!((codes.len(), seen.len()), (WAYS.len(), WAYS.len()));
    for ((way, _), (code, program)) in WAYS.iter().zip(codes.iter().zip(&seen)) {
        if let Err(difference) = compare(*code, program) {
            panic!("{way}: {difference}");
        }
        assert!(*code == 1 || *code > FAILED, "{way}: {code}");
    }
    let worked = codes.iter().filter(|&&code| code == 1).count();
    assert_eq!(worked, WAYS.len() - 12, "{codes:?}");
}

/// What the kernel did, in order, and what the supervisor saw.
pub fn both(programs: &Programs, plan: &str, seed: u64) -> (Vec<i32>, Vec<Program>) {
    let lab = Lab::new(programs, Options::default());
    let output = succeed(&mut lab.command("creating", plan, seed));
    let lines = String::from_utf8(output.stdout).unwrap();
    let codes = lines.lines().map(|line| line.parse().unwrap()).collect();
    let trace = lab.trace();
    assert_eq!(trace.faults, [""; 0]);
    let [session] = trace.sessions.try_into().unwrap();
    assert_eq!((session.lost, session.withdrawn), (0, 0));
    (codes, session.programs)
}

pub fn compare(code: i32, program: &Program) -> Result<(), String> {
    let last = program.interpreters.iter().chain(&program.loader).last();
    let file = match last {
        Some(last) => last.file.as_ref(),
        None => program.file.as_ref(),
    };
    let content = file.and_then(|file| file.content).map(|content| content.0);
    let absent = [libc::ENOENT, libc::ENOTDIR, libc::ELOOP].map(|error| FAILED + error);
    let agrees = match code {
        1.. if code < FAILED => {
            let ran = elf::exit_with(u8::try_from(code).unwrap());
            content == Some(Sha256::digest(ran).into())
        }
        code if absent.contains(&code) => file.is_none(),
        // A directory.
        code if code == FAILED + libc::EACCES => {
            file.is_some_and(|file| file.content.is_none() && file.unread.is_none())
        }
        _ => false,
    };
    match agrees {
        true => Ok(()),
        false => Err(format!("the kernel gave {code}, and seen was {program:#?}")),
    }
}
