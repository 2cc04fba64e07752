"""`crew-sidecar export`: what is on the disk afterwards, and what is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from sidecar.client import Disconnected
from sidecar.errors import CommandError, StoreError
from sidecar.saving import save_run
from sidecar.settings import Settings
from sidecar.web.exporting import EVENTS, TITLE
from tests.support.page import build_page
from tests.support.served import Served, serve

SETTINGS = Settings(port=9)
"""Nobody listens there (RFC 863)."""


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    folder = build_page(tmp_path / "page")
    (folder / "replay.html").write_text(f"<title>{TITLE}</title>{EVENTS}")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    async with serve(tmp_path, page=folder) as served:
        yield served


async def exported(served: Served, run: str) -> bytes:
    async with served.http.get(f"/runs/{run}/export") as response:
        return (await response.read()).split(b'id="about"')[0]


async def test_a_run_is_saved_under_its_name_in_this_folder(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await served.completed()
    assert await save_run(SETTINGS, run, url=served.url, out=None) == 0
    (file,) = Path().iterdir()
    assert file.name == f"crew-default-{run[-6:]}.html"
    assert file.read_bytes().startswith(await exported(served, run))
    assert capsys.readouterr().out == f"{file} (0.0 MB)\n"


async def test_a_live_run_is_saved_as_far_as_it_is_and_that_is_said(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = await served.running()
    await save_run(SETTINGS, run, url=f"{served.url}/", out="mine.html")
    assert Path("mine.html").exists()
    assert "still at work" in capsys.readouterr().out


async def test_a_dash_is_stdout(served: Served, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    run = await served.completed()
    await save_run(SETTINGS, run, url=served.url, out="-")
    assert capsysbinary.readouterr().out.startswith(await exported(served, run))
    assert list(Path().iterdir()) == []


async def test_a_run_that_there_is_not_is_said_with_where_to_look(served: Served) -> None:
    with pytest.raises(CommandError, match=f"{served.url}/runs lists what there is"):
        await save_run(SETTINGS, "r_nobody", url=served.url, out=None)


async def test_what_breaks_off_leaves_the_file_that_was_there(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await served.completed()
    Path("mine.html").write_text("an earlier one")

    async def broken(*_: object) -> None:
        raise StoreError("the disk is gone")

    log = (await served.supervisor.feed(run)).log
    monkeypatch.setattr(type(log), "read", broken)
    with pytest.raises(Disconnected, match="not saved"):
        await save_run(SETTINGS, run, url=served.url, out="mine.html")
    assert [file.read_text() for file in Path().iterdir()] == ["an earlier one"]


async def test_a_folder_that_there_is_not_is_said(served: Served) -> None:
    run = await served.completed()
    with pytest.raises(CommandError, match="can't be written: No such file"):
        await save_run(SETTINGS, run, url=served.url, out="none/mine.html")


async def test_without_a_sidecar_it_says_how_to_get_one() -> None:
    with pytest.raises(Disconnected, match="start it"):
        await save_run(SETTINGS, "r_1", url=None, out=None)


async def test_what_is_no_sidecar_is_not_taken_for_one(tmp_path: Path) -> None:
    app = web.Application()
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        with pytest.raises(Disconnected, match="answers with 404: no sidecar"):
            await save_run(SETTINGS, "r_1", url=url, out=None)
    finally:
        await runner.cleanup()
