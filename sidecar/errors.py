"""What can go wrong with a request, as codes the outside may rely on (docs/PROTOCOL.md).

::

    CommandError      answers one command or request; the connection stays
    SettingsError     the sidecar cannot start; the text names the variable and the fix
    IllegalTransition a run was asked for a step that its table does not have: a bug, or a refusal
    StoreError        the log cannot be used; the text names the file and the fix
"""

from __future__ import annotations

from typing import Final, Literal

__all__ = [
    "STATUS",
    "Code",
    "CommandError",
    "IllegalTransition",
    "SettingsError",
    "StoreError",
]

Code = Literal[
    "bad_request",
    "unauthorized",
    "forbidden",
    "unknown_run",
    "unknown_thread",
    "unknown_crew",
    "unknown_command",
    "not_found",
    "method_not_allowed",
    "illegal_state",
    "already_answered",
    "id_reused",
    "too_large",
    "unsupported_media_type",
    "rate_limited",
    "at_capacity",
    "shutting_down",
    "unavailable",
    "internal",
]

STATUS: Final[dict[Code, int]] = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "unknown_run": 404,
    "unknown_thread": 404,
    "unknown_crew": 404,
    "unknown_command": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "illegal_state": 409,
    "already_answered": 409,
    "id_reused": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "at_capacity": 429,
    "shutting_down": 503,
    "unavailable": 503,
    "internal": 500,
}
"""HTTP status of each code (RFC 9110 section 15)."""

_TEMPORARY: Final[frozenset[Code]] = frozenset(
    {"rate_limited", "at_capacity", "shutting_down", "unavailable"}
)


class CommandError(Exception):
    """A refusal with its code; `temporary` says that the same request may succeed later."""

    def __init__(self, code: Code, message: str, *, id: str | None = None) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.id = id
        """Id of the command refused, when the frame was good enough to tell."""

    @property
    def temporary(self) -> bool:
        return self.code in _TEMPORARY

    @property
    def status(self) -> int:
        return STATUS[self.code]

    def as_dict(self) -> dict[str, str | bool]:
        return {"code": self.code, "message": self.message, "temporary": self.temporary}


class SettingsError(Exception):
    """A setting that cannot be honoured."""


class IllegalTransition(Exception):
    """The run's table has no step for this event in this state."""


class StoreError(Exception):
    """The log's storage cannot be used."""
