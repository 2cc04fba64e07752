"""Releases of CrewAI, each in a throwaway venv: which there are, and what runs in one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.sidecar import ROOT

__all__ = ["InstallError", "Installed", "installed", "newest"]

_BASE: Final = ROOT / ".crewai"
_NEEDED_BYTES: Final = 3 << 30
"""A venv takes 0.8 GB, less where uv links to its cache, and what it downloads is in there too."""
_INSTALL_SECONDS: Final = 900
_RUN_SECONDS: Final = 600
_BESIDE: Final = ("pytest", "pytest-asyncio", "pytest-timeout")
"""What the checks themselves import."""


class InstallError(Exception):
    """A release can't be had; the text says why."""


@dataclass(frozen=True)
class Installed:
    """A venv with one release."""

    version: str
    python: Path

    def results(self, module: str) -> dict[str, str | None]:
        """What `module` prints: by name null, or why it failed. One that can't be run at all is its
        own name with the end of what it said."""
        try:
            done = subprocess.run(
                [self.python, "-m", module],
                cwd=ROOT, capture_output=True, text=True, timeout=_RUN_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {module: f"did not end within {_RUN_SECONDS} s"}
        try:
            found: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            return {module: f"exit code {done.returncode}: {done.stderr[-2000:]}"}
        return found


def newest(count: int) -> list[str]:
    """The last releases on the index, the newest first, asked by pip."""
    ask = [sys.executable, "-m", "pip", "index", "versions", "crewai"]
    done = subprocess.run(ask, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    found = re.search(r"^Available versions: (.+)$", done.stdout, re.MULTILINE)
    if found is None:
        raise InstallError(f"the index has no crewai: {done.stderr.strip()[-500:]}")
    return [version.strip() for version in found[1].split(",")][:count]


@contextmanager
def installed(version: str) -> Iterator[Installed]:
    """A venv with that release and the newest of what it depends on, gone afterwards."""
    _BASE.mkdir(exist_ok=True)
    free = shutil.disk_usage(_BASE).free
    if free < _NEEDED_BYTES:
        needed, left = _NEEDED_BYTES >> 30, free >> 20
        raise InstallError(f"{_BASE} needs {needed} GB for a release, and {left} MB are free")
    folder = _BASE / version
    python = folder / "bin" / "python"
    try:
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--python", str(python), f"crewai=={version}", *_ours(), *_BESIDE)
        yield Installed(version, python)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _uv(*words: str) -> None:
    """That of this venv, which crewai itself brings."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise InstallError("there is no uv: pip install uv")
    done = subprocess.run(
        [uv, "--quiet", *words], capture_output=True, text=True, timeout=_INSTALL_SECONDS
    )
    if done.returncode:
        raise InstallError(f"uv {' '.join(words[:2])} failed: {done.stderr.strip()[-1000:]}")


def _ours() -> list[str]:
    """What the wheel depends on beside crewai, whose range may not have that release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [one for one in project["dependencies"] if not one.startswith("crewai")]
