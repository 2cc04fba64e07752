"""Which CrewAI is installed, and what of ours an older one can't do. Imports no crewai.

Most of what a run needs of CrewAI is undocumented, and some of it came with one of its releases.
`make crewai` holds this page against the releases themselves, into docs/CREWAI.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Final

__all__ = [
    "EXAMINED",
    "LACKS",
    "NEEDED",
    "Lack",
    "Unsupported",
    "installed",
    "is_untried",
    "lacks",
    "require",
    "trouble",
    "turns",
]

Release = tuple[int, ...]

_OLDEST: Final[Release] = (1, 15, 3)
"""Before it there is no `crewai.hooks.HookAborted`, which stops a crew."""
_BELOW: Final[Release] = (1, 16)
"""Nobody has tried it."""

NEEDED: Final = f">={'.'.join(map(str, _OLDEST))},<{'.'.join(map(str, _BELOW))}"
"""As pyproject.toml says it to pip."""


EXAMINED: Final = "1.15.30"
"""The newest that was tried, and the one that our lists are complete for: classes of events,
providers, keys of a config. In any other, what is on them may be missing, and what is not new."""


class Unsupported(Exception):
    """The CrewAI that is installed is none that this works with; the text has the way out."""


@dataclass(frozen=True)
class Lack:
    """What releases before `since` can't do."""

    since: Release
    what: str
    """In words for a user."""


LACKS: Final[Mapping[str, Lack]] = {
    "abort": Lack(
        (1, 15, 19),
        "a cancelled crew isn't stopped at its next token: its process is ended up to 0.3 s later "
        "(2.5 s while a tool is at work)",
    ),
    "failure": Lack(
        (1, 15, 9), "a tool that gave up without raising is told as one that succeeded"
    ),
}
"""By the name that tests/worker/contracts gives to the checks that fail there."""


def require() -> None:
    """Raise Unsupported unless the installed release is one that this works with."""
    if (why := trouble(installed())) is not None:
        raise Unsupported(why)


def installed() -> str | None:
    """The version of CrewAI that this process would import; None when there is none."""
    try:
        return metadata.version("crewai")
    except metadata.PackageNotFoundError:
        return None


def trouble(version: str | None) -> str | None:
    """Why this does not work with that version, and what to do; None when it does."""
    install = f"pip install -U 'crewai{NEEDED}'"
    if version is None:
        return f"crewai is not installed for {sys.executable}: {install}"
    if _OLDEST <= _release(version) < _BELOW:
        return None
    return f"crewai {version} is installed; crew-sidecar needs {NEEDED}: {install}"


def lacks(version: str) -> dict[str, Lack]:
    """What that version can't do."""
    return {name: lack for name, lack in LACKS.items() if _release(version) < lack.since}


def is_untried(version: str) -> bool:
    """Whether it is newer than any that was tried."""
    return _release(version) > _release(EXAMINED)


def turns() -> list[str]:
    """The releases from which on something works, the newest first."""
    releases = {_OLDEST, *(lack.since for lack in LACKS.values())}
    return [".".join(map(str, release)) for release in sorted(releases, reverse=True)]


def _release(version: str) -> Release:
    """PEP 440's release segment: 1.15.30rc1 is nearest to 1.15.30."""
    found = re.match(r"\s*v?(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()
