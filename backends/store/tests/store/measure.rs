//! How long it takes, and how much memory, with an archive of one's own:
//! `SHELLPROOF_ARCHIVE=image.tar cargo test --release -p shellproof-store --test store -- --ignored measured --nocapture`.

use std::fs::{self, File};
use std::time::Instant;

use crate::Lab;

pub fn measured(lab: &Lab) {
    let archive = std::env::var_os("SHELLPROOF_ARCHIVE").expect("SHELLPROOF_ARCHIVE names an archive");
    let size = fs::metadata(&archive).unwrap().len();
    let began = Instant::now();
    let store = lab.store();
    let id = store.import(File::open(&archive).unwrap(), None).unwrap().id;
    let imported = began.elapsed();
    let image = store.image(&id).unwrap().unwrap();
    let began = Instant::now();
    image.lower_directories(&lab.ids).unwrap();
    let unpacked = began.elapsed();
    let began = Instant::now();
    let image = lab.store().image(&id).unwrap().unwrap();
    image.lower_directories(&lab.ids).unwrap();
    let again = began.elapsed();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    println!(
        "{} MB: imported in {imported:?}, unpacked in {unpacked:?}, found again in {again:?}; {peak}",
        size >> 20
    );
}
