use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Registry, repository, tag and digest.
type Parts<'a> = (Option<&'a str>, &'a str, Option<&'a str>, Option<&'a str>);

fn parts(image: &ImageReference) -> Parts<'_> {
    (image.registry(), image.repository(), image.tag(), image.digest())
}

#[test]
fn corporate_references_are_taken_apart() {
    let with_digest = format!("reg:5000/a@{DIGEST}");
    let with_both = format!("reg.corp/deep/er/path/a:1.2-x_y@{DIGEST}");
    let cases: &[(&str, Parts<'_>)] = &[
        ("python", (None, "python", None, None)),
        ("python:3.11-alpine", (None, "python", Some("3.11-alpine"), None)),
        (
            "myorg/python:latest",
            (None, "myorg/python", Some("latest"), None),
        ),
        ("reg:5000", (None, "reg", Some("5000"), None)),
        ("localhost/a", (Some("localhost"), "a", None, None)),
        ("localhost:5000/a", (Some("localhost:5000"), "a", None, None)),
        ("10.0.0.1:5000/a:b", (Some("10.0.0.1:5000"), "a", Some("b"), None)),
        (
            "[2001:db8::1]:5000/a:b",
            (Some("[2001:db8::1]:5000"), "a", Some("b"), None),
        ),
        ("[::1]/a", (Some("[::1]"), "a", None, None)),
        ("Reg.Corp/a", (Some("Reg.Corp"), "a", None, None)),
        (
            "a__b/c---d/e.f_g:_x",
            (None, "a__b/c---d/e.f_g", Some("_x"), None),
        ),
        (
            "docker.getcollate.io/openmetadata/server:1.10.1",
            (
                Some("docker.getcollate.io"),
                "openmetadata/server",
                Some("1.10.1"),
                None,
            ),
        ),
        (
            "internal.artifactory.company.com:8443/docker-prod/postgres/17.5:v2025.10-hardened",
            (
                Some("internal.artifactory.company.com:8443"),
                "docker-prod/postgres/17.5",
                Some("v2025.10-hardened"),
                None,
            ),
        ),
        (&with_digest, (Some("reg:5000"), "a", None, Some(DIGEST))),
        (
            &with_both,
            (Some("reg.corp"), "deep/er/path/a", Some("1.2-x_y"), Some(DIGEST)),
        ),
    ];
    for (text, expected) in cases {
        let image: ImageReference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parts(&image), *expected, "{text}");
        assert_eq!(image.to_string(), *text);
    }
}

#[test]
fn other_lengths_of_digests_are_known() {
    for (algorithm, length) in [("sha384", 96), ("sha512", 128)] {
        let text = format!("a@{algorithm}:{}", "0".repeat(length));
        assert!(text.parse::<ImageReference>().is_ok(), "{text}");
        assert!(format!("{text}0").parse::<ImageReference>().is_err(), "{text}");
    }
}

#[test]
fn limits_are_those_of_the_grammar() {
    let tag = |length| format!("a:{}", "t".repeat(length)).parse::<ImageReference>();
    assert!(tag(128).is_ok());
    assert!(tag(129).is_err());
    let repository = |length| format!("reg.corp:5000/{}", "r".repeat(length)).parse::<ImageReference>();
    assert!(repository(255).is_ok());
    assert!(repository(256).is_err());
    assert!("0".repeat(63).parse::<ImageReference>().is_ok());
    assert!("0".repeat(64).parse::<ImageReference>().is_err());
    assert!(
        format!("{}:tag", "0".repeat(64))
            .parse::<ImageReference>()
            .is_ok()
    );
}

