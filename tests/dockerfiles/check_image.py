#!/usr/bin/env python3
"""Check what `docker save` wrote of a sample image: its files, layer by layer, and its configuration.

A shell, coreutils or a package manager counts in whatever layer it is, by name and by content: the
programs of the base image are known, under any name. One line for each finding on standard error,
and exit code 1 when there is one. With `--debug` the image must have a shell instead.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures" / "lib"))
import shell_free

CHUNK = 1 << 20


def member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"error: `{name}` is no file in `{archive.name!r}`")
    return file


def described(archive: tarfile.TarFile) -> tuple[dict[str, Any], list[str]]:
    """The image's configuration, and the names of its layers."""
    manifest = json.load(member(archive, "manifest.json"))[0]
    return json.load(member(archive, manifest["Config"])), manifest["Layers"]


def programs_of(path: Path) -> dict[str, str]:
    """The shells, coreutils and package managers of a base image, by digest."""
    known = {}
    with tarfile.open(path) as archive:
        for name in described(archive)[1]:
            with tarfile.open(fileobj=member(archive, name)) as layer:
                for entry in layer:
                    if not (entry.isreg() and entry.size and entry.mode & 0o111):
                        continue
                    if shell_free.base_name_kind(entry.name):
                        content = cast(IO[bytes], layer.extractfile(entry)).read()
                        known[hashlib.sha256(content).hexdigest()] = entry.name.rsplit("/", 1)[-1]
    return known


def forbidden_files(archive: tarfile.TarFile, layers: list[str], known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of a path and what is wrong with it."""
    for name in layers:
        with tempfile.TemporaryDirectory() as directory:
            unpack = ["tar", "--extract", "--no-same-owner", "--no-same-permissions", "--directory", directory]
            with subprocess.Popen(unpack, stdin=subprocess.PIPE) as tar:
                source = member(archive, name)
                while chunk := source.read(CHUNK):
                    cast(IO[bytes], tar.stdin).write(chunk)
                cast(IO[bytes], tar.stdin).close()
            if tar.returncode:
                raise SystemExit(f"error: the layer `{name}` cannot be unpacked")
            root = Path(directory)
            for path in shell_free.files(root):
                if wrong := shell_free.judge(path, root, known):
                    yield f"/{path.relative_to(root)}", wrong


def starts_shell(words: list[str] | None) -> bool:
    return any((word.rsplit("/", 1)[-1] in shell_free.SHELLS.split()) for word in (words or [])[:3])


def bad_settings(config: dict[str, Any]) -> Iterator[str]:
    settings = config.get("config") or {}
    user = str(settings.get("User") or "")
    if not re.fullmatch(r"[1-9][0-9]*(:[0-9]+)?", user):
        yield f"runs as `{user or 'root'}`: wanted a number above 0"
    entrypoint = settings.get("Entrypoint")
    if not entrypoint:
        yield "has no entrypoint"
    for key in ("Entrypoint", "Cmd"):
        words = settings.get(key)
        if starts_shell(words):
            yield f"has the shell form in {key}: {json.dumps(words)}"
    if entrypoint and not entrypoint[0].startswith("/"):
        yield f"has an entrypoint that is no path: {json.dumps(entrypoint)}"
    test = (settings.get("Healthcheck") or {}).get("Test") or []
    if test[:1] == ["CMD-SHELL"] or starts_shell(test[1:]):
        yield f"has the shell form in Healthcheck: {json.dumps(test)}"


def secrets_in(path: Path, secrets: list[str]) -> Iterator[str]:
    rest = b""
    found: set[str] = set()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            text = rest + chunk
            found.update(secret for secret in secrets if secret.encode() in text)
            rest = text[-256:]
    for secret in sorted(found):
        yield f"holds the secret `{secret}`"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="the archive of the base image")
    parser.add_argument("--secret", action="append", default=[], help="text that must be nowhere in the archive")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("archive", type=Path)
    options = parser.parse_args()
    with tarfile.open(options.archive) as archive:
        config, layers = described(archive)
        files = list(forbidden_files(archive, layers, programs_of(options.base)))
    findings = [f"`{path}` {wrong}" for path, wrong in files]
    if options.debug:
        shells = [path for path, _ in files if shell_free.base_name_kind(path) == "a shell"]
        findings = [] if shells else ["has no shell, though it is the target for debugging"]
        print(" ".join(shells))
    findings += bad_settings(config)
    findings += secrets_in(options.archive, options.secret)
    for finding in findings:
        print(finding, file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
