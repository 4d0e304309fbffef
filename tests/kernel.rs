//! Every way to a shell that crosses no wire, from an image with a shell and from one without; and what only looks like
//! one. On each engine whose containers can be watched.
//!
//! Each case is a line of Python that the container's first program runs: the wire sees `python3` and nothing else.

#[path = "support/choices.rs"]
mod choices;
#[path = "kernel/foreign.rs"]
mod foreign;
#[path = "kernel/others.rs"]
mod others;

use std::fmt::Write;
use std::process::ExitCode;

use shellproof::testing::Matrix;
use shellproof_conformance::lab;

/// What is in the image.
#[derive(Clone, Copy, PartialEq)]
enum Image {
    /// Shells, BusyBox, awk, perl and dpkg.
    WithShell,
    /// Python, and nothing else to run.
    WithoutShell,
}
use Image::{WithShell, WithoutShell};

impl Image {
    fn name(self) -> &'static str {
        match self {
            WithShell => "with-shell",
            WithoutShell => "without-shell",
        }
    }

    fn fixture(self) -> &'static str {
        match self {
            WithShell => "fixture:layered",
            WithoutShell => "fixture:python",
        }
    }
}

struct Case {
    name: &'static str,
    images: &'static [Image],
    /// What the verdict rests on; none for a clean one.
    rule: Option<&'static str>,
    code: &'static str,
    /// Whether the image witness is asked: it would find what some write themselves.
    is_image_asked: bool,
}

const BOTH: &[Image] = &[WithShell, WithoutShell];
const WITH: &[Image] = &[WithShell];
const WITHOUT: &[Image] = &[WithoutShell];

const fn caught(
    rule: &'static str,
    name: &'static str,
    images: &'static [Image],
    code: &'static str,
) -> Case {
    Case {
        rule: Some(rule),
        ..clean(name, images, code)
    }
}

const fn shell(name: &'static str, images: &'static [Image], code: &'static str) -> Case {
    caught("shell", name, images, code)
}

const fn clean(name: &'static str, images: &'static [Image], code: &'static str) -> Case {
    Case {
        name,
        images,
        rule: None,
        code,
        is_image_asked: true,
    }
}

/// What is none of its image's, and no shell either.
const fn no_shell(name: &'static str, images: &'static [Image], code: &'static str) -> Case {
    Case {
        is_image_asked: false,
        ..clean(name, images, code)
    }
}

/// Before each case: what they have in common.
const PRELUDE: &str = r#"
import ctypes, ctypes.util, os, pty, shutil, struct, subprocess, sys, threading
libc = ctypes.CDLL(None)
def run(*argv):
    try:
        subprocess.run(argv)
    except OSError as error:
        print(argv[0], error)
def file(path, text):
    open(path, "w").write(text)
    os.chmod(path, 0o755)
    return path
PYTHON = open(sys.executable, "rb").read()
def foreign(path):
    open(path, "wb").write(PYTHON + b"x")
    os.chmod(path, 0o755)
    return path
"#;

const CASES: &[Case] = &[
    shell("os-system", BOTH, r#"os.system("true")"#),
    shell(
        "subprocess-shell",
        BOTH,
        r#"
try:
    subprocess.run("true", shell=True)
except OSError as error:
    print(error)
"#,
    ),
    shell(
        "popen-from-c",
        BOTH,
        r#"
libc.popen.restype = ctypes.c_void_p
stream = libc.popen(b"true", b"r")
if stream: libc.pclose(ctypes.c_void_p(stream))
"#,
    ),
    shell(
        "posix-spawn",
        BOTH,
        r#"
try:
    os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "true"], {}), 0)
except OSError as error:
    print(error)
