"""What a process must have in its environment before it imports crewai."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.worker.harness import PROJECT, clean_environment


def test_dotenv_is_read_before_crewai_and_loses_to_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_MODEL=from-file\nOPENAI_API_KEY=from-file\n")
    script = (
        "import os, pathlib; from sidecar.worker import environment;"
        "environment.prepare(pathlib.Path.cwd());"
        "print(os.environ['OPENAI_MODEL'], os.environ['OPENAI_API_KEY'],"
        " os.environ['OTEL_SDK_DISABLED'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=clean_environment(
            PYTHONPATH=str(PROJECT), OPENAI_API_KEY="from-shell", OTEL_SDK_DISABLED="false"
        ),
        check=True,
    )
    assert done.stdout.split() == ["from-file", "from-shell", "true"]
