//! Which system call a notification is, and where its arguments are.

use shellproof_api::facts::{Abi, Call};

use crate::sys::Notification;

/// The bit of an x86-64 call's number that means x32.
const X32: i32 = 0x4000_0000;

/// One line for each entry point: the kernel's `AUDIT_ARCH_*` and the numbers of `execve` and `execveat`.
///
/// The numbers are those of the kernel's tables `syscall_64.tbl` (x32: 520 and 545 with its bit), `syscall_32.tbl`,
/// `arm/tools/syscall.tbl` and `asm-generic/unistd.h`.
const ENTRIES: [(u32, i32, i32, Abi); 5] = [
    (audit(libc::EM_X86_64, true), 59, 322, Abi::X86_64),
    (audit(libc::EM_X86_64, true), X32 | 520, X32 | 545, Abi::X32),
    (audit(libc::EM_386, false), 11, 358, Abi::I386),
    (audit(libc::EM_AARCH64, true), 221, 281, Abi::Aarch64),
    (audit(libc::EM_ARM, false), 11, 387, Abi::Arm),
];

/// A little-endian machine's `AUDIT_ARCH_*`, composed as `linux/audit.h` does.
const fn audit(machine: u16, wide: bool) -> u32 {
    const WIDE: u32 = 0x8000_0000;
    const LITTLE_ENDIAN: u32 = 0x4000_0000;
    machine as u32 | LITTLE_ENDIAN | if wide { WIDE } else { 0 }
}

/// The calls that a program's start makes, at each entry point, and the first argument where it matters.
///
/// They give the first thread its local storage, and glibc, musl and Go make them for every program of any size; the other
/// threads get theirs as they are made. On ARM it is the call beside it, which Go does not make. The profile names them
/// ([`crate::profile`]), so that each is here at every entry point that has one of the name.
const STARTS: [(u32, i32, Option<u32>); 7] = [
    (audit(libc::EM_X86_64, true), 158, Some(ARCH_SET_FS)),
    (audit(libc::EM_X86_64, true), X32 | 158, Some(ARCH_SET_FS)),
    (audit(libc::EM_X86_64, true), 205, None),
    (audit(libc::EM_386, false), 384, Some(ARCH_SET_FS)),
    (audit(libc::EM_386, false), 243, None),
    (audit(libc::EM_AARCH64, true), 96, None),
    (audit(libc::EM_ARM, false), 256, None),
];

/// What `arch_prctl` is to do.
pub(crate) const ARCH_SET_FS: u32 = 0x1002;

/// How calls are told from their numbers, and their arguments from registers.
pub(crate) trait FromKernel: Sized {
    /// The call of this number at this entry point.
    fn of(arch: u32, number: i32) -> Self;

    /// Reads the call's arguments.
    fn arguments(self, raw: &[u64; 6]) -> Option<Arguments>;
}

impl FromKernel for Call {
    fn of(arch: u32, number: i32) -> Self {
        for (entry, execve, execveat, abi) in ENTRIES {
            match () {
                () if entry != arch => {}
                () if number == execve => return Self::Execve(abi),
                () if number == execveat => return Self::Execveat(abi),
                () => {}
            }
        }
        Self::Unknown { arch, number }
    }

    fn arguments(self, raw: &[u64; 6]) -> Option<Arguments> {
        let [first, second, third, _, fifth, _] = *raw;
        let (abi, descriptor, path, argv, flags) = match self {
            Self::Execve(abi) => (abi, libc::AT_FDCWD, first, second, 0),
            // A descriptor and flags are 32 bits wide whatever the register is.
            Self::Execveat(abi) => (abi, first as i32, second, third, fifth as i32),
            Self::Unknown { .. } => return None,
        };
        let pointer_bytes = match abi {
            Abi::X86_64 | Abi::Aarch64 => 8,
            Abi::I386 | Abi::X32 | Abi::Arm => 4,
        };
        let mask = u64::MAX >> (64 - 8 * pointer_bytes);
        Some(Arguments {
            descriptor,
            path: path & mask,
            argv: argv & mask,
            empty_path: flags & libc::AT_EMPTY_PATH != 0,
            follows: flags & libc::AT_SYMLINK_NOFOLLOW == 0,
            pointer_bytes,
        })
    }
}

impl Notification {
    /// Whether this is a call that a program's start makes.
    pub(crate) fn is_start(&self) -> bool {
        // The kernel takes the lower half.
        let first = self.arguments[0] as u32;
        STARTS.iter().any(|&(arch, number, code)| {
            (arch, number) == (self.arch, self.number) && code.is_none_or(|code| code == first)
        })
    }

    /// Whether this is a call of the same thread with the same arguments.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        let asked = |call: &Self| {
            let kind = Call::of(call.arch, call.number);
            (call.thread, kind, kind.arguments(&call.arguments))
        };
        asked(self) == asked(other)
    }
}

