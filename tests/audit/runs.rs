//! What is audited: each client once clean and once violating.

/// A run of the program: what it is called, what it is to end with, and what it is to say.
pub struct Run {
    pub name: &'static str,
    /// Words before the double dash.
    pub options: &'static [&'static str],
    /// A line for `sh`, in which `{tiny}` is an image and `{box}` a name.
    pub line: &'static str,
    pub exit: i32,
    pub says: &'static str,
}

const fn run(
    name: &'static str,
    options: &'static [&'static str],
    line: &'static str,
    exit: i32,
    says: &'static str,
) -> Run {
    Run {
        name,
        options,
        line,
        exit,
        says,
    }
}

pub const DENY: &[&str] = &["--mode", "prebuilt", "--deny"];
pub const LAYERED: &[&str] = &["--mode", "layered"];
pub const PREBUILT: &[&str] = &["--mode", "prebuilt"];

pub const NOBODY: &[Run] = &[
    run("nothing", PREBUILT, "true", 5, "no container start was recorded"),
    run(
        "nothing-layered",
        LAYERED,
        "true",
        5,
        "no container start was recorded",
    ),
    run("failing", PREBUILT, "exit 3", 1, "it exited with 3"),
    run(
        "failing-as-expected",
        &["--mode", "prebuilt", "--expect-exit", "3"],
        "exit 3",
        5,
        "",
    ),
];

pub const DOCKER: &[Run] = &[
    run(
        "clean",
        PREBUILT,
        "docker run --name {box} --read-only {tiny} echo sh",
        0,
        "CLEAN",
    ),
    run(
        "layered",
        LAYERED,
        "docker run -d --name {box} {tiny} sleep 9 && docker exec {box} /tiny healthy",
        0,
        "CLEAN",
    ),
    run("removed", PREBUILT, "docker run --rm {tiny} echo hi", 0, "CLEAN"),
    run(
        "removed-after-an-install",
        PREBUILT,
        "docker run --rm --user 0 {python} -c 'import shutil; shutil.copy(\"/usr/bin/python3.11\", \"/tool\")'",
        1,
        "programs, libraries or packages were added or changed at run time: `/tool`",
    ),
    run(
        "removed-later",
        PREBUILT,
        "docker run -d --rm --name {box} --read-only {tiny} sleep 9",
        0,
        "`{box}` was made with `--rm` and is still there",
    ),
    run(
        "shell",
        &["--mode", "prebuilt", "--expect-exit", "any"],
        "docker run --name {box} --entrypoint sh {tiny} -c true",
        1,
        "a shell, was about to run in `{box}`",
    ),
    run(
        "refused-start",
        &["--mode", "prebuilt", "--expect-exit", "any"],
        "docker run --name {box} --entrypoint /nope {tiny}",
        5,
        "the engine did not start `{box}`: status ",
    ),
    run(
        "refused-creation",
        &["--mode", "layered", "--expect-exit", "any"],
        "docker create --name {box} {tiny} && docker create --name {box} {tiny}",
        5,
        "the engine did not make `{box}`: status ",
    ),
    run(
        "exec",
        PREBUILT,
        "docker run -d --name {box} {tiny} sleep 9 && docker exec {box} /tiny healthy",
        1,
        "exec of `/tiny healthy` in `{box}`",
    ),
    run(
        "exec-denied",
        DENY,
        "docker run -d --name {box} {tiny} sleep 9 && docker exec {box} /tiny healthy",
        1,
        "shellproof: refused by rule `exec`",
    ),
    run(
        "shell-denied",
        DENY,
        "docker run --name {box} --entrypoint sh {tiny} -c true",
        1,
        "shellproof: refused by rule `shell`",
    ),
    run(
        "image-shell-denied",
        DENY,
        "docker create --name {box} {shell-form} && docker start {box}",
        1,
        "shellproof: refused by rule `shell`",
    ),
    run(
        "health-denied",
        DENY,
        "docker run --name {box} --health-cmd 'exit 0' {tiny}",
        1,
        "refused by rule `health-check-shell`",
    ),
    run(
        "copy",
        PREBUILT,
        "docker create --name {box} {tiny} && docker cp /etc/hostname {box}:/",
        1,
        "copy-in",
    ),
    run(
        "build",
        PREBUILT,
        "printf 'FROM {tiny}\\nLABEL a=b\\n' | DOCKER_BUILDKIT=0 docker build -q -",
        1,
        "an image was built",
    ),
    run(
        "build-layered",
        LAYERED,
        "printf 'FROM {tiny}\\nLABEL a=b\\n' | DOCKER_BUILDKIT=0 docker build -q - && docker run --name {box} {tiny} echo hi",
        0,
        "CLEAN",
    ),
    run(
        "build-denied",
        DENY,
        "printf 'FROM {tiny}\\nLABEL a=b\\n' | DOCKER_BUILDKIT=0 docker build -q -",
        1,
        "refused by rule `build`",
    ),
];

