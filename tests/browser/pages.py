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
from typing import Final, Literal

import pytest

from tests.browser.builds import EXAMPLE, NEXT, kept

FIRST_PAGE = 90.0
"""Seconds for the first page of `next dev`, which compiles it; 12 to 23 measured on two cores."""

PAGES = ("/", "/runs/", "/run/")
"""`next dev` compiles each when it is first asked for: longer than a run of the tests takes."""

KNOWN: Final = "http://127.0.0.1:8799"
"""Where every page looks for the sidecar. `next build` fixes it, so that it has to be the same each
time for a build to be kept. Nobody listens there: each Chromium has it lead to a sidecar."""


def address_of_run(run: str) -> str:
    """As `addressOfRun` of the example has it."""
    return f"/run/?id={run}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def lasting_port() -> int:
    """For an address that a kept build has in it: the same one each time, as long as it is free.

    Below 32768, from where Linux gives ports to whoever wants any.
    """
    for port in range(8790, 8799):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    pytest.fail("The ports 8790 to 8798 are all taken. End what listens there.")


@contextlib.contextmanager
def in_dev(port: int, folder: Path) -> Iterator[str]:
    """`next dev`: its address, once it has compiled the pages; `folder` is for what Next prints."""
    # It locks its folder, and tests may run side by side.
    of = os.environ.get("PYTEST_XDIST_WORKER", "main")
    environ = {**_environment(KNOWN), "NEXT_DIST_DIR": f".next-test-dev-{of}"}
    with _served("dev", port, environ, folder / "output.log") as url:
        yield url


@contextlib.contextmanager
def built(port: int, folder: Path, rewrites: str | None = None) -> Iterator[str]:
    """`next start` on what `next build` made, now or earlier.

    With `rewrites`, the browser talks to Next alone, which passes on to this sidecar.
    """
    name = "direct" if rewrites is None else "rewrites"
    output = folder / "output.log"
    environ = _environment(rewrites or KNOWN, rewrites=rewrites is not None)
    with kept(name, environ, output) as environ, _served("start", port, environ, output) as url:
        yield url


@contextlib.contextmanager
def exported(folder: Path) -> Iterator[str]:
    """As files, for the sidecar to serve: their folder, below the example's."""
    environ = {**_environment(KNOWN), "CREW_EXPORT": "1"}
    with kept("page", environ, folder / "output.log") as environ:
        yield environ["NEXT_DIST_DIR"]


def _environment(sidecar: str, *, rewrites: bool = False) -> dict[str, str]:
    if shutil.which("node") is None or not NEXT.exists():
        pytest.fail("The browser tests need Node and web-adapter's packages. Run: make setup")
    return {
        **os.environ,
        "CREW_URL": sidecar,
        "CREW_REWRITES": str(int(rewrites)),
        "NEXT_TELEMETRY_DISABLED": "1",
    }


@contextlib.contextmanager
def _served(
    command: Literal["dev", "start"], port: int, environ: dict[str, str], output: Path
) -> Iterator[str]:
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
        end(process)


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


def end(process: subprocess.Popen[bytes]) -> None:
    """Of a session of its own: npx and Next run the server in children of theirs."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
