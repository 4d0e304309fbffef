//! A process that puts a filter on itself, hands its listener over as an OCI runtime does, and executes programs.
#![expect(unsafe_code, reason = "filters, forks and raw calls are what is tested")]

use std::ffi::{CStr, CString};
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use crate::{names, random};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// Runs `SOCKET STATUS PROGRAMS PLAN COUNT` and gives the exit code: 0 when all went as the plan expects.
/// A socket named `-` means no filter.
pub fn main(arguments: &[String]) -> i32 {
    let [socket, status, programs, plan, count] = arguments else {
        panic!("wrong arguments: {arguments:?}");
    };
    // Kept open to the end, as crun does.
    let _connection = (socket != "-").then(|| hand_over(socket, status, install()));
    let path = |name: &str| CString::new(format!("{programs}/{name}")).unwrap();
    let exit = path("exit");
    let fails = |errno: i32| move |child: i32| child == errno;
    let works = fails(0);
    let worked = match plan.as_str() {
        "execve" => works(child(|| execve(&exit))),
        "script" => works(child(|| execve(&path("script")))),
        "nested" => works(child(|| execve(&path("nested")))),
        "lost-script" => fails(libc::ENOENT)(child(|| execve(&path("lost-script")))),
        "missing" => fails(libc::ENOENT)(child(|| execve(c"/no/such/program"))),
        "denied" => fails(libc::EACCES)(child(|| execve(&exit))),
        "link" => works(child(|| execve(&path("link")))),
        "null-path" => fails(libc::EFAULT)(child(|| unsafe {
            libc::execve(ptr::null(), ptr::null(), ptr::null());
            errno()
        })),
        "no-argv" => works(child(|| unsafe {
            libc::execve(exit.as_ptr(), ptr::null(), ptr::null());
            errno()
        })),
        "relative" => works(child(|| {
            std::env::set_current_dir(programs).unwrap();
            execve(c"./exit")
        })),
        "thread" => works(child(|| {
            let exit = exit.clone();
            std::thread::spawn(move || execve(&exit)).join().unwrap()
        })),
        "descriptor" => works(child(|| {
            let file = std::fs::File::open(format!("{programs}/exit")).unwrap();
            execveat(&file, c"", libc::AT_EMPTY_PATH)
        })),
        "own-descriptor" => works(child(|| {
            let file = std::fs::File::open(format!("{programs}/exit")).unwrap();
            execve(&CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap())
        })),
        "directory" => works(child(|| {
            let directory = std::fs::File::open(programs).unwrap();
            execveat(&directory, c"exit", 0)
        })),
        "memfd" => works(child(|| {
            let descriptor = unsafe { libc::memfd_create(c"hidden".as_ptr(), 0) };
            let mut file = unsafe { std::fs::File::from_raw_fd(descriptor) };
            file.write_all(&super::elf::exit()).unwrap();
            execveat(&file, c"", libc::AT_EMPTY_PATH)
        })),
        "i386" => works(child(|| execve(&path("exit32")))),
        "i386-execve" => works(child(|| execve(&path("execve32")))),
        "i386-execveat" => works(child(|| execve(&path("execveat32")))),
        "family" => works(child(|| {
            // A child of a child, and a second program in one process.
            child(|| execve(&exit));
            execve(&path("script"))
        })),
        "killed" => killed(&exit),
        "many" => many(&exit, count.parse().unwrap()),
        "many-given" => many(&given(), count.parse().unwrap()),
        "given-and-removed" => removed(&given(), count.parse().unwrap()),
        "given-after-a-start" => works(child(|| {
            #[cfg(target_arch = "x86_64")]
            start();
            execve(&given())
        })),
        "until-unsupervised" => until(&exit, libc::ENOSYS),
        "given" => works(child(|| execve(&given()))),
        "interrupted" => interrupted(&exit, None),
        "interrupted-again" => interrupted_again(&given()),
        "interrupted-and-changed" => interrupted(&path("nope"), Some(b"exit")),
        "names" => names::run_all(),
        "random" => random::run_all(count.parse().unwrap()),
        plan => panic!("no plan `{plan}`"),
    };
    i32::from(!worked)
}

