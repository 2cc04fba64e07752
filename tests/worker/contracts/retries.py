"""Before a client's next try: retries.py."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from typing import Any

from sidecar.worker.engine import retries
from tests.worker.contracts import check

_told: list[tuple[int | None, float]] = []


@cache
def _afresh() -> None:
    """What another check has wrapped tells that one."""
    retries._wrapped.clear()
    if (wrapped := sys.modules.get("crewai.llms.retry")) is not None:
        importlib.reload(wrapped)


def _listen() -> None:
    _afresh()
    _told.clear()
    retries.wrap(lambda error, wait: _told.append((retries.status_of(error), wait)))


@check
def check_a_client_reckons_its_wait_by_one_function_with_the_error_at_hand() -> None:
    """`_client`: `BaseClient._calculate_retry_timeout` gives the seconds, within the `except` of
    what went wrong. If it is gone, read `_sleep_for_retry` in openai/_base_client.py; Anthropic's
    comes from the same generator, and test_retries.py runs both."""
    import httpx
    from openai import OpenAI

    _listen()
    refused = httpx.Response(429, headers={"retry-after-ms": "1"})
    answers: list[httpx.Response | Exception] = [refused, httpx.ConnectError("gone")]
    tries: list[int] = []

    def answer(_request: httpx.Request) -> httpx.Response:
        tries.append(len(_told))
        if not answers:
            return httpx.Response(200, json={"object": "list", "data": []})
        if isinstance(first := answers.pop(0), Exception):
            raise first
        return first

    http = httpx.Client(transport=httpx.MockTransport(answer))
    OpenAI(api_key="k", base_url="http://model", http_client=http).models.list()
    assert [status for status, _ in _told] == [429, None]
    assert _told[0][1] == 0.001
    assert tries == [0, 1, 2], "told before the next try"


@check
def check_crewai_s_own_tries_ask_for_the_delay_after_the_error_was_looked_at() -> None:
    """`_crewai`: `_retry_after_seconds` has the error and `get_retry_delay_seconds` gives the
    seconds, both by their names in crewai/llms/retry.py. Releases before it try once."""
    if importlib.util.find_spec("crewai.llms.retry") is None:
        return
    from crewai.llms.retry import run_with_rate_limit_retry

    class Refused(Exception):
        status_code = 429

    _listen()
    slept: list[tuple[int, float]] = []
    errors = [Refused(), Refused()]

    def operation() -> str:
        if errors:
            raise errors.pop()
        return "text"

    def sleep(seconds: float) -> None:
        slept.append((len(_told), seconds))

    assert run_with_rate_limit_retry(operation, sleep=sleep) == "text"
    assert [status for status, _ in _told] == [429, 429]
    assert slept == [(1, _told[0][1]), (2, _told[1][1])], "told before it sleeps"


@check
def check_tenacity_prepares_the_next_attempt_before_it_sleeps() -> None:
    """`_tenacity`: the outcome and the wait are still there in `prepare_for_next_attempt`."""
    import tenacity

    class Refused(Exception):
        code = 503

    _listen()
    slept: list[tuple[int, Any]] = []
    errors = [Refused()]

    def operation() -> str:
        if errors:
            raise errors.pop()
        return "text"

    def sleep(seconds: float) -> None:
        slept.append((len(_told), seconds))

    assert tenacity.Retrying(wait=tenacity.wait_fixed(2), sleep=sleep)(operation) == "text"
    assert _told == [(503, 2)]
    assert slept == [(1, 2)]
