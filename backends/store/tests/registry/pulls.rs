//! Pulls, one after the other way.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::User;
use crate::build::{Image, Layer, Packing, SHELL, sha256};
use crate::server::{Door, PASSWORD, Server, USER, free_port};
use crate::wires::{Listening, Wire};

pub const TESTS: &[(&str, fn())] = &[
    (
        "an_image_comes_by_tag_and_by_digest",
        an_image_comes_by_tag_and_by_digest,
    ),
    ("whoever_may_not_is_told_so", whoever_may_not_is_told_so),
    ("a_credential_helper_is_asked", a_credential_helper_is_asked),
    ("an_authority_comes_by_variable", an_authority_comes_by_variable),
    (
        "of_an_index_this_machines_image_comes",
        of_an_index_this_machines_image_comes,
    ),
    ("a_way_that_breaks_is_taken_up", a_way_that_breaks_is_taken_up),
    ("a_way_that_only_breaks_ends", a_way_that_only_breaks_ends),
    (
        "what_a_killed_pull_has_left_is_used",
        what_a_killed_pull_has_left_is_used,
    ),
    ("two_at_once_get_it_once", two_at_once_get_it_once),
    (
        "what_is_not_what_its_digest_says_is_refused",
        what_is_not_what_its_digest_says_is_refused,
    ),
    (
        "mirrors_and_short_names_are_those_of_registries_conf",
        mirrors_and_short_names,
    ),
    (
        "proxies_are_those_of_the_environment",
        proxies_are_those_of_the_environment,
    ),
];

/// As large as a few reads, and not to be packed.
const LARGE: usize = 3 << 20;

fn image() -> Image {
    let mut noise = Vec::with_capacity(LARGE);
    let mut state: u64 = 1;
    while noise.len() < LARGE {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        noise.extend(&state.to_be_bytes()[..4]);
    }
    Image::new(vec![
        Layer::new().file("bin/x", 0o755, SHELL),
        Layer::new().file("noise", 0o644, &noise),
        Layer::new().file("bin/y", 0o755, b"y"),
    ])
    .packed(Packing::Gzip)
}

fn id() -> String {
    format!("sha256:{}", sha256(image().configuration().as_bytes()))
}

