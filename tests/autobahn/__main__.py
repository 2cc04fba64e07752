"""`python -m tests.autobahn`: Autobahn's fuzzing client on /echo, into docs/AUTOBAHN.md.

Exit code 1 when a case failed or has a verdict that nobody explained.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.autobahn.report import as_markdown, problems, read, unneeded
from tests.autobahn.suite import SuiteError, find_interpreter, fuzz, install
from tests.support.sidecar import ROOT, Sidecar

_BASE: Final = ROOT / ".autobahn"
_OUT: Final = ROOT / "artifacts" / "autobahn"
_PAGE: Final = ROOT / "docs" / "AUTOBAHN.md"

_INTRODUCTION: Final = (Path(__file__).parent / "introduction.md").read_text(encoding="utf-8")

_EVERY: Final = 50
"""Cases between two lines on the way."""


def main() -> int:
    try:
        interpreter = find_interpreter(os.environ)
        print(f"Autobahn with {interpreter}, in {_BASE.relative_to(ROOT)}/", flush=True)
        install(interpreter, _BASE)
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            sidecar = Sidecar(Path(folder) / "data", SIDECAR_ECHO="1", SIDECAR_LOG="memory")
            try:
                url = sidecar.start().url.replace("http", "ws", 1) + "/echo"
                verdicts = fuzz(interpreter, _BASE, url, _OUT, _tell)
            finally:
                sidecar.stop()
        took = time.monotonic() - began
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    cases = read(verdicts)
    facts = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "suite": _version(interpreter),
        "sidecar": f"Python {platform.python_version()}, {platform.system()}",
        "took": f"{took:.0f} s",
    }
    _PAGE.write_text(f"{_INTRODUCTION}\n{as_markdown(cases, facts)}", encoding="utf-8")
    print(f"{_PAGE.relative_to(ROOT)} has the result, {_OUT.relative_to(ROOT)}/ a page per case")
    for id in unneeded(cases):
        print(f"{id}: passes, and report.py says why it does not", file=sys.stderr)
    found = problems(cases)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def _tell(begun: int, total: int) -> None:
    if begun % _EVERY == 0 or begun == total:
        print(f"case {begun} of {total}", flush=True)


def _version(interpreter: str) -> str:
    python = subprocess.run(
        [interpreter, "-c", "import platform as p; print(p.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    [pinned] = [
        line.strip()
        for line in (Path(__file__).parent / "requirements.txt").read_text().splitlines()
        if line.startswith("autobahntestsuite==")
    ]
    return f"{pinned.replace('==', ' ')} on Python {python}"


if __name__ == "__main__":
    sys.exit(main())
