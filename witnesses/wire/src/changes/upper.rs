//! What a container changed, seen where its engine keeps it: the upper directory of an overlay, on the host.
//!
//! Asking an engine takes Podman 50 ms a file, since it mounts the container each time. So what is plain to see here is
//! not asked for; whatever is not plain is.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, listxattr, openat};
use rustix::io::Errno;

use crate::changes::FileKind;
use crate::changes::look::{MAGIC, Sight, kind_of};
use crate::container::InspectedContainer;
use crate::endpoint::Endpoint;
use crate::host;

/// The names of a file's attributes, in bytes; one that has more is left to the engine.
const ATTRIBUTES: usize = 4096;

/// What a container changed.
pub(super) struct Upper {
    directory: OwnedFd,
    /// The engine's root directory.
    root: OwnedFd,
    /// Files that the engine mounts into the container, by their path there.
    mounted: Vec<(&'static str, PathBuf)>,
}

impl Upper {
    /// Nothing where the engine keeps it in another way, or nobody lets us look.
    pub(super) async fn of(engine: &Endpoint, container: &InspectedContainer) -> Option<Arc<Self>> {
        let upper = container.storage.upper.as_ref()?;
        let root = host::root_of(&engine.server().await.ok()?)?;
        Self::at(root, upper, &container.storage.mounted)
    }