/// The arguments of an `execve` or `execveat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// What a relative path is relative to.
    pub descriptor: i32,
    /// Where the path is.
    pub path: u64,
    /// Where the list of arguments is.
    pub argv: u64,
    /// An empty path means the descriptor itself.
    pub empty_path: bool,
    /// The path's last component may be a symbolic link.
    pub follows: bool,
    /// How wide a pointer is.
    pub pointer_bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_kernels_headers() {
        let cases = [
            (0xC000_003E, 59, Call::Execve(Abi::X86_64)),
            (0xC000_003E, 322, Call::Execveat(Abi::X86_64)),
            (0xC000_003E, 0x4000_0208, Call::Execve(Abi::X32)),
            (0xC000_003E, 0x4000_0221, Call::Execveat(Abi::X32)),
            (0x4000_0003, 11, Call::Execve(Abi::I386)),
            (0x4000_0003, 358, Call::Execveat(Abi::I386)),
            (0xC000_00B7, 221, Call::Execve(Abi::Aarch64)),
            (0xC000_00B7, 281, Call::Execveat(Abi::Aarch64)),
            (0x4000_0028, 11, Call::Execve(Abi::Arm)),
            (0x4000_0028, 387, Call::Execveat(Abi::Arm)),
        ];
        for (arch, number, call) in cases {
            assert_eq!(Call::of(arch, number), call);
        }
        for (arch, number) in [
            (0xC000_003E, 11),
            (0x4000_0003, 59),
            (0xC000_00B7, 59),
            (0x8000_0016, 11),
        ] {
            assert_eq!(Call::of(arch, number), Call::Unknown { arch, number });
        }
    }

    #[test]
    fn a_programs_start_is_told_from_other_calls() {
        let call = |arch, number, first| Notification {
            id: 0,
            thread: 1,
            arch,
            number,
            arguments: [first, 0, 0, 0, 0, 0],
        };
        for (arch, number, first) in [
            (0xC000_003E, 158, 0x1002),
            (0xC000_003E, 158, 0x1_0000_1002),
            (0xC000_003E, 0x4000_009E, 0x1002),
            (0x4000_0003, 243, 0),
            (0xC000_00B7, 96, 0),
            (0x4000_0028, 256, 0),
        ] {
            assert!(call(arch, number, first).is_start(), "{arch:#x} {number}");
        }
        for (arch, number, first) in [
            (0xC000_003E, 158, 0x1001),
            (0xC000_003E, 59, 0x1002),
            (0xC000_003E, 243, 0),
            (0xC000_003E, 96, 0),
            (0x4000_0003, 158, 0x1002),
            (0x4000_0003, 384, 0x3001),
        ] {
            assert!(!call(arch, number, first).is_start(), "{arch:#x} {number}");
        }
    }

    #[test]
    fn the_numbers_of_this_machine_are_in_the_table() {
        let of_this_machine = ENTRIES.iter().any(|&(_, execve, execveat, _)| {
            (i64::from(execve), i64::from(execveat)) == (libc::SYS_execve, libc::SYS_execveat)
        });
        assert!(of_this_machine);
    }

    #[test]
    fn arguments_are_as_wide_as_the_entry_point_has_them() {
        let raw = [0xFFFF_FFFF_FFFF_FF9C, 0x1_0000_2000, 0x1_0000_3000, 4, 0x1000, 6];
        let expected = Arguments {
            descriptor: libc::AT_FDCWD,
            path: 0x1_0000_2000,
            argv: 0x1_0000_3000,
            empty_path: true,
            follows: true,
            pointer_bytes: 8,
        };
        assert_eq!(Call::Execveat(Abi::X86_64).arguments(&raw), Some(expected));
        for abi in [Abi::I386, Abi::X32, Abi::Arm] {
            let narrow = Call::Execveat(abi).arguments(&raw).unwrap();
            assert_eq!(
                (narrow.path, narrow.argv, narrow.pointer_bytes),
                (0x2000, 0x3000, 4)
            );
            assert_eq!(narrow.descriptor, libc::AT_FDCWD);
        }
        let execve = Call::Execve(Abi::Aarch64)
            .arguments(&[1, 2, 3, 4, 0x1000, 6])
            .unwrap();
        assert_eq!((execve.path, execve.argv, execve.empty_path), (1, 2, false));
        let no_link = Call::Execveat(Abi::Aarch64)
            .arguments(&[1, 2, 3, 4, 0x100, 6])
            .unwrap();
        assert!(execve.follows && !no_link.follows);
        assert_eq!(Call::Unknown { arch: 0, number: 0 }.arguments(&raw), None);
    }
}
