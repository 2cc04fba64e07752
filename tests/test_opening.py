"""`run --open`: whose browser is told what, and what is said where that can't be."""

from __future__ import annotations

import subprocess
import sys
from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.page import build_page
from tests.support.served import Served, serve
from tests.support.sidecar import BOUND, ROOT, clean_environment

OPEN = """
import asyncio, sys
from sidecar.opening import open_run
print(asyncio.run(open_run(*sys.argv[1:])))
"""


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path, page=build_page(tmp_path / "page")) as served:
        yield served


async def opened(url: str, **environ: str) -> str:
    """In a process of its own: a browser is looked for once in each."""
    done = await to_thread(
        subprocess.run,
        [sys.executable, "-c", OPEN, url, "r_1"],
        cwd=ROOT, env=clean_environment(**environ), check=True,
        capture_output=True, text=True, timeout=BOUND,
    )  # fmt: skip
    return done.stdout.strip()


def a_browser(folder: Path) -> tuple[Path, Path]:
    """A program that is told an address, and where it notes that."""
    program, note = folder / "browser", folder / "note"
    program.write_text(f'#!/bin/sh\necho "$1" > {note}\n')
    program.chmod(0o755)
    return program, note


async def test_the_browser_is_told_the_page_of_the_run(served: Served, tmp_path: Path) -> None:
    program, note = a_browser(tmp_path)
    assert await opened(served.url, BROWSER=f"{program} %s") == "None"
    assert note.read_text() == f"{served.url}/run/?id=r_1\n"


async def test_without_a_page_it_says_how_to_get_one(tmp_path: Path) -> None:
    program, note = a_browser(tmp_path)
    async with serve(tmp_path, page=tmp_path / "none") as served:
        assert "make page" in await opened(served.url, BROWSER=f"{program} %s")
    assert not note.exists()


async def test_without_a_browser_it_says_the_address(served: Served, tmp_path: Path) -> None:
    said = await opened(served.url, PATH=str(tmp_path), DISPLAY="", WAYLAND_DISPLAY="", BROWSER="")
    assert said == f"there is no browser here to open it with: {served.url}/run/?id=r_1"


async def test_a_browser_of_the_terminal_does_not_take_it_from_the_run(
    served: Served, tmp_path: Path
) -> None:
    program, note = a_browser(tmp_path)
    program.rename(tmp_path / "lynx")
    said = await opened(
        served.url, PATH=f"{tmp_path}:/bin", DISPLAY="", WAYLAND_DISPLAY="", BROWSER=""
    )
    assert "no browser here" in said
    assert not note.exists()
