//! A seccomp profile, in the format that Docker and Podman share, as a filter of the kernel.
//!
//! The filter has a section for each way to call the kernel (x86-64 and i386, or both of ARM), and in it a binary tree over
//! ranges of call numbers. A call that the tables do not know falls under the profile's default.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::sys::Instruction;

/// A profile that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seccomp profile cannot be used: {0}")]
pub(crate) struct FilterError(String);

/// For what a profile is compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) machine: Machine,
    /// The container's capabilities, with `CAP_`.
    pub(crate) capabilities: &'a [String],
    /// The kernel's version.
    pub(crate) kernel: (u32, u32),
}

/// The architectures that containers may run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Aarch64,
}

impl Machine {
    /// The one that this is compiled for.
    pub(crate) const fn own() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else {
            Self::X86_64
        }
    }

    /// Its name in profiles.
    const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    const fn abis(self) -> [Abi; 2] {
        match self {
            Self::X86_64 => [Abi::X86_64, Abi::I386],
            Self::Aarch64 => [Abi::Aarch64, Abi::Arm],
        }
    }
}

/// A way to call the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Abi {
    X86_64,
    I386,
    Aarch64,
    Arm,
}

impl Abi {
    /// How the kernel tells it to a filter.
    const fn code(self) -> u32 {
        match self {
            Self::X86_64 => 0xC000_003E,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xC000_00B7,
            Self::Arm => 0x4000_0028,
        }
    }

    fn number(self, name: &str) -> Option<u32> {
        let id = match self {
            Self::X86_64 => name.parse::<syscalls::x86_64::Sysno>().ok()?.id(),
            Self::I386 => name.parse::<syscalls::x86::Sysno>().ok()?.id(),
            Self::Aarch64 => name.parse::<syscalls::aarch64::Sysno>().ok()?.id(),
            Self::Arm => name.parse::<syscalls::arm::Sysno>().ok()?.id(),
        };
        u32::try_from(id).ok()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    listener_path: String,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    names: Vec<String>,
    action: String,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: When,
    #[serde(default)]
    excludes: When,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct When {
    #[serde(default)]
    arches: Option<Vec<String>>,
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    min_kernel: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

impl Rule {
    fn applies(&self, target: Target<'_>) -> bool {
        let arch = |names: &Vec<String>| names.iter().any(|name| name == target.machine.name());
        let caps = |names: &Vec<String>| names.iter().any(|name| target.capabilities.contains(name));
        let kernel = |least: &String| version(least).is_some_and(|least| target.kernel >= least);
        let (yes, no) = (&self.includes, &self.excludes);
        let is_wanted = |wanted: Option<bool>| wanted.unwrap_or(true);
        is_wanted(yes.arches.as_ref().map(arch))
            && is_wanted(yes.caps.as_ref().map(caps))
            && is_wanted(yes.min_kernel.as_ref().map(kernel))
            && !no.arches.as_ref().is_some_and(arch)
            && !no.caps.as_ref().is_some_and(caps)
            && !no.min_kernel.as_ref().is_some_and(kernel)
    }
}

/// The first two numbers of a version.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let number = |text: &str| {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..digits].parse().ok()
    };
    let (major, rest) = text.split_once('.')?;
    Some((number(major)?, number(rest)?))
}

/// A comparison of one argument with a number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Test {
    argument: u32,
    mask: u64,
    value: u64,
    is_equal: bool,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Always(u32),
    /// The first whose tests all hold; else the default.
    When(Vec<(Vec<Test>, u32)>),
}

/// A filter and whether it has a listener.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) program: Vec<Instruction>,
    /// Where who answers its notifications listens; none where it makes none.
    pub(crate) listener: Option<std::path::PathBuf>,
}