    fn at(root: OwnedFd, upper: &Path, mounted: &[(&'static str, PathBuf)]) -> Option<Arc<Self>> {
        let directory = host::find(&root, upper).ok()?;
        is_directory(&fstat(&directory).ok()?).then_some(())?;
        Some(Arc::new(Self {
            directory,
            root,
            mounted: mounted.to_vec(),
        }))
    }

    /// What is at these paths of the container, as far as that is plain to see.
    pub(super) async fn see_all(self: &Arc<Self>, paths: Vec<String>) -> HashMap<String, Sight> {
        let upper = Arc::clone(self);
        let seeing = move || {
            let seen = paths.into_iter().filter_map(|path| {
                let sight = upper.see(&path)?;
                Some((path, sight))
            });
            seen.collect()
        };
        tokio::task::spawn_blocking(seeing).await.unwrap_or_default()
    }

    fn see(&self, path: &str) -> Option<Sight> {
        if let Some((_, source)) = self.mounted.iter().find(|(place, _)| *place == path) {
            return plain(&host::find(&self.root, source).ok()?);
        }
        let mut names = Path::new(path).strip_prefix("/").ok()?.components().peekable();
        let mut below = None;
        while let Some(name) = names.next() {
            let Component::Normal(name) = name else {
                return None;
            };
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(
                below.as_ref().unwrap_or(&self.directory),
                name,
                flags,
                Mode::empty(),
            );
            let file = match file {
                Ok(file) => file,
                // What the image has there, if anything, is as it was.
                Err(Errno::NOENT) => return Some(Sight::Gone),
                Err(_) => return None,
            };
            let stat = fstat(&file).ok()?;
            if is_whiteout(&stat) {
                return Some(Sight::Gone);
            }
            if names.peek().is_none() {
                return plain(&file);
            }
            // A link leads elsewhere, and a directory that came from elsewhere holds what is not here.
            if !is_directory(&stat) || is_elsewhere(&file) {
                return None;
            }
            below = Some(file);
        }
        None
    }
}

/// What a file is, unless its content lies in another layer.
fn plain(file: &OwnedFd) -> Option<Sight> {
    let stat = fstat(file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        return Some(Sight::Is(FileKind::Other));
    }
    if is_elsewhere(file) {
        return None;
    }
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Some(Sight::Is(FileKind::Other));
    }
    let mut magic = Vec::new();
    let content = File::open(path_of(file)).ok()?;
    content.take(MAGIC).read_to_end(&mut magic).ok()?;
    Some(Sight::Is(kind_of(&magic, stat.st_mode & 0o111 != 0)))
}

/// Whether an overlay takes the content, or what is in a directory, from another layer, or whether nobody can tell.
fn is_elsewhere(file: &OwnedFd) -> bool {
    let mut names = [0; ATTRIBUTES];
    let names = match listxattr(path_of(file), &mut names) {
        Ok(length) => &names[..length],
        Err(Errno::NOTSUP) => &[],
        Err(_) => return true,
    };
    names
        .split(|&byte| byte == 0)
        .any(|name| name.ends_with(b"overlay.redirect") || name.ends_with(b"overlay.metacopy"))
}

/// How overlays keep that something was removed.
fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// By which a file that was opened for its place alone can be read.
fn path_of(file: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{XattrFlags, mkfifoat, setxattr};

    use super::*;

    const ELF: &[u8] = b"\x7fELF....";

    fn upper(directory: &Path, mounted: &[(&'static str, PathBuf)]) -> Arc<Upper> {
        Upper::at(host::directory("/").unwrap(), directory, mounted).unwrap()
    }

    fn attribute(path: &Path, name: &str) {
        setxattr(path, name, b"y", XattrFlags::empty()).unwrap();
    }

    #[test]
    fn what_is_plain_is_seen_and_the_rest_is_left_to_the_engine() {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("opt/sub")).unwrap();
        fs::write(at("opt/tool"), ELF).unwrap();
        fs::write(at("opt/script"), "#!/x\n").unwrap();
        fs::set_permissions(at("opt/script"), Permissions::from_mode(0o755)).unwrap();
        fs::write(at("opt/text"), "#!/x\n").unwrap();
        fs::write(at("opt/empty"), "").unwrap();
        symlink("/opt/tool", at("opt/link")).unwrap();
        symlink("/opt", at("linked")).unwrap();
        let root = host::directory("/").unwrap();
        mkfifoat(&root, at("opt/pipe"), Mode::RUSR).unwrap();
        fs::create_dir(at("moved")).unwrap();
        attribute(&at("moved"), "user.overlay.redirect");
        fs::write(at("opt/copied"), ELF).unwrap();
        attribute(&at("opt/copied"), "user.overlay.metacopy");
        fs::write(at("opt/other"), ELF).unwrap();
        attribute(&at("opt/other"), "user.overlay.origin");

        let upper = upper(directory.path(), &[]);
        let is = |kind| Some(Sight::Is(kind));
        for (path, expected) in [
            ("/opt/tool", is(FileKind::Elf)),
            ("/opt/other", is(FileKind::Elf)),
            ("/opt/script", is(FileKind::Script)),
            ("/opt/text", is(FileKind::Other)),
            ("/opt/empty", is(FileKind::Other)),
            ("/opt/link", is(FileKind::Other)),
            ("/opt/pipe", is(FileKind::Other)),
            ("/opt/sub", is(FileKind::Other)),
            ("/opt/none", Some(Sight::Gone)),
            ("/etc/hosts", Some(Sight::Gone)),
            // Only the engine can say these.
            ("/opt/copied", None),
            ("/moved", None),
            ("/moved/tool", None),
            ("/linked/tool", None),
            ("/opt/tool/x", None),
            ("/opt/../opt/tool", None),
            ("opt/tool", None),
            ("/", None),
        ] {
            assert_eq!(upper.see(path), expected, "{path}");
        }
    }

    #[test]
    fn what_was_removed_is_gone() {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = directory.path().join("run");
        let root = host::directory("/").unwrap();
        // Kernels let everybody make one since 5.8.
        rustix::fs::mknodat(&root, &path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
        let upper = upper(directory.path(), &[]);
        assert_eq!(upper.see("/run"), Some(Sight::Gone));
        assert_eq!(upper.see("/run/notify"), Some(Sight::Gone));
    }

    #[test]
    fn a_mounted_file_is_seen_where_it_comes_from() {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        fs::create_dir(directory.path().join("upper")).unwrap();
        let hosts = directory.path().join("hosts");
        fs::write(&hosts, ELF).unwrap();
        let gone = directory.path().join("gone");
        let mounted = [("/etc/hosts", hosts), ("/etc/hostname", gone)];
        let upper = upper(&directory.path().join("upper"), &mounted);
        assert_eq!(upper.see("/etc/hosts"), Some(Sight::Is(FileKind::Elf)));
        assert_eq!(upper.see("/etc/hostname"), None);
        assert!(
            Upper::at(
                host::directory("/").unwrap(),
                &directory.path().join("hosts"),
                &[]
            )
            .is_none()
        );
    }
}
