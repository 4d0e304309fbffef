//! Programs of a few bytes, so that no compiler for another architecture is needed.

/// Where a 32-bit program is loaded.
const BASE: u32 = 0x0804_8000;
/// The length of its headers.
const HEADERS: u32 = 52 + 32;

/// xor ebx, ebx; mov eax, 1 (exit); int 0x80
const EXIT32: &[u8] = &[0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80];

/// A program of this machine that ends with 0.
pub fn exit() -> Vec<u8> {
    exit_with(0)
}

/// A program of this machine that ends with a code, by which it is told from others.
pub fn exit_with(code: u8) -> Vec<u8> {
    with_loader(0x40_0000, code, None)
}

/// The same that begins as programs of compilers do, and ends with 0.
pub fn starting(padding: usize) -> Vec<u8> {
    // mov edi, 0x1002 (ARCH_SET_FS); xor esi, esi; mov eax, 158 (arch_prctl); syscall
    let start = [0xbf, 2, 0x10, 0, 0, 0x31, 0xf6, 0xb8, 158, 0, 0, 0, 0x0f, 0x05];
    let mut elf = exit();
    elf.splice(64 + 56..64 + 56, start);
    for at in [64 + 32, 64 + 40] {
        elf[at] += start.len() as u8;
    }
    elf.resize(elf.len() + padding, 0);
    elf
}

/// The same for i386.
pub fn starting32() -> Vec<u8> {
    // xor ebx, ebx; mov eax, 243 (set_thread_area); int 0x80
    let start = [0x31, 0xdb, 0xb8, 243, 0, 0, 0, 0xcd, 0x80];
    wrap32([start.as_slice(), EXIT32].concat())
}

/// The same that wants `loader` to be loaded and started in its place: it is never started itself.
pub fn loaded_by(loader: &str) -> Vec<u8> {
    with_loader(0x1000_0000, 99, Some(loader))
}

fn with_loader(base: u64, code: u8, loader: Option<&str>) -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    // mov edi, code; mov eax, 60 (exit); syscall
    let (machine, code) = (62u16, vec![0xbf, code, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]);
    #[cfg(target_arch = "aarch64")]
    // mov x0, code; mov x8, 93 (exit); svc 0
    let (machine, code) = (
        183u16,
        [0xd280_0000u32 | u32::from(code) << 5, 0xd280_0ba8, 0xd400_0001]
            .map(u32::to_le_bytes)
            .concat(),
    );
    let path = loader.map_or(Vec::new(), |path| [path.as_bytes(), b"\0"].concat());
    let segments = 1 + u64::from(loader.is_some());
    let headers = 64 + 56 * segments;
    let size = headers + (code.len() + path.len()) as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
    elf.extend(machine.to_le_bytes());
    elf.extend(1u32.to_le_bytes());
    for word in [base + headers, 64, 0] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, segments as u16, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    let mut segment = |kind: u32, flags: u32, offset: u64, length: u64| {
        elf.extend([kind, flags].map(u32::to_le_bytes).concat());
        elf.extend(
            [offset, base + offset, base + offset, length, length, 0x1000]
                .map(u64::to_le_bytes)
                .concat(),
        );
    };
    // Readable and executable.
    segment(1, 5, 0, size);
    if loader.is_some() {
        segment(3, 4, headers + code.len() as u64, path.len() as u64);
    }
    elf.extend(code);
    elf.extend(path);
    elf
}

/// A program for i386 that ends with 0.
pub fn exit32() -> Vec<u8> {
    wrap32(EXIT32.to_vec())
}

/// A program for i386 that executes `path` with `execve` and the one argument `path`, and ends with 99 if it cannot.
pub fn execve32(path: &str) -> Vec<u8> {
    // mov ebx, path; mov ecx, argv; xor edx, edx; mov eax, 11 (execve); int 0x80
    let calls = |path: u32, argv: u32| {
        let mut code = vec![0xbb];
        code.extend(path.to_le_bytes());
        code.push(0xb9);
        code.extend(argv.to_le_bytes());
        code.extend([0x31, 0xd2, 0xb8, 11, 0, 0, 0, 0xcd, 0x80]);
        code
    };
    with_argument(path, calls)
}

/// The same with `execveat`, relative to the working directory's descriptor.
pub fn execveat32(path: &str) -> Vec<u8> {
    // mov ebx, -100; mov ecx, path; mov edx, argv; xor esi, esi; xor edi, edi; mov eax, 358 (execveat); int 0x80
    let calls = |path: u32, argv: u32| {
        let mut code = vec![0xbb];
        code.extend((-100i32).to_le_bytes());
        code.push(0xb9);
        code.extend(path.to_le_bytes());
        code.push(0xba);
        code.extend(argv.to_le_bytes());
        code.extend([0x31, 0xf6, 0x31, 0xff, 0xb8]);
        code.extend(358u32.to_le_bytes());
        code.extend([0xcd, 0x80]);
        code
    };
    with_argument(path, calls)
}

/// The calls, then `exit(99)`, then a list of one argument, then the path.
fn with_argument(path: &str, calls: impl Fn(u32, u32) -> Vec<u8>) -> Vec<u8> {
    // mov ebx, 99; mov eax, 1 (exit); int 0x80
    let failed = [0xbb, 99, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xcd, 0x80];
    let argv = BASE + HEADERS + (calls(0, 0).len() + failed.len()) as u32;
    let text = argv + 8;
    let mut code = calls(text, argv);
    code.extend(failed);
    code.extend([text, 0].map(u32::to_le_bytes).concat());
    code.extend(path.as_bytes());
    code.push(0);
    wrap32(code)
}

fn wrap32(code: Vec<u8>) -> Vec<u8> {
    let size = HEADERS + code.len() as u32;
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0".to_vec();
    elf.extend([1, BASE + HEADERS, 52, 0, 0].map(u32::to_le_bytes).concat());
    for half in [52u16, 32, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(
        [1, 0, BASE, BASE, size, size, 5, 0x1000]
            .map(u32::to_le_bytes)
            .concat(),
    );
    elf.extend(code);
    elf
}