/// Compiles a profile.
///
/// # Errors
/// It is no profile, or says what this cannot do: nothing of it is left out.
pub(crate) fn compile(profile: &str, target: Target<'_>) -> Result<Filter, FilterError> {
    let profile: Profile = serde_json::from_str(profile).map_err(|error| FilterError(error.to_string()))?;
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let mut program = vec![load(ARCHITECTURE)];
    for abi in target.machine.abis() {
        let fates = fates(&profile, abi, default, target)?;
        let mut section = vec![load(NUMBER)];
        if abi == Abi::X86_64 {
            // x32 calls have this bit, and no kernel of ours answers them.
            section.push(jump(JGE, 0x4000_0000, 0, 1));
            section.push(ret(libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()));
        }
        section.extend(tree(&ranges(fates, default), default)?);
        let length = u32::try_from(section.len()).unwrap_or(u32::MAX);
        program.push(jump(JEQ, abi.code(), 1, 0));
        program.push(statement(JA, length));
        program.extend(section);
    }
    program.push(ret(libc::SECCOMP_RET_KILL_PROCESS));
    if program.len() > usize::from(u16::MAX).min(4096) {
        return Err(FilterError(format!(
            "it takes {} instructions, and the kernel takes 4096",
            program.len()
        )));
    }
    let listens = program
        .iter()
        .any(|one| one.code == RET && one.k == libc::SECCOMP_RET_USER_NOTIF);
    match (listens, profile.listener_path.as_str()) {
        (true, "") => Err(FilterError("it notifies, and names no `listenerPath`".into())),
        (true, path) => Ok(Filter {
            program,
            listener: Some(path.into()),
        }),
        (false, _) => Ok(Filter {
            program,
            listener: None,
        }),
    }
}

fn action(name: &str, errno: Option<u32>) -> Result<u32, FilterError> {
    let errno = errno.unwrap_or(libc::EPERM.cast_unsigned()) & 0xFFFF;
    Ok(match name {
        "SCMP_ACT_ALLOW" => libc::SECCOMP_RET_ALLOW,
        "SCMP_ACT_ERRNO" => libc::SECCOMP_RET_ERRNO | errno,
        "SCMP_ACT_NOTIFY" => libc::SECCOMP_RET_USER_NOTIF,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => libc::SECCOMP_RET_KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => libc::SECCOMP_RET_KILL_PROCESS,
        "SCMP_ACT_TRAP" => libc::SECCOMP_RET_TRAP,
        "SCMP_ACT_LOG" => libc::SECCOMP_RET_LOG,
        _ => return Err(FilterError(format!("its action `{name}` is not known"))),
    })
}

fn test(argument: &Argument) -> Result<Test, FilterError> {
    let (mask, value, is_equal) = match argument.op.as_str() {
        "SCMP_CMP_EQ" => (u64::MAX, argument.value, true),
        "SCMP_CMP_NE" => (u64::MAX, argument.value, false),
        "SCMP_CMP_MASKED_EQ" => (argument.value, argument.value_two, true),
        op => return Err(FilterError(format!("its comparison `{op}` is not known"))),
    };
    if argument.index > 5 {
        return Err(FilterError(format!("calls have no argument {}", argument.index)));
    }
    Ok(Test {
        argument: argument.index,
        mask,
        value,
        is_equal,
    })
}

/// What becomes of each call that the profile names.
fn fates(
    profile: &Profile,
    abi: Abi,
    default: u32,
    target: Target<'_>,
) -> Result<BTreeMap<u32, Fate>, FilterError> {
    let mut fates = BTreeMap::<u32, Fate>::new();
    for rule in profile.syscalls.iter().filter(|rule| rule.applies(target)) {
        let act = action(&rule.action, rule.errno_ret)?;
        if act == default {
            continue;
        }
        let tests: Vec<Test> = rule.args.iter().flatten().map(test).collect::<Result<_, _>>()?;
        for number in rule.names.iter().filter_map(|name| abi.number(name)) {
            let fate = match tests.is_empty() {
                true => Fate::Always(act),
                false => Fate::When(vec![(tests.clone(), act)]),
            };
            match (fates.get_mut(&number), fate) {
                (Some(Fate::When(before)), Fate::When(more)) => before.extend(more),
                // Without a condition it covers all that has one, and of two the stricter counts, as for the kernel.
                (Some(Fate::Always(before)), Fate::Always(after)) => *before = stricter(*before, after),
                (Some(Fate::Always(_)), Fate::When(_)) => {}
                (_, fate) => drop(fates.insert(number, fate)),
            }
        }
    }
    Ok(fates)
}

/// Of two actions the one that wins in the kernel.
fn stricter(one: u32, other: u32) -> u32 {
    // Killing a process is the smallest number if it is read with its sign.
    if one.cast_signed() < other.cast_signed() {
        one
    } else {
        other
    }
}