/// Starts a program again and again as `posix_spawn` does: a process that shares our memory, and the program.
fn many(program: &CStr, count: u64) -> bool {
    let began = Instant::now();
    for _ in 0..count {
        if !spawn(program).is_some_and(ends_well) {
            return false;
        }
    }
    println!("{}", began.elapsed().as_micros());
    true
}

/// Starts copies of a program, each of which is removed as soon as the kernel runs it.
fn removed(program: &CStr, count: u64) -> bool {
    let original = program.to_str().unwrap();
    (0..count).all(|number| {
        let copy = format!("{original}-{number}");
        std::fs::copy(original, &copy).unwrap();
        let started = spawn(&CString::new(copy.as_str()).unwrap());
        std::fs::remove_file(copy).unwrap();
        started.is_some_and(ends_well)
    })
}

/// Starts a program, and comes back when the kernel runs it.
fn spawn(program: &CStr) -> Option<i32> {
    let argv = [program.as_ptr().cast_mut(), ptr::null_mut()];
    let mut pid = 0;
    let failed = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            ptr::null(),
            ptr::null(),
            argv.as_ptr(),
            ptr::null(),
        )
    };
    (failed == 0).then_some(pid)
}

fn ends_well(pid: i32) -> bool {
    let mut status = 0;
    unsafe { libc::waitpid(pid, &raw mut status, 0) == pid && status == 0 }
}

/// The program that a plan is given.
fn given() -> CString {
    CString::new(std::env::var("PROGRAM").unwrap()).unwrap()
}

/// What each program's start does, once more.
#[cfg(target_arch = "x86_64")]
fn start() {
    const ARCH_GET_FS: i32 = 0x1003;
    let mut storage = 0u64;
    unsafe {
        assert_eq!(
            libc::syscall(libc::SYS_arch_prctl, ARCH_GET_FS, &raw mut storage),
            0
        );
        assert_eq!(libc::syscall(libc::SYS_arch_prctl, 0x1002, storage), 0);
    }
}

fn until(program: &CStr, errno: i32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        match child(|| execve(program)) {
            0 => std::thread::sleep(Duration::from_millis(1)),
            other => return other == errno,
        }
    }
    false
}

/// Interrupts a process while it waits for the supervisor's answer. When it goes on, its path may end otherwise.
fn interrupted(program: &CStr, end: Option<&[u8; 4]>) -> bool {
    static PATH: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
    static END: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
    extern "C" fn handler(_: libc::c_int) {
        let end = END.load(Ordering::Relaxed);
        if !end.is_null() {
            unsafe { ptr::copy_nonoverlapping(end, PATH.load(Ordering::Relaxed), 4) };
        }
    }
    let mut path = program.to_bytes_with_nul().to_vec();
    let at = path.len() - 5;
    PATH.store(path[at..].as_mut_ptr(), Ordering::Relaxed);
    if let Some(end) = end {
        END.store(end.as_ptr().cast_mut(), Ordering::Relaxed);
    }
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut());
            execve(CStr::from_ptr(path.as_ptr().cast()));
            libc::_exit(1);
        }
    }
    std::thread::sleep(Duration::from_millis(200));
    let mut status = 0;
    unsafe { libc::kill(pid, libc::SIGUSR1) };
    unsafe { libc::waitpid(pid, &raw mut status, 0) == pid && status == 0 }
}

/// Starts a new program of 8 MiB that is interrupted as Go's runtime does it to its own threads: often at first, and then
/// every twenty milliseconds.
fn interrupted_again(program: &CStr) -> bool {
    extern "C" fn handler(_: libc::c_int) {}
    let path = program.to_str().unwrap();
    let mut content = super::elf::exit();
    content.resize(8 << 20, 0);
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(libc::SIGURG, &raw const action, ptr::null_mut());
            execve(program);
            libc::_exit(1);
        }
    }
    let (began, mut status) = (Instant::now(), 1);
    while began.elapsed() < Duration::from_secs(3) {
        let pause = if began.elapsed() < Duration::from_millis(200) {
            1
        } else {
            20
        };
        std::thread::sleep(Duration::from_millis(pause));
        if unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
            return status == 0;
        }
        unsafe { libc::kill(pid, libc::SIGURG) };
    }
    unsafe { libc::kill(pid, libc::SIGKILL) };
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    false
}

