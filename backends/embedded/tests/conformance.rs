//! The suite that every backend passes, on the runtime that is in the binary: with all ids that there are and with one, and with
//! containers that write to a disk, as they do before Linux 6.6.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use shellproof_api::Inspect;
use shellproof_conformance::{Case, harness};
use shellproof_embedded::{Embedded, Options};
use shellproof_kernel::profile::DOCKER_DEFAULT;
use shellproof_store::Store;
use shellproof_userns::{Started, Wanted};

/// The runtime whose containers have one id, whatever this machine could give.
const ONE_ID: &str = "embedded-one-id";

/// The directories of the runs, which are removed at the end.
static RUNS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn open(name: &str, ids: Wanted, on_disk: bool) -> Result<Arc<dyn Inspect>, String> {
    let text = |error: std::io::Error| error.to_string();
    // One for each user: layers belong to ids of their own.
    let user = rustix::process::geteuid().as_raw();
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("store-{user}"));
    let store = Store::open_at(&store).map_err(|error| error.to_string())?;
    let directory = tempfile::tempdir().map_err(text)?.keep();
    RUNS.lock()
        .map_err(|error| error.to_string())?
        .push(directory.clone());
    let options = Options {
        name: name.to_owned(),
        directory,
        store,
        on_disk,
        ids,
        profile: DOCKER_DEFAULT.to_owned(),
    };
    let runtime = Embedded::open(options).map_err(|error| error.to_string())?;
    Ok(Arc::new(runtime))
}

/// What this runtime cannot do, with the reason.
fn skip(name: &str, case: &Case) -> Option<&'static str> {
    // With one id all files belong to it, and nothing can be given to anybody else.
    let owners = [
        "a_file_is_read_without_running_the_image",
        "a_mount_may_be_labelled_and_given_away",
    ];
    if name == ONE_ID && owners.contains(&case.name) {
        return Some("one id has no owners");
    }
    let is_token = case.name == "a_private_registry_takes_an_identity_token";
    is_token.then_some("identity tokens are refused, with a cure")
}

fn main() -> ExitCode {
    if shellproof_userns::run_if_meant(&[shellproof_embedded::STUB, shellproof_store::STUB]) {
        return ExitCode::SUCCESS;
    }
    let own = |name, open| harness::Own {
        name,
        scratch: env!("CARGO_TARGET_TMPDIR"),
        open,
        skip,
    };
    let mut all = vec![own(ONE_ID, || open(ONE_ID, Wanted::One, false))];
    // Where this machine gives no more, that is all there is to test.
    match Started::start(&shellproof_embedded::STUB, Wanted::Many) {
        Ok(started) if started.ids().are_many() => {
            all.push(own("embedded", || open("embedded", Wanted::Many, false)));
            all.push(own("embedded-on-disk", || {
                open("embedded-on-disk", Wanted::Many, true)
            }));
        }
        Ok(started) => eprintln!("one id only: {:?}", started.ids().narrow),
        Err(error) => eprintln!("{error}"),
    }
    let code = harness::main_without_engine(&all);
    for directory in RUNS
        .lock()
        .map(|mut runs| std::mem::take(&mut *runs))
        .unwrap_or_default()
    {
        if let Err(error) = std::fs::remove_dir_all(&directory) {
            eprintln!("error: `{}` stays: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    }
    code
}
