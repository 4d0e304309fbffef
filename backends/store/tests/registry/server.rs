//! A registry of one's own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::manifest::{OciImageIndex, OciManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use crate::build::Image;

/// What this needs.
pub const PROGRAMS: [&str; 2] = ["docker-registry", "openssl"];
pub const USER: &str = "somebody";
pub const PASSWORD: &str = "s3cret pass";
/// The same as `htpasswd` has it; nobody else has that password.
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuu1qdcFaS0PtqFUPzaCxLQ8/0lspH0ZEW";
/// How long the server may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|place| place.join(program))
        .find(|file| file.is_file())
}

/// Which doors a registry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// TLS, and a password.
    Locked,
    /// Neither.
    Open,
}

/// A registry, which ends with its value.
pub struct Server {
    directory: tempfile::TempDir,
    process: Child,
    port: u16,
    door: Door,
}

fn openssl(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("openssl");
    let output = command
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("openssl starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Server {
    pub fn start(door: Door) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = directory.path();
        let mut config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n",
            at.join("data").display()
        );
        let port = free_port();
        config += &format!("http:\n  addr: 127.0.0.1:{port}\n");
        if door == Door::Locked {
            let key = [
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ];
            let ca = [
                "req",
                "-x509",
                "-keyout",
                "ca.key",
                "-out",
                "ca.crt",
                "-subj",
                "/CN=private",
                "-days",
                "2",
            ];
            openssl(at, &[&ca[..], &key[..]].concat());
            let request = [
                "req",
                "-keyout",
                "key",
                "-out",
                "request",
                "-subj",
                "/CN=registry",
            ];
            openssl(at, &[&request[..], &key[..]].concat());
            fs::write(
                at.join("names"),
                "subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1",
            )
            .expect("a file");
            let sign = [
                "x509",
                "-req",
                "-in",
                "request",
                "-CA",
                "ca.crt",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
            ];
            openssl(
                at,
                &[&sign[..], &["-out", "crt", "-days", "2", "-extfile", "names"]].concat(),
            );
            fs::write(at.join("htpasswd"), format!("{USER}:{HASH}\n")).expect("a file");
            let file = |name: &str| at.join(name).display().to_string();
            config += &format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                file("crt"),
                file("key")
            );
            config += &format!(
                "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
                file("htpasswd")
            );
        }
        fs::write(at.join("config.yml"), config).expect("a file");
        let log = fs::File::create(at.join("log")).expect("a file");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(at.join("config.yml"))
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("the registry starts");
        let server = Self {
            directory,
            process,
            port,
            door,
        };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(server.directory.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As references name it.
    pub fn name(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    /// The file in which it keeps a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hash = digest.trim_start_matches("sha256:");
        let blobs = self.directory.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hash[..2]).join(hash).join("data")
    }

    /// Puts an image there, by the client's other half. Gives the digest of its manifest.
    pub fn push(&self, name: &str, image: &Image) -> String {
        let files = image.layout();
        self.put(name, move |client, reference| {
            Box::pin(async move {
                let mut descriptors = Vec::new();
                for (file, content) in &files {
                    if let Some(hash) = file.strip_prefix("blobs/sha256/") {
                        let digest = format!("sha256:{hash}");
                        client
                            .push_blob(reference, content.clone(), &digest)
                            .await
                            .expect("a blob");
                        descriptors.push((digest, content.clone()));
                    }
                }
                // The manifest comes last in a layout.
                let (digest, manifest) = descriptors.pop().expect("a manifest");
                let media = "application/vnd.oci.image.manifest.v1+json"
                    .parse()
                    .expect("a type");
                client
                    .push_manifest_raw(reference, manifest, media)
                    .await
                    .expect("a manifest");
                digest
            })
        })
    }

    /// Puts an index there, of this machine's image and of another machine's that is nowhere.
    pub fn push_index(&self, name: &str, manifest: &str) -> String {
        let entry = |digest: &str, architecture: &str| {
            serde_json::json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 100,
                "platform": { "architecture": architecture, "os": "linux" } })
        };
        let here = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        let index = serde_json::json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry(manifest, here), entry(manifest, "s390x")] });
        let index: OciImageIndex = serde_json::from_value(index).expect("an index");
        self.put(name, |client, reference| {
            Box::pin(async move {
                let manifest = OciManifest::ImageIndex(index);
                client
                    .push_manifest(reference, &manifest)
                    .await
                    .expect("an index")
            })
        })
    }

    fn put<T>(
        &self,
        name: &str,
        work: impl for<'a> FnOnce(&'a Client, &'a Reference) -> std::pin::Pin<Box<dyn Future<Output = T> + 'a>>,
    ) -> T {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (protocol, auth, roots) = match self.door {
            Door::Open => (ClientProtocol::Http, RegistryAuth::Anonymous, Vec::new()),
            Door::Locked => {
                let data = fs::read(self.authority()).expect("a certificate");
                let auth = RegistryAuth::Basic(USER.into(), PASSWORD.into());
                (
                    ClientProtocol::Https,
                    auth,
                    vec![Certificate {
                        encoding: CertificateEncoding::Pem,
                        data,
                    }],
                )
            }
        };
        let config = ClientConfig {
            protocol,
            extra_root_certificates: roots,
            ..ClientConfig::default()
        };
        let reference: Reference = format!("{}/{name}", self.name()).parse().expect("a reference");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let client = Client::new(config);
            client
                .auth(&reference, &auth, oci_client::RegistryOperation::Push)
                .await
                .expect("a way in");
            work(&client, &reference).await
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