/// Kills a process that waits for the supervisor's answer.
fn killed(program: &CStr) -> bool {
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        execve(program);
        unsafe { libc::_exit(1) };
    }
    std::thread::sleep(Duration::from_millis(200));
    let mut status = 0;
    unsafe { libc::kill(pid, libc::SIGKILL) };
    unsafe { libc::waitpid(pid, &raw mut status, 0) == pid && libc::WIFSIGNALED(status) }
}

/// What a child process gives: the exit code of its program, or the error of its call.
pub fn child(work: impl FnOnce() -> i32) -> i32 {
    const PANICKED: i32 = 255;
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // What a panic would clean up on its way is the parent's.
        let error = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(PANICKED);
        unsafe { libc::_exit(error) };
    }
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "ended by a signal: {status:#x}");
    assert_ne!(libc::WEXITSTATUS(status), PANICKED);
    libc::WEXITSTATUS(status)
}

pub fn execve(program: &CStr) -> i32 {
    let argv = [c"name".as_ptr(), c"one argument".as_ptr(), ptr::null()];
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), ptr::null()) };
    errno()
}

pub fn execveat(descriptor: &impl AsFd, path: &CStr, flags: i32) -> i32 {
    let argv = [c"name".as_ptr(), ptr::null()];
    let descriptor = descriptor.as_fd().as_raw_fd();
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            descriptor,
            path.as_ptr(),
            argv.as_ptr(),
            ptr::null::<u8>(),
            flags,
        )
    };
    errno()
}

pub fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

/// Puts a filter on this process that notifies on the calls, at every entry point of x86 and at that of aarch64.
fn install() -> OwnedFd {
    const ARCH: u32 = 4;
    const FIRST_ARGUMENT: u32 = 16;
    const ARCH_SET_FS: u32 = 0x1002;
    let load = |offset| op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let equal = |value, yes, no| op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, yes, no, value);
    let give = |action| op(libc::BPF_RET | libc::BPF_K, 0, 0, action);
    let (native, i386) = match cfg!(target_arch = "aarch64") {
        true => (0xC000_00B7, 0x4000_0028),
        false => (0xC000_003E, 0x4000_0003),
    };
    let number = |call: i64| u32::try_from(call).unwrap();
    let (execve32, execveat32) = (11, if cfg!(target_arch = "aarch64") { 387 } else { 358 });
    let is_seen_twice = cfg!(target_arch = "x86_64") && std::env::var("LOOKS").as_deref() != Ok("1");
    let (start, start32) = if is_seen_twice {
        (158, 243)
    } else {
        (u32::MAX, u32::MAX)
    };
    let mut filter = [
        load(ARCH),
        equal(native, 0, 6),
        load(0),
        equal(number(libc::SYS_execve), 10, 0),
        equal(number(libc::SYS_execveat), 9, 0),
        equal(start, 0, 7),
        load(FIRST_ARGUMENT),
        equal(ARCH_SET_FS, 6, 5),
        equal(i386, 0, 4),
        load(0),
        equal(execve32, 3, 0),
        equal(execveat32, 2, 0),
        equal(start32, 1, 0),
        give(libc::SECCOMP_RET_ALLOW),
        give(libc::SECCOMP_RET_USER_NOTIF),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    let descriptor = unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    assert!(descriptor >= 0, "no filter: {}", std::io::Error::last_os_error());
    unsafe { OwnedFd::from_raw_fd(descriptor as i32) }
}

fn op(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// Sends a listener as a runtime does, the message in pieces and the connection left open.
fn hand_over(socket: &str, status: &str, listener: OwnedFd) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    let message = format!(
        r#"{{"ociVersion":"1.0.2","fds":["seccompFd"],"pid":{},"metadata":"","state":{{"ociVersion":"1.0.2","id":"{}","status":"{status}","pid":1,"bundle":"/"}}}}"#,
        std::process::id(),
        std::env::var("CONTAINER").as_deref().unwrap_or("test"),
    );
    send(&stream, &message.as_bytes()[..9], &listener);
    for piece in message.as_bytes()[9..].chunks(50) {
        stream.write_all(piece).unwrap();
    }
    stream
}

/// Sends bytes and a descriptor.
pub fn send(stream: &UnixStream, bytes: &[u8], descriptor: &impl AsFd) {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::empty()).unwrap();
}
