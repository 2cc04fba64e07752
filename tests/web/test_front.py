"""GET / and what belongs to the page: to a browser, to curl, and where it was never built."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest

from sidecar.web import has_page
from tests.support.page import build_page
from tests.support.served import Served, serve

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = "/_next/static/chunks/a1b2.js"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_page(tmp_path / "page")


@pytest.fixture
async def served(tmp_path: Path, folder: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path, page=folder) as served:
        yield served


@pytest.fixture
async def unbuilt(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path, page=tmp_path / "none") as served:
        yield served


async def test_a_browser_gets_the_page_and_curl_the_routes(served: Served, folder: Path) -> None:
    async with served.http.get("/", headers=BROWSER) as response:
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert await response.read() == (folder / "index.html").read_bytes()
        assert "Accept" in response.headers.getall("Vary")[0]
    async with served.http.get("/") as response:
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "POST /runs" in await response.text()


async def test_without_a_built_page_a_browser_is_told_how_to_get_one(unbuilt: Served) -> None:
    async with unbuilt.http.get("/", headers=BROWSER) as response:
        text = await response.text()
        assert (response.status, response.content_type) == (200, "text/html")
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "make page" in text
    assert "make dev" in text
    assert "GET  /healthz" in text
    for path in ("/run/", "/runs/", SCRIPT):
        async with unbuilt.http.get(path) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (404, "not_found")
    async with unbuilt.http.get("/") as response:
        assert response.content_type == "text/plain"


@pytest.mark.parametrize("path", ["/runs/", "/run/?id=r_1", SCRIPT, "/icon.svg"])
async def test_each_file_is_served_with_what_it_needs(served: Served, path: str) -> None:
    async with served.http.get(path) as response:
        assert response.status == HTTPStatus.OK
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert ("Content-Security-Policy" in response.headers) == path.startswith("/run")


@pytest.mark.parametrize("path", ["/index.txt", "/runs/__next._tree.txt"])
async def test_what_next_fetches_for_a_link_is_no_run(served: Served, path: str) -> None:
    async with served.http.get(path, params={"_rsc": "x"}) as response:
        assert (response.status, await response.text()) == (200, "0:{}")


async def test_the_lists_of_runs_stay_where_they_were(served: Served) -> None:
    run = await served.completed()
    async with served.http.get("/runs", headers=BROWSER) as response:
        assert [one["run"] for one in (await response.json())["runs"]] == [run]
    async with served.http.get(f"/runs/{run}", headers=BROWSER) as response:
        assert (await response.json())["run"] == run


async def test_an_address_without_its_slash_leads_to_the_run(served: Served) -> None:
    asked = served.http.get("/run", params={"id": "r_1"}, allow_redirects=False)
    async with asked as response:
        assert (response.status, response.headers["Location"]) == (308, "/run/?id=r_1")


async def test_it_is_zipped_for_those_who_take_it(served: Served, folder: Path) -> None:
    plain = (folder / SCRIPT[1:]).read_bytes()
    for accepted, zipped in {
        "br, gzip": True,
        "gzip;q=0": False,
        "gzip;q=0.5": True,
        "": False,
    }.items():
        raw = {"Accept-Encoding": accepted}
        request = served.http.get(SCRIPT, headers=raw, auto_decompress=False)
        async with request as response:
            body = await response.read()
            assert (response.headers.get("Content-Encoding") == "gzip") == zipped
            assert (gzip.decompress(body) if zipped else body) == plain


async def test_a_page_that_the_browser_has_is_not_sent_again(served: Served) -> None:
    async with served.http.get("/runs/") as response:
        tag = response.headers["ETag"]
    async with served.http.get("/runs/", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == tag
    async with served.http.get("/runs/", headers={"If-None-Match": '"another"'}) as response:
        assert response.status == HTTPStatus.OK


async def test_head_says_the_same_without_the_page(served: Served) -> None:
    async with served.http.get("/", headers=BROWSER) as response:
        told = response.headers.copy()
    async with served.http.head("/", headers=BROWSER) as response:
        assert (response.status, await response.read()) == (200, b"")
        same = ("Content-Type", "Content-Length", "ETag", "Content-Security-Policy")
        assert {name: response.headers[name] for name in same} == {n: told[n] for n in same}


@pytest.mark.parametrize(
    "path",
    [
        "/_next/../site.py",
        "/_next/%2e%2e/%2e%2e/site.py",
        "/_next/..%2f..%2fsite.py",
        "/_next/static",
        "/runs/..%2findex.txt",
        "/nothing.txt",
    ],
)
async def test_there_is_no_way_out_of_the_folder(served: Served, folder: Path, path: str) -> None:
    (folder.parent / "site.py").write_text("secret")
    reader, writer = await served.connect()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    assert answer.split(b"\r\n")[0].endswith(b"404 Not Found")
    assert b"secret" not in answer


@pytest.mark.parametrize("path", ["/", "/runs/", SCRIPT])
async def test_a_foreign_host_or_page_gets_nothing_of_it(served: Served, path: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        async with served.http.get(path, headers={**BROWSER, **headers}) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (403, "forbidden")


def test_whether_there_is_a_page_is_known_before_anybody_asks(folder: Path) -> None:
    assert has_page(folder)
    assert not has_page(folder / "runs" / "none")
