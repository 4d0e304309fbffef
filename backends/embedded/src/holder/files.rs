//! What containers write, and what they are given as files: in memory, in the holder's own mounts, or else in a directory of the
//! run's own on a disk.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::XattrFlags;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::container::named;
use crate::plan::{Place, Plan, Source};
use crate::protocol::{Number, Setup};

impl Drop for Files {
    /// What is in memory goes by itself. Who was killed leaves it to the next one who opens the store.
    fn drop(&mut self) {
        if let Some(disk) = &self.disk {
            let _ = fs::remove_dir_all(disk);
        }
    }
}

/// The holder's own file system.
pub(super) struct Files {
    scratch: PathBuf,
    /// Where containers write; none where that is in memory.
    disk: Option<PathBuf>,
    volumes: HashSet<Number>,
}

impl Files {
    /// Mounts it on an empty directory, for the holder alone.
    pub(super) fn mount(setup: Setup) -> io::Result<Self> {
        let scratch = setup.scratch;
        in_memory(&scratch)?;
        let files = Self {
            disk: (setup.on_disk || !keeps_notes(&scratch)).then_some(setup.disk),
            scratch,
            volumes: HashSet::new(),
        };
        fs::create_dir(files.point())?;
        Ok(files)
    }

    /// An empty directory to mount on.
    pub(super) fn point(&self) -> PathBuf {
        self.scratch.join("point")
    }

    fn container(&self, number: Number) -> PathBuf {
        let above = self.disk.as_ref().unwrap_or(&self.scratch);
        above.join(format!("container{number}"))
    }

    /// What a container has written.
    pub(super) fn upper(&self, number: Number) -> PathBuf {
        self.container(number).join("upper")
    }

    fn volume(&self, number: Number) -> PathBuf {
        self.scratch.join(format!("volume{number}"))
    }

    /// The directory of one container: what it writes, and the files that engines give a container.
    pub(super) fn make_container(
        &self,
        number: Number,
        plan: &Plan,
        place: Option<Place>,
    ) -> io::Result<PathBuf> {
        let directory = self.container(number);
        fs::DirBuilder::new()
            .recursive(self.disk.is_some())
            .mode(0o700)
            .create(&directory)?;
        // One for each: the kernel gives back all of it at once.
        if self.disk.is_none()
            && let Err(error) = in_memory(&directory)
        {
            fs::remove_dir(&directory)?;
            return Err(error);
        }
        for name in ["upper", "work", "root"] {
            fs::create_dir(directory.join(name))?;
        }
        for (number, mounted) in plan.mounts.iter().enumerate() {
            if mounted.source == Source::Anonymous {
                fs::create_dir(directory.join(format!("volume{number}")))?;
            }
        }
        let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
        let mut resolver = String::new();
        if let Some(place) = place {
            // Writing to a string cannot fail.
            let _ = writeln!(hosts, "{}\t{}", place.address, plan.hostname);
            let _ = writeln!(resolver, "nameserver {}\noptions ndots:0", place.gateway);
        }
        for (name, text) in [
            ("hosts", hosts),
            ("hostname", format!("{}\n", plan.hostname)),
            ("resolv.conf", resolver),
        ] {
            let file = directory.join(name);
            fs::write(&file, text)?;
            fs::set_permissions(&file, Permissions::from_mode(0o644))?;
        }
        Ok(directory)
    }

    /// Gives back what a container wrote.
    pub(super) fn remove_container(&self, number: Number) -> io::Result<()> {
        let directory = self.container(number);
        if self.disk.is_some() && directory.exists() {
            return fs::remove_dir_all(&directory).map_err(named("a container's files"));
        }
        if directory.exists() {
            unmount(&directory, UnmountFlags::DETACH).map_err(named("a container's files"))?;
            fs::remove_dir(&directory)?;
        }
        Ok(())
    }

    pub(super) fn make_volume(&mut self, number: Number) -> io::Result<()> {
        let directory = self.volume(number);
        fs::create_dir(&directory)?;
        in_memory(&directory)?;
        // As engines have it: root's, until an image's directory says otherwise.
        fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
        self.volumes.insert(number);
        Ok(())
    }

    pub(super) fn remove_volume(&mut self, number: Number) -> io::Result<()> {
        if self.volumes.remove(&number) {
            let directory = self.volume(number);
            unmount(&directory, UnmountFlags::DETACH).map_err(named("a volume"))?;
            fs::remove_dir(&directory)?;
        }
        Ok(())
    }

    /// Where a plan's volumes are, in the order of its mounts.
    pub(super) fn volumes(&self, plan: &Plan) -> Vec<Option<PathBuf>> {
        let volume = |source: &Source| match source {
            Source::Volume(number) if self.volumes.contains(number) => Some(self.volume(*number)),
            _ => None,
        };
        plan.mounts.iter().map(|one| volume(&one.source)).collect()
    }
}

/// Whether an overlay can keep its notes on what is written there: they are such attributes. In memory it takes Linux 6.6.
pub(crate) fn keeps_notes(directory: &Path) -> bool {
    rustix::fs::setxattr(directory, "user.overlay", b"y", XattrFlags::empty()).is_ok()
}

pub(crate) fn in_memory(directory: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", directory, "tmpfs", flags, Some(c"mode=0755"))?;
    Ok(())
}
