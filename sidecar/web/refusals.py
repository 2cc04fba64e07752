"""Errors on their way out: a code and a sentence, never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from sidecar import protocol
from sidecar.errors import STATUS, CommandError, StoreError

__all__ = ["error_response", "errors", "opaque", "refusal_response", "unreadable"]

logger = logging.getLogger("sidecar.web")

_RETRY_AFTER = "1"


def opaque(log: logging.Logger) -> CommandError:
    """Log the exception being handled under a fresh id; the outside gets that id, nothing else."""
    id = protocol.new_error_id()
    log.exception("internal error %s", id)
    return CommandError("internal", f"internal error {id}; the sidecar's log has the details")


def unreadable(log: logging.Logger, error: StoreError) -> CommandError:
    """The refusal of what needs the log; our own log has its path."""
    log.error("%s", error)
    return CommandError("unavailable", "the log can't be read")


def error_response(error: CommandError) -> web.Response:
    return refusal_response(error.as_dict(), {"error": error.as_dict()})


def refusal_response(error: Mapping[str, object], body: Mapping[str, Any]) -> web.Response:
    """`body` with the HTTP status that belongs to the code of `error`."""
    status = next(status for code, status in STATUS.items() if code == error["code"])
    headers = {"Retry-After": _RETRY_AFTER} if error["temporary"] else {}
    return web.Response(
        status=status,
        body=protocol.encode(dict(body)),
        content_type="application/json",
        headers=headers,
    )


class _PeersFault(logging.Filter):
    """What a peer sends that is no HTTP is not our error: one line, no stack trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args = "not HTTP: %s", (error.message[:200],)
            record.exc_info = record.exc_text = None
        return True


logging.getLogger("aiohttp.server").addFilter(_PeersFault())


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except CommandError as error:
        return error_response(error)
    except StoreError as error:
        return error_response(unreadable(logger, error))
    except web.HTTPNotFound:
        return error_response(
            CommandError("not_found", f"no route {request.path[:80]!r}; GET / lists them")
        )
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = error_response(
            CommandError("method_not_allowed", f"{request.path[:80]} takes {allowed}")
        )
        response.headers["Allow"] = allowed
        return response
    except web.HTTPException:
        raise
    except ConnectionError:
        # The reader left before its answer had begun, and aiohttp would log that as an error.
        return web.Response(status=499)
    except Exception:
        return error_response(opaque(logger))
