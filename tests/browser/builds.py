"""A built app is kept from one run of the tests to the next, in the app's folder: Next wants it so.

It is used again only when it is whole and of these very sources, packages and settings: a digest of
them all is written beside it as the last step, and taken away before anything is built anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import pytest

from tests.support.sidecar import ROOT

__all__ = ["EXAMPLE", "NEXT", "WEB", "kept"]

WEB: Final = ROOT / "web-adapter"
EXAMPLE: Final = WEB / "example"
NEXT: Final = WEB / "node_modules" / "next" / "dist" / "bin" / "next"
BUILD: Final = 240.0
"""Seconds for `next build`; 36 measured on two cores."""

_KEPT: Final = ".next-test-built"
_INSTALLED: Final = WEB / "node_modules" / ".package-lock.json"
"""The versions that are there, which the lockfile only asks for."""


@contextlib.contextmanager
def kept(name: str, environ: dict[str, str], output: Path) -> Iterator[dict[str, str]]:
    """The environment for `next start` on a whole build; nobody builds it anew in the meantime.

    `name` tells builds with different settings apart; `output` is for what Next prints.
    """
    folder = EXAMPLE / _KEPT
    folder.mkdir(exist_ok=True)
    environ = {**environ, "NEXT_DIST_DIR": f"{_KEPT}/{name}"}
    stamp = folder / f"{name}.sha256"
    with (
        (folder / f"{name}.turn").open("w") as turn,
        (folder / f"{name}.lock").open("w") as lock,
    ):
        # One at a time looks and builds, and only what nobody serves.
        fcntl.flock(turn, fcntl.LOCK_EX)
        digest = _digest(environ)
        while not _says(stamp, digest):
            fcntl.flock(lock, fcntl.LOCK_EX)
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder / name, ignore_errors=True)
            _build(environ, output, lock)
            # Neither what it was nor what it is now, if somebody was at the sources meanwhile.
            before, digest = digest, _digest(environ)
            if before == digest:
                stamp.write_text(digest)
        fcntl.flock(lock, fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield environ


def _says(stamp: Path, digest: str) -> bool:
    return stamp.exists() and stamp.read_text() == digest


def _digest(environ: dict[str, str]) -> str:
    """Of all that a build depends on."""
    digest = hashlib.sha256()
    node = subprocess.run(["node", "--version"], capture_output=True, check=True).stdout
    settings = {k: v for k, v in environ.items() if k.startswith(("CREW_", "NEXT_", "NODE_"))}
    digest.update(repr((node, sorted(settings.items()))).encode())
    for path in (_INSTALLED, WEB / "tsconfig.json", *_sources(WEB / "src"), *_sources(EXAMPLE)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(top: Path) -> Iterator[Path]:
    """All files but those that Next and tsc make."""
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "node_modules")
        for name in sorted(names):
            if name != "next-env.d.ts" and not name.endswith(".tsbuildinfo"):
                yield Path(folder, name)


def _build(environ: dict[str, str], output: Path, lock: IO[str]) -> None:
    with output.open("w") as log:
        built = subprocess.run(
            ["node", str(NEXT), "build"],
            cwd=EXAMPLE,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Tests that are killed leave it behind: then it has the lock until it has ended too.
            pass_fds=[lock.fileno()],
            timeout=BUILD,
        )
    if built.returncode:
        pytest.fail(f"next build failed:\n{output.read_text()}")
