"""The application as a whole: its routes, who may enter, and what every answer carries."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import pytest

from tests.support.served import Served

PAGE = "http://localhost:3000"
"""An origin that is let in unless SIDECAR_ORIGINS says otherwise."""

FOREIGN = [
    pytest.param({"Host": "evil.example"}, "Host", id="host"),
    pytest.param({"Origin": "https://evil.example"}, "SIDECAR_ORIGINS", id="origin"),
    pytest.param({"Origin": "http://localhost:3001"}, "SIDECAR_ORIGINS", id="port"),
    pytest.param({"X-Forwarded-Host": "evil.example"}, "Host", id="rebound-through-a-proxy"),
    pytest.param({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, "embed", id="image"),
]


@pytest.mark.parametrize(("headers", "named"), FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/ws"),
        ("GET", "/sse?run=r"),
        ("GET", "/runs"),
        ("GET", "/compare"),
        ("GET", "/no/such/route"),
        ("OPTIONS", "/control"),
    ],
)
async def test_a_foreign_host_or_page_gets_no_further(
    served: Served, headers: dict[str, str], named: str, method: str, path: str
) -> None:
    async with served.http.request(method, path, headers=headers) as response:
        error = (await response.json())["error"]
        assert (response.status, error["code"], error["temporary"]) == (403, "forbidden", False)
        assert named in error["message"]
        assert response.headers["Connection"] == "close"
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(("headers", "named"), FOREIGN)
async def test_a_command_of_a_foreign_page_has_no_effect(
    served: Served, headers: dict[str, str], named: str
) -> None:
    async with served.http.post("/runs", json={"id": "s"}, headers=headers) as response:
        assert (response.status, named in await response.text()) == (403, True)
    assert served.pool.taken == []


@pytest.mark.parametrize("path", ["/", "/healthz", "/runs", "/no/such/route"])
async def test_an_allowed_page_may_read_what_it_is_answered(served: Served, path: str) -> None:
    async with served.http.get(path, headers={"Origin": PAGE}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        assert response.headers["Access-Control-Expose-Headers"] == "Location, Retry-After"


async def test_a_program_needs_no_leave_and_every_answer_is_as_careful(served: Served) -> None:
    async with served.http.get("/runs") as response:
        assert response.status == HTTPStatus.OK
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Vary"] == "Origin"
        assert "Server" not in response.headers


async def test_an_allowed_page_asks_first_and_is_told_what_it_may_send(served: Served) -> None:
    preflight = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    async with served.http.options("/control", headers=preflight) as response:
        assert response.status == HTTPStatus.NO_CONTENT
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, PATCH, DELETE"
        assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]
        assert response.headers["Access-Control-Max-Age"] == "600"


async def test_the_index_names_every_route_and_the_host_that_was_asked(served: Served) -> None:
    async with served.http.get("/") as response:
        text = await response.text()
    assert f"http://127.0.0.1:{served.port}/runs" in text
    paths = re.findall(r" (/[\w/]*)", text)
    named = {path.replace("ID", "{thread}" if "thread" in path else "{run}") for path in paths}
    routes = {route.resource.canonical for route in served.app.router.routes() if route.resource}
    parts = {"/run", "/{file}", "/run/{file}", "/runs/{file}", "/_next/{path}", "/compare/{name}"}
    assert routes - named == parts


async def test_it_says_that_it_lives_and_that_it_is_ready(served: Served) -> None:
    async with served.http.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"ok": True})
    async with served.http.get("/readyz") as response:
        assert (response.status, await response.json()) == (200, {"ready": True})


async def test_it_says_why_it_is_not_ready_and_lives_all_the_same(served: Served) -> None:
    served.pool.warm = False
    async with served.http.get("/readyz") as response:
        why = {"ready": False, "why": "a worker is warming up"}
        assert (response.status, await response.json()) == (503, why)
    async with served.http.get("/healthz") as response:
        assert response.status == HTTPStatus.OK


@pytest.mark.parametrize("path", ["/nowhere", "/runs/r/nothing", "/compare/../app.py"])
async def test_a_route_that_there_is_not_is_refused_with_where_to_look(
    served: Served, path: str
) -> None:
    async with served.http.get(path) as response:
        error: dict[str, Any] = (await response.json())["error"]
    assert (response.status, error["code"]) == (404, "not_found")
    assert error["message"].endswith("GET / lists them")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/runs", "GET, HEAD, POST"),
        ("GET", "/control", "POST"),
        ("HEAD", "/sse", "GET"),
        ("HEAD", "/ws", "GET"),
    ],
)
async def test_a_method_that_a_route_does_not_take_is_refused_with_those_it_does(
    served: Served, method: str, path: str, allowed: str
) -> None:
    async with served.http.request(method, path) as response:
        assert (response.status, response.headers["Allow"]) == (405, allowed)
