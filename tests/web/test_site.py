"""The built page in memory: what is served of it, how, and what its policy lets in."""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
from pathlib import Path

import pytest

import sidecar.web.site as module
from sidecar.web.site import Site, inline_scripts, policy
from tests.support.page import build_page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_page(tmp_path / "page")


async def test_a_page_is_found_by_the_address_of_its_folder(folder: Path) -> None:
    site = Site(folder)
    for address, name in {"/": "index.html", "/runs/": "runs/index.html"}.items():
        found = await site.find(address)
        assert found is not None
        assert found.body == (folder / name).read_bytes()
        assert found.headers["Content-Type"] == "text/html; charset=utf-8"
        assert found.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "address",
    [
        "/index.html",
        "/runs",
        "/runs/index.html",
        "/../site.py",
        "/_next/../../site.py",
        "//index.html",
        "/_next/static/chunks",
        "/replay.html",
        "/notes.md",
        "",
    ],
)
async def test_nothing_but_the_files_of_the_build_is_found(folder: Path, address: str) -> None:
    (folder / "notes.md").write_text("of no type that a page has")
    (folder / "replay.html").write_text("<!doctype html>")
    (folder.parent / "site.py").write_text("secret")
    assert await Site(folder).find(address) is None


async def test_what_has_a_digest_in_its_name_is_kept_by_browsers_for_ever(folder: Path) -> None:
    found = await Site(folder).find("/_next/static/chunks/a1b2.js")
    assert found is not None
    assert found.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert found.scripts is None


async def test_what_gets_shorter_is_zipped_once(folder: Path) -> None:
    site = Site(folder)
    long, short = await site.find("/_next/static/chunks/a1b2.js"), await site.find("/icon.svg")
    assert long is not None
    assert long.zipped is not None
    assert gzip.decompress(long.zipped) == long.body
    assert short is not None
    assert short.zipped is None


async def test_a_folder_that_is_built_later_or_anew_is_read_without_a_restart(
    folder: Path,
) -> None:
    site = Site(folder)
    shutil.move(folder, folder.with_name("elsewhere"))
    assert await site.find("/") is None
    shutil.move(folder.with_name("elsewhere"), folder)
    first = await site.find("/")
    assert first is not None
    (folder / "index.html.new").write_text("<!doctype html><p>anew")
    (folder / "index.html.new").replace(folder / "index.html")
    second = await site.find("/")
    assert second is not None
    assert second.digest != first.digest


async def test_a_folder_that_is_no_build_is_not_taken_into_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1_000)
    with pytest.raises(ValueError, match="make page"):
        await Site(folder).find("/")


def test_scripts_that_stand_in_a_page_are_found_to_the_letter() -> None:
    html = (
        '<script src="/a.js" async=""></script><script id="x">a("<b>&amp;") && 1</script>'
        '<p>no</p><SCRIPT>\n  two()\n</SCRIPT><script src="/b.js">never run</script>'
    )
    assert inline_scripts(html) == ['a("<b>&amp;") && 1', "\n  two()\n"]


async def test_the_policy_of_a_page_lets_in_its_own_scripts_by_their_digests(folder: Path) -> None:
    found = await Site(folder).find("/")
    assert found is not None
    assert found.scripts is not None
    digest = base64.b64encode(hashlib.sha256(b"self.x=[1]").digest()).decode()
    assert found.scripts == (f"'sha256-{digest}'",)
    said = dict(part.split(" ", 1) for part in policy("localhost:1", found.scripts).split("; "))
    assert said["script-src"] == f"'self' 'sha256-{digest}'"
    assert said["connect-src"] == "'self' ws://localhost:1 wss://localhost:1"
    assert {said[name] for name in ("default-src", "base-uri", "frame-ancestors")} == {"'none'"}
    assert "unsafe" not in str(said)


def test_an_address_of_ipv6_is_not_named_where_a_policy_has_no_words_for_it() -> None:
    assert "connect-src 'self';" in policy("[::1]:8770")
