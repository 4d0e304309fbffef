//! The second look: what runs is what was asked for, and what is not is seen.

use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use shellproof_kernel::{Executable, Look, Options, Program, Session};

use crate::trials::Test;
use crate::{Lab, Programs, elf, succeed};

/// A program of which more is read than is copied before the answer, in bytes beyond its own.
const LARGE: usize = 9 << 20;

pub fn all() -> Vec<Test> {
    // On other machines the filter of these tests has no call that a program's start makes.
    if cfg!(not(target_arch = "x86_64")) {
        return Vec::new();
    }
    vec![
        ("a_program_is_seen_again_when_it_runs", seen_again),
        ("a_process_may_make_the_call_of_a_start_by_itself", by_itself),
        ("what_ran_in_a_programs_place_is_seen", swapped),
        (
            "what_ran_in_the_place_of_a_scripts_interpreter_is_seen",
            swapped_interpreter,
        ),
        ("what_ran_where_nothing_was_there_is_seen", appeared),
        ("an_equal_file_in_a_files_place_is_none_other", equal),
        ("programs_that_are_removed_as_they_start_are_read", removed),
        ("arguments_that_are_changed_meanwhile_are_seen", changed_arguments),
    ]
}

/// What is seen of one plan that is given a program.
fn session(programs: &Programs, plan: &str, path: &Path, count: u64, options: Options) -> Session {
    let lab = Lab::new(programs, options);
    succeed(lab.command("creating", plan, count).env("PROGRAM", path));
    let trace = lab.trace();
    assert_eq!(trace.faults, [""; 0]);
    let [session] = trace.sessions.try_into().unwrap();
    assert_eq!((session.lost, session.unread), (0, 0), "{session:#?}");
    session
}

fn program(programs: &Programs, path: &Path, options: Options) -> Program {
    let session = session(programs, "given", path, 1, options);
    let [program] = session.programs.try_into().unwrap();
    program
}

/// A file that is written here, and is removed with this.
struct Written(PathBuf);

impl Written {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("shellproof-{name}-{}", std::process::id()));
        let file = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o755)
            .open(&path);
        file.unwrap().write_all(content).unwrap();
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // A test may have moved or removed it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Moves a file in the place of another after the first look, before the kernel looks.
fn moving(from: &Path, to: &Path) -> Options {
    let (from, to) = (from.to_owned(), to.to_owned());
    Options {
        deny: Some(Box::new(move |_, _| {
            std::fs::rename(&from, &to).unwrap();
            false
        })),
        ..Options::default()
    }
}

fn digest(file: Option<&Executable>) -> [u8; 32] {
    file.unwrap().content.unwrap().0
}

