//! The image witness on one engine: what its images are and contain, each read once, beside whatever runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use shellproof_api::Runtime;
use shellproof_api::facts::{Fact, Gap, ImageContent, Start, What, Witness};
use tokio::sync::Semaphore;

use crate::saved_image::{self, Unread};

/// Far longer than any image takes.
const PATIENCE: Duration = Duration::from_secs(600);
/// Before an engine is asked once more.
const PAUSE: Duration = Duration::from_millis(500);

/// What an image is and contains, or why nobody knows.
type Content = Result<Arc<ImageContent>, String>;
type Reading = Shared<BoxFuture<'static, Content>>;

/// The images of one engine, by their ids.
pub(crate) struct Contents {
    runtime: Arc<dyn Runtime>,
    readings: Mutex<HashMap<String, Reading>>,
    turns: Arc<Semaphore>,
}

impl Contents {
    pub(crate) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            runtime,
            readings: Mutex::default(),
            turns: Arc::new(Semaphore::new(at_once())),
        }
    }

    /// Begins to read the image of an id, unless somebody has, and goes on whether anybody waits or not.
    pub(crate) fn begin(&self, id: &str) {
        drop(self.reading(id));
    }

    fn reading(&self, id: &str) -> Reading {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || {
            let (runtime, turns, id) = (self.runtime.clone(), self.turns.clone(), id.to_owned());
            let reading = tokio::spawn(async move {
                // Nobody closes it.
                let _turn = turns.acquire().await;
                let read = tokio::time::timeout(PATIENCE, read(&*runtime, &id)).await;
                read.unwrap_or_else(|_| Err(format!("it was not read within {} s", PATIENCE.as_secs())))
            });
            let reading = async move { reading.await.unwrap_or_else(|error| Err(error.to_string())) };
            reading.boxed().shared()
        };
        readings.entry(id.to_owned()).or_insert_with(begin).clone()
    }

    /// What is known of an image by now.
    pub(crate) fn by_now(&self, id: &str) -> Option<Content> {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.get(id)?.clone().now_or_never()
    }
}

/// How many images are read at a time: the engine packs each of them meanwhile, and the containers are to run as well.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// An engine may fail for a moment, such as Podman 4 while other images come and go.
async fn read(runtime: &dyn Runtime, id: &str) -> Content {
    let read = match saved_image::read(runtime, id).await {
        Err(Unread::Engine(_)) => {
            tokio::time::sleep(PAUSE).await;
            saved_image::read(runtime, id).await
        }
        read => read,
    };
    read.map(Arc::new).map_err(|unread| unread.to_string())
}

/// The starts of containers that an engine was asked for, the first of each image.
fn starts(seen: &[Fact]) -> Vec<(&Fact, &Start)> {
    let mut starts: Vec<(&Fact, &Start)> = Vec::new();
    for fact in seen {
        if let What::Start(start) = &fact.what
            && start.outcome.is_asked()
            && !starts.iter().any(|(_, other)| other.image == start.image)
        {
            starts.push((fact, start));
        }
    }
    starts
}

/// What the images are and contain whose containers were started: all of them, or those that are known by now. What
/// cannot be read is a gap.
pub(crate) async fn facts(contents: &Contents, seen: &[Fact], is_awaited: bool) -> Vec<Fact> {
    let starts = starts(seen);
    let ids = starts.iter().filter_map(|(_, start)| start.image.as_deref());
    ids.for_each(|id| contents.begin(id));
    let mut facts = Vec::new();
    for (fact, start) in starts {
        let content = match (&start.image, is_awaited) {
            (None, _) => Err("its engine does not say which it is".to_owned()),
            (Some(id), true) => contents.reading(id).await,
            (Some(id), false) => contents
                .by_now(id)
                .unwrap_or_else(|| Err("nobody waited for it to be read".to_owned())),
        };
        let id = start.image.clone().unwrap_or_default();
        let name = match start.image_name.as_str() {
            "" => &id,
            name => name,
        };
        let what = match content {
            Ok(content) => What::Image {
                id: id.clone(),
                content,
            },
            Err(why) => What::Unseen {
                gap: Gap::Image,
                why: format!(
                    "the image of `{}` could not be read: {why}",
                    fact.name().unwrap_or_default()
                ),
                help: None,
            },
        };
        facts.push(Fact::new(Witness::Image, format!("`{name}`"), what));
    }
    facts
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
