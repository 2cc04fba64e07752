"""Conversations over plain HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import StoreError
from sidecar.log.memory import MemoryStore
from tests.support.served import Served, serve

PAGE = {"Origin": "http://localhost:3000"}


async def ask(
    served: Served, method: str, path: str, **options: Any
) -> tuple[int, dict[str, Any] | None]:
    """The status, and what was said."""
    async with served.http.request(method, path, **options) as response:
        said = await response.read()
        return response.status, await response.json() if said else None


async def code(served: Served, method: str, path: str, **options: Any) -> tuple[int, str]:
    status, said = await ask(served, method, path, **options)
    assert said is not None
    assert said["error"]["temporary"] == (status == 503)
    return status, said["error"]["code"]


async def test_a_conversation_from_its_beginning_to_its_end(served: Served) -> None:
    start = {"id": "s-1", "inputs": {"message": "A tea shop"}, "thread": "t.1:a", "title": "Tea"}
    status, ack = await ask(served, "POST", "/runs", json=start)
    assert (status, ack and ack["ok"]) == (201, True)
    run = ack["run"] if ack else ""
    status, page = await ask(served, "GET", "/threads")
    assert (status, page and page["next"]) == (200, None)
    [thread] = page["threads"] if page else []
    assert thread.keys() == {"thread", "title", "created", "updated", "runs", "state"}
    assert (thread["thread"], thread["title"], thread["runs"]) == ("t.1:a", "Tea", 1)
    status, shown = await ask(served, "GET", "/threads/t.1:a")
    assert (status, shown) == (200, {**thread, "runs": [await served.supervisor.snapshot(run)]})
    renamed = {**thread, "title": "Green tea"}
    body = {"title": " Green\ntea "}
    assert await ask(served, "PATCH", "/threads/t.1:a", json=body) == (200, renamed)
    for path in ("/threads/t.1:a", f"/runs/{run}"):
        assert await code(served, "DELETE", path) == (409, "illegal_state")
    second = {"id": "s-2", "thread": "t.1:a"}
    assert await code(served, "POST", "/runs", json=second) == (409, "illegal_state")
    await ask(served, "POST", "/control", json={"id": "c-1", "cmd": "cancel", "run": run})
    await served.supervisor.settled()
    assert await ask(served, "DELETE", "/threads/t.1:a") == (204, None)
    assert await ask(served, "GET", "/threads") == (200, {"threads": [], "next": None})
    for method in ("GET", "DELETE"):
        assert await code(served, method, "/threads/t.1:a") == (404, "unknown_thread")
        assert await code(served, method, f"/runs/{run}") == (404, "unknown_run")
    assert await code(served, "PATCH", "/threads/t.1:a", json=body) == (404, "unknown_thread")
    assert await code(served, "GET", "/threads?before=t.1:a") == (404, "unknown_thread")


async def test_a_finished_run_can_be_removed_alone(served: Served) -> None:
    run = await served.completed()
    assert await ask(served, "DELETE", f"/runs/{run}") == (204, None)
    assert await code(served, "GET", f"/sse?run={run}") == (404, "unknown_run")


async def test_threads_come_a_page_at_a_time(served: Served) -> None:
    for n in range(3):
        body = {"id": f"s-{n}", "thread": f"t{n}"}
        assert (await ask(served, "POST", "/runs", json=body))[0] == 201
    for query, threads, following in (
        ("limit=2", ["t2", "t1"], "t1"),
        ("limit=2&before=t1", ["t0"], None),
        ("limit=3", ["t2", "t1", "t0"], None),
        ("limit=3&before=", ["t2", "t1", "t0"], None),
    ):
        _, page = await ask(served, "GET", f"/threads?{query}")
        assert page is not None
        assert ([one["thread"] for one in page["threads"]], page["next"]) == (threads, following)
    for limit in ("0", "1001", "x"):
        assert await code(served, "GET", f"/threads?limit={limit}") == (400, "bad_request")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"title": 1}', b'{"title": " "}', b'{"title": "%b"}' % (b"x" * 201)],
)
async def test_a_title_is_a_line_of_at_most_200_characters(served: Served, body: bytes) -> None:
    await ask(served, "POST", "/runs", json={"id": "s", "thread": "t", "title": "T" * 200})
    options: dict[str, Any] = {"data": body, "headers": {"Content-Type": "application/json"}}
    assert await code(served, "PATCH", "/threads/t", **options) == (400, "bad_request")
    plain = {"Content-Type": "text/plain"}
    refusal = await code(served, "PATCH", "/threads/t", data=b'{"title": "x"}', headers=plain)
    assert refusal == (415, "unsupported_media_type")
    too_much = b'{"title": "%b"}' % (b"x" * 300_000)
    options["data"] = too_much
    assert await code(served, "PATCH", "/threads/t", **options) == (413, "too_large")
    _, shown = await ask(served, "GET", "/threads/t")
    assert shown is not None
    assert shown["title"] == "T" * 200


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "OPTIONS"])
async def test_only_pages_that_are_let_in_may_ask_and_hear_the_answer(
    served: Served, method: str
) -> None:
    run = await served.completed()
    for path in ("/threads", "/threads/t", f"/runs/{run}"):
        foreign = {"Origin": "http://evil.example"}
        assert await code(served, method, path, headers=foreign) == (403, "forbidden")
    async with served.http.request(method, "/threads/t", headers=PAGE) as response:
        assert response.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert (await ask(served, "GET", f"/runs/{run}"))[0] == 200


async def test_what_can_not_be_written_is_refused_as_temporary(tmp_path: Path) -> None:
    class Full(MemoryStore):
        async def forget(self, *, run: str | None = None, thread: str | None = None) -> list[str]:
            raise StoreError("cannot write the log /secret/path: disk is full")

    async with serve(tmp_path, store=Full(retain=100, keep_runs=10)) as served:
        run = await served.completed()
        async with served.http.delete(f"/runs/{run}") as response:
            said = await response.json()
        assert (response.status, said["error"]["code"]) == (503, "unavailable")
        assert "nothing was done" in said["error"]["message"]
        assert "/secret" not in said["error"]["message"]
        assert (await ask(served, "GET", f"/runs/{run}"))[0] == 200
