/// The form in which an image lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A directory with `index.json` and blobs.
    Layout,
    /// The same in an archive.
    OciArchive,
    /// What `docker save` writes, with `manifest.json`.
    DockerArchive,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::Layout, Self::OciArchive, Self::DockerArchive];

    /// What stands before its path.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Layout => "oci:",
            Self::OciArchive => "oci-archive:",
            Self::DockerArchive => "docker-archive:",
        }
    }
}