fn digest_of(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

fn other(program: &Program) -> &Executable {
    match &program.look {
        Look::Other(ran) => ran,
        _ => panic!("{program:#?}"),
    }
}

fn seen_again(programs: &Programs) {
    let starting = Written::new("again", &elf::starting(0));
    let starting32 = Written::new("again-32", &elf::starting32());
    let line = format!("#!{} -x\n", starting.0.display());
    let script = Written::new("again-script", line.as_bytes());
    let exit = programs.path("exit");
    for (path, look) in [
        (starting.0.as_path(), Look::Same),
        (&starting32.0, Look::Same),
        (&script.0, Look::Same),
        (Path::new("/bin/true"), Look::Same),
        // It makes no call but one to end.
        (Path::new(&exit), Look::Once),
    ] {
        // Once where it changed a moment ago, once where it is remembered.
        for _ in 0..2 {
            let seen = program(programs, path, Options::default());
            assert_eq!(seen.look, look, "{}", path.display());
            std::thread::sleep(std::time::Duration::from_millis(120));
        }
    }
}

fn by_itself(programs: &Programs) {
    let starting = Written::new("itself", &elf::starting(0));
    let session = session(
        programs,
        "given-after-a-start",
        &starting.0,
        1,
        Options::default(),
    );
    let looks: Vec<_> = session.programs.iter().map(|program| &program.look).collect();
    assert_eq!(looks, [&Look::Same]);
}

fn swapped(programs: &Programs) {
    let asked = Written::new("asked", &elf::starting(0));
    let in_its_place = Written::new("in-its-place", &elf::starting(10));
    let options = moving(&in_its_place.0, &asked.0);
    let program = program(programs, &asked.0, options);
    assert_eq!(digest(Some(other(&program))), digest_of(&elf::starting(10)));
    assert_eq!(digest(program.file.as_ref()), digest_of(&elf::starting(0)));
}

fn swapped_interpreter(programs: &Programs) {
    let asked = Written::new("asked-interpreter", &elf::starting(0));
    let in_its_place = Written::new("other-interpreter", &elf::starting(10));
    let line = format!("#!{}\n", asked.0.display());
    let script = Written::new("asked-script", line.as_bytes());
    let options = moving(&in_its_place.0, &asked.0);
    let program = program(programs, &script.0, options);
    assert_eq!(digest(Some(other(&program))), digest_of(&elf::starting(10)));
}

fn appeared(programs: &Programs) {
    let late = Written::new("late", &elf::starting(0));
    let missing = late.0.with_extension("moved");
    let program = program(programs, &missing, moving(&late.0, &missing));
    std::fs::remove_file(&missing).unwrap();
    assert_eq!(program.file, None);
    assert_eq!(other(&program).path, missing.to_str().unwrap());
}

fn equal(programs: &Programs) {
    let asked = Written::new("equal", &elf::starting(0));
    let in_its_place = Written::new("equal-other", &elf::starting(0));
    let options = moving(&in_its_place.0, &asked.0);
    assert_eq!(program(programs, &asked.0, options).look, Look::Same);
}

fn changed_arguments(programs: &Programs) {
    let starting = Written::new("arguments", &elf::starting(0));
    let line = format!("#!{} -x\n", starting.0.display());
    let script = Written::new("arguments-script", line.as_bytes());
    let script_path = script.0.to_str().unwrap();
    for (path, before) in [
        (&starting.0, &["name"][..]),
        (&script.0, &[starting.0.to_str().unwrap(), "-x", script_path]),
    ] {
        let seen = program(programs, path, Options::default());
        assert_eq!(seen.ran_argv, None);
        let options = Options {
            deny: Some(Box::new(|_, program| {
                write_over(program.pid, b"one argument", b"two argument");
                false
            })),
            ..Options::default()
        };
        let seen = program(programs, path, options);
        assert_eq!((seen.argv[1].as_str(), &seen.look), ("one argument", &Look::Same));
        assert_eq!(seen.ran_argv.unwrap(), [before, &["two argument"]].concat());
    }
}

/// Writes over a text wherever a process has it.
fn write_over(process: u32, text: &[u8], other: &[u8]) {
    let path = format!("/proc/{process}/mem");
    let memory = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let address = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let mut found = 0;
    for range in maps
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(range, _)| range)
    {
        let (from, to) = range.split_once('-').unwrap();
        let (from, to) = (address(from), address(to));
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        // The kernel's own pages cannot be read.
        if memory.read_exact_at(&mut bytes, from).is_err() {
            continue;
        }
        for (at, _) in bytes
            .windows(text.len())
            .enumerate()
            .filter(|(_, part)| *part == text)
        {
            memory.write_all_at(other, from + at as u64).unwrap();
            found += 1;
        }
    }
    assert!(found > 0);
}

fn removed(programs: &Programs) {
    for padding in [0, LARGE] {
        let content = elf::starting(padding);
        let written = Written::new("removed", &content);
        let session = session(programs, "given-and-removed", &written.0, 10, Options::default());
        assert_eq!(session.programs.len(), 10);
        for program in &session.programs {
            assert_eq!(program.look, Look::Same);
            assert_eq!(digest(program.file.as_ref()), digest_of(&content));
        }
    }
}
