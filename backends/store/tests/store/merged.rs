//! What a container would see: the layers as one file system, mounted by the kernel.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;
use shellproof_userns::{Ids, Inside, Started, Stub, Wanted};

/// Mounts an overlay of the directories that it is told, and lists what is in it.
pub const STUB: Stub = Stub {
    name: "merged",
    main: serve,
};

/// All paths that a container would see, sorted.
pub fn paths(lower: &[PathBuf], ids: &Ids) -> Vec<String> {
    let wanted = if ids.are_many() { Wanted::Many } else { Wanted::One };
    let started = Started::start(&STUB, wanted).expect("it was tried before");
    let lower: Vec<_> = lower.iter().map(|path| path.display().to_string()).collect();
    started
        .channel()
        .send(lower.join(":").as_bytes(), &[])
        .expect("it listens");
    let answer = started.channel().receive().expect("it answers").bytes;
    let text = String::from_utf8(answer).expect("text");
    text.lines().map(str::to_owned).collect()
}

fn serve(inside: Inside) -> io::Result<()> {
    let lower = String::from_utf8(inside.channel.receive()?.bytes).map_err(io::Error::other)?;
    let answer = listed(&lower).unwrap_or_else(|error| format!("{error}"));
    inside.channel.send(format!("{answer}\n").as_bytes(), &[])
}

/// From now on `/mnt` is this process's alone, and in memory.
pub fn in_memory(options: Option<&CStr>) -> io::Result<()> {
    #[expect(
        deprecated,
        reason = "descriptors stay shared, which is all that is unsafe about it"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    Ok(mount("none", "/mnt", "tmpfs", MountFlags::empty(), options)?)
}

fn listed(lower: &str) -> io::Result<String> {
    in_memory(None)?;
    for name in ["/mnt/empty", "/mnt/merged"] {
        fs::create_dir(name)?;
    }
    // One directory alone is no overlay.
    let options = format!("userxattr,lowerdir={lower}:/mnt/empty");
    let options = std::ffi::CString::new(options)?;
    mount(
        "overlay",
        "/mnt/merged",
        "overlay",
        MountFlags::empty(),
        Some(options.as_c_str()),
    )?;
    let mut paths = Vec::new();
    list(Path::new("/mnt/merged"), &mut paths)?;
    paths.sort();
    Ok(paths.join("\n"))
}

fn list(directory: &Path, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // What only a listing shows is not there.
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        let shown = path.strip_prefix("/mnt/merged").map_err(io::Error::other)?;
        paths.push(shown.display().to_string());
        if metadata.is_dir() {
            list(&path, paths)?;
        }
    }
    Ok(())
}