#[test]
fn what_is_no_reference_is_refused_at_its_place() {
    let cases = [
        ("", "0..0 the image reference is empty"),
        ("http://reg/a", "0..7 an image reference is no URL"),
        ("a b", "1..2 an image reference holds no blanks"),
        ("a\n", "1..2 an image reference holds no blanks"),
        (
            "a\u{7f}",
            "1..2 an image reference holds ASCII letters, digits and `. _ - / : @` only",
        ),
        (
            "reg.corp/Abc",
            "9..10 the repository of an image is written in lower case",
        ),
        (
            "ORG/a",
            "0..3 the repository of an image is written in lower case",
        ),
        ("a//b", "2..2 the repository of an image has no empty parts"),
        ("a/", "2..2 the repository of an image has no empty parts"),
        ("reg:5000/", "9..9 the repository of an image has no empty parts"),
        (":tag", "0..0 the repository of an image has no empty parts"),
        ("@sha256:00", "8..10 the digest has the wrong form"),
        (
            "a!b",
            "1..2 the repository of an image holds lower-case letters, digits and `. _ -` only",
        ),
        ("reg:0/a", "4..5 the registry's port is no number from 1 to 65535"),
        ("reg:/a", "4..4 the registry's port is no number from 1 to 65535"),
        ("-reg.corp/a", "0..9 the registry is no host name"),
        ("reg..corp/a", "0..9 the registry is no host name"),
        (
            "localhost:99999/a",
            "10..15 the registry's port is no number from 1 to 65535",
        ),
        (
            "[::1]:99999/a",
            "6..11 the registry's port is no number from 1 to 65535",
        ),
        ("[::ffff:1.2.3.4]/a", "0..16 the registry is no host name"),
        (
            "a..b:1",
            "0..4 the parts of a repository start and end with a letter or digit, with one of `. _ __ -` in between",
        ),
        (
            "reg.corp/Foo/bar:1",
            "9..10 the repository of an image is written in lower case",
        ),
        ("[::g]:5000/a", "0..5 the registry is no host name"),
        ("[::1/a", "0..2 the registry is no host name"),
        (
            "a:b:c",
            "3..4 the tag of an image holds letters, digits and `. _ -` only",
        ),
        (
            "a:.b",
            "2..3 the tag of an image starts with a letter, a digit or `_`",
        ),
        ("a:", "2..2 the tag of an image is empty"),
        ("a@", "2..2 what follows `@` is no digest"),
        ("a@b@c", "2..5 what follows `@` is no digest"),
        ("a@md5:00", "2..5 the digest's algorithm is unknown"),
    ];
    for (text, expected) in cases {
        let error = text.parse::<ImageReference>().unwrap_err();
        let actual = format!("{}..{} {error}", error.range.start, error.range.end);
        assert_eq!(actual, expected, "{text:?}");
    }
    for text in ["a._b", "_a", "a-", "a/.b", "a___b"] {
        let error = text.parse::<ImageReference>().unwrap_err();
        assert_eq!(error.expected, "not of this form", "{text}");
    }
}

#[test]
fn a_missing_registry_and_a_missing_path_are_completed_as_docker_does_it() {
    let cases = [
        ("python:3.11", "docker.io", "docker.io/library/python"),
        ("docker.io/python", "docker.io", "docker.io/library/python"),
        (
            "index.docker.io/library/python",
            "docker.io",
            "docker.io/library/python",
        ),
        ("myorg/python", "docker.io", "docker.io/myorg/python"),
        ("reg.corp/python:1", "reg.corp", "reg.corp/python"),
        ("localhost/a/b", "localhost", "localhost/a/b"),
        ("[::1]:5000/a:1", "[::1]:5000", "[::1]:5000/a"),
    ];
    for (text, registry, name) in cases {
        let image: ImageReference = text.parse().expect("it is a reference");
        assert_eq!(
            (image.canonical_registry(), &*image.canonical_name()),
            (registry, name),
            "{text}"
        );
    }
}

#[test]
fn the_written_name_and_the_host_are_parts() {
    let digest = format!("reg:5000/a:1@{DIGEST}");
    let cases = [
        ("python:3", "python", None),
        ("[::1]:5000/a:1", "[::1]:5000/a", Some("::1")),
        ("[::1]/a", "[::1]/a", Some("::1")),
        ("127.0.0.1:1/x/y", "127.0.0.1:1/x/y", Some("127.0.0.1")),
        (&digest, "reg:5000/a", Some("reg")),
    ];
    for (text, name, host) in cases {
        let image: ImageReference = text.parse().expect("it is a reference");
        assert_eq!((image.name(), image.host()), (name, host), "{text}");
    }
}
