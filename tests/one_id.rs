//! Scenarios on a machine that gives an ordinary user one id and no more: what needs several is unproven, with cause and cure, and
//! what does not is as anywhere.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

#[path = "support/ended.rs"]
mod ended;

use ended::Ended;

/// Runs scenarios, and gives the results by scenario and mode.
fn results(what: &str, paths: &[&str]) -> (Option<i32>, Vec<(String, Value)>) {
    let data = tempfile::tempdir().expect("a directory can be made");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixtures = std::env::var_os("SHELLPROOF_FIXTURES").unwrap_or("target/fixtures".into());
    let ended: Ended = Command::new("/usr/bin/python3")
        .current_dir(root)
        .args(["tests/cli/forbid.py", what, env!("CARGO_BIN_EXE_shellproof")])
        .args([
            "run",
            "--format",
            "json",
            "--env-file",
            "scenarios/fixtures.env",
            "--fixtures",
        ])
        .arg(fixtures)
        .args(paths)
        .env_clear()
        .env("PATH", "/nowhere")
        .env("XDG_DATA_HOME", data.path())
        .stdin(Stdio::null())
        .output()
        .expect("python3 starts")
        .into();
    let document: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
    assert!(ended.stderr.contains("have one id only"), "{}", ended.stderr);
    let results = document["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|result| {
            let word = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
            (format!("{} {}", word("scenario"), word("mode")), result.clone())
        });
    (ended.code, results.collect())
}

#[test]
#[ignore = "needs the fixtures: scripts/test runs it"]
fn what_needs_several_ids_is_unproven_and_the_rest_is_as_anywhere() {
    let paths = [
        "scenarios/krb5-job.yaml",
        "scenarios/postgres.yaml",
        "tests/scenarios/kerberos/wrong-uid.yaml",
        "tests/scenarios/violations/shell-entrypoint.yaml",
    ];
    let (code, results) = results("range", &paths);
    let found: Vec<_> = results
        .iter()
        .map(|(name, result)| (name.as_str(), result["status"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        ("krb5-job layered", "unproven"),
        ("krb5-job prebuilt", "passed"),
        ("postgres prebuilt", "passed"),
        ("kerberos-wrong-uid prebuilt", "unproven"),
        ("shell-entrypoint prebuilt", "passed"),
    ];
    assert_eq!((found.as_slice(), code), (&expected[..], Some(3)));
    for (name, result) in results
        .iter()
        .filter(|(_, result)| result["status"] == "unproven")
    {
        let evidence = result["evidence"].as_array().expect("a list");
        let one = evidence
            .iter()
            .find(|one| one["rule"] == "one-user")
            .expect("the rule");
        let word = |key: &str| one[key].as_str().unwrap_or_default();
        assert!(word("detail").contains("names no range for"), "{name}: {one:#}");
        assert!(word("help").contains("usermod --add-subuids"), "{name}: {one:#}");
    }
    let shared = &results[3].1["evidence"];
    let told = "`ticket` (user 65532) and `test` (user 1000) share `platform_kerberos_cache`";
    assert!(shared.to_string().contains(told), "{shared:#}");
}