"#,
    ),
    shell("vfork", BOTH, r#"run("/bin/sh", "-c", "true")"#),
    shell(
        "thread",
        BOTH,
        r#"
thread = threading.Thread(target=os.system, args=("true",))
thread.start()
thread.join()
"#,
    ),
    shell(
        "pty",
        BOTH,
        r#"
child, terminal = pty.fork()
if child == 0:
    try:
        os.execv("/bin/sh", ["sh", "-c", "true"])
    finally:
        os._exit(1)
os.waitpid(child, 0)
"#,
    ),
    shell(
        "script",
        BOTH,
        r##"run(file("/tmp/script", "#!/bin/sh\ntrue\n"))"##,
    ),
    shell(
        "script-of-a-script",
        BOTH,
        r##"
file("/tmp/inner", "#!/bin/sh\ntrue\n")
run(file("/tmp/outer", "#!/tmp/inner\n"))
"##,
    ),
    shell(
        "program-of-32-bits",
        BOTH,
        r#"
base, headers, path = 0x08048000, 84, b"/bin/sh\0"
def code(path, argv):
    # mov ebx, path; mov ecx, argv; xor edx, edx; mov eax, execve; int 0x80; mov ebx, 99; mov eax, exit; int 0x80
    return (b"\xbb" + struct.pack("<I", path) + b"\xb9" + struct.pack("<I", argv) + b"\x31\xd2\xb8\x0b\0\0\0\xcd\x80"
            b"\xbb\x63\0\0\0\xb8\1\0\0\0\xcd\x80")
at = base + headers + len(code(0, 0))
body = code(at, at + len(path)) + path + struct.pack("<II", at, 0)
size = headers + len(body)
elf = b"\x7fELF\1\1\1" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + headers, 52, 0, 0, 52, 32, 1, 0, 0, 0)
elf += struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 7, 4096) + body
open("/tmp/small", "wb").write(elf)
os.chmod("/tmp/small", 0o755)
run("/tmp/small")
"#,
    ),
    shell(
        "execveat",
        WITH,
        r#"
fd = os.open("/bin/sh", os.O_RDONLY)
argv = (ctypes.c_char_p * 4)(b"tool", b"-c", b"true", None)
libc.syscall(322, fd, b"", argv, (ctypes.c_char_p * 1)(None), 0x1000)
"#,
    ),
    shell(
        "descriptor",
        WITH,
        r#"os.execve(os.open("/bin/sh", os.O_RDONLY), ["tool", "-c", "true"], {})"#,
    ),
    shell(
        "memfd",
        WITH,
        r#"
fd = os.memfd_create("tool")
os.write(fd, open("/bin/sh", "rb").read())
os.execve(fd, ["tool", "-c", "true"], {})
"#,
    ),
    shell(
        "script-by-env",
        WITH,
        r##"run(file("/tmp/script", "#!/usr/bin/env sh\ntrue\n"))"##,
    ),
    shell(
        "copy-with-another-name",
        WITH,
        r#"run(shutil.copy("/bin/dash", "/tmp/tool"), "-c", "true")"#,
    ),
    shell(
        "copy-of-bash",
        WITH,
        r#"run(shutil.copy("/bin/bash", "/tmp/tool"), "-c", "true")"#,
    ),
    shell(
        "loader",
        WITH,
        r#"run("/lib64/ld-linux-x86-64.so.2", "/bin/dash", "-c", "true")"#,
    ),
    shell("env-split", WITH, r#"run("env", "-S", "sh -c true")"#),
    shell("awk-system", WITH, r#"run("awk", 'BEGIN { system("true") }')"#),
    shell("perl-system", WITH, r#"run("perl", "-e", "system('true;')")"#),
    shell(
        "busybox-by-applet",
        WITH,
        r#"os.execv("/bin/busybox", ["sh", "-c", "true"])"#,
    ),
    shell(
        "busybox-by-link",
        WITH,
        r#"
os.symlink("/bin/busybox", "/tmp/ash")
run("/tmp/ash", "-c", "true")
"#,
    ),
    shell(
        "busybox-by-argument",
        WITH,
        r#"run("/bin/busybox", "sh", "-c", "true")"#,
    ),
    shell(
        "copy-of-busybox",
        WITH,
        r#"
os.execv(shutil.copy("/bin/busybox", "/tmp/tool"), ["sh", "-c", "true"])
"#,
    ),
    shell(
        "loader-with-another-name",
        WITH,
        r#"run(shutil.copy("/lib64/ld-linux-x86-64.so.2", "/tmp/tool"), "/bin/dash", "-c", "true")"#,
    ),
    shell(
        "loader-of-a-script",
        WITH,
        r##"run(file("/tmp/script", "#!/lib64/ld-linux-x86-64.so.2 /bin/dash\ntrue\n"))"##,
    ),
    shell(
        "busybox-by-a-longer-name",
        WITH,
        r#"run(shutil.copy("/bin/busybox", "/tmp/busybox.static"), "sh", "-c", "true")"#,
    ),
    shell(
        "on-standard-input",
        WITH,
        r#"subprocess.run(["/dev/stdin", "-c", "true"], stdin=open(shutil.copy("/bin/dash", "/tmp/tool")))"#,
    ),
    shell(
        "on-a-threads-descriptor",
        WITH,
        r#"
fd = os.open(shutil.copy("/bin/dash", "/tmp/tool"), os.O_RDONLY)
run_it = lambda: subprocess.run(["/proc/thread-self/fd/%d" % fd, "-c", "true"], pass_fds=[fd])
thread = threading.Thread(target=run_it)
thread.start()
thread.join()
"#,
    ),
    shell(
        "behind-its-own-root",
        WITH,
        r#"
shutil.copy("/bin/dash", "/tmp/tool")
run("/proc/%d/root/proc/self/cwd/tmp/tool" % os.getpid(), "-c", "true")
"#,
    ),
    shell(
        "from-a-removed-directory",
        WITH,
        r#"
shutil.copy("/bin/dash", "/tmp/tool")
os.mkdir("/tmp/d")
os.chdir("/tmp/d")
os.rmdir("/tmp/d")
run("../tool", "-c", "true")
"#,
    ),
    shell(
        "as-a-loader",
        WITH,
        r#"
loader, base = shutil.copy("/bin/dash", "/tmp/tool").encode() + b"\0", 0x10000000
size = 64 + 2 * 56 + len(loader)
segment = lambda kind, at, length: struct.pack("<IIQQQQQQ", kind, 5, at, base + at, base + at, length, length, 4096)
elf = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base, 64, 0, 0, 64, 56, 2, 0, 0, 0)
elf += segment(1, 0, size) + segment(3, 64 + 2 * 56, len(loader)) + loader
open("/tmp/app", "wb").write(elf)
os.chmod("/tmp/app", 0o755)
run("/tmp/app", "-c", "true")
"#,
    ),
    shell(
        "rewritten-in-memory",
        WITH,
        r#"
import mmap, time
ls, sh = (open(path, "rb").read() for path in ("/bin/ls", "/bin/dash"))
fd = os.memfd_create("tool")
os.write(fd, ls + bytes(len(sh)))
memory = mmap.mmap(fd, 0)
time.sleep(0.3)
tool = "/proc/self/fd/%d" % fd
for _ in range(2):
    subprocess.run([tool, "/"], pass_fds=[fd])
memory[:len(sh)] = sh
subprocess.run([tool, "-c", "true"], pass_fds=[fd])
"#,
    ),
    clean("nothing-else", BOTH, r#"print(1)"#),
    clean(
        "busybox-as-ls",
        WITH,
        r#"
os.symlink("/bin/busybox", "/tmp/ls")
run("/tmp/ls", "/")
"#,
    ),
    clean(
        "a-name-that-begins-like-a-shells",
        WITH,
        r#"run(shutil.copy("/bin/ls", "/tmp/fish-counter"), "/")"#,
    ),
    clean(
        "python-with-a-file-called-sh",
        BOTH,
        r#"run(sys.executable, file("/tmp/sh", "print(1)"))"#,
    ),
    no_shell(
        "script-by-env-python",
        WITH,
        r##"run(file("/tmp/script", "#!/usr/bin/env python3\nprint(1)\n"))"##,
    ),
    clean(
        "names-that-only-the-process-can-follow",
        WITH,
        r#"
subprocess.run(["/dev/stdin", "/"], stdin=open("/bin/ls"))
run("/proc/self/root/bin/ls", "/")
run("/proc/self/fd/999")
os.mkdir("/tmp/d")
os.chdir("/tmp/d")
os.rmdir("/tmp/d")
run("../../bin/ls", "/")
run("sh-counter")
"#,
    ),
    clean(
        "written-run-and-removed",
        WITH,
        r#"
for number in range(30):
    program = shutil.copy("/bin/ls", "/tmp/t%d" % number)
    running = subprocess.Popen([program, "/bin/ls"])
    os.unlink(program)
    running.wait()
"#,
    ),
    no_shell(
        "large-written-run-and-removed",
        WITH,
        r#"
content = open("/bin/ls", "rb").read() + bytes(10 << 20)
for number in range(10):
    program = "/tmp/t%d" % number
    open(program, "wb").write(content)
    os.chmod(program, 0o755)
    running = subprocess.Popen([program, "/bin/ls"])
    os.unlink(program)
    running.wait()
"#,
    ),
    clean(
        "many-arguments-of-a-program-that-is-no-wrapper",
        WITH,
        r#"run("ls", *["/"] * 5000)"#,
    ),
    clean("find-library", BOTH, r#"print(ctypes.util.find_library("c"))"#),
    clean("dpkg-list", WITH, r#"run("dpkg", "-l")"#),
    clean(
        "perl-without-a-shell",
        WITH,
        r#"run("perl", "-e", "system('/bin/ls', '/')")"#,
    ),
    clean("env", WITH, r#"run("env", "ls", "/")"#),
];

/// A case as a scenario.
fn scenario(case: &Case, image: Image) -> String {
    let mut text = format!(
        "schema: 1\nname: {}-{}\nmodes: [prebuilt]\ncontainers:\n  job:\n    image: {}\n    entrypoint: [/usr/bin/python3]\n    \
         args:\n      - -c\n      - |\n",
        case.name,
        image.name(),
        image.fixture()
    );
    for line in PRELUDE
        .lines()
        .chain(case.code.lines())
        .filter(|line| !line.is_empty())
    {
        let _ = writeln!(text, "        {line}");
    }
    text.push_str("    expect: { exit: 0 }\n");
    // Copies of programs are installs to the wire, and no matter here.
    text.push_str(match case.is_image_asked {
        true => "audit: { wire: off }\n",
        false => "audit: { wire: off, image: off }\n",
    });
    let expected = match case.rule {
        None => "{ verdict: clean }".to_owned(),
        // A rule that is no violation.
        Some("kernel-fault" | "unreadable-wrapper") => "{ verdict: unproven }".to_owned(),
        Some(rule) => format!("{{ verdict: violated, rule: {rule} }}"),
    };
    let _ = writeln!(text, "expect: {expected}");
    text
}

fn main() -> ExitCode {
    if shellproof::cli::is_stub() {
        return ExitCode::SUCCESS;
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    for case in CASES.iter().chain(others::CASES).chain(foreign::CASES) {
        for image in case.images {
            let path = directory
                .path()
                .join(format!("{}-{}.yaml", case.name, image.name()));
            std::fs::write(path, scenario(case, *image)).expect("a file can be written");
        }
    }
    lab::main(lab::Engine::has_kernel_witness, |_, engines| {
        Matrix::new([directory.path()])
            .engines(choices::of(engines))
            .run()
    })
}
