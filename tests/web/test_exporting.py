"""GET /runs/{id}/export: what a file has of its run, and what nobody can put into it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import sidecar.web.exporting as module
from sidecar.errors import StoreError
from sidecar.web.exporting import EVENTS, TITLE, embedded, file_name
from tests.support.clock import settle
from tests.support.page import build_page
from tests.support.served import Served, serve

TEMPLATE = f"<title>{TITLE}</title><body>{EVENTS}<script>play()</script>"
DATA = re.compile(
    r'<script type="application/json" (class="events"|id="about")>(.*?)</script>', re.S
)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    folder = build_page(tmp_path / "page")
    (folder / "replay.html").write_text(TEMPLATE)
    async with serve(tmp_path, page=folder) as served:
        yield served


def told(page: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The events of all pieces, and what is said of them."""
    events: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    for mark, text in DATA.findall(page):
        if mark == 'id="about"':
            about = json.loads(text)
        else:
            events += json.loads(text)
    return events, about


async def export(served: Served, run: str) -> tuple[str, aiohttp.ClientResponse]:
    async with served.http.get(f"/runs/{run}/export") as response:
        return await response.text(), response


async def test_a_finished_run_is_a_file_with_all_its_events(served: Served) -> None:
    run = await served.completed()
    page, response = await export(served, run)
    events, about = told(page)
    assert events == [json.loads(event) for event in await served.log(run)]
    assert (about["run"], about["first"], about["cut"]) == (run, 1, False)
    assert page.startswith("<title>default</title><body><script type=")
    assert page.endswith("</script>\n<script>play()</script>")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    name = re.fullmatch(r'attachment; filename="(.+)"', response.headers["Content-Disposition"])
    assert name is not None
    assert name[1] == file_name("default", run)


async def test_what_a_crew_writes_stays_words(served: Served) -> None:
    brief = "</title><script>alert(1)</script>"
    evil = f"</script><script>alert(2)</script><!-- \u2028\u2029 & {EVENTS} {TITLE}"
    run, worker = await served.running(inputs={"message": brief})
    worker.say("llm.delta", {"call": "c", "text": evil, "kind": "text"})
    await settle()
    page, _ = await export(served, run)
    events, _ = told(page)
    assert events[-1]["data"]["text"] == evil
    assert page.lower().count("<script") == 3
    assert page.startswith("<title>&lt;/title&gt;&lt;script&gt;alert(1)")
    assert not {"\u2028", "\u2029"} & set(page)
    assert "<!--" not in page


async def test_of_a_live_run_there_is_what_it_has_done_so_far(served: Served) -> None:
    run, _ = await served.running()
    events, about = told((await export(served, run))[0])
    assert [event["type"] for event in events] == ["run.queued", "run.started"]
    assert about["cut"] is False


async def test_a_long_run_comes_in_pieces_and_is_cut_at_the_bound(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, worker = await served.running()
    for _ in range(40):
        worker.say("llm.delta", {"call": "c", "text": "x" * 1_000, "kind": "text"})
    await settle()
    monkeypatch.setattr(module, "_PIECE_BYTES", 4_000)
    page, _ = await export(served, run)
    pieces = [text for mark, text in DATA.findall(page) if mark == 'class="events"']
    assert len(pieces) > 10
    assert all(len(piece) <= 4_100 for piece in pieces)
    assert len(told(page)[0]) == 42
    monkeypatch.setattr(module, "_MOST_BYTES", 10_000)
    events, about = told((await export(served, run))[0])
    assert len(events) < 15
    assert about["cut"] is True


async def test_a_log_that_breaks_on_the_way_leaves_no_whole_file(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await served.completed()
    log = (await served.supervisor.feed(run)).log

    async def broken(*_: object) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(type(log), "read", broken)
    with pytest.raises(aiohttp.ClientPayloadError):
        await export(served, run)


async def test_a_run_that_there_is_not_is_refused(served: Served) -> None:
    async with served.http.get("/runs/r_nobody/export") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (404, "unknown_run")


async def test_without_the_template_the_way_to_it_is_said(tmp_path: Path) -> None:
    async with serve(tmp_path, page=tmp_path / "none") as served:
        run = await served.completed()
        async with served.http.get(f"/runs/{run}/export") as response:
            error = (await response.json())["error"]
    assert (response.status, error["code"]) == (404, "not_found")
    assert "make page" in error["message"]


def test_embedded_json_is_the_same_json() -> None:
    for value in ("</script>", "<!--", "\u2028\u2029", "\\<", "ü & > '\""):
        text = embedded(json.dumps(value, ensure_ascii=False).encode()).decode()
        assert json.loads(text) == value
        assert not set("<\u2028\u2029") & set(text)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("A tea shop opens!", "crew-a-tea-shop-opens-abcdef.html"),
        ('Größe: ../../etc\r\n"x"', "crew-groe-etc-x-abcdef.html"),
        ("茶", "crew-abcdef.html"),
        ("word " * 30, "crew-word-word-word-word-word-word-word-word-abcdef.html"),
    ],
)
def test_a_file_is_called_by_its_run_in_plain_letters(title: str, name: str) -> None:
    assert file_name(title, "r_0123abcdef") == name
