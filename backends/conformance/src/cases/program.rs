use shellproof_api::{ContainerSpec, ErrorKind};

use super::case_list;
use crate::bench::words;
use crate::{Bench, SUBJECT};

case_list! {
    Contract:
        the_image_as_it_is_runs_its_entrypoint_and_command,
        a_command_replaces_the_images_command,
        an_empty_command_clears_the_images_command,
        an_entrypoint_drops_the_images_command,
        an_entrypoint_with_a_command_replaces_both,
        an_empty_entrypoint_keeps_the_images_command,
        an_empty_entrypoint_lets_the_command_be_the_program,
        a_container_without_a_program_is_refused;
    Kernel:
        variables_come_on_top_of_the_images,
        a_variable_keeps_its_spaces_and_signs,
        arguments_are_not_split_and_not_expanded,
        the_working_directory_is_the_images_or_the_given_one,
        the_user_is_the_images_or_the_given_one;
}

async fn argv(bench: &Bench, entrypoint: Option<&[&str]>, command: Option<&[&str]>) -> Vec<String> {
    let id = bench
        .create(&ContainerSpec {
            entrypoint: entrypoint.map(words),
            command: command.map(words),
            ..bench.plain()
        })
        .await;
    bench
        .inspect()
        .inspect_container(&id)
        .await
        .expect("the container is there")
        .argv
}

async fn the_image_as_it_is_runs_its_entrypoint_and_command(bench: &Bench) {
    assert_eq!(
        argv(bench, None, None).await,
        [SUBJECT, "echo", "from", "the", "image"]
    );
}

async fn a_command_replaces_the_images_command(bench: &Bench) {
    assert_eq!(
        argv(bench, None, Some(&["exit", "3"])).await,
        [SUBJECT, "exit", "3"]
    );
}

async fn an_empty_command_clears_the_images_command(bench: &Bench) {
    assert_eq!(argv(bench, None, Some(&[])).await, [SUBJECT]);
}

async fn an_entrypoint_drops_the_images_command(bench: &Bench) {
    assert_eq!(argv(bench, Some(&[SUBJECT, "cwd"]), None).await, [SUBJECT, "cwd"]);
}

async fn an_entrypoint_with_a_command_replaces_both(bench: &Bench) {
    let argv = argv(bench, Some(&[SUBJECT, "echo"]), Some(&["a", "b"])).await;
    assert_eq!(argv, [SUBJECT, "echo", "a", "b"]);
}

async fn an_empty_entrypoint_keeps_the_images_command(bench: &Bench) {
    assert_eq!(
        argv(bench, Some(&[]), None).await,
        ["echo", "from", "the", "image"]
    );
}

async fn an_empty_entrypoint_lets_the_command_be_the_program(bench: &Bench) {
    assert_eq!(
        argv(bench, Some(&[]), Some(&[SUBJECT, "cwd"])).await,
        [SUBJECT, "cwd"]
    );
}

async fn a_container_without_a_program_is_refused(bench: &Bench) {
    let bare = ContainerSpec {
        image: bench.subject().bare.clone(),
        ..bench.plain()
    };
    bench.refused(
        bench.runtime().create_container(&bare).await,
        ErrorKind::Invalid,
        &[&bare.name],
    );
    let cleared = ContainerSpec {
        entrypoint: Some(vec![]),
        command: Some(vec![]),
        ..bench.plain()
    };
    bench.refused(
        bench.runtime().create_container(&cleared).await,
        ErrorKind::Invalid,
        &[&cleared.name],
    );
}

async fn variables_come_on_top_of_the_images(bench: &Bench) {
    for (name, expected) in [
        ("FROM", "image\n"),
        ("BOTH", "container\n"),
        ("OWN", "container\n"),
    ] {
        let spec = ContainerSpec {
            env: vec![
                ("BOTH".into(), "container".into()),
                ("OWN".into(), "container".into()),
            ],
            ..bench.spec(&["env", name])
        };
        assert_eq!(bench.stdout(&spec).await, expected, "{name}");
    }
}

async fn a_variable_keeps_its_spaces_and_signs(bench: &Bench) {
    let value = " a  b='c' \"d\" $HOME =\\n ü ";
    let spec = ContainerSpec {
        env: vec![("ODD".into(), value.into()), ("EMPTY".into(), String::new())],
        ..bench.spec(&["env", "ODD"])
    };
    assert_eq!(bench.stdout(&spec).await, format!("{value}\n"));
    let spec = ContainerSpec {
        name: bench.name(),
        command: Some(words(&["env", "EMPTY"])),
        ..spec
    };
    assert_eq!(bench.stdout(&spec).await, "\n");
}

async fn arguments_are_not_split_and_not_expanded(bench: &Bench) {
    let spec = bench.spec(&["echo", "a  b", "$HOME", "*", "", "'c'", "ü"]);
    assert_eq!(bench.stdout(&spec).await, "a  b $HOME *  'c' ü\n");
}

async fn the_working_directory_is_the_images_or_the_given_one(bench: &Bench) {
    assert_eq!(bench.stdout(&bench.spec(&["cwd"])).await, "/files\n");
    let spec = ContainerSpec {
        workdir: Some("/files/dir".into()),
        user: Some("0".into()),
        ..bench.spec(&["cwd"])
    };
    assert_eq!(bench.stdout(&spec).await, "/files/dir\n");
}

async fn the_user_is_the_images_or_the_given_one(bench: &Bench) {
    for (user, uid, gid) in [
        (None, "1234\n", "4321\n"),
        (Some("0"), "0\n", "0\n"),
        (Some("65532"), "65532\n", "0\n"),
        (Some("7:8"), "7\n", "8\n"),
    ] {
        for (field, expected) in [("Uid", uid), ("Gid", gid)] {
            let spec = ContainerSpec {
                user: user.map(str::to_owned),
                ..bench.spec(&["status", field])
            };
            assert_eq!(bench.stdout(&spec).await, expected, "{field} of {user:?}");
        }
    }
}