/// Where Podman 4 says something else through its Docker interface, shellproof or not: the exit code is 0, and a
/// container that could not be started is kept.
pub const DOCKER_ENGINE: &[Run] = &[
    run(
        "removed-with-its-exit-code",
        &["--mode", "prebuilt", "--expect-exit", "3"],
        "docker run --rm {python} -c 'import sys; print(\"out\"); sys.exit(3)'",
        0,
        "CLEAN",
    ),
    run(
        "removed-without-a-start",
        &["--mode", "prebuilt", "--expect-exit", "7"],
        "docker run --rm --name {box} --entrypoint /nothing {tiny}; docker inspect {box} || exit 7",
        5,
        "No such object: {box}",
    ),
];

/// What the kernel alone sees, and what it cannot.
pub const KERNEL: &[Run] = &[
    run(
        "shell-by-the-program",
        PREBUILT,
        "docker run --name {box} --read-only {python} -c \"import os; os.system('true')\"",
        1,
        "`sh -c true`, a shell, was to be started, and is not there in `{box}`",
    ),
    run(
        "program",
        PREBUILT,
        "docker run --name {box} --read-only {python} -c 'print(1)'",
        0,
        "wire, image, kernel",
    ),
    run(
        "foreign-program",
        PREBUILT,
        "docker run --name {box} {python} -c 'import os, subprocess, sys; open(\"/tmp/t\", \"wb\").write(open(sys.executable, \"rb\").read() + b\"x\"); os.chmod(\"/tmp/t\", 0o755); p = subprocess.Popen([\"/tmp/t\", \"-V\"]); os.unlink(\"/tmp/t\"); p.wait()'",
        1,
        "which is none of its image's programs, was started as `/tmp/t -V` in `{box}`",
    ),
    run(
        "copied-in",
        PREBUILT,
        "docker create --name {box} {python} -c 'import subprocess; subprocess.run([\"/tmp/env\", \"--version\"])' && docker cp /usr/bin/env {box}:/tmp/env && docker start -a {box}",
        1,
        "`/tmp/env`, which is none of its image's programs",
    ),
    run(
        "init-of-the-engine",
        PREBUILT,
        "docker run --init --name {box} --read-only {tiny} echo hi",
        0,
        "wire, image, kernel",
    ),
    run(
        "unconfined",
        PREBUILT,
        "docker run --name {box} --read-only --security-opt seccomp=unconfined {python} -c 'import os; os.system(\"true\")'",
        3,
        "its programs were not watched: it brings a seccomp profile of its own in `{box}`",
    ),
    run(
        "privileged",
        PREBUILT,
        "docker run --name {box} --read-only --privileged {python} -c 'import os; os.system(\"true\")'",
        1,
        "a container is given a door to an engine: it is privileged",
    ),
    run(
        "door-denied",
        DENY,
        "docker run --name {box} --read-only -v /var/run:/host:ro {tiny}",
        1,
        "a container is given a door to an engine: `/var/run` of the host, which leads to",
    ),
    run(
        "unconfined-denied",
        DENY,
        "docker run --name {box} --security-opt seccomp=unconfined {tiny}",
        1,
        "refused, since its programs cannot be watched: it brings a seccomp profile of its own",
    ),
    run(
        "shells-denied",
        &["--mode", "prebuilt", "--deny-shells"],
        // 32512 is what `system` gives where there is no shell, and where there is one that may not run.
        "docker run --name {box} --read-only --entrypoint python3 {layered} -c 'import os, sys; sys.exit(os.system(\"true\") != 32512)'",
        1,
        "sh -c true (denied)  shell",
    ),
    run(
        "left-running",
        PREBUILT,
        "docker run -d --name {box} --read-only {tiny} sleep 9",
        0,
        "left running, kept by process ",
    ),
    run(
        "off",
        &["--mode", "prebuilt", "--kernel", "off"],
        "docker run --name {box} --read-only {python} -c 'import os; os.system(\"true\")'",
        0,
        "(prebuilt)  wire, image, ",
    ),
];

