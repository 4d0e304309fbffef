use std::io::Seek;

use super::*;

/// One of which the thread has not begun.
fn idle() -> (Hasher, Receiver<Job>) {
    let (queue, jobs) = channel();
    let hasher = Hasher {
        queue,
        known: Mutex::default(),
        waiting: Mutex::default(),
        progress: Arc::default(),
        started: Duration::ZERO,
        first: Duration::ZERO,
    };
    (hasher, jobs)
}

#[test]
fn what_waits_to_be_hashed_waits_once_as_long_as_it_does_not_change() {
    let (hasher, jobs) = idle();
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&vec![1; LARGEST_COPY as usize], 0).unwrap();
    let key = Key::of(&fstat(&file).unwrap());
    let take = || {
        (&file).rewind().unwrap();
        hasher.take_new(file.try_clone().unwrap(), key).0
    };
    let waits = || *hasher.progress.waiting.lock().unwrap() / LARGEST_COPY;
    let first = take();
    assert!((0..20).all(|_| take().is_same(&first)));
    assert_eq!(waits(), 1);
    // Its times do not show that somebody has changed it.
    file.write_all_at(&[2], 0).unwrap();
    let other = take();
    assert!(!other.is_same(&first) && take().is_same(&other));
    assert_eq!(waits(), 2);
    let progress = hasher.progress.clone();
    let hashing = std::thread::spawn(move || progress.work(&jobs));
    hasher.settle(Duration::from_secs(60));
    let digest = |content: &Content| content.outcome().unwrap().unwrap().digest;
    assert_ne!(digest(&first), digest(&other));
    assert_eq!(waits(), 0);
    assert!(!hasher.waits(&key), "its copy is gone");
    drop(hasher);
    hashing.join().unwrap();
}

#[test]
fn a_large_file_of_which_nobody_asks_any_longer_is_not_read() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(LARGEST_COPY + 1).unwrap();
    let key = Key::of(&fstat(&file).unwrap());
    let outcome = Arc::<OnceLock<_>>::default();
    let job = Job {
        data: Data::Open(file.try_clone().unwrap(), key),
        weight: OPEN_FILE,
        outcome: outcome.clone(),
    };
    let progress = Progress::default();
    assert!(progress.hash(&job, &file, key).unwrap().is_ok());
    drop(outcome);
    assert_eq!(progress.hash(&job, &file, key).unwrap(), Err(Unread::Changed));
}

#[test]
fn what_was_written_since_we_began_is_not_remembered() {
    let written_at = |seconds| Key {
        changed: (seconds, 0),
        ..Key::of_test(1)
    };
    let began = Duration::from_secs(100);
    assert!(written_at(99).is_older_than(began));
    assert!(!written_at(100).is_older_than(began));
    assert!(!written_at(101).is_older_than(began));
}