/// Ranges of call numbers, each up to the next one's first.
fn ranges(fates: BTreeMap<u32, Fate>, default: u32) -> Vec<(u32, Fate)> {
    let mut ranges = vec![(0, Fate::Always(default))];
    let mut push = |first: u32, fate: Fate| match ranges.last_mut() {
        Some((same, last)) if *same == first => *last = fate,
        Some((_, last)) if *last == fate => {}
        _ => ranges.push((first, fate)),
    };
    let mut next = 0;
    for (number, fate) in fates {
        if number > next {
            push(next, Fate::Always(default));
        }
        push(number, fate);
        next = number + 1;
    }
    push(next, Fate::Always(default));
    ranges
}

const ARCHITECTURE: u32 = 4;
const NUMBER: u32 = 0;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const RET: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const JEQ: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JGE: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const JA: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;

const fn statement(code: u16, k: u32) -> Instruction {
    jump(code, k, 0, 0)
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

const fn load(offset: u32) -> Instruction {
    statement(LOAD, offset)
}

const fn ret(action: u32) -> Instruction {
    statement(RET, action)
}

/// A search among ranges. The number of the call is loaded.
fn tree(ranges: &[(u32, Fate)], default: u32) -> Result<Vec<Instruction>, FilterError> {
    if let [(_, fate)] = ranges {
        return leaf(fate, default);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let first = high[0].0;
    let (low, high) = (tree(low, default)?, tree(high, default)?);
    let mut program = match u8::try_from(low.len()) {
        Ok(length) => vec![jump(JGE, first, length, 0)],
        Err(_) => {
            let length = u32::try_from(low.len()).unwrap_or(u32::MAX);
            vec![jump(JGE, first, 0, 1), statement(JA, length)]
        }
    };
    program.extend(low);
    program.extend(high);
    Ok(program)
}

fn leaf(fate: &Fate, default: u32) -> Result<Vec<Instruction>, FilterError> {
    let list = match fate {
        Fate::Always(action) => return Ok(vec![ret(*action)]),
        Fate::When(list) => list,
    };
    let mut program = Vec::new();
    for (tests, action) in list {
        // From the last to the first, since each says how far it is to the end where it does not hold.
        let mut block = vec![ret(*action)];
        for test in tests.iter().rev() {
            let mut before = comparison(test, block.len())?;
            before.extend(block);
            block = before;
        }
        program.extend(block);
    }
    program.push(ret(default));
    Ok(program)
}

/// One test, with so many instructions behind it that are skipped where it does not hold.
fn comparison(test: &Test, rest: usize) -> Result<Vec<Instruction>, FilterError> {
    let skip = |more: usize| {
        u8::try_from(rest + more).map_err(|_| FilterError("a call has too many conditions".into()))
    };
    let half = |shift: u32, offset: u32| {
        let (mask, value) = ((test.mask >> shift) as u32, (test.value >> shift) as u32);
        let mut program = vec![load(ARGUMENTS + 8 * test.argument + offset)];
        if mask != u32::MAX {
            program.push(statement(AND, mask));
        }
        (program, value & mask)
    };
    let (mut program, high) = half(32, 4);
    let (low_load, low) = half(0, 0);
    match test.is_equal {
        // Both halves must be the same: else over the rest of this test and the block.
        true => {
            program.push(jump(JEQ, high, 0, skip(low_load.len() + 1)?));
            program.extend(low_load);
            program.push(jump(JEQ, low, 0, skip(0)?));
        }
        // One half that differs is enough: over the rest of this test, into the block.
        false => {
            let over = u8::try_from(low_load.len() + 1).unwrap_or(u8::MAX);
            program.push(jump(JEQ, high, 0, over));
            program.extend(low_load);
            program.push(jump(JEQ, low, skip(0)?, 0));
        }
    }
    Ok(program)
}

/// A filter as bytes, to be handed to another process.
pub(crate) fn to_bytes(program: &[Instruction]) -> Vec<u8> {
    let bytes = |one: &Instruction| {
        let [c0, c1] = one.code.to_ne_bytes();
        let [k0, k1, k2, k3] = one.k.to_ne_bytes();
        [c0, c1, one.jt, one.jf, k0, k1, k2, k3]
    };
    program.iter().flat_map(bytes).collect()
}

/// The filter that such bytes are of.
pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<Instruction> {
    let (pieces, _) = bytes.as_chunks::<8>();
    let instruction = |&[c0, c1, jt, jf, k0, k1, k2, k3]: &[u8; 8]| {
        jump(
            u16::from_ne_bytes([c0, c1]),
            u32::from_ne_bytes([k0, k1, k2, k3]),
            jt,
            jf,
        )
    };
    pieces.iter().map(instruction).collect()
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
