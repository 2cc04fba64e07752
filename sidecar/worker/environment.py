"""What a process must have in its environment before it imports crewai.

Pure, except for `prepare` and `adopt`, which apply it to this process. Established by running
CrewAI 1.15.30; `tests/worker/test_contract.py` pins what each setting is needed for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

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

# Neither GIT_AUTHOR_NAME nor PATH; AUTHORIZATION is one.
_SECRET_NAME: Final = re.compile(
    r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|COOKIE|SESSION|PRIVATE|DSN"
    r"|AUTH(?!OR(?!IZ))|(?:^|_)PAT(?:_|$)"
)
_HARMLESS: Final = frozenset(
    # Of a desktop: names, numbers and sockets, not secrets, and some are words of prose.
    {"DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION", "GDMSESSION", "SESSION_MANAGER"}
    | {"SESSIONNAME", "SSH_AUTH_SOCK", "TERM_SESSION_ID", "XAUTHORITY"}
    | {f"XDG_SESSION_{what}" for what in ("CLASS", "DESKTOP", "ID", "PATH", "TYPE")}
)
_SECRET_LENGTH: Final = 8
_USERINFO: Final = re.compile(r"[a-z][a-z0-9+.-]*:(//([^/?#\s]+)@)", re.IGNORECASE)
"""RFC 3986 section 3.2.1, from the slashes to the `@`; one that is not quoted may hold another."""
_PEM_EDGE: Final = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
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

    Those of variables whose name says so (KEY, TOKEN, SECRET, PASS, CREDENTIAL, AUTH, PAT, DSN,
    COOKIE, SESSION, PRIVATE), whole and each of their lines; and what stands before the `@` of a
    URL in any variable. Shorter ones than 8 characters would take words out of what a crew says;
    placeholders are none.
    """
    values: set[str] = set()
    for name, value in environ.items():
        for slashes, userinfo in _USERINFO.findall(value):
            values |= {slashes, *filter(_is_secret, _passwords(userinfo))}
        if _SECRET_NAME.search(name.upper()) and name not in _HARMLESS:
            lines = (line.strip() for line in value.splitlines())
            values |= {part for part in (value, *lines) if _is_secret(part)}
    return tuple(sorted(values, key=lambda value: (-len(value), value)))


def _is_secret(value: str) -> bool:
    edge = _PEM_EDGE.fullmatch(value) is not None
    return len(value) >= _SECRET_LENGTH and not edge and not is_placeholder(value)


def _passwords(userinfo: str) -> Iterator[str]:
    """A URL's password, as it is written and as it is meant; a lone name may be a token."""
    user, colon, password = userinfo.partition(":")
    secret = password if colon else user
    # The default of a database, `postgres:postgres`, is a word of prose.
    if not colon or password != user:
        yield from (secret, unquote(secret))
