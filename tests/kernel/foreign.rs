//! Programs that are none of their image's, wherever they lie; and programs of the image in other places.

use super::{BOTH, Case, Image, WITH, WITHOUT, caught, clean};

const fn foreign(name: &'static str, images: &'static [Image], code: &'static str) -> Case {
    caught("foreign-program", name, images, code)
}

pub const CASES: &[Case] = &[
    foreign("foreign-on-disk", BOTH, r#"run(foreign("/tmp/tool"), "-V")"#),
    foreign(
        "foreign-in-shared-memory",
        BOTH,
        r#"run(foreign("/dev/shm/tool"), "-V")"#,
    ),
    foreign(
        "foreign-removed-as-it-starts",
        BOTH,
        r#"
running = subprocess.Popen([foreign("/tmp/tool"), "-V"])
os.unlink("/tmp/tool")
running.wait()
"#,
    ),
    foreign(
        "foreign-through-a-mapping",
        BOTH,
        r#"
import mmap, time
shutil.copy(sys.executable, "/tmp/tool")
fd = os.open("/tmp/tool", os.O_RDWR)
memory = mmap.mmap(fd, 0)
for at in range(0, len(memory), 4096):
    memory[at] = memory[at]
time.sleep(0.3)
# The kernel refuses it, and whoever looks has read it by then.
run("/tmp/tool", "-V")
memory[9] = 1
memory.close()
os.close(fd)
run("/tmp/tool", "-V")
"#,
    ),
    foreign(
        "foreign-without-a-name",
        BOTH,
        r#"
fd = os.memfd_create("tool")
os.write(fd, PYTHON + b"x")
os.execve(fd, ["python3", "-V"], {})
"#,
    ),
    foreign(
        "foreign-over-a-copy",
        BOTH,
        r#"
shutil.copy(sys.executable, "/tmp/tool")
run("/tmp/tool", "-V")
run(foreign("/tmp/tool"), "-V")
"#,
    ),
    foreign(
        "foreign-script",
        BOTH,
        r##"run(file("/tmp/script", "#!%s\nprint(1)\n" % sys.executable))"##,
    ),
    foreign(
        "foreign-interpreter",
        BOTH,
        r##"
foreign("/tmp/tool")
run(file("/tmp/script", "#!/tmp/tool\nprint(1)\n"))
"##,
    ),
    foreign(
        "foreign-loader",
        BOTH,
        r#"
loader = "/lib64/ld-linux-x86-64.so.2"
open("/tmp/loader", "wb").write(open(loader, "rb").read() + b"x")
os.chmod("/tmp/loader", 0o755)
run("/tmp/loader", sys.executable, "-V")
"#,
    ),
    foreign(
        "foreign-beside-a-thread",
        WITHOUT,
        r#"
thread = threading.Thread(target=run, args=(foreign("/tmp/tool"), "-V"))
thread.start()
thread.join()
"#,
    ),
    clean(
        "programs-of-the-image-in-other-places",
        BOTH,
        r#"
os.symlink(sys.executable, "/tmp/link")
shutil.copy(sys.executable, "/tmp/copy")
os.link("/tmp/copy", "/tmp/hard")
fd = os.memfd_create("copy")
os.write(fd, PYTHON)
for program in "/tmp/link", "/tmp/copy", "/tmp/hard", "/proc/self/fd/%d" % fd:
    subprocess.run([program, "-V"], pass_fds=[fd])
"#,
    ),
    clean(
        "programs-that-are-not-there",
        BOTH,
        r#"
os.environ["PATH"] = "/opt:/tmp:/usr/bin"
run("no-such-program")
file("/tmp/data", "no program")
os.chmod("/tmp/data", 0o644)
"#,
    ),
    clean(
        "a-program-by-its-link",
        WITH,
        r#"run("awk", "BEGIN { print 1 }")"#,
    ),
];
