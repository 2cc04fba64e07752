"""The fuzzing client itself: an interpreter old enough for it, its installation, its run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

__all__ = ["MISSING", "SuiteError", "find_interpreter", "fuzz", "install"]

REQUIREMENTS: Final = Path(__file__).parent / "requirements.txt"

MISSING: Final = (
    "Autobahn's fuzzing client is written in Python 2.7, and there is none here that has pip: "
    "install one, for example with `pyenv install 2.7.18`, and if it isn't found by itself say "
    "where it is: make autobahn PYTHON2=~/.pyenv/versions/2.7.18/bin/python2.7"
)

_NAMES: Final = ("python2.7", "python2", "pypy2.7", "pypy2", "pypy")

_OLD_ENOUGH: Final = "import pip, sys; sys.exit(sys.version_info[:2] != (2, 7))"

_ANSWER_SECONDS: Final = 20.0
"""Of an interpreter that is asked for its version."""

_INSTALL_SECONDS: Final = 600.0

_SILENCE_SECONDS: Final = 120.0
"""Without a next case. The longest takes 5 s, all of them two minutes."""


class SuiteError(Exception):
    """The suite could not be installed or run; says what to do."""


def find_interpreter(environ: Mapping[str, str]) -> str:
    """A Python or PyPy 2.7 with pip. Raises SuiteError: there is none."""
    for path in _candidates(environ):
        try:
            subprocess.run(
                [path, "-c", _OLD_ENOUGH], check=True, capture_output=True, timeout=_ANSWER_SECONDS
            )
        except (OSError, subprocess.SubprocessError):
            continue  # Not there, or a shim of pyenv's for a version that is not chosen.
        return path
    raise SuiteError(MISSING)


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    if chosen := environ.get("PYTHON2", "").strip():
        yield os.path.expanduser(chosen)
        return
    for name in _NAMES:
        if found := shutil.which(name, path=environ.get("PATH")):
            yield found
    root = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv")
    for pattern in ("2.7*/bin/python2.7", "pypy2.7*/bin/pypy"):
        yield from map(str, sorted((root / "versions").glob(pattern), reverse=True))


def install(interpreter: str, base: Path) -> None:
    """Into the folder `base` and nowhere else, unless it is there. Raises SuiteError."""
    stamp = base / "installed"
    wanted = f"{interpreter}\n{REQUIREMENTS.read_text()}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(base, ignore_errors=True)
    # `--user` in a base of its own: what a virtual environment would be, were there one for 2.7.
    command = [
        *(interpreter, "-m", "pip", "install", "--user", "--ignore-installed", "--quiet"),
        *("--disable-pip-version-check", "--no-warn-script-location", "-r", str(REQUIREMENTS)),
    ]
    try:
        done = subprocess.run(
            command,
            env=_environment(base),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise SuiteError(f"pip took more than {_INSTALL_SECONDS:.0f} s: try again") from None
    if done.returncode:
        said = "".join(done.stdout.splitlines(keepends=True)[-20:])
        raise SuiteError(
            f"{said}pip could not install the suite (above); one of its packages needs a C "
            "compiler and the headers of Python 2.7"
        )
    stamp.write_text(wanted)


def fuzz(
    interpreter: str, base: Path, url: str, out: Path, told: Callable[[int, int], None]
) -> dict[str, Any]:
    """All cases against the server at `url` (ws://…); the suite's index of verdicts.

    `out` gets a page for each case. `told` hears how many of how many have begun. Raises
    SuiteError.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    spec = out / "spec.json"
    spec.write_text(
        json.dumps(
            {
                "outdir": str(out),
                "servers": [{"agent": "crew-sidecar", "url": url}],
                "cases": ["*"],
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        )
    )
    command = [
        *(interpreter, "-u", "-m", "autobahntestsuite.wstest"),
        *("-m", "fuzzingclient", "-s", str(spec)),
    ]
    said: list[str] = []
    with subprocess.Popen(
        command,
        cwd=out,
        env=_environment(base),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        begun = total = 0
        alarm = _alarm(process)
        for line in process.stdout:
            alarm.cancel()
            alarm = _alarm(process)
            said = [*said[-20:], line[:500]]
            if found := re.match(r"Ok, will run (\d+) test cases", line):
                total = int(found[1])
            elif line.startswith("Running test case"):
                begun += 1
                told(begun, total)
        alarm.cancel()
    index = out / "index.json"
    verdicts: dict[str, Any] = json.loads(index.read_text()) if index.is_file() else {}
    if not total or [len(cases) for cases in verdicts.values()] != [total]:
        raise SuiteError("".join(said) + "the suite did not get through its cases (above)")
    return verdicts


def _alarm(process: subprocess.Popen[str]) -> threading.Timer:
    alarm = threading.Timer(_SILENCE_SECONDS, process.kill)
    alarm.start()
    return alarm


def _environment(base: Path) -> dict[str, str]:
    """Without what is meant for this process's Python."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONUSERBASE": str(base)}
