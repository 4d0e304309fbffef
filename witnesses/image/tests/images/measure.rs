//! How fast an archive is read, and with how much memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::time::Instant;

use shellproof_image::{Form, read_stream};

/// Reads the archive that `SHELLPROOF_ARCHIVE` names, five times, and as often without looking at it.
#[test]
#[ignore = "a measurement: cargo test --release -p shellproof-image --test images -- --ignored measured --nocapture"]
fn measured() {
    let Some(path) = std::env::var_os("SHELLPROOF_ARCHIVE") else {
        panic!("SHELLPROOF_ARCHIVE names no archive");
    };
    let size = fs::metadata(&path).unwrap().len();
    let seconds = |read: &dyn Fn(File)| {
        let mut all: Vec<f64> = (0..5)
            .map(|_| {
                let began = Instant::now();
                read(File::open(&path).unwrap());
                began.elapsed().as_secs_f64()
            })
            .collect();
        all.sort_by(f64::total_cmp);
        all[2]
    };
    let bare = seconds(&|file| {
        let mut buffer = vec![0; 256 << 10];
        let mut file = file;
        while file.read(&mut buffer).unwrap() > 0 {}
    });
    let read = seconds(&|file| {
        let content = read_stream(file, Form::DockerArchive, None).unwrap();
        assert!(!content.programs.is_empty());
    });
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("?");
    let megabytes = size as f64 / 1e6;
    io::Write::write_fmt(
        &mut io::stdout(),
        format_args!(
            "{megabytes:.0} MB: {read:.2} s, {:.0} MB/s; bare {bare:.2} s; {peak}\n",
            megabytes / read
        ),
    )
    .unwrap();
}
