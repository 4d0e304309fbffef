//! Images from registries.

use std::sync::Mutex;
use std::sync::Once;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use shellproof_api::{Credentials, ErrorKind, ImageReference, PullProgress};
use shellproof_image::{Descriptor, Sign, Way, digest_of};

use crate::credentials;
use crate::error::{Error, Result};
use crate::import::Imported;
use crate::index::{New, canonical};
use crate::place::Store;
use crate::registries::{Endpoint, Registries};
use crate::trust;

/// How many blobs are on their way at once.
const AT_ONCE: usize = 3;
/// How long a registry may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// How often progress is told, at most.
const TOLD: Duration = Duration::from_millis(200);
/// The longest configuration, in bytes.
const CONFIGURATION: u64 = 4 << 20;
/// What a manifest or an index is called.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Why one registry did not give an image.
#[derive(Debug)]
pub(crate) enum Failure {
    Registry { kind: ErrorKind, message: String },
    Store(Error),
}

impl Failure {
    /// The way broke.
    pub(crate) fn broken(message: String) -> Self {
        Self::Registry {
            kind: ErrorKind::Unreachable,
            message,
        }
    }

    /// What came is not what it has to be.
    pub(crate) fn wrong(message: String) -> Self {
        Self::Registry {
            kind: ErrorKind::Invalid,
            message,
        }
    }

    /// Whether another attempt may go well.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Registry {
                kind: ErrorKind::Unreachable,
                ..
            }
        )
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// An error with all that is behind it: the client's own words leave the cause out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = error.source();
    }
    text
}

/// What a registry said, or why it said nothing.
pub(crate) fn refused(error: OciDistributionError) -> Failure {
    use OciErrorCode as Code;
    let kind = match &error {
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
            ErrorKind::Denied
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            match envelope.errors.first().map(|error| &error.code) {
                Some(Code::Denied | Code::Unauthorized) => ErrorKind::Denied,
                Some(Code::ManifestUnknown | Code::NameUnknown | Code::BlobUnknown | Code::NotFound) => {
                    ErrorKind::ImageMissing
                }
                Some(Code::Toomanyrequests) => ErrorKind::Unreachable,
                _ => ErrorKind::Other,
            }
        }
        OciDistributionError::ImageManifestNotFoundError(_) => ErrorKind::ImageMissing,
        OciDistributionError::ServerError { code: 404, .. } => ErrorKind::ImageMissing,
        OciDistributionError::ServerError { code: 401 | 403, .. } => ErrorKind::Denied,
        OciDistributionError::ServerError {
            code: 429 | 500.., ..
        }
        | OciDistributionError::RequestError(_)
        | OciDistributionError::IoError(_) => ErrorKind::Unreachable,
        OciDistributionError::DigestError(_) => ErrorKind::Invalid,
        _ => ErrorKind::Other,
    };
    Failure::Registry {
        kind,
        message: chain(&error),
    }
}

/// How much of an image has come, told now and then.
pub(crate) struct Meter<'a> {
    tell: &'a (dyn Fn(PullProgress) + Send + Sync),
    total: u64,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    told: Option<Instant>,
    /// What is there.
    current: u64,
    /// What came now.
    received: u64,
}

impl<'a> Meter<'a> {
    fn new(tell: &'a (dyn Fn(PullProgress) + Send + Sync), total: u64) -> Self {
        let state = State {
            began: Instant::now(),
            told: None,
            current: 0,
            received: 0,
        };
        Self {
            tell,
            total,
            state: Mutex::new(state),
        }
    }

    /// So many bytes more.
    pub(crate) fn add(&self, bytes: u64) {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.current += bytes;
        state.received += bytes;
        let is_whole = state.current >= self.total;
        if !is_whole && state.told.is_some_and(|told| told.elapsed() < TOLD) {
            return;
        }
        state.told = Some(Instant::now());
        let rate = state.received as f64 / state.began.elapsed().as_secs_f64().max(0.001) / 1e6;
        let (current, total) = (Some(state.current), Some(self.total));
        drop(state);
        (self.tell)(PullProgress {
            status: format!("Downloading, {rate:.1} MB/s"),
            current,
            total,
        });
    }

