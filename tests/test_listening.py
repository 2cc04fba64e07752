"""The address that a gateway takes, before anything else of it is there."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import SettingsError
from sidecar.gateway import Gateway
from sidecar.settings import Settings


def bound(tmp_path: Path, **chosen: Any) -> socket.socket:
    return Gateway(Settings(data=tmp_path, port=0, **chosen))._listen()


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 0))
        for address in addresses
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_localhost_that_is_resolved_elsewhere_is_not_listened_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves_to(monkeypatch, "0.0.0.0")
    with pytest.raises(SettingsError, match=r"localhost.*0\.0\.0\.0.*127\.0\.0\.1"):
        bound(tmp_path, host="localhost")


def test_a_localhost_that_is_loopback_is_listened_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves_to(monkeypatch, "127.0.0.1")
    with bound(tmp_path, host="localhost") as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_a_host_that_cannot_be_resolved_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SettingsError, match="cannot listen on localhost"):
        bound(tmp_path, host="localhost")


@pytest.mark.parametrize(("platform", "shared"), [("linux", True), ("win32", False)])
def test_on_windows_nobody_shares_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, shared: bool
) -> None:
    """There SO_REUSEADDR lets a second program listen on the same port, ours or a thief's."""
    monkeypatch.setattr(sys, "platform", platform)
    gateway = Gateway(Settings(data=tmp_path, port=0))
    with gateway._listen() as sock:
        assert bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)) is shared
