"""GET /compare and the files it is made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sidecar.web.pages as module
from tests.support.served import Served

STATIC = Path(module.__file__).parent / "static"
ASSETS = sorted(file.name for file in STATIC.iterdir() if file.name != "compare.html")
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


async def test_the_page_is_isolated_and_takes_nothing_from_elsewhere(served: Served) -> None:
    async with served.http.get("/compare") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert await response.read() == (STATIC / "compare.html").read_bytes()
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", ASSETS)
async def test_each_of_its_files_is_served_with_its_type(served: Served, name: str) -> None:
    async with served.http.get(f"/compare/{name}") as response:
        assert response.status == 200
        assert response.content_type == TYPES[name.rpartition(".")[2]]
        assert await response.read() == (STATIC / name).read_bytes()
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_all_that_the_page_and_its_modules_name_is_there() -> None:
    text = "".join(file.read_text() for file in STATIC.iterdir() if file.suffix in (".html", ".js"))
    named = set(re.findall(r"""["'](?:\./|compare/)([\w.-]+\.(?:js|css|svg))["']""", text))
    assert named
    assert named <= set(ASSETS)


@pytest.mark.parametrize(
    "name",
    ["compare.html", "nothing.js", "", "..%2Fpages.py", "%2e%2e/pages.py", "COMPARE.JS", "app.py"],
)
async def test_nothing_else_is_served(served: Served, name: str) -> None:
    async with served.http.get(f"/compare/{name}") as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"
