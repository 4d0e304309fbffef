use std::fs;
use std::path::Path;

use super::*;

fn elf(words: &[&str]) -> Vec<u8> {
    ["\x7fELF", &words.join("\0")].concat().into_bytes()
}

fn likeness(content: &[u8]) -> Option<Likeness> {
    let mut signs = Signs::default();
    content.chunks(128 << 10).for_each(|part| signs.look_at(part));
    signs.likeness()
}

const POSIX: &[&str] = &["getopts", "OPTIND", "PS4", "readonly", "umask"];

#[test]
fn a_word_is_found_wherever_the_parts_end() {
    let shell = elf(POSIX);
    for end in 4..shell.len() {
        let mut signs = Signs::default();
        let (first, rest) = shell.split_at(end);
        signs.look_at(first);
        for byte in rest {
            signs.look_at(&[*byte]);
        }
        assert_eq!(signs.likeness(), Some(Likeness::Shell), "{end}");
    }
}

#[test]
fn every_word_is_found_also_within_and_across_others() {
    for finder in [&*PROGRAM_WORDS, &*SCRIPT_WORDS] {
        let words: BTreeSet<&str> = finder.parts.iter().flat_map(|(_, told)| told.concat()).collect();
        assert!(words.len() > 40 && finder.parts.iter().all(|(_, told)| told.len() <= AT_ONCE));
        let found = |text: &str| {
            let mut found = HashSet::new();
            finder.find(text.as_bytes(), &mut found);
            found
        };
        for one in &words {
            for other in &words {
                for text in [
                    format!("{one}{other}"),
                    format!("x{one}\0{other}x"),
                    format!("{}{other}", &one[..1]),
                ] {
                    let expected: HashSet<&str> =
                        words.iter().copied().filter(|word| text.contains(word)).collect();
                    assert_eq!(found(&text), expected, "{text:?}");
                }
            }
        }
    }
    // Of the longest, one byte less than all of it is no word.
    let all = Finder::new(["ab", "abc", "bcd", "cd"].into_iter());
    let mut found = HashSet::new();
    all.find(b"xabcd", &mut found);
    assert_eq!(found, HashSet::from(["ab", "abc", "bcd", "cd"]));
}

#[test]
fn a_program_is_known_by_all_words_of_a_family() {
    for family in PROGRAMS {
        assert_eq!(
            likeness(&elf(family.words)),
            Some(family.likeness),
            "{:?}",
            family.words
        );
        for missing in 0..family.words.len() {
            let mut words = family.words.to_vec();
            words.remove(missing);
            assert_eq!(
                likeness(&elf(&words)),
                None,
                "{:?} without {missing}",
                family.words
            );
        }
    }
}

#[test]
fn what_only_compiles_or_checks_scripts_is_no_shell() {
    assert_eq!(likeness(&elf(&[POSIX, &["shcomp"]].concat())), None);
    let mut large = elf(POSIX);
    large.resize((8 << 20) + 1, 0);
    assert_eq!(likeness(&large), None);
    large.pop();
    assert_eq!(likeness(&large), Some(Likeness::Shell));
}

#[test]
fn a_shell_of_any_size_is_one() {
    let mut bash = elf(&["no function context at current scope", "BASH_VERSINFO"]);
    bash.resize(32 << 20, 0);
    assert_eq!(likeness(&bash), Some(Likeness::Shell));
}

#[test]
fn busybox_is_what_it_is_called_by() {
    let words = [
        POSIX,
        &[
            "BusyBox v1.35.0",
            "applet not found",
            "--inhibit-cache",
            "--library-path",
        ],
    ]
    .concat();
    assert_eq!(likeness(&elf(&words)), Some(Likeness::MultiCall));
}

#[test]
fn a_script_is_a_script_or_how_a_package_manager_is_started() {
    for (text, expected) in [
        (
            "#!/usr/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n",
            Likeness::PackageManager,
        ),
        (
            "#!/usr/bin/env node\nrequire('../lib/cli.js')(process)\n",
            Likeness::ManagerScript,
        ),
        (
            "#!/usr/bin/ruby3.1\nrequire 'rubygems/gem_runner'\n",
            Likeness::PackageManager,
        ),
        (
            "#!/usr/bin/python3\n# not what composer does\n",
            Likeness::ManagerScript,
        ),
        (
            "#!/usr/bin/env lua-any\nlocal cmd = require(\"luarocks.cmd\")\n",
            Likeness::PackageManager,
        ),
        (
            "#!/usr/bin/python3\nfrom xonsh.main import main\nmain()\n",
            Likeness::Shell,
        ),
        ("#!/usr/bin/python3\nprint('a dash')\n", Likeness::Script),
        ("#!/bin/sh\ngetopts OPTIND PS4 readonly umask\n", Likeness::Script),
    ] {
        assert_eq!(likeness(text.as_bytes()), Some(expected), "{text}");
    }
}

#[test]
fn a_text_about_shells_is_none() {
    assert_eq!(likeness(POSIX.join(" ").as_bytes()), None);
    assert_eq!(likeness(b""), None);
}

/// Measures the words on real programs. `SHELLPROOF_SHELLS` is a folder of nothing but shells and multi-call programs,
/// `SHELLPROOF_MANAGERS` one of package managers, `SHELLPROOF_OTHERS` one of anything else.
#[test]
#[ignore = "needs folders of programs"]
fn measured_on_folders_of_programs() {
    let mut wrong = Vec::new();
    let mut measure = |variable: &str, fits: fn(Option<Likeness>) -> bool| {
        let folder = std::env::var(variable).expect(variable);
        let (mut count, mut bytes) = (0, 0);
        let start = std::time::Instant::now();
        each_program(Path::new(&folder), &mut |path, content| {
            (count, bytes) = (count + 1, bytes + content.len());
            let likeness = likeness(content);
            if !fits(likeness) {
                wrong.push(format!("{variable}: {} is {likeness:?}", path.display()));
            }
        });
        println!(
            "{variable}: {count} programs, {} MiB, {:?}",
            bytes >> 20,
            start.elapsed()
        );
    };
    measure("SHELLPROOF_SHELLS", |one| {
        matches!(one, Some(Likeness::Shell | Likeness::MultiCall))
    });
    measure("SHELLPROOF_MANAGERS", |one| {
        matches!(one, Some(Likeness::PackageManager | Likeness::ManagerScript))
    });
    measure("SHELLPROOF_OTHERS", |one| {
        matches!(one, None | Some(Likeness::Loader))
    });
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn each_program(folder: &Path, see: &mut impl FnMut(&Path, &[u8])) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => each_program(&entry.path(), see),
            Ok(kind) if kind.is_file() => {
                let content = fs::read(entry.path()).unwrap_or_default();
                if content.starts_with(b"\x7fELF") {
                    see(&entry.path(), &content);
                }
            }
            _ => {}
        }
    }
}
