//! Random trees of directories, links, roots, mounts and descriptors, and random names in them.
#![expect(unsafe_code, reason = "a descriptor is given a number")]

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;

use crate::confined::{child, execveat};
use crate::names::{
    FAILED, Tree, both, change_directory, change_root, compare, mount, own_mounts, run, text, write,
};
use crate::{Programs, elf};

/// How many programs a tree of names has at most; their codes begin with 1.
const CODES: u8 = 60;

/// Numbers that look random, and are the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        // Xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A path of a few components, which often leads to a program.
    fn path(&mut self, top: &str) -> String {
        const STARTS: [&str; 12] = [
            "",
            "",
            "",
            "",
            "/",
            "/proc/self/cwd/",
            "/proc/self/root/",
            "/proc/thread-self/cwd/",
            "/proc/self/fd/9/",
            "/proc/thread-self/root/",
            "/proc/self/../self/cwd/",
            "/dev/fd/9/",
        ];
        const DIRECTORIES: [&str; 10] = ["..", "..", ".", "a", "a", "b", "b", "l0", "l1", ""];
        const LAST: [&str; 10] = ["p", "p", "p", "q", "q", "l2", "l3", "..", ".", ""];
        let mut path = match self.below(4) {
            0 => format!("{top}/"),
            _ => self.one(&STARTS).to_owned(),
        };
        for _ in 0..self.below(4) {
            path.push_str(self.one(&DIRECTORIES));
            path.push('/');
        }
        path.push_str(self.one(&LAST));
        path
    }
}

/// One random tree, and random names in it; writes what the kernel made of each.
pub fn run_all(seed: u64) -> bool {
    let tree = Tree::new();
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let top = tree.0.to_str().unwrap().to_owned();
    let mut directories = vec![tree.0.clone()];
    for depth in 0..3 {
        for parent in directories.clone() {
            for name in ["a", "b"] {
                if parent.strip_prefix(&tree.0).unwrap().components().count() == depth && random.below(5) > 0
                {
                    fs::create_dir(parent.join(name)).unwrap();
                    directories.push(parent.join(name));
                }
            }
        }
    }
    let mut code = 0;
    for directory in &directories {
        for name in ["p", "q"] {
            if code < CODES && random.below(5) > 0 {
                code += 1;
                write(&directory.join(name), &elf::exit_with(code));
            }
        }
        for name in ["l0", "l1", "l2", "l3"] {
            if random.below(3) > 0 {
                let to = match random.path(&top) {
                    empty if empty.is_empty() => ".".to_owned(),
                    path => path,
                };
                symlink(to, directory.join(name)).unwrap();
            }
        }
    }
    for _ in 0..40 {
        let mut own = Random(random.below(usize::MAX) as u64 | 1);
        println!("{}", child(|| attempt(&mut own, &tree, &directories)));
    }
    true
}

fn attempt(random: &mut Random, tree: &Tree, directories: &[PathBuf]) -> i32 {
    let any: Vec<&Path> = directories.iter().map(PathBuf::as_path).collect();
    let held = File::open(random.one(&any)).unwrap();
    assert_eq!(unsafe { libc::dup2(held.as_raw_fd(), 9) }, 9);
    change_directory(random.one(&any));
    if random.below(3) == 0 {
        own_mounts();
        let root = random.one(&any);
        // Where it cannot have a procfs, it has none.
        let has_proc = random.below(2) > 0 && fs::create_dir(root.join("proc")).is_ok();
        if has_proc {
            mount(
                Some(Path::new("/proc")),
                &root.join("proc"),
                libc::MS_BIND | libc::MS_REC,
            );
        }
        if random.below(2) > 0 {
            let over = random.one(&any);
            mount(Some(random.one(&any)), over, libc::MS_BIND);
        }
        if root.exists() {
            change_root(root);
        }
    }
    if random.below(4) == 0 {
        let gone = tree.0.join(format!("gone{}", random.below(1000)));
        if fs::create_dir(&gone).is_ok() {
            change_directory(&gone);
            fs::remove_dir(&gone).unwrap();
        }
    }
    let path = random.path(tree.0.to_str().unwrap());
    match random.below(3) {
        0 => {
            FAILED
                + execveat(
                    &held,
                    &text(path),
                    *random.one(&[&0, &0, &libc::AT_SYMLINK_NOFOLLOW]),
                )
        }
        _ => run(path),
    }
}

/// Goes through many random trees; says which one differs.
pub fn check(programs: &Programs, seeds: impl Iterator<Item = u64>) -> Result<(), Failed> {
    let (mut ran, mut failed) = (0, 0);
    for seed in seeds {
        let (codes, seen) = both(programs, "random", seed);
        assert_eq!(codes.len(), seen.len(), "seed {seed}");
        for (number, (code, program)) in codes.iter().zip(&seen).enumerate() {
            compare(*code, program).map_err(|difference| format!("seed {seed}, {number}: {difference}"))?;
            *(if *code < FAILED { &mut ran } else { &mut failed }) += 1;
        }
    }
    println!("{ran} programs ran and {failed} did not, and all were seen as they were");
    // A check that nothing comes by is none.
    match ran > 0 && failed > 0 {
        true => Ok(()),
        false => Err("nothing was compared".into()),
    }
}
