//! The part of the suite that needs no kernel, on a fake whose one image behaves like the suite's program.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use shellproof_api::{ErrorKind, FileKind, ImageConfig, ImageFile, Labels};
use shellproof_conformance::{LABEL, SUBJECT, Subject, USER, harness};
use shellproof_fake::{Behaviour, Fake};

fn main() -> ExitCode {
    let Subject { reference, bare, .. } = Subject::unbuilt();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let config = ImageConfig {
        id: format!("sha256:{:064x}", 1),
        entrypoint: words(&[SUBJECT]),
        command: words(&["echo", "from", "the", "image"]),
        env: words(&["PATH=/bin", "FROM=image", "BOTH=image"]),
        user: USER.to_owned(),
        labels: Labels::from([(LABEL.0.to_owned(), LABEL.1.to_owned())]),
        size: 1,
        ..ImageConfig::default()
    };
    let small = ImageFile {
        kind: FileKind::File,
        mode: 0o640,
        owner: (12, 34),
        size: 6,
        content: b"small\n".to_vec(),
    };
    let fake = Fake::new()
        .with_program(&reference, config, |_, argv| subject(argv))
        .with_file(&reference, "/files/small", small)
        .with_image(&bare, ImageConfig::default(), Behaviour::exit(0));
    harness::main_in_memory(Arc::new(fake))
}

fn subject(argv: &[String]) -> Behaviour {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    match words.as_slice() {
        [SUBJECT, "echo", words @ ..] => Behaviour::exit(0).stdout(format!("{}\n", words.join(" "))),
        [SUBJECT, "err", words @ ..] => Behaviour::exit(0).stderr(format!("{}\n", words.join(" "))),
        [SUBJECT, "exit", code] => Behaviour::exit(code.parse().expect("an exit code")),
        [SUBJECT, "sleep", seconds] => {
            Behaviour::exit(0).after(Duration::from_secs_f64(seconds.parse().expect("seconds")))
        }
        [SUBJECT, "wait"] => Behaviour::until_killed().stdout("ready\n"),
        _ => Behaviour::refuse(ErrorKind::CommandNotFound),
    }
}
