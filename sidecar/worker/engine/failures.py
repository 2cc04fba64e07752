"""What a crew died of, for a person: the provider's own sentence instead of the repr around it, and
beside it what a page needs to say what to do. Imports no crewai and no client: it reads attributes.

OpenAI's, Anthropic's, Google's, boto3's and Azure's clients each have their shape of an error;
whose has none is told as it tells itself.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any, Final

from sidecar.worker.engine.retries import chain, status_of

__all__ = ["blame", "failure"]

_MAX_SENTENCE: Final = 2_000
_MAX_DETAILS: Final = 16 * 1024
_BLAMED: Final = "_crew_llm"
_WORD: Final = re.compile(r"(?!\d+\Z)[A-Za-z0-9_.-]{1,64}\Z")
"""A code of the provider's, as `invalid_api_key`; a number is the status once more."""


def failure(error: BaseException) -> dict[str, Any]:
    """`message`, in one line; and as far as they are known `status` (HTTP's), `reason` (the
    provider's code), `server` (host and port that was asked), `provider` and `model` as CrewAI
    calls them, `details` (all that it said)."""
    kind, said = type(error).__name__, str(error).strip()
    line = " ".join(said.split())
    told = f"{kind}: {line}" if line else kind
    status, server, blamed = status_of(error), _server(error), _blamed(error)
    if status is None and server is None and not blamed:
        return {"message": told, **({"details": said} if "\n" in said else {})}
    sentence, reason = _sentence(error), _reason(error)
    if status is None and server is not None:
        sentence = f"no answer from {server}: {sentence or line}"
    at = f", from {server}" if server and status is not None else ""
    code = " ".join(filter(None, (str(status or ""), reason or "")))
    known = f" ({code}{at})" if code else ""
    message = f"{kind}: {(sentence or line)[:_MAX_SENTENCE]}{known}"
    facts = {"status": status, "reason": reason, "server": server}
    found = {name: value for name, value in facts.items() if value is not None}
    return {"message": message, **found, **blamed, "details": f"{kind}: {said}"[:_MAX_DETAILS]}


def blame(error: BaseException, llm: Any) -> None:
    """It came out of a call of that model."""
    with contextlib.suppress(AttributeError):  # one with slots
        setattr(error, _BLAMED, llm)


def _blamed(error: BaseException) -> dict[str, str]:
    llm = next((llm for one in chain(error) if (llm := getattr(one, _BLAMED, None))), None)
    found = {name: getattr(llm, name, None) for name in ("provider", "model")}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def _sentence(error: BaseException) -> str | None:
    """Of the first in the chain whose client has taken one out of the answer; of a connection that
    failed, what the system said of it."""
    for one in chain(error):
        for body in _bodies(one):
            if isinstance(text := body.get("message") or body.get("Message"), str) and text.strip():
                return " ".join(text.split())
    causes = [one for one in chain(error) if isinstance(one, OSError)]
    return " ".join(str(causes[-1]).split()) if causes else None


def _reason(error: BaseException) -> str | None:
    for one in chain(error):
        for body in _bodies(one):
            for name in ("code", "type", "status", "Code"):
                if isinstance(word := body.get(name), str) and _WORD.match(word):
                    return word
    return None


def _bodies(error: BaseException) -> list[Mapping[str, Any]]:
    """Where the answer's own words may be, the innermost first."""
    response = getattr(error, "response", None)
    found: list[Mapping[str, Any]] = []
    for body in (getattr(error, "body", None), getattr(error, "details", None), response):
        if isinstance(body, Mapping):
            inner = body.get("error") or body.get("Error")
            found += [inner, body] if isinstance(inner, Mapping) else [body]
    azure = getattr(error, "error", None)
    if isinstance(text := getattr(azure, "message", None), str):
        found.append({"message": text, "code": getattr(azure, "code", None)})
    return found


def _server(error: BaseException) -> str | None:
    """Host, and port where it says one, of the request; never its path or its user."""
    for one in chain(error):
        for owner in (one, getattr(one, "response", None)):
            url = None
            with contextlib.suppress(RuntimeError):  # httpx's, where there is none
                url = getattr(getattr(owner, "request", None), "url", None)
            text = str(url or "").partition("://")[2].partition("/")[0].rpartition("@")[2]
            if text:
                return text
    return None
