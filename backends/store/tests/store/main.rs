//! The store, with images that are made in memory, unpacked by this very program.

#[path = "../../../../witnesses/image/tests/images/build.rs"]
#[expect(dead_code, reason = "the image witness's tests use more of it")]
mod build;
mod hostile;
mod keeping;
mod layers;
mod measure;
mod merged;
mod sharing;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use shellproof_conformance::lab;
use shellproof_store::{Image, Imported, Store};
use shellproof_userns::{Ids, Started, Wanted, run_if_meant};

/// A test: in a place of its own, with the ids of its user namespace.
type Test = fn(&Lab);

/// What a test has.
struct Lab {
    directory: tempfile::TempDir,
    ids: Ids,
}

impl Lab {
    fn new(wanted: Wanted) -> Self {
        let started = Started::start(&shellproof_store::STUB, wanted).expect("it was tried before");
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            ids: started.ids().clone(),
        }
    }

    fn place(&self) -> &Path {
        self.directory.path()
    }

    fn store(&self) -> Store {
        Store::open_at(&self.place().join("store")).expect("a store")
    }

    /// An image of these layers, in the store.
    fn image(&self, layers: Vec<build::Layer>) -> Image {
        let archive = build::archive(&build::Image::new(layers).saved());
        let Imported { id, .. } = self.store().import(archive.as_slice(), None).expect("an image");
        self.store()
            .image(&id)
            .expect("a sound store")
            .expect("it was imported")
    }

    /// The directories of its layers, the lowest first.
    fn unpacked(&self, image: &Image) -> Vec<std::path::PathBuf> {
        let mut lower = image.lower_directories(&self.ids).expect("it can be unpacked");
        lower.reverse();
        lower
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What belongs to other ids the directory could not remove.
        let cleaned = self.store().clean().expect("a sound store");
        assert!(std::thread::panicking() || cleaned.left.is_empty(), "{cleaned:?}");
    }
}

fn main() -> ExitCode {
    if run_if_meant(&[shellproof_store::STUB, merged::STUB, sharing::FULL]) {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [sharing::UNPACK, store, id] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        sharing::unpack(Path::new(store), id);
        return ExitCode::SUCCESS;
    }
    // Where it is forbidden nothing of this can be tested, and it is a failure where everything must be.
    let forbidden = Started::start(&shellproof_store::STUB, Wanted::Many).err();
    if let Some(error) = &forbidden {
        eprintln!("ignored: {error}");
    }
    let is_ignored = forbidden.is_some() && !lab::is_required();
    let mut trials = Vec::new();
    let all = [keeping::TESTS, layers::TESTS, sharing::TESTS].concat();
    for (name, test) in all {
        for (ids, wanted) in [("many", Wanted::Many), ("one", Wanted::One)] {
            let run = move || -> Result<(), Failed> {
                test(&Lab::new(wanted));
                Ok(())
            };
            trials.push(Trial::test(format!("{name}::{ids}"), run).with_ignored_flag(is_ignored));
        }
    }
    for case in hostile::cases() {
        let name = format!("hostile::{}", case.name);
        let run = move || -> Result<(), Failed> {
            hostile::run(&Lab::new(Wanted::Many), case);
            Ok(())
        };
        trials.push(Trial::test(name, run).with_ignored_flag(is_ignored));
    }
    let measure = || -> Result<(), Failed> {
        measure::measured(&Lab::new(Wanted::Many));
        Ok(())
    };
    trials.push(Trial::test("measured", measure).with_ignored_flag(true));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
