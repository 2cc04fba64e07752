"""Runs all checks in this process; see the package."""

from __future__ import annotations

import contextvars
import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from sidecar.worker import environment
from tests.worker.contracts import all_checks


def main() -> None:
    os.environ.update({"CREW_MODEL": "offline", "OFFLINE_TOKEN_MS": "0"})
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENROUTER_API_KEY"):
        os.environ.pop(name, None)
    # Of its own: what others leave in the system's is nothing to a check that looks there.
    own = tempfile.mkdtemp(prefix="contracts-")
    os.environ["TMPDIR"], tempfile.tempdir = own, None
    environment.prepare(Path(own))
    os.environ["CREWAI_STORAGE_DIR"] = tempfile.mkdtemp()
    results: dict[str, str | None] = {}
    for name, function in all_checks().items():
        try:
            contextvars.copy_context().run(function)
            results[name] = None
        except BaseException:
            results[name] = traceback.format_exc()
    sys.__stdout__.write("\n" + json.dumps(results) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]
    shutil.rmtree(own, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
