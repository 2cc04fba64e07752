"""The example app as somebody serves it: `next dev`, or `next build` and then `next start`."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.support.sidecar import ROOT

EXAMPLE = ROOT / "web-adapter" / "example"
NEXT = ROOT / "web-adapter" / "node_modules" / "next" / "dist" / "bin" / "next"
FIRST_PAGE = 90.0
"""Seconds for the first page of `next dev`, which compiles it; 12 to 23 measured on two cores."""
BUILD = 240.0
"""Seconds for `next build`; 36 measured on two cores."""

PAGES = ("", "/runs", "/runs/none")
"""`next dev` compiles each when it is first asked for: longer than a run of the tests takes."""

Command = Literal["dev", "start"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def served(
    command: Command, sidecar: str, port: int, folder: Path, *, rewrites: bool = False
) -> Iterator[str]:
    """The app's address, once its pages are there; `folder` is for what Next prints.

    The address of the sidecar and the switch are fixed by the build, so that each has its own.
    """
    if shutil.which("node") is None or not NEXT.exists():
        pytest.fail("The browser tests need Node and web-adapter's packages. Run: make setup")
    environ = {
        **os.environ,
        "CREW_URL": sidecar,
        "CREW_REWRITES": str(int(rewrites)),
        "NEXT_DIST_DIR": f".next-test-{command}{'-rewrites' if rewrites else ''}",
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    output = folder / "output.log"
    if command == "start":
        _build(environ, output)
    with output.open("a") as log:
        process = subprocess.Popen(
            ["node", str(NEXT), command, "--hostname", "127.0.0.1", "--port", str(port)],
            cwd=EXAMPLE,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for page in PAGES:
            _wait_for(url + page, process, output)
        yield url
    finally:
        # Next runs its server in a child of its own.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _build(environ: dict[str, str], output: Path) -> None:
    with output.open("w") as log:
        built = subprocess.run(
            ["node", str(NEXT), "build"],
            cwd=EXAMPLE,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=BUILD,
        )
    if built.returncode:
        pytest.fail(f"next build failed:\n{output.read_text()}")


def _wait_for(url: str, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + FIRST_PAGE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=FIRST_PAGE).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            break
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"Next gave no page within {FIRST_PAGE:.0f} s:\n{output.read_text()}")
