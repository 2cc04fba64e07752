"""The clients of model providers that CrewAI brings no client of by itself, for the long tests.

`folder()` installs them beside this project's packages, into `.providers/`, on its first call:
90 MB, half a minute. They are those of CrewAI's own extras (`crewai[anthropic]` and so on).
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Final

__all__ = ["folder"]

_ROOT: Final = Path(__file__).resolve().parents[2] / ".providers"
_PACKAGES: Final = (
    "anthropic~=0.73.0",
    "google-genai~=1.65.0",
    "boto3~=1.43.46",
    "aiobotocore~=3.8.0",
    "azure-ai-inference~=1.0.0b9",
    "azure-identity>=1.17,<2",
)
_SECONDS: Final = 600


def folder() -> Path:
    """Of the packages, for PYTHONPATH. Raises CalledProcessError with pip's words if they can't be
    had."""
    made = Path(sysconfig.get_path("purelib", vars={"base": str(_ROOT)}))
    done = _ROOT / ".installed"
    wanted = "\n".join(_PACKAGES)
    if not done.exists() or done.read_text() != wanted:
        venv.create(_ROOT, with_pip=True, clear=True)
        # What the project has is seen from there, so that only what it lacks is installed.
        (made / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
        program = str(_ROOT / "bin" / "python")
        command = [program, "-m", "pip", "install", "--quiet", *_PACKAGES]
        subprocess.run(command, check=True, timeout=_SECONDS, stdout=sys.stderr)
        done.write_text(wanted)
    return made
