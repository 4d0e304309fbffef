use super::*;

fn is_match(go: &str, text: &str) -> bool {
    compile(go)
        .unwrap_or_else(|error| panic!("{go}: {error:?}"))
        .is_match(text)
}

#[test]
fn both_read_the_same() {
    for (go, yes, no) in [
        ("hello", "say hello", "say hell"),
        ("^b", "b\na", "a\nb"),
        ("a$", "b\na", "a\nb"),
        ("(?m)^b$", "a\nb\nc", "ab"),
        ("a.c", "abc", "a\nc"),
        ("(?s)a.c", "a\nc", "ac"),
        (r"^\d+$", "42", "٤٢"),
        (r"^\w$", "a", "ä"),
        (r"^\s$", "\t", "\u{b}"),
        (r"^\S$", "\u{b}", " "),
        (r"\bä", "aä", "ä"),
        ("x{2,3}", "xx", "x"),
        ("a{,2}", "a{,2}", "aa"),
        ("{}", "{}", "{"),
        (r"\Qa.b\E", "a.b", "axb"),
        (r"\x41\x{42}\103\07", "ABC\u{7}", "abc"),
        ("[[:alpha:]]-[^[:digit:]]", "a-b", "a-1"),
        ("[a&&b]", "&", "c"),
        ("[]a]", "]", "b"),
        (r"[\w-]", "-", "+"),
        (r"[^\d\S]", " ", "1"),
        (r"\<b\>", "<b>", "b"),
        ("(?i)straße", "STRAßE", "strasse"),
        ("(?P<n>a|b)+?c", "abc", "ab"),
        ("(ab){2}", "abab", "ab"),
        ("ab{2}", "abb", "abab"),
        ("^(^)*x$+", "x", "ax"),
        (r"^\.{2}[.]?$", "..", "a."),
        (r"\pL\p{^Lu}\PN", "aa.", "aA."),
        ("^[a-c-e]$", "-", "d"),
        ("^(a|)$", "", "b"),
    ] {
        assert!(is_match(go, yes), "{go} on {yes:?}");
        assert!(!is_match(go, no), "{go} on {no:?}");
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for go in [
        "(",
        ")",
        "a)",
        "[",
        "[a",
        "*",
        "a**",
        "a*{2}",
        "a{2}{3}",
        "a{1001}",
        "(a{100}){11}",
        "a{2,1}",
        r"\",
        r"\1",
        r"\y",
        r"\u0041",
        r"\Z",
        "(?x)a",
        "(?=a)",
        "(?<!a)b",
        r"\x4",
        "[b-a]",
        "[[:nope:]]",
        r"[a-\d]",
        "|*",
        r"\C",
    ] {
        let refused = compile(go).expect_err(go);
        let is_known = matches!(refused, Refused::Invalid(_)) || go.starts_with("(?<");
        assert!(is_known, "{go}: {refused:?}");
    }
}

#[test]
fn what_is_not_sure_is_said() {
    for go in [r"\B", r"\p{Alphabetic}", "(?<n>a)", r"\Qab\E*"] {
        assert!(matches!(compile(go), Err(Refused::Unsure(_))), "{go}");
    }
}

#[test]
fn bytes_that_are_no_text_stand_for_themselves() {
    assert_eq!(text(b"a\xe2\x82b\xff"), "a\u{fffd}\u{fffd}b\u{fffd}");
}
