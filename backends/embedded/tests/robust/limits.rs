//! Programs that take what they can get, or do not want to end.

use std::ffi::CString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;
use shellproof_api::{ResourceKind, Runtime, StdStream};
use shellproof_conformance::Subject;
use shellproof_store::Store;
use shellproof_userns::{Inside, Started, Stub, Wanted};

use crate::world::{self, descendants, eventually};
use crate::{Lab, Test, embedded_with, remove, run, spec, start};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("limits::a_fork_bomb_is_bounded_and_ends", a_fork_bomb),
    (
        "limits::a_program_that_ignores_sigterm_ends",
        a_program_that_ignores_sigterm,
    ),
    ("limits::a_daemon_ends_with_its_container", a_daemon),
    (
        "limits::a_container_that_nobody_waits_for_is_removed",
        a_start_that_was_given_up,
    ),
    (
        "limits::a_gigabyte_of_output_is_no_gigabyte_of_memory",
        a_gigabyte_of_output,
    ),
    (
        "limits::output_that_nobody_reads_keeps_nobody",
        output_that_nobody_reads,
    ),
    ("limits::a_full_disk_is_an_error", a_full_disk),
];

/// How many processes a container may have, and a few that are ours.
const PROCESSES: usize = 4096 + 16;
/// Soon, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn how_many() -> usize {
    descendants(std::process::id()).len()
}

fn a_fork_bomb(lab: &Lab) {
    let before = how_many();
    lab.within(async {
        let id = start(&lab.runtime, &lab.spec("bomb", &["bomb"])).await;
        let there = how_many();
        assert!(there > 500 && there <= PROCESSES, "{there} processes");
        // Others go on beside it.
        let beside = run(&lab.runtime, &lab.spec("beside", &["echo", "hello"])).await;
        assert_eq!(beside, (0, "hello\n".into()));
        let since = Instant::now();
        remove(&lab.runtime, ResourceKind::Container, &id.0).await;
        assert!(since.elapsed() < SOON, "it took {:?} to end", since.elapsed());
    });
    // One of the holder's own may be on its way out, which has listed what the container wrote.
    eventually("as many processes as before", || how_many() == before);
}

fn a_program_that_ignores_sigterm(lab: &Lab) {
    let before = descendants(std::process::id());
    lab.within(async {
        let id = start(&lab.runtime, &lab.spec("deaf", &["wait"])).await;
        let now = descendants(std::process::id());
        let program = now.iter().find(|one| !before.contains(one)).expect("it runs");
        // The first process of a namespace has no handler, and then the kernel keeps the signal from it.
        program.kill(Signal::TERM);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(program.is_there());
        remove(&lab.runtime, ResourceKind::Container, &id.0).await;
        assert!(!program.is_there());
    });
}

fn a_daemon(lab: &Lab) {
    let before = how_many();
    let ended = lab.within(run(&lab.runtime, &lab.spec("daemon", &["daemon"])));
    // It may have said that it is there before its end.
    assert_eq!(ended.0, 0, "{}", ended.1);
    eventually("the daemon has ended", || how_many() == before);
}

fn a_start_that_was_given_up(lab: &Lab) {
    let before = how_many();
    lab.within(async {
        for number in 0..10 {
            let id = lab
                .runtime
                .create_container(&lab.spec("slow", &["wait"]))
                .await
                .expect("it is made");
            // As at the end of a scenario's time, which comes whenever it comes.
            let patience = Duration::from_micros(number * 400);
            let _ = tokio::time::timeout(patience, lab.runtime.start_container(&id)).await;
            remove(&lab.runtime, ResourceKind::Container, &id.0).await;
        }
    });
    eventually("all of them have ended", || how_many() == before);
}

fn a_gigabyte_of_output(lab: &Lab) {
    const GIGABYTE: usize = 1 << 30;
    let peak = || world::this().status("VmHWM");
    let before = peak();
    lab.within(async {
        let spec = lab.spec("gush", &["gush", &GIGABYTE.to_string()]);
        let id = lab.runtime.create_container(&spec).await.expect("it is made");
        let mut output = lab.runtime.attach(&id).await.expect("it is attached");
        lab.runtime.start_container(&id).await.expect("it starts");
        let mut seen = 0;
        while let Some(chunk) = output.next().await {
            let chunk = chunk.expect("readable");
            assert_eq!(chunk.stream, StdStream::Stdout);
            seen += chunk.bytes.len();
        }
        assert_eq!(
            (seen, lab.runtime.wait_container(&id).await.expect("it ends")),
            (GIGABYTE, 0)
        );
    });
    let more = peak() - before;
    assert!(more < 32 << 10, "{more} kB more than before");
}

fn output_that_nobody_reads(lab: &Lab) {
    lab.within(async {
        for attach in [true, false] {
            let spec = lab.spec("gush", &["gush", "1073741824"]);
            let id = lab.runtime.create_container(&spec).await.expect("it is made");
            let output = match attach {
                true => Some(lab.runtime.attach(&id).await.expect("it is attached")),
                false => None,
            };
            lab.runtime.start_container(&id).await.expect("it starts");
            if !attach {
                assert_eq!(lab.runtime.wait_container(&id).await.expect("it ends"), 0);
            }
            remove(&lab.runtime, ResourceKind::Container, &id.0).await;
            drop(output);
        }
    });
}

/// Runs a container of an image that comes into a store with little room, and says how that went.
pub(crate) const FULL: Stub = Stub {
    name: "run-without-room",
    main: run_without_room,
};

fn own_mounts() -> io::Result<()> {
    #[expect(
        deprecated,
        reason = "descriptors stay shared, which is all that is unsafe about it"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    Ok(mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
    )?)
}

fn run_without_room(inside: Inside) -> io::Result<()> {
    let size = inside.channel.receive()?.bytes;
    own_mounts()?;
    let options = CString::new([b"size=", size.as_slice()].concat())?;
    mount(
        "tmpfs",
        "/mnt",
        "tmpfs",
        MountFlags::empty(),
        Some(options.as_c_str()),
    )?;
    let ran = tokio::runtime::Runtime::new()?.block_on(async {
        let subject = Subject::build(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
        let store = Store::open_at(Path::new("/mnt/store")).map_err(io::Error::other)?;
        let runtime = embedded_with(store, Path::new("/mnt/run"));
        runtime
            .load_image(&subject.archive)
            .await
            .map_err(io::Error::other)?;
        let wanted = spec(&subject.reference, "one", &["echo", "hello"]);
        let id = runtime
            .create_container(&wanted)
            .await
            .map_err(io::Error::other)?;
        runtime.start_container(&id).await.map_err(io::Error::other)?;
        runtime.wait_container(&id).await.map_err(io::Error::other)
    });
    let said = ran.map_or_else(|error| error.to_string(), |code| format!("ended with {code}"));
    inside.channel.send(said.as_bytes(), &[])
}

fn a_full_disk(_lab: &Lab) {
    for (size, expected) in [
        ("1m", "load image"),
        ("6m", "create container"),
        ("64m", "ended with 0"),
    ] {
        let started = Started::start(&FULL, Wanted::Many).expect("it was tried before");
        started.channel().send(size.as_bytes(), &[]).expect("it listens");
        let said = started.channel().receive().expect("it answers").bytes;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(expected), "{size}: {said}");
        assert!(
            said.contains("ended") || said.contains("No space left on device"),
            "{size}: {said}"
        );
    }
}