fn an_image_comes_by_tag_and_by_digest() {
    let server = Server::start(Door::Locked);
    let digest = server.push("a/b:1", &image());
    let user = User::of(&server, &server.name());
    let name = format!("{}/a/b", server.name());
    let output = user.pull(&format!("{name}:1"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    // How much of how much, and how fast.
    assert!(told.contains("Downloading, ") && told.contains(" MB/s"), "{told}");
    let store = user.store();
    let image = store.image(&format!("{name}:1")).unwrap().unwrap();
    assert_eq!(
        (image.id(), image.config().digest.as_deref()),
        (id().as_str(), Some(digest.as_str()))
    );
    assert_eq!(image.config().entrypoint, ["/app/server"]);
    // As the witness reads it, which compares each digest.
    let content = image.content().unwrap();
    assert_eq!(content.programs.len(), 2);
    assert!(content.programs[0].likeness.is_some());
    assert_eq!(
        fs::read_dir(store.directory().join("downloads")).unwrap().count(),
        0
    );
    drop(image);
    store.clean().unwrap();
    assert_eq!(user.gets(&format!("{name}@{digest}")), id());
    assert_eq!(store.resolve(&format!("{name}@{digest}")).unwrap(), Some(id()));
}

fn whoever_may_not_is_told_so() {
    let server = Server::start(Door::Locked);
    server.push("a:1", &image());
    let name = format!("{}/a:1", server.name());
    let stranger = User::new();
    // It is on this machine, and would need no certificate unless this were said.
    let said = format!("[[registry]]\nlocation = \"{}\"\n", server.name());
    stranger.write(".config/containers/registries.conf", said.as_bytes());
    let error = stranger.fails(&name);
    assert!(
        error.starts_with("Unreachable: ") && error.contains("certificate"),
        "{error}"
    );
    stranger.trusts(&server, &server.name());
    let error = stranger.fails(&name);
    assert!(error.starts_with("Denied: ") && error.contains(&name), "{error}");
    stranger.knows(&server.name(), "wrong");
    let error = stranger.fails(&name);
    assert!(
        error.starts_with("Denied: ") && !error.contains("wrong"),
        "{error}"
    );
    stranger.knows(&server.name(), PASSWORD);
    let error = stranger.fails(&format!("{}/none:1", server.name()));
    assert!(error.starts_with("ImageMissing: "), "{error}");
    let error = stranger.fails(&format!("localhost:{}/a:1", free_port()));
    assert!(error.starts_with("Unreachable: "), "{error}");
    stranger.write(".config/containers/auth.json", b"{");
    let error = stranger.fails(&name);
    assert!(
        error.starts_with("Invalid: ") && error.contains("auth.json"),
        "{error}"
    );
    let token = json!({ "auths": { server.name(): { "auth": "", "identitytoken": "t0ken" } } });
    stranger.write(".config/containers/auth.json", token.to_string().as_bytes());
    let error = stranger.fails(&name);
    assert!(
        error.contains("identity token") && error.contains("help: ") && !error.contains("t0ken"),
        "{error}"
    );
    assert!(stranger.store().images().unwrap().is_empty());
}

fn a_credential_helper_is_asked() {
    let server = Server::start(Door::Locked);
    server.push("a:1", &image());
    let user = User::new();
    user.trusts(&server, &server.name());
    let answer = json!({ "ServerURL": server.name(), "Username": USER, "Secret": PASSWORD });
    let helper = format!("#!/bin/sh\ncat >/dev/null\necho '{answer}'\n");
    let helper = user.write("bin/docker-credential-kept", helper.as_bytes());
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let config = json!({ "credHelpers": { server.name(): "kept" } });
    user.write(".docker/config.json", config.to_string().as_bytes());
    let path = format!("{}:/usr/bin:/bin", helper.parent().unwrap().display());
    let user = user.with("PATH", path);
    assert_eq!(user.gets(&format!("{}/a:1", server.name())), id());
}

fn an_authority_comes_by_variable() {
    let server = Server::start(Door::Locked);
    server.push("a:1", &image());
    let user = User::new().with("SSL_CERT_FILE", server.authority());
    user.knows(&server.name(), PASSWORD);
    assert_eq!(user.gets(&format!("{}/a:1", server.name())), id());
}

fn of_an_index_this_machines_image_comes() {
    let server = Server::start(Door::Locked);
    let manifest = server.push("a:1", &image());
    server.push_index("a:many", &manifest);
    let user = User::of(&server, &server.name());
    assert_eq!(user.gets(&format!("{}/a:many", server.name())), id());
}

fn a_way_that_breaks_is_taken_up() {
    let server = Server::start(Door::Locked);
    server.push("a:1", &image());
    let wire = Listening::wire(server.port(), Wire::Breaks(600 << 10));
    let user = User::of(&server, &wire.name());
    assert_eq!(user.gets(&format!("{}/a:1", wire.name())), id());
    // Not from the start each time: that would never end.
    let sent = wire.bytes();
    assert!(
        sent < 2 * LARGE as u64 && wire.connections() > 4,
        "{sent} {wire:?}"
    );
}

fn a_way_that_only_breaks_ends() {
    let server = Server::start(Door::Locked);
    server.push("a:1", &image());
    let wire = Listening::wire(server.port(), Wire::Breaks(1000));
    let user = User::of(&server, &wire.name());
    let error = user.fails(&format!("{}/a:1", wire.name()));
    assert!(error.starts_with("Unreachable: "), "{error}");
}

fn what_a_killed_pull_has_left_is_used() {
    let server = Server::start(Door::Locked);
    server.push("a:1", &image());
    let wire = Listening::wire(server.port(), Wire::Slow(16 << 10));
    let user = User::of(&server, &wire.name());
    let name = format!("{}/a:1", wire.name());
    let mut child = user.start(&name);
    while wire.bytes() < LARGE as u64 / 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(user.store().images().unwrap().is_empty());
    let before = wire.bytes();
    assert_eq!(user.gets(&name), id());
    let rest = wire.bytes() - before;
    assert!(rest < LARGE as u64 * 3 / 4, "{rest}");
    assert_eq!(
        user.store()
            .image(&name)
            .unwrap()
            .unwrap()
            .content()
            .unwrap()
            .programs
            .len(),
        2
    );
}

fn two_at_once_get_it_once() {
    let server = Server::start(Door::Locked);
    server.push("a:1", &image());
    let wire = Listening::wire(server.port(), Wire::Slow(64 << 10));
    let user = User::of(&server, &wire.name());
    let name = format!("{}/a:1", wire.name());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(user.gets(&name), id()));
        }
    });
    let sent = wire.bytes();
    assert!(sent < LARGE as u64 * 3 / 2, "{sent}");
}

