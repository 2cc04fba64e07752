"""What a process must have in its environment before it imports crewai.

Pure, except for `prepare` and `adopt`, which apply it to this process. Established by running
CrewAI 1.15.30; `tests/worker/test_contract.py` pins what each setting is needed for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["QUIET", "adopt", "is_placeholder", "prepare", "secret_values", "setting"]

QUIET: Final[Mapping[str, str]] = {
    # Telemetry and traces off: they send prompts out, and their exporters start threads.
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "OTEL_SDK_DISABLED": "true",
    # numpy's OpenBLAS starts a thread per core on import; a fork would then copy its locks
    # without the threads that release them.
    "OPENBLAS_NUM_THREADS": "1",
}
"""Set whatever the user's environment says; nothing of it changes what a crew can do."""

_SECRET_NAMES: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
_SECRET_LENGTH: Final = 8
_PLACEHOLDERS: Final = frozenset(
    {"", "-", "sk-", "none", "null", "nil", "todo", "tbd", "test", "fake", "dummy", "secret", "key"}
    | {"changeme", "change-me", "change_me", "placeholder", "replaceme", "replace-me", "undefined"}
)


def prepare(folder: Path | None = None) -> None:
    """Make this process ready to import crewai, which reads some of this once: quiet, and with the
    `.env` of `folder` where one is given. What the environment already says wins over the file.
    """
    os.environ.update(QUIET)
    dotenv = folder / ".env" if folder is not None else None
    if dotenv is not None and dotenv.is_file():
        from dotenv import load_dotenv

        load_dotenv(dotenv)


def adopt(environ: Mapping[str, str], folder: Path) -> None:
    """Have `environ` and the `.env` of `folder`, and nothing else, as this process's environment.

    A run's own, whatever the process was started with: a zygote may be older than an edit of the
    `.env`, or serve several gateways.
    """
    os.environ.clear()
    os.environ.update(environ)
    prepare(folder)


def setting(environ: Mapping[str, str], name: str) -> str | None:
    """The stripped value of `name`, or None when it is missing, blank or a placeholder."""
    value = environ.get(name, "").strip()
    return None if is_placeholder(value) else value


def is_placeholder(value: str) -> bool:
    """Whether `value` is what people leave in `.env.example` rather than a real setting.

    Examples: blank, `sk-...`, `your-key-here`, `<api key>`, `changeme`, `xxxx`, `sk-xxx`.
    """
    text = value.strip().strip("'\"").lower()
    body = text.removeprefix("sk-or-v1-").removeprefix("sk-proj-").removeprefix("sk-")
    return (
        text in _PLACEHOLDERS
        or body in _PLACEHOLDERS
        or "..." in text
        or "…" in text
        or text.startswith(("<", "${", "your-", "your_", "your ", "my-api", "insert"))
        or body.startswith(("your-", "your_", "your "))
        or text.endswith(("-here", "_here", " here"))
        or len(set(body)) == 1
    )


def secret_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Values that must never leave this process, the longest first.

    A variable counts when its name contains KEY, TOKEN, SECRET, PASSWORD or CREDENTIAL and its
    value has at least 8 characters and is not a placeholder. Longest first, so that a secret
    which contains another is replaced whole.
    """
    values = {
        value
        for name, value in environ.items()
        if any(part in name.upper() for part in _SECRET_NAMES)
        and len(value) >= _SECRET_LENGTH
        and not is_placeholder(value)
    }
    return tuple(sorted(values, key=lambda value: (-len(value), value)))
