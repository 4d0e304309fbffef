//! An image that the store has.

use std::time::Duration;

use shellproof_api::{HealthCheck, HealthTest, ImageConfig, Labels};
use shellproof_image::{
    Check, Configuration, Descriptor, ImageContent, Layers, Looked, Sign, Source, WantedFiles, Way,
};

use crate::error::{Error, Result};
use crate::place::{Held, Store};

/// An image of the store. As long as it lives, nobody removes what it needs.
#[derive(Debug)]
pub struct Image {
    pub(crate) store: Store,
    pub(crate) layers: Vec<Layer>,
    config: ImageConfig,
    settings: Settings,
    names: Vec<String>,
    manifest: String,
    _held: Held,
}

/// A layer as it is stored, and what it is when it is unpacked.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) stored: Descriptor,
    /// The hash of the archive in it: `sha256:…`
    pub(crate) diff_id: String,
}

/// What a container gets that [`ImageConfig`] has no place for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `WORKDIR`, empty for `/`.
    pub directory: String,
    /// `VOLUME`: paths.
    pub volumes: Vec<String>,
    /// `STOPSIGNAL`, by name or number; empty for `SIGTERM`.
    pub stop_signal: String,
    /// The architecture that it was built for, such as `amd64`; empty where it does not say.
    pub architecture: String,
}

impl Store {
    /// The image that a reference or an id means, if the store has it.
    ///
    /// # Errors
    /// The store is damaged, or the machine failed.
    pub fn image(&self, name: &str) -> Result<Option<Image>> {
        let held = self.hold()?;
        let Some(entry) = self.entry(name)? else {
            return Ok(None);
        };
        let manifest = self.document(entry.manifest())?;
        let Sign::Image {
            configuration,
            layers,
        } = Way::default().follow(entry.manifest(), &manifest)?
        else {
            return Err(Error::Missing(name.to_owned()));
        };
        let bytes = self.document(configuration.digest())?;
        let whole = Configuration::read(&bytes)?;
        let diff_ids = whole.diff_ids()?;
        if diff_ids.len() != layers.len() {
            return Err(Error::Image(shellproof_image::Error::Malformed(format!(
                "the image's configuration names {} layers, its manifest {}",
                diff_ids.len(),
                layers.len()
            ))));
        }
        let names = self.entries()?.into_iter();
        let names = names.filter(|one| one.id() == entry.id());
        let size = layers.iter().map(Descriptor::size).sum::<u64>() + bytes.len() as u64;
        let layer = |(stored, diff_id)| Layer { stored, diff_id };
        Ok(Some(Image {
            store: self.clone(),
            layers: layers.into_iter().zip(diff_ids).map(layer).collect(),
            settings: settings(&whole),
            config: ImageConfig {
                id: entry.id().to_owned(),
                digest: entry.given_digest().map(str::to_owned),
                size,
                ..config(whole)
            },
            manifest: entry.manifest().to_owned(),
            names: names.filter_map(|one| one.name().map(str::to_owned)).collect(),
            _held: held,
        }))
    }
}

impl Image {
    /// What it says of itself.
    pub fn config(&self) -> &ImageConfig {
        &self.config
    }

    /// What it is and contains, as the image witness reads it. Nothing is unpacked for that.
    ///
    /// # Errors
    /// A blob is not what it has to be, or is larger than what is read.
    pub fn content(&self) -> Result<ImageContent> {
        Ok(shellproof_image::read(&self.source())?)
    }

    /// The same with files of it. Layers that are known already are not read.
    ///
    /// # Errors
    /// As [`Self::content`].
    pub fn look(&self, wanted: &WantedFiles, known: &Layers) -> Result<Looked> {
        Ok(shellproof_image::look(&self.source(), wanted, known)?)
    }

    fn source(&self) -> Source {
        Source::layout(self.store.directory.clone(), Some(self.manifest.clone()))
    }

    /// What else it says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its id: `sha256:` and the hash of its configuration.
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// Its names, in full.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn settings(whole: &Configuration) -> Settings {
    let defaults = whole.config.clone().unwrap_or_default();
    Settings {
        directory: defaults.working_dir.unwrap_or_default(),
        volumes: defaults.volumes.unwrap_or_default().into_keys().collect(),
        stop_signal: defaults.stop_signal.unwrap_or_default(),
        architecture: whole.architecture.clone().unwrap_or_default(),
    }
}

fn config(whole: Configuration) -> ImageConfig {
    let defaults = whole.config.unwrap_or_default();
    ImageConfig {
        entrypoint: defaults.entrypoint.unwrap_or_default(),
        command: defaults.cmd.unwrap_or_default(),
        env: defaults.env.unwrap_or_default(),
        user: defaults.user.unwrap_or_default(),
        labels: defaults
            .labels
            .unwrap_or_default()
            .into_iter()
            .collect::<Labels>(),
        health_check: defaults.healthcheck.and_then(health_check),
        ..ImageConfig::default()
    }
}

fn health_check(check: Check) -> Option<HealthCheck> {
    let time = |nanoseconds: Option<i64>| {
        let positive = nanoseconds.and_then(|time| u64::try_from(time).ok());
        positive.filter(|time| *time > 0).map(Duration::from_nanos)
    };
    Some(HealthCheck {
        test: HealthTest::from_api(&check.test.unwrap_or_default())?,
        interval: time(check.interval),
        timeout: time(check.timeout),
        start_period: time(check.start_period),
        retries: check
            .retries
            .and_then(|retries| u32::try_from(retries).ok())
            .filter(|retries| *retries > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_what_a_container_gets() {
        let text = br#"{"architecture":"amd64","rootfs":{"diff_ids":[]},"config":{"Entrypoint":["/s"],"Cmd":null,
            "Env":["A=b"],"User":"5:6","WorkingDir":"/w","Volumes":{"/v":{}},"StopSignal":"SIGINT","Labels":{"l":"1"},
            "Healthcheck":{"Test":["CMD","/h"],"Interval":2000000000,"Retries":0}}}"#;
        let whole = Configuration::read(text).unwrap();
        let expected = Settings {
            directory: "/w".into(),
            volumes: vec!["/v".into()],
            stop_signal: "SIGINT".into(),
            architecture: "amd64".into(),
        };
        assert_eq!(settings(&whole), expected);
        let config = config(whole);
        assert_eq!(
            (config.entrypoint, config.command),
            (vec!["/s".to_owned()], vec![])
        );
        assert_eq!((config.user.as_str(), config.labels["l"].as_str()), ("5:6", "1"));
        let check = config.health_check.unwrap();
        assert_eq!(check.test, HealthTest::Command(vec!["/h".into()]));
        assert_eq!(
            (check.interval, check.retries),
            (Some(Duration::from_secs(2)), None)
        );
    }

    #[test]
    fn a_configuration_of_nothing_is_one() {
        let empty = Configuration::read(b"{}").unwrap();
        assert_eq!(config(empty.clone()), ImageConfig::default());
        assert_eq!(settings(&empty), Settings::default());
        assert!(empty.diff_ids().unwrap().is_empty());
        let wrong = Configuration::read(br#"{"rootfs":{"diff_ids":["sha256:../x"]}}"#).unwrap();
        assert!(wrong.diff_ids().is_err());
    }
}
