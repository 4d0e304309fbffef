use rustix::io::Errno;

/// Why a name leads to no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dead {
    /// The kernel finds none either, and the call fails.
    Absent,
    /// The kernel may find one where we do not.
    OutOfReach,
}

impl From<Errno> for Dead {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => Self::Absent,
            _ => Self::OutOfReach,
        }
    }
}
