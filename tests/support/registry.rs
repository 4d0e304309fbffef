//! A registry that has one image, over plain HTTP.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// Serves the files of an OCI layout as `localhost:PORT/image:1`, until the program ends; gives the port.
pub fn serve(layout: Vec<(String, Vec<u8>)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let files: Arc<HashMap<_, _>> = Arc::new(layout.into_iter().collect());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let files = files.clone();
            // Who tries TLS first is cut off.
            thread::spawn(move || answer(stream, &files));
        }
    });
    port
}

fn answer(mut stream: TcpStream, files: &HashMap<String, Vec<u8>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = first.split(' ').nth(1).unwrap_or_default();
    let blob = |digest: &str| files.get(&format!("blobs/sha256/{}", digest.trim_start_matches("sha256:")));
    let name = path.strip_prefix("/v2/image/");
    let body = match name.and_then(|name| name.split_once('/')) {
        Some(("manifests", "1")) => files.get("index.json"),
        Some(("manifests" | "blobs", digest)) => blob(digest),
        _ => None,
    };
    let status = if body.is_some() || path == "/v2/" {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let body = body.map_or(&b"{}"[..], |body| body);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

/// Says in a user's home that a registry of this port has no TLS.
pub fn allow(home: &Path, port: u16) {
    let config = home.join(".config/containers");
    std::fs::create_dir_all(&config).expect("a directory");
    let text = format!("[[registry]]\nlocation = \"localhost:{port}\"\ninsecure = true\n");
    std::fs::write(config.join("registries.conf"), text).expect("a file");
}
