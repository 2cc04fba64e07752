"""The gateway as one object: what it has opened it closes, in reverse, when opening fails too."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sidecar.datafolder import DataFolder
from sidecar.errors import SettingsError, StoreError
from sidecar.gateway import Gateway
from sidecar.log.sqlite import SqliteStore
from sidecar.pool import Pool
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from sidecar.web.connections import Connections


def settings(folder: Path, **chosen: Any) -> Settings:
    return Settings(data=folder, port=0, warm=0, workers="spawn", **chosen)


def noted(
    monkeypatch: pytest.MonkeyPatch, notes: list[str], *methods: tuple[type, str, str]
) -> None:
    """Note the name given for each method when it is called."""

    def wrap(method: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            notes.append(name)
            return method(*arguments)

        return call

    for owner, method, name in methods:
        monkeypatch.setattr(owner, method, wrap(getattr(owner, method), name))


CLOSING = (
    (web.SockSite, "stop", "stop listening"),
    (Supervisor, "end_runs", "end runs"),
    (Connections, "close", "readers"),
    (Supervisor, "close", "workers and log"),
    (DataFolder, "close", "folder"),
)


async def test_it_closes_in_the_reverse_order_of_its_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    noted(monkeypatch, notes, *CLOSING)
    async with Gateway(settings(tmp_path)):
        assert notes == []
    assert notes == ["stop listening", "end runs", "readers", "workers and log", "folder"]


async def test_nobody_is_let_in_while_runs_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(settings(tmp_path))
    refused = []
    end_runs = Supervisor.end_runs

    async def look(self: Supervisor) -> None:
        async with aiohttp.ClientSession() as http:
            try:
                await http.get(f"{gateway.url}/healthz")
            except aiohttp.ClientConnectorError as error:
                refused.append(error)
        await end_runs(self)

    monkeypatch.setattr(Supervisor, "end_runs", look)
    await gateway.open()
    await gateway.close()
    assert len(refused) == 1


@pytest.mark.parametrize(
    ("owner", "method"), [(SqliteStore, "open"), (Pool, "start"), (web.SockSite, "start")]
)
async def test_an_opening_that_fails_undoes_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    chosen = Settings(data=tmp_path, port=port, warm=0, workers="spawn")
    tasks = asyncio.all_tasks()

    def fail(*_: object) -> None:
        raise StoreError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, fail)
        with pytest.raises(StoreError):
            await Gateway(chosen).open()
    assert asyncio.all_tasks() == tasks
    # The folder is free, the port is free, and the log can be opened.
    async with Gateway(chosen) as gateway:
        assert gateway.url.endswith(f":{port}")


async def test_of_two_that_want_one_port_the_second_is_told_which(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        # It has bound the port too, and is a moment ahead with listening.
        first = Gateway(Settings(data=tmp_path / "1", port=port, warm=0, workers="spawn"))
        await first.open()
        second = Gateway(Settings(data=tmp_path / "2", port=port, warm=0, workers="spawn"))
        with pytest.raises(SettingsError, match=f"port {port} on 127.0.0.1 is taken"):
            await second.open()
        await first.close()
