//! Sends what a case holds, byte for byte.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::case::{Case, How, Part};
use super::fixtures;

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer without a known end may be silent.
const SILENCE: Duration = Duration::from_millis(700);

/// The requests for a container of our own that runs for a while.
const BOX: &[&str] = &[
    "POST /containers/create?name={box} HTTP/1.1\nContent-Type: application/json\n\n\
     {\"Image\":\"{tiny}\",\"Cmd\":[\"sleep\",\"60\"]}\n",
    "POST /containers/{box}/start HTTP/1.1\n\n",
];

pub struct Client {
    recorder: PathBuf,
    engine: PathBuf,
    values: HashMap<String, String>,
    answers: Vec<String>,
    /// Connections that nobody waits for.
    open: Vec<UnixStream>,
}

impl Client {
    /// A client with a name of its own for what it makes. The engine calls its socket `own`.
    pub fn new(recorder: &Path, engine: &Path, own: &Path, id: &str) -> Self {
        let mut values = HashMap::from([
            ("box".to_owned(), format!("evasion-{id}-box")),
            ("new".to_owned(), format!("evasion-{id}-new")),
            ("other".to_owned(), format!("evasion-{id}-other")),
            // Three of them are more than was once kept of a body, and one is less than a program may be given.
            ("padding".to_owned(), "x".repeat(100 << 10)),
        ]);
        let above = own.parent().unwrap_or(own);
        for (name, path) in [
            ("engine", own),
            ("engine-directory", above),
            ("recorder", recorder),
        ] {
            values.insert(name.to_owned(), path.display().to_string());
        }
        for image in ["tiny", "python", "shell-form", "shell-health"] {
            values.insert(image.to_owned(), fixtures::reference(image));
        }
        Self {
            recorder: recorder.to_owned(),
            engine: engine.to_owned(),
            values,
            answers: Vec::new(),
            open: Vec::new(),
        }
    }

    /// The name of the container that a case is about.
    pub fn subject(&self) -> &str {
        &self.values["new"]
    }

    pub fn transcript(&self) -> String {
        self.answers.join("\n")
    }

    /// Starts a container of our own where the case needs one, or where its verdict could be for want of one that ran, and
    /// then sends the case's parts.
    pub async fn play(&mut self, case: &Case) -> Result<(), String> {
        self.load_images(case).await?;
        let is_named = case.parts.iter().any(|part| part.text.contains("{box}"));
        let own: &[&str] = if is_named || case.verdict != "violated" {
            BOX
        } else {
            &[]
        };
        for text in own {
            let answer = self.exchange(&[(*text).to_owned()], false, usize::MAX).await?;
            if !answer.starts_with("HTTP/1.1 20") {
                return Err(format!("the box was not started: {answer}"));
            }
        }
        let mut parts = case.parts.as_slice();
        while let [first, rest @ ..] = parts {
            if let How::Pause(time) = first.how {
                tokio::time::sleep(Duration::from_millis(time)).await;
                parts = rest;
                continue;
            }
            let behind = rest.iter().take_while(|part| part.how == How::Pipelined).count();
            let (behind, rest) = rest.split_at(behind);
            let texts: Vec<String> = std::iter::once(first)
                .chain(behind)
                .map(|part: &Part| part.text.clone())
                .collect();
            if first.how == How::Open {
                let mut stream = UnixStream::connect(&self.recorder)
                    .await
                    .map_err(|error| error.to_string())?;
                for text in &texts {
                    let bytes = on_the_wire(&self.filled(text));
                    stream
                        .write_all(&bytes)
                        .await
                        .map_err(|error| error.to_string())?;
                }
                self.open.push(stream);
                parts = rest;
                continue;
            }
            // A file may begin with a separator: then its first part is empty.
            if !texts[0].trim().is_empty() {
                self.exchange(&texts, first.how == How::Direct, case.write)
                    .await?;
            }
            parts = rest;
        }
        Ok(())
    }

    /// Removes what was made, on the engine itself.
    pub async fn clean_up(&mut self) {
        for name in ["{box}", "{new}", "{other}", "exec-{new}", "was-{new}"] {
            // Podman would wait ten seconds for a program that does not mind being told to end.
            for request in [
                "POST /containers/{name}/kill",
                "DELETE /containers/{name}?force=1&v=1",
            ] {
                let text = format!("{} HTTP/1.1\n\n", request.replace("{name}", name));
                // What does not exist need not go.
                let _ = self.exchange(&[text], true, usize::MAX).await;
            }
        }
        let volume = "DELETE /volumes/{new} HTTP/1.1\n\n".to_owned();
        let _ = self.exchange(&[volume], true, usize::MAX).await;
    }