    /// So many bytes less: they come again.
    pub(crate) fn take(&self, bytes: u64) {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.current = state.current.saturating_sub(bytes);
    }
}

impl Store {
    /// Takes an image from its registry, or from one of the mirrors that `registries.conf` names, and keeps it under the name
    /// that was found. What the store has already is not asked for again, and what broke off is taken up where it ended, also
    /// by another process. `given` is for the registry that it names; for others the user's own files are asked.
    ///
    /// # Errors
    /// [`Error::Registry`] with the reason of each that was tried; [`Error::Image`] where what came is no image.
    pub async fn pull(
        &self,
        reference: &ImageReference,
        given: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<Imported> {
        let _held = self.hold()?;
        let registries = Registries::of_user().map_err(|reason| wrong(reference, reason))?;
        let mut failures = Vec::new();
        for name in registries
            .full_names(reference)
            .map_err(|reason| wrong(reference, reason))?
        {
            for endpoint in registries
                .endpoints(&name)
                .map_err(|reason| wrong(reference, reason))?
            {
                match self.pull_from(&name, &endpoint, given, progress).await {
                    Ok(imported) => return Ok(imported),
                    Err(Failure::Store(error)) => return Err(error),
                    Err(Failure::Registry { kind, message }) => {
                        failures.push((endpoint.reference, kind, message))
                    }
                }
            }
        }
        // The last one is the registry itself, after its mirrors.
        let kind = failures.last().map_or(ErrorKind::Other, |failure| failure.1);
        let said: Vec<_> = failures
            .iter()
            .map(|(asked, _, message)| {
                format!(
                    "registry `{}`, asked for `{asked}`: {message}",
                    asked.canonical_registry()
                )
            })
            .collect();
        Err(Error::Registry {
            reference: reference.to_string(),
            kind,
            message: said.join("\n"),
        })
    }

    async fn pull_from(
        &self,
        name: &ImageReference,
        endpoint: &Endpoint,
        given: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> std::result::Result<Imported, Failure> {
        let asked = &endpoint.reference;
        let image: Reference = asked
            .as_str()
            .parse()
            .map_err(|error| Failure::wrong(format!("{error}")))?;
        let auth = auth(asked, given)?;
        let mut client = client(asked, endpoint.is_insecure, false)?;
        let mut authorized = client.auth(&image, &auth, RegistryOperation::Pull).await;
        let mut broken = None;
        if endpoint.is_insecure {
            authorized = match authorized {
                Err(error @ OciDistributionError::RequestError(_)) => {
                    broken = Some(refused(error));
                    client = self::client(asked, true, true)?;
                    client.auth(&image, &auth, RegistryOperation::Pull).await
                }
                authorized => authorized,
            };
        }
        authorized.map_err(refused)?;
        let pulled = self.pull_with(&client, name, (&image, &auth), progress).await;
        match (pulled, broken) {
            // It does not speak plain HTTP: what it said in the first place counts.
            (
                Err(Failure::Registry {
                    kind: ErrorKind::Other,
                    ..
                }),
                Some(broken),
            ) => Err(broken),
            (pulled, _) => pulled,
        }
    }

    async fn pull_with(
        &self,
        client: &Client,
        name: &ImageReference,
        (image, auth): (&Reference, &RegistryAuth),
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> std::result::Result<Imported, Failure> {
        progress(PullProgress {
            status: format!("Pulling from {}", image.resolve_registry()),
            current: None,
            total: None,
        });
        let (manifest, size, configuration, layers) = self.find(client, image, auth).await?;
        let mut blobs: Vec<&Descriptor> = layers.iter().collect();
        // The same layer twice comes once.
        blobs.sort_by_key(|blob| blob.digest());
        blobs.dedup_by_key(|blob| blob.digest());
        let meter = Meter::new(
            progress,
            blobs.iter().map(|blob| blob.size()).sum::<u64>() + configuration.size(),
        );
        self.fetch(client, image, &configuration, &meter).await?;
        // Not by `map`: that future would be no `Send` one.
        let mut fetching = Vec::new();
        for blob in blobs {
            fetching.push(self.fetch(client, image, blob, &meter));
        }
        stream::iter(fetching)
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        let (id, names) = (configuration.digest().to_owned(), vec![canonical(name)]);
        let new = New {
            id: &id,
            manifest: &manifest,
            size,
            given_digest: Some(&manifest),
        };
        self.add(&new, &names)?;
        Ok(Imported { id, names })
    }

    /// Whether so much may come. A manifest that does not say how much could be without end.
    fn check_sizes(
        &self,
        configuration: &Descriptor,
        layers: &[Descriptor],
    ) -> std::result::Result<(), Failure> {
        let all = layers.iter().chain([configuration]);
        if all.clone().any(|blob| blob.size() == 0) {
            return Err(Failure::wrong("the manifest has a blob without its size".into()));
        }
        let sum = all.fold(0_u64, |sum, blob| sum.saturating_add(blob.size()));
        for (what, size, limit) in [
            ("the configuration", configuration.size(), CONFIGURATION),
            ("the image", sum, self.limits.bytes),
        ] {
            if size > limit {
                return Err(Failure::wrong(format!(
                    "{what} has {size} bytes, more than {limit} are not taken"
                )));
            }
        }
        Ok(())
    }

    /// Follows a name to a manifest, and keeps that.
    async fn find(
        &self,
        client: &Client,
        image: &Reference,
        auth: &RegistryAuth,
    ) -> std::result::Result<(String, u64, Descriptor, Vec<Descriptor>), Failure> {
        let mut way = Way::default();
        let mut image = image.clone();
        loop {
            let (bytes, _) = client
                .pull_manifest_raw(&image, auth, &MANIFESTS)
                .await
                .map_err(refused)?;
            let digest = digest_of(&bytes);
            // The client compares too, with whatever algorithm it likes.
            if image
                .digest()
                .is_some_and(|wanted| wanted.starts_with("sha256:") && wanted != digest)
            {
                let wanted = image.digest().unwrap_or_default();
                return Err(Failure::wrong(format!(
                    "a manifest is not what its name says: expected `{wanted}`, found `{digest}`"
                )));
            }
            match way
                .follow(&digest, &bytes)
                .map_err(|error| Failure::wrong(error.to_string()))?
            {
                Sign::Next(next) => image = image.clone_with_digest(next.digest().to_owned()),
                Sign::Image {
                    configuration,
                    layers,
                } => {
                    self.check_sizes(&configuration, &layers)?;
                    self.keep_document(&bytes)?;
                    return Ok((digest, bytes.len() as u64, configuration, layers));
                }
            }
        }
    }
}

fn wrong(reference: &ImageReference, message: String) -> Error {
    Error::Registry {
        reference: reference.to_string(),
        kind: ErrorKind::Invalid,
        message,
    }
}

fn auth(asked: &ImageReference, given: Option<&Credentials>) -> std::result::Result<RegistryAuth, Failure> {
    let found = match given.filter(|given| given.registry == credentials::registry(asked)) {
        Some(given) => Some(given.clone()),
        None => credentials::for_image(asked).map_err(Failure::wrong)?,
    };
    match found {
        None => Ok(RegistryAuth::Anonymous),
        Some(found) if found.username.is_empty() => Err(Failure::Registry {
            kind: ErrorKind::Denied,
            message: format!(
                "the credentials for `{}` are an identity token, which is not taken here\nhelp: log in with a name and a \
                 password or an access token",
                found.registry
            ),
        }),
        Some(found) => Ok(RegistryAuth::Basic(found.username, found.secret)),
    }
}

/// A client for one registry. Proxies are those of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`.
fn client(asked: &ImageReference, is_insecure: bool, is_plain: bool) -> std::result::Result<Client, Failure> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody else's choice is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let config = ClientConfig {
        protocol: if is_plain {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        },
        accept_invalid_certificates: is_insecure,
        extra_root_certificates: trust::certificates(asked.canonical_registry()).map_err(Failure::wrong)?,
        platform_resolver: None,
        connect_timeout: Some(SILENCE),
        read_timeout: Some(SILENCE),
        user_agent: concat!("shellproof/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    Client::try_from(config).map_err(refused)
}
