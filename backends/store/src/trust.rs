//! Certificates of authorities beyond those that the machine trusts, where Podman and Docker keep them.

use std::fs;
use std::io;
use std::path::PathBuf;

use oci_client::client::{Certificate, CertificateEncoding};

/// The certificates for one registry, given as `HOST` or `HOST:PORT`.
///
/// # Errors
/// Which file cannot be read, and why.
pub(crate) fn certificates(registry: &str) -> Result<Vec<Certificate>, String> {
    from(&places(registry, |name| {
        std::env::var_os(name).map(PathBuf::from)
    }))
}

fn places(registry: &str, variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let config = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let users = config.map(|config| config.join("containers/certs.d"));
    let machines = ["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from);
    users
        .into_iter()
        .chain(machines)
        .map(|place| place.join(registry))
        .collect()
}

fn from(places: &[PathBuf]) -> Result<Vec<Certificate>, String> {
    let mut found = Vec::new();
    for place in places {
        let wrong = |path: &std::path::Path, error: io::Error| format!("`{}`: {error}", path.display());
        let entries = match fs::read_dir(place) {
            Ok(entries) => entries,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                continue;
            }
            Err(error) => return Err(wrong(place, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| wrong(place, error))?.path();
            if path.extension().is_some_and(|extension| extension == "crt") {
                let data = fs::read(&path).map_err(|error| wrong(&path, error))?;
                // One file may hold several; the client takes one each.
                found.extend(pems(&data).map(|data| Certificate {
                    encoding: CertificateEncoding::Pem,
                    data,
                }));
            }
        }
    }
    Ok(found)
}

const END: &[u8] = b"-----END CERTIFICATE-----";

fn pems(data: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let end = rest.windows(END.len()).position(|part| part == END)? + END.len();
        let one = rest[..end].to_vec();
        rest = &rest[end..];
        Some(one)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_found_by_registry() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_owned();
        let all = places("reg.example:5000", |name| (name == "HOME").then(|| home.clone()));
        assert_eq!(all[0], home.join(".config/containers/certs.d/reg.example:5000"));
        fs::create_dir_all(&all[0]).unwrap();
        let one = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        fs::write(all[0].join("ca.crt"), one.repeat(2)).unwrap();
        fs::write(all[0].join("client.key"), "x").unwrap();
        assert_eq!(from(&all[..1]).unwrap().len(), 2);
        assert!(from(&[home.join("none")]).unwrap().is_empty());
    }
}
