"""`python -m tests.versions [VERSION …]`: contracts and runs on several releases of CrewAI, into
docs/CREWAI.md, or with --check nowhere.

Exit code 1 when a release does not do what versions.py says of it.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
from collections.abc import Sequence
from typing import Final

from sidecar.worker.engine import versions
from tests.support.sidecar import ROOT
from tests.versions.install import InstallError, installed, newest
from tests.versions.report import Result, as_markdown, problems

_PAGE: Final = ROOT / "docs" / "CREWAI.md"
_INTRODUCTION: Final = ROOT / "tests" / "versions" / "introduction.md"
_NEWEST: Final = 8


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.versions")
    parser.add_argument("version", nargs="*", help="default: the newest eight, and the turns")
    parser.add_argument("--check", action="store_true", help="the newest eight, no page")
    options = parser.parse_args(words)
    began = time.monotonic()
    results: list[Result] = []
    try:
        chosen = options.version or newest(_NEWEST)
        if not options.version and not options.check:
            chosen += [one for one in versions.turns() if one not in chosen]
        for version in chosen:
            results.append(_tried(version))
            _say(results[-1])
            if not options.check:  # after each, as an hour's work may be interrupted
                _write(results, time.monotonic() - began)
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    found = problems(results)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def _write(results: Sequence[Result], seconds: float) -> None:
    facts = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "on": f"Python {platform.python_version()}, {platform.system()}",
        "took": f"{seconds / 60:.0f} min",
    }
    introduction = _INTRODUCTION.read_text(encoding="utf-8")
    _PAGE.write_text(f"{introduction}\n{as_markdown(results, facts)}", encoding="utf-8")


def _tried(version: str) -> Result:
    if (refused := versions.trouble(version)) is not None:
        return Result(version, trouble=refused)
    with installed(version) as release:
        contracts = release.results("tests.worker.contracts")
        return Result(version, contracts, release.results("tests.versions.crews"))


def _say(result: Result) -> None:
    checks = {**result.contracts, **result.runs}
    failed = [name for name, why in checks.items() if why is not None]
    told = result.trouble or f"{len(checks) - len(failed)} of {len(checks)} checks"
    print(" ".join([f"crewai {result.version}: {told}", *failed]), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
