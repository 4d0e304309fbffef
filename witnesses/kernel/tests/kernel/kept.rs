//! What a supervisor leaves, and who goes on answering.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shellproof_kernel::{Keeper, Left, Options, Part};

use crate::{Lab, Programs, succeed};

/// The supervisor's hands, as they come out of another process.
fn leave(lab: &mut Lab<'_>) -> Left {
    let left = lab.supervisor.take().unwrap().leave().unwrap();
    let mut again = Left::default();
    left.into_parts().for_each(|part| again.add(part));
    again
}

/// Programs go on being started, also those of runtimes that come later; the keeper ends when the container is gone.
pub fn goes_on(programs: &Programs) {
    let mut lab = Lab::new(programs, Options::default());
    let mut running = lab.command("creating", "many", 2000).spawn().unwrap();
    while lab
        .supervisor()
        .trace()
        .sessions
        .iter()
        .all(|session| session.programs.is_empty())
    {
        std::thread::sleep(Duration::from_millis(1));
    }
    let left = leave(&mut lab);
    assert!(
        running.try_wait().unwrap().is_none(),
        "it ended before it was left"
    );
    assert!(lab.socket().exists());
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            let mut keeper = Keeper::new().unwrap();
            keeper.add("c".to_owned(), left);
            keeper.run(|id| {
                assert_eq!(id, "c");
                asked.fetch_add(1, Ordering::Relaxed);
                Some(false)
            })
        });
        assert!(running.wait().unwrap().success());
        // Within the second in which nobody is asked: a health check, and a start anew.
        succeed(&mut lab.command("running", "execve", 1));
        succeed(&mut lab.command("creating", "script", 1));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        keeper.join().unwrap().unwrap();
    });
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// A runtime that connected while the supervisor stopped is heard by the keeper.
pub fn no_runtime_is_lost(programs: &Programs) {
    for _ in 0..6 {
        let mut lab = Lab::new(programs, Options::default());
        let mut starting = lab.command("creating", "many", 3).spawn().unwrap();
        let left = leave(&mut lab);
        let mut keeper = Keeper::new().unwrap();
        keeper.add("c".to_owned(), left);
        let keeping = std::thread::spawn(move || keeper.run(|_| Some(false)));
        let status = starting.wait().unwrap();
        assert!(status.success(), "{status}");
        keeping.join().unwrap().unwrap();
    }
}

/// A container without a program stays as long as its engine knows it.
pub fn waits_for_a_container(programs: &Programs) {
    let mut lab = Lab::new(programs, Options::default());
    let left = leave(&mut lab);
    assert!(left.into_parts().all(|part| matches!(part, Part::Socket(_))));
    let mut lab = Lab::new(programs, Options::default());
    let mut keeper = Keeper::new().unwrap();
    keeper.add("gone".to_owned(), leave(&mut lab));
    let mut other = Lab::new(programs, Options::default());
    keeper.add("here".to_owned(), leave(&mut other));
    let began = Instant::now();
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = asked.clone();
    std::thread::spawn(move || {
        keeper.run(|id| {
            seen.lock().unwrap().push(id.to_owned());
            Some(id == "here")
        })
    });
    // Since one is gone, the other is asked for once more.
    while asked.lock().unwrap().len() < 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let elapsed = began.elapsed();
    assert!(elapsed >= Duration::from_millis(1900), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
    assert_eq!(*asked.lock().unwrap(), ["gone", "here", "here"]);
    // One still listens, the other does not.
    succeed(&mut other.command("creating", "execve", 1));
    assert!(std::os::unix::net::UnixStream::connect(lab.socket()).is_err());
}