pub const COMPOSE: &[Run] = &[
    run(
        "clean",
        PREBUILT,
        "$SHELLPROOF_COMPOSE -p {box} -f {clean.yaml} up -d && $SHELLPROOF_COMPOSE -p {box} -f {clean.yaml} down -t 0",
        0,
        "CLEAN",
    ),
    run(
        "health-line",
        PREBUILT,
        "$SHELLPROOF_COMPOSE -p {box} -f {shell.yaml} up -d && $SHELLPROOF_COMPOSE -p {box} -f {shell.yaml} down -t 0",
        1,
        "help: the image has no `curl`: name a program that it has",
    ),
    run(
        "health-line-denied",
        DENY,
        "$SHELLPROOF_COMPOSE -p {box} -f {shell.yaml} up -d",
        1,
        "of the compose service `web`",
    ),
];

pub const PODMAN_COMPOSE: &[Run] = &[
    run(
        "clean",
        PREBUILT,
        "$SHELLPROOF_PODMAN_COMPOSE -p {box} -f {net.yaml} up -d && $SHELLPROOF_PODMAN_COMPOSE -p {box} -f {net.yaml} down -t 0",
        0,
        "CLEAN",
    ),
    run(
        "health-line",
        PREBUILT,
        "$SHELLPROOF_PODMAN_COMPOSE -p {box} -f {net-shell.yaml} up -d && $SHELLPROOF_PODMAN_COMPOSE -p {box} -f {net-shell.yaml} down -t 0",
        1,
        "health-check-shell, wire",
    ),
];

pub const PODMAN: &[Run] = &[
    run(
        "clean",
        PREBUILT,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --rm --read-only {tiny} echo sh",
        0,
        "CLEAN",
    ),
    run(
        "removed-with-its-exit-code",
        &["--mode", "prebuilt", "--expect-exit", "3"],
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --rm {python} -c 'import sys; print(\"out\"); sys.exit(3)'",
        0,
        "CLEAN",
    ),
    run(
        "removed-after-an-install",
        PREBUILT,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --rm --user 0 {python} -c 'import shutil; shutil.copy(\"/usr/bin/python3.11\", \"/tool\")'",
        1,
        "programs, libraries or packages were added or changed at run time: `/tool`",
    ),
    run(
        "shell",
        &["--mode", "prebuilt", "--expect-exit", "any"],
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --name {box} --entrypoint sh {tiny} -c true",
        1,
        "a shell, was about to run in `{box}`",
    ),
    run(
        "refused-start",
        &["--mode", "prebuilt", "--expect-exit", "any"],
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --name {box} --entrypoint /nope {tiny}",
        5,
        "OCI runtime attempted to invoke a command that was not found",
    ),
    run(
        "exec",
        PREBUILT,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run -d --name {box} {tiny} sleep 9 && $SHELLPROOF_PODMAN --url $CONTAINER_HOST exec {box} /tiny healthy",
        1,
        "exec of `/tiny healthy` in `{box}`",
    ),
    run(
        "exec-denied",
        DENY,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run -d --name {box} {tiny} sleep 9 && $SHELLPROOF_PODMAN --url $CONTAINER_HOST exec {box} /tiny healthy",
        1,
        "shellproof: refused by rule `exec`",
    ),
    run(
        "health-check-that-nobody-runs",
        PREBUILT,
        "$SHELLPROOF_PODMAN --url $CONTAINER_HOST run --name {box} --health-cmd '[\"/tiny\", \"healthy\"]' {tiny} echo x",
        0,
        "the engine told of no run of the health check `/tiny healthy`",
    ),
    run(
        "past-the-recorder",
        PREBUILT,
        "$SHELLPROOF_PODMAN --remote=false --version && $SHELLPROOF_PODMAN --remote=false ps -q",
        5,
        "goes past the recorder",
    ),
];