fn what_is_not_what_its_digest_says_is_refused() {
    let server = Server::start(Door::Locked);
    let manifest = server.push("a:1", &image());
    let user = User::of(&server, &server.name());
    let layers: serde_json::Value =
        serde_json::from_slice(&fs::read(server.blob(&manifest)).unwrap()).unwrap();
    let layer = server.blob(layers["layers"][1]["digest"].as_str().unwrap());
    let whole = fs::read(&layer).unwrap();
    let mut other = whole.clone();
    other[LARGE / 2] ^= 1;
    fs::write(&layer, other).unwrap();
    let name = format!("{}/a:1", server.name());
    let error = user.fails(&name);
    assert!(
        error.starts_with("Invalid: ") && error.contains("is not what its name says"),
        "{error}"
    );
    assert!(user.store().images().unwrap().is_empty());
    // Nothing of it stays to be taken up.
    fs::write(&layer, whole).unwrap();
    assert_eq!(user.gets(&name), id());
}

fn mirrors_and_short_names() {
    let (server, mirror) = (Server::start(Door::Locked), Server::start(Door::Open));
    server.push("a:1", &image());
    mirror.push("mirrored/b:1", &image());
    let user = User::of(&server, &server.name());
    let config = format!(
        "unqualified-search-registries = [\"localhost:{}\", \"{}\"]\n[aliases]\n\"tool\" = \"{1}/a\"\n\
         [[registry]]\nprefix = \"registry.test\"\nlocation = \"localhost:{0}/nowhere\"\n\
         [[registry.mirror]]\nlocation = \"localhost:{0}\"\n[[registry.mirror]]\nlocation = \"{}/mirrored\"\ninsecure = true\n",
        free_port(),
        server.name(),
        mirror.name()
    );
    user.write(".config/containers/registries.conf", config.as_bytes());
    let store = user.store();
    // The second that is searched has it, and the alias needs no search.
    for (short, full) in [("a:1", "a:1"), ("tool:1", "a:1")] {
        assert_eq!(user.gets(short), id());
        assert_eq!(
            store.resolve(&format!("{}/{full}", server.name())).unwrap(),
            Some(id())
        );
        store.clean().unwrap();
    }
    // From the second mirror, over plain HTTP; its name is the registry's.
    assert_eq!(user.gets("registry.test/b:1"), id());
    assert_eq!(store.resolve("registry.test/b:1").unwrap(), Some(id()));
    // Each that was asked is told of.
    let error = user.fails("registry.test/none:1");
    assert_eq!(error.matches("none:1`: ").count(), 3, "{error}");
}

fn proxies_are_those_of_the_environment() {
    let server = Server::start(Door::Locked);
    server.push("a:1", &image());
    let proxy = Listening::proxy();
    let address = format!("http://127.0.0.1:{}", proxy.port);
    // Nobody else knows that name.
    let registry = format!("registry.test:{}", server.port());
    let user = User::of(&server, &registry).with("HTTPS_PROXY", &address);
    assert_eq!(user.gets(&format!("{registry}/a:1")), id());
    assert!(proxy.connections() > 0);
    let before = proxy.connections();
    let name = format!("{}/a:1", server.name());
    let user = User::of(&server, &server.name())
        .with("HTTPS_PROXY", address)
        .with("NO_PROXY", "localhost");
    assert_eq!(user.gets(&name), id());
    assert_eq!(proxy.connections(), before);
}
