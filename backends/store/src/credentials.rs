//! Registry credentials, where Podman and Docker keep them.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use shellproof_api::{Credentials, ImageReference};

/// Docker's hub, as `docker login` writes it into its file.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The credentials for an image's registry, from the first file that has some, credential helpers included.
/// `None` when there are none.
///
/// # Errors
/// A file cannot be used, or a helper failed: which, and why.
pub fn for_image(reference: &ImageReference) -> Result<Option<Credentials>, String> {
    from_files(
        &files(|name| std::env::var_os(name).map(PathBuf::from)),
        reference,
    )
}

/// The files, in the order in which Podman and then Docker would look.
fn files(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let home = variable("HOME");
    let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let podman = match variable("REGISTRY_AUTH_FILE") {
        Some(file) => vec![Some(file)],
        None => vec![
            variable("XDG_RUNTIME_DIR").map(|directory| directory.join("containers/auth.json")),
            variable("XDG_CONFIG_HOME")
                .map(|directory| directory.join("containers/auth.json"))
                .or_else(|| below_home(".config/containers/auth.json")),
        ],
    };
    let docker = match variable("DOCKER_CONFIG") {
        Some(directory) => Some(directory.join("config.json")),
        None => below_home(".docker/config.json"),
    };
    podman.into_iter().chain([docker]).flatten().collect()
}

fn from_files(files: &[PathBuf], reference: &ImageReference) -> Result<Option<Credentials>, String> {
    for file in files {
        for key in keys(reference) {
            let reader = match File::open(file) {
                Ok(reader) => BufReader::new(reader),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(format!("`{}`: {error}", file.display())),
            };
            let (username, secret) = match get_credential_from_reader(reader, &key) {
                Ok(DockerCredential::UsernamePassword(username, password)) => (username, password),
                Ok(DockerCredential::IdentityToken(token)) => (String::new(), token),
                Err(CredentialRetrievalError::NoCredentialConfigured) => continue,
                // The words of every helper that follows Docker's protocol.
                Err(CredentialRetrievalError::HelperFailure { stdout, .. })
                    if stdout.contains("credentials not found") =>
                {
                    continue;
                }
                Err(error) => return Err(format!("`{}`: {error}", file.display())),
            };
            return Ok(Some(Credentials {
                registry: registry(reference).to_owned(),
                username,
                secret,
            }));
        }
    }
    Ok(None)
}

/// The keys under which a reference's credentials may stand: Podman knows them per path, the longest first.
fn keys(reference: &ImageReference) -> Vec<String> {
    let name = reference.canonical_name();
    let mut keys = vec![name.clone()];
    keys.extend(name.rmatch_indices('/').map(|(end, _)| name[..end].to_owned()));
    if registry(reference) == DOCKER_HUB {
        keys.push(DOCKER_HUB.to_owned());
    }
    keys
}

/// The registry, as a request that carries credentials names it.
pub(crate) fn registry(reference: &ImageReference) -> &str {
    match reference.canonical_registry() {
        "docker.io" => DOCKER_HUB,
        registry => registry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `user:secret` in base 64.
    const AUTH: &str = "dXNlcjpzZWNyZXQ=";

    fn found(name: &str, content: &str, reference: &str) -> Result<Option<Credentials>, String> {
        let file = std::env::temp_dir().join(format!("shellproof-auth-{}-{name}.json", std::process::id()));
        std::fs::write(&file, content).unwrap();
        let missing = file.with_extension("missing");
        let result = from_files(&[missing, file.clone()], &reference.parse().unwrap());
        std::fs::remove_file(file).unwrap();
        result
    }

    #[test]
    fn keys_go_from_the_repository_to_the_registry() {
        let keys = |text: &str| keys(&text.parse().unwrap());
        let hub = [
            "docker.io/library/python",
            "docker.io/library",
            "docker.io",
            DOCKER_HUB,
        ];
        for text in [
            "python:3.11",
            "docker.io/python",
            "index.docker.io/library/python",
        ] {
            assert_eq!(keys(text), hub, "{text}");
        }
        let port = ["[::1]:8443/a/b", "[::1]:8443/a", "[::1]:8443"];
        assert_eq!(keys("[::1]:8443/a/b:1"), port);
        assert_eq!(registry(&"reg.corp:8443/a/b:1".parse().unwrap()), "reg.corp:8443");
    }

    #[test]
    fn credentials_are_found_per_registry_and_per_path() {
        let content = format!(r#"{{"auths":{{"reg.example:8443":{{"auth":"{AUTH}"}}}}}}"#);
        let credentials = found("registry", &content, "reg.example:8443/a/b:1")
            .unwrap()
            .unwrap();
        assert_eq!(
            (credentials.username.as_str(), credentials.secret.as_str()),
            ("user", "secret")
        );
        assert_eq!(credentials.registry, "reg.example:8443");
        assert!(!format!("{credentials:?}").contains("secret"));
        assert_eq!(found("other", &content, "other.example/a:1"), Ok(None));
        let content = format!(r#"{{"auths":{{"reg.example/a":{{"auth":"{AUTH}"}}}}}}"#);
        assert!(found("path", &content, "reg.example/a/b:1").unwrap().is_some());
        assert_eq!(found("path-other", &content, "reg.example/b/a:1"), Ok(None));
        let content = format!(r#"{{"auths":{{"docker.io":{{"auth":"{AUTH}"}}}}}}"#);
        let hub = found("hub", &content, "python:3.11").unwrap().unwrap();
        assert_eq!(hub.registry, DOCKER_HUB);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let error = found("malformed", "{", "reg.example/a:1").unwrap_err();
        assert!(
            error.contains("-malformed.json`: Unable to read config"),
            "{error}"
        );
        let helper = r#"{"credsStore":"shellproof-has-no-such-helper"}"#;
        let error = found("helper", helper, "reg.example/a:1").unwrap_err();
        assert!(error.contains("-helper.json`: "), "{error}");
    }

    #[test]
    fn files_are_looked_for_where_podman_and_docker_do() {
        let environment = |pairs: &'static [(&str, &str)]| {
            let files = files(move |name| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.into())
            });
            files
                .iter()
                .map(|file| file.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            environment(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/r")]),
            [
                "/r/containers/auth.json",
                "/h/.config/containers/auth.json",
                "/h/.docker/config.json"
            ]
        );
        assert_eq!(
            environment(&[("REGISTRY_AUTH_FILE", "/a"), ("DOCKER_CONFIG", "/d")]),
            ["/a", "/d/config.json"]
        );
    }
}
