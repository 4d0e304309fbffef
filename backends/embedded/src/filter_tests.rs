use shellproof_kernel::profile::{DOCKER_DEFAULT, notify};

use super::*;

const X86_64: u32 = Abi::X86_64.code();
const I386: u32 = Abi::I386.code();
const AARCH64: u32 = Abi::Aarch64.code();
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | 1;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | 38;
const NOTIFY: u32 = libc::SECCOMP_RET_USER_NOTIF;

/// Runs a filter as the kernel does.
fn run(program: &[Instruction], architecture: u32, number: u32, arguments: &[u64]) -> u32 {
    let word = |offset: u32| match offset {
        NUMBER => number,
        ARCHITECTURE => architecture,
        offset => {
            let at = offset - ARGUMENTS;
            let argument = arguments.get((at / 8) as usize).copied().unwrap_or_default();
            (argument >> (8 * (at % 8))) as u32
        }
    };
    let (mut at, mut loaded) = (0_usize, 0_u32);
    loop {
        let one = &program[at];
        at += 1;
        match one.code {
            LOAD => loaded = word(one.k),
            AND => loaded &= one.k,
            RET => return one.k,
            JA => at += one.k as usize,
            JEQ => at += usize::from(if loaded == one.k { one.jt } else { one.jf }),
            JGE => at += usize::from(if loaded >= one.k { one.jt } else { one.jf }),
            code => panic!("instruction {code}"),
        }
    }
}

fn target(capabilities: &[String]) -> Target<'_> {
    Target {
        machine: Machine::X86_64,
        capabilities,
        kernel: (6, 1),
    }
}

#[test]
fn the_default_profile_does_what_it_says() {
    let program = compile(DOCKER_DEFAULT, target(&[])).unwrap();
    assert_eq!(program.listener, None);
    for (number, arguments, fate) in [
        (59, &[][..], ALLOW),
        (161, &[], EPERM),           // chroot
        (435, &[], ENOSYS),          // clone3
        (246, &[], EPERM),           // kexec_load
        (56, &[0x7E02_0000], EPERM), // clone with namespaces
        (56, &[0x11], ALLOW),
        (41, &[40], EPERM), // socket of a virtual machine
        (41, &[2], ALLOW),
        (41, &[40 | 1 << 40], ALLOW),
        (135, &[8], ALLOW), // personality
        (135, &[9], EPERM),
        (9999, &[], EPERM),
        (0x4000_0000 | 520, &[], ENOSYS),
    ] {
        assert_eq!(
            run(&program.program, X86_64, number, arguments),
            fate,
            "{number} {arguments:?}"
        );
    }
    assert_eq!(
        run(&program.program, AARCH64, 221, &[]),
        libc::SECCOMP_RET_KILL_PROCESS
    );
}

#[test]
fn a_capability_allows_its_calls() {
    let chroot = ["CAP_SYS_CHROOT".to_owned()];
    let program = compile(DOCKER_DEFAULT, target(&chroot)).unwrap().program;
    assert_eq!(run(&program, X86_64, 161, &[]), ALLOW);
}

#[test]
fn a_supervised_profile_notifies_for_every_way_to_start_a_program() {
    let profile = notify(DOCKER_DEFAULT, std::path::Path::new("/run/x.sock")).unwrap();
    let filter = compile(&profile, target(&[])).unwrap();
    assert_eq!(filter.listener, Some("/run/x.sock".into()));
    for (architecture, number) in [(X86_64, 59), (X86_64, 322), (I386, 11), (I386, 358)] {
        assert_eq!(run(&filter.program, architecture, number, &[]), NOTIFY);
    }
    // arch_prctl: the second look is for ARCH_SET_FS alone.
    assert_eq!(run(&filter.program, X86_64, 158, &[0x1002]), NOTIFY);
    for other in [0x1001, 0x1003, 0x1002 | 1 << 32] {
        assert_eq!(run(&filter.program, X86_64, 158, &[other]), ALLOW, "{other:x}");
    }
    let unsupervised = profile.replace("/run/x.sock", "");
    assert!(compile(&unsupervised, target(&[])).is_err());
}

#[test]
fn the_filter_of_another_machine_is_made_of_its_tables() {
    let profile = notify(DOCKER_DEFAULT, std::path::Path::new("/x")).unwrap();
    let arm = Target {
        machine: Machine::Aarch64,
        ..target(&[])
    };
    let program = compile(&profile, arm).unwrap().program;
    for (architecture, number) in [(AARCH64, 221), (AARCH64, 281), (Abi::Arm.code(), 11)] {
        assert_eq!(run(&program, architecture, number, &[]), NOTIFY);
    }
    assert_eq!(run(&program, AARCH64, 51, &[]), EPERM); // chroot
    assert_eq!(run(&program, X86_64, 59, &[]), libc::SECCOMP_RET_KILL_PROCESS);
}

#[test]
fn several_conditions_must_all_hold_and_several_rules_are_tried_in_turn() {
    let profile = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
        {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_NE"}]},
        {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":2,"value":15,"valueTwo":4,"op":"SCMP_CMP_MASKED_EQ"}]},
        {"names":["write"],"action":"SCMP_ACT_ALLOW"},
        {"names":["write"],"action":"SCMP_ACT_KILL_PROCESS"},
        {"names":["open"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"6.2"}},
        {"names":["close"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}}]}"#;
    let program = compile(profile, target(&[])).unwrap().program;
    for (number, arguments, fate) in [
        (0, &[1, 3, 0][..], ALLOW),
        (0, &[1, 2, 0], EPERM),
        (0, &[1, 2, 0xF4], ALLOW),
        (0, &[0, 0, 5], EPERM),
        (1, &[], libc::SECCOMP_RET_KILL_PROCESS),
        (2, &[], EPERM),
        (3, &[], ALLOW),
    ] {
        assert_eq!(
            run(&program, X86_64, number, arguments),
            fate,
            "{number} {arguments:?}"
        );
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    for (profile, part) in [
        ("{", "EOF"),
        (r#"{"defaultAction":"SCMP_ACT_TRACE"}"#, "SCMP_ACT_TRACE"),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO",
                "args":[{"index":0,"value":1,"op":"SCMP_CMP_GT"}]}]}"#,
            "SCMP_CMP_GT",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO",
                "args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#,
            "argument 6",
        ),
    ] {
        let error = compile(profile, target(&[])).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_filter_survives_as_bytes() {
    let program = compile(DOCKER_DEFAULT, target(&[])).unwrap().program;
    let again = from_bytes(&to_bytes(&program));
    let words = |one: &Instruction| (one.code, one.jt, one.jf, one.k);
    assert_eq!(
        again.iter().map(words).collect::<Vec<_>>(),
        program.iter().map(words).collect::<Vec<_>>()
    );
}
