"""A build is used again when it is whole and of these very sources; what builds is a test's own."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tests.browser import builds

ENVIRON = {"CREW_URL": "http://127.0.0.1:8770", "HOME": "/root"}


class Next:
    """In place of `next build`; what is made of a source is its text."""

    def __init__(self, web: Path) -> None:
        self.example = web / "example"
        self.source = self.example / "app" / "page.tsx"
        self.builds = 0
        self.meanwhile: Callable[[], None] = lambda: None
        """Done once, while it builds."""

    def made(self, environ: dict[str, str]) -> Path:
        return self.example / environ["NEXT_DIST_DIR"] / "page.js"

    def build(self, environ: dict[str, str], _output: Path, _lock: IO[str]) -> None:
        self.builds += 1
        page = self.made(environ)
        page.parent.mkdir()  # which is gone, whatever was in it
        page.write_text(self.source.read_text())
        act, self.meanwhile = self.meanwhile, lambda: None
        act()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Next:
    """An example app of one page, with the adapter and its packages beside it."""
    app = Next(tmp_path)
    for path in (
        app.source,
        tmp_path / "src" / "index.ts",
        tmp_path / "tsconfig.json",
        tmp_path / "node_modules" / ".package-lock.json",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("first")
    monkeypatch.setattr(builds, "WEB", tmp_path)
    monkeypatch.setattr(builds, "EXAMPLE", app.example)
    monkeypatch.setattr(builds, "_INSTALLED", tmp_path / "node_modules" / ".package-lock.json")
    monkeypatch.setattr(builds, "_build", app.build)
    return app


def page(app: Next, name: str = "plain", **more: str) -> str:
    """What a browser would be shown."""
    with builds.kept(name, {**ENVIRON, **more}, app.example / "output") as environ:
        return app.made(environ).read_text()


def test_a_build_is_used_again(app: Next) -> None:
    assert [page(app), page(app), page(app, HOME="/home")] == ["first"] * 3
    assert app.builds == 1


@pytest.mark.parametrize(
    "path",
    [
        "example/app/page.tsx",
        "example/app/new.tsx",
        "src/index.ts",
        "tsconfig.json",
        "node_modules/.package-lock.json",
    ],
)
def test_what_it_was_made_of_has_changed(app: Next, tmp_path: Path, path: str) -> None:
    page(app)
    (tmp_path / path).write_text("second")
    assert page(app) == app.source.read_text()
    assert app.builds == 2


def test_a_file_that_has_moved_is_another_source(app: Next) -> None:
    other = app.source.with_name("x.tsx")
    other.write_text("")
    page(app)
    other.rename(app.source.with_name("y.tsx"))
    page(app)
    assert app.builds == 2


@pytest.mark.parametrize(
    "path",
    [
        "example/next-env.d.ts",
        "example/tsconfig.tsbuildinfo",
        "example/.next/page.js",
        "example/node_modules/react/index.js",
    ],
)
def test_what_others_make_there_is_no_source(app: Next, tmp_path: Path, path: str) -> None:
    page(app)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("made")
    page(app)
    assert app.builds == 1


@pytest.mark.parametrize("name", ["CREW_URL", "NEXT_PUBLIC_CREW_URL", "NODE_ENV"])
def test_other_settings_make_another_build(app: Next, name: str) -> None:
    page(app)
    page(app, **{name: "other"})
    assert app.builds == 2


def test_builds_with_different_names_lie_beside_each_other(app: Next) -> None:
    for _ in range(2):
        page(app, "plain")
        page(app, "rewriting", CREW_REWRITES="1")
    assert app.builds == 2


def test_a_build_that_failed_is_none(app: Next) -> None:
    def fail() -> None:
        pytest.fail("next build failed")

    page(app)
    app.source.write_text("second")
    app.meanwhile = fail
    with pytest.raises(pytest.fail.Exception):
        page(app)
    app.source.write_text("first")
    assert page(app) == "first"
    assert app.builds == 3


def test_sources_that_change_while_it_builds_are_built_anew(app: Next) -> None:
    def edit() -> None:
        app.source.write_text("second")

    app.meanwhile = edit
    assert page(app) == "second"
    assert app.builds == 2


def test_what_is_served_is_built_anew_by_nobody_and_served_by_others_too(app: Next) -> None:
    with builds.kept("plain", ENVIRON, app.example / "output") as environ:
        lock = app.made(environ).parent.with_name("plain.lock")
        with lock.open("w") as mine, pytest.raises(BlockingIOError):
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert page(app) == "first"
    with lock.open("w") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_whoever_builds_lets_nobody_else_begin(app: Next) -> None:
    def other() -> None:
        turn = app.example / builds._KEPT / "plain.turn"
        with turn.open("w") as mine, pytest.raises(BlockingIOError):
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)

    app.meanwhile = other
    page(app)
    assert app.builds == 1
