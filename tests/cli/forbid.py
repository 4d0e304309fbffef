"""Starts a program on a machine that forbids something.

    forbid.py WHAT PROGRAM ARGUMENT...

namespaces   the user may make no more user namespaces
unshare      a filter refuses new user namespaces, as in a container
listener     a filter refuses filters that have a listener
attributes   no file system keeps attributes of users
proc         some of /proc is covered, as in a container
ids          the user has a range in /etc/subuid, and no program that gives ids is in PATH
range        the user has no range in /etc/subuid
"""

import ctypes
import os
import struct
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUSER = 0x20000, 0x10000000
EPERM, EINVAL, EOPNOTSUPP = 1, 22, 95
CALLS = {
    "x86_64": {"unshare": 272, "seccomp": 317, "setxattr": 188},
    "aarch64": {"unshare": 97, "seccomp": 277, "setxattr": 5},
}


def checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), "a call of the kernel failed")


def enter(user, group, flags=0):
    """A user namespace with one id."""
    outside = os.geteuid(), os.getegid()
    checked(libc.unshare(NEWUSER | flags))
    open("/proc/self/setgroups", "w").write("deny")
    open("/proc/self/uid_map", "w").write(f"{user} {outside[0]} 1")
    open("/proc/self/gid_map", "w").write(f"{group} {outside[1]} 1")


def bind(source, target):
    checked(libc.mount(source.encode(), target.encode(), None, 4096, None))


def refuse(call, error, with_flags=None):
    """A filter of system calls; with flags, only calls whose second argument has them."""
    number = CALLS[os.uname().machine][call]
    answer = (0x06, 0, 0, 0x00050000 | error)
    body = [(0x20, 0, 0, 0), (0x15, 0, 3 if with_flags else 1, number)]
    if with_flags:
        body += [(0x20, 0, 0, 24), (0x45, 0, 1, with_flags)]
    program = b"".join(struct.pack("=HBBI", *one) for one in [*body, answer, (0x06, 0, 0, 0x7FFF0000)])
    kept = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    checked(libc.prctl(38, 1, 0, 0, 0))
    checked(libc.prctl(22, 2, ctypes.create_string_buffer(header, len(header)), 0, 0))


def subuid(text):
    enter(1000, 1000, NEWNS)
    file = tempfile.NamedTemporaryFile("w", delete=False)
    file.write(text)
    file.close()
    for target in "/etc/subuid", "/etc/subgid":
        bind(file.name, target)
    os.unlink(file.name)


what, program = sys.argv[1], sys.argv[2:]
if what == "namespaces":
    enter(0, 0)
    open("/proc/sys/user/max_user_namespaces", "w").write("0")
elif what == "unshare":
    refuse("unshare", EPERM)
elif what == "listener":
    refuse("seccomp", EINVAL, with_flags=8)
elif what == "attributes":
    refuse("setxattr", EOPNOTSUPP)
elif what == "proc":
    enter(0, 0, NEWNS)
    bind("/dev/null", "/proc/cmdline")
elif what == "ids":
    subuid("1000:100000:65536\n")
elif what == "range":
    subuid("")
else:
    sys.exit(__doc__)
os.execv(program[0], program)
