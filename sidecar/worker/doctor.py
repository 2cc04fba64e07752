"""The program `doctor`: what this Python's CrewAI can do, and what crews it makes of a folder.

A Look of `channel` as JSON on stdin; on stdout one JSON object::

    {"findings": [{"check": "crewai", "state": "ok" | "note" | "wrong", "says", "fix"}, ...],
     "crews": [as `worker.described` has them]}

What the user's own modules print goes to stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import NoReturn

from sidecar.channel import WORKER_DESCRIBED, Look, fact
from sidecar.worker import ahead, environment, process
from sidecar.worker.engine import needs, versions
from sidecar.worker.line.redact import Redactor

__all__ = ["main"]

Finding = dict[str, str]


def main() -> NoReturn:
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    look: Look = json.load(sys.stdin)
    before = dict(os.environ)
    findings = _of_crewai(versions.installed())
    well = all(finding["state"] != "wrong" for finding in findings)
    crews = ahead.described(look)["crews"] if well else []
    redactor = Redactor(environment.secret_values({**before, **os.environ}))
    (told,) = redactor.facts(fact(WORKER_DESCRIBED, {"findings": findings, "crews": crews}))
    with answer:
        json.dump(told["data"], answer)
    # CrewAI's exit handlers wait for threads.
    process.leave(0)


def _of_crewai(version: str | None) -> list[Finding]:
    why = versions.trouble(version)
    if version is None or why is not None:
        what, _, fix = str(why).partition(": ")
        return [_found("wrong", what, fix)]
    environment.prepare()
    began = time.monotonic()
    try:
        # All that a run imports at once.
        for module in ("tap", "targets", "questions", "storage"):
            importlib.import_module(f"sidecar.worker.engine.{module}")
        seconds = time.monotonic() - began
        gone = needs.missing()
    except BaseException as error:
        what = f"crewai {version} can't be imported: {type(error).__name__}: {error}"
        return [_found("wrong", what, f"pip install --force-reinstall 'crewai=={version}'")]
    found = [_found("ok", f"{version}, imported in {seconds:.1f} s")]
    if versions.is_untried(version):
        newest = versions.EXAMINED
        found.append(_found("note", f"{version} is newer than {newest}, the newest that was tried"))
    for name, lack in versions.lacks(version).items():
        newer = f"pip install -U 'crewai{versions.NEEDED}'"
        found.append(_found("note", f"{name}: {lack.what}", newer))
    for name, need in gone.items():
        what = f"{name}: {need.without}, as {version} has no {', '.join(need.places)}"
        found.append(_found("wrong", what, f"pip install 'crewai=={versions.EXAMINED}'"))
    return found


def _found(state: str, says: str, fix: str = "") -> Finding:
    return {"check": "crewai", "state": state, "says": says, "fix": fix}