    async fn load_images(&mut self, case: &Case) -> Result<(), String> {
        let is_used = |image: &str| {
            case.parts
                .iter()
                .any(|part| part.text.contains(&format!("{{{image}}}")))
        };
        for image in ["tiny", "python", "shell-form", "shell-health"] {
            if image != "tiny" && !is_used(image) {
                continue;
            }
            let asked = format!("GET /images/{{{image}}}/json HTTP/1.1\n\n");
            if self.exchange(&[asked], true, usize::MAX).await?.contains(" 200 ") {
                continue;
            }
            let tar = std::fs::read(fixtures::directory().join(format!("{image}.tar")))
                .map_err(|error| error.to_string())?;
            let path = "/images/load";
            let answer = shellproof_wire::http::send(
                &self.engine,
                "POST".parse().map_err(|_| "a method")?,
                path,
                Some("application/x-tar"),
                shellproof_wire::http::full(tar),
            );
            let answer = answer.await.map_err(|error| error.to_string())?;
            if !answer.status().is_success() {
                return Err(format!("`{image}` was not loaded: {}", answer.status()));
            }
            // Loaded when the answer has ended.
            for _ in 0..100 {
                let asked = format!("GET /images/{{{image}}}/json HTTP/1.1\n\n");
                if self.exchange(&[asked], true, usize::MAX).await?.contains(" 200 ") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// Sends requests on one connection and gives what comes back.
    async fn exchange(&mut self, texts: &[String], direct: bool, write: usize) -> Result<String, String> {
        let socket = if direct { &self.engine } else { &self.recorder };
        let mut stream = UnixStream::connect(socket)
            .await
            .map_err(|error| error.to_string())?;
        let bytes: Vec<u8> = texts
            .iter()
            .flat_map(|text| on_the_wire(&self.filled(text)))
            .collect();
        for part in bytes.chunks(write) {
            // The recorder may have closed on what came before.
            if stream.write_all(part).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let patience = if answer.is_empty() || !is_unframed(&answer) {
                PATIENCE
            } else {
                SILENCE
            };
            let patience = if texts.len() > 1 && !answer.is_empty() {
                SILENCE
            } else {
                patience
            };
            match tokio::time::timeout(patience, stream.read(&mut buffer)).await {
                Ok(Ok(read @ 1..)) => answer.extend_from_slice(&buffer[..read]),
                _ => break,
            }
            if texts.len() == 1 && is_whole(&answer) {
                break;
            }
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if let Some(id) = made(&answer) {
            self.values.insert("short".into(), id.chars().take(12).collect());
            self.values.insert("made".into(), id);
        }
        self.answers.push(answer.chars().take(600).collect());
        Ok(answer)
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

/// A part's text as bytes: lines of the head end in CR LF, and a body without a length gets one.
fn on_the_wire(text: &str) -> Vec<u8> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let is_chunked = head.contains("Transfer-Encoding");
    let body = if is_chunked {
        body.replace('\n', "\r\n")
    } else {
        body.trim_end_matches('\n').to_owned()
    };
    let mut wire = head.trim_end_matches('\n').replace('\n', "\r\n");
    wire.push_str("\r\nHost: engine\r\n");
    if !is_chunked && !head.contains("Content-Length") && !body.is_empty() {
        wire.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    wire.push_str("\r\n");
    wire.push_str(&body);
    wire.into_bytes()
}

fn split(answer: &[u8]) -> Option<(String, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    Some((head, &answer[end + 4..]))
}

fn is_unframed(answer: &[u8]) -> bool {
    split(answer)
        .is_some_and(|(head, _)| !head.contains("content-length:") && !head.contains("transfer-encoding:"))
}

fn is_whole(answer: &[u8]) -> bool {
    let Some((head, body)) = split(answer) else {
        return false;
    };
    if head.contains(" 204 ") || head.contains(" 304 ") {
        return true;
    }
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    length
        .and_then(|length| length.trim().parse().ok())
        .is_some_and(|length: usize| body.len() >= length)
}

fn made(answer: &str) -> Option<String> {
    let begin = answer.find("{\"Id\"")?;
    let mut values = serde_json::Deserializer::from_str(&answer[begin..]).into_iter::<Value>();
    let value = values.next()?.ok()?;
    // An inspect has an id too, and made nothing.
    if value.get("Name").is_some() || value.get("Created").is_some() {
        return None;
    }
    value["Id"].as_str().map(str::to_owned)
}
