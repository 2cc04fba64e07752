"""`run --thread` and `threads` of the command line, on a real pseudo-terminal and in a pipe."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from sidecar.client import CrewClient, ThreadInfo, ThreadPage
from sidecar.columns import ago
from sidecar.threads import _columns, _list
from tests.conftest import StartSidecar
from tests.support.sidecar import BOUND, ROOT, Sidecar, clean_environment
from tests.test_terminal import Terminal

NOW = 1_763_841_600_000.0
HOUR = 3_600_000.0


def sidecar_says(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command where there is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "sidecar", *arguments],
        cwd=ROOT,
        env=clean_environment(**environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )


def run_in(sidecar: Sidecar, thread: str, brief: str) -> subprocess.CompletedProcess[str]:
    return sidecar_says("run", brief, "--thread", thread, "--url", sidecar.url)


def threads(sidecar: Sidecar, *arguments: str) -> subprocess.CompletedProcess[str]:
    return sidecar_says("threads", *arguments, "--url", sidecar.url)


@pytest.fixture
def thread() -> str:
    return f"t_{uuid.uuid4().hex[:12]}"


def test_a_second_run_of_a_thread_goes_on_with_the_first_and_both_name_it(
    sidecar: Sidecar, thread: str
) -> None:
    first = run_in(sidecar, thread, "a tea shop opens")
    assert first.returncode == 0, first.stderr
    assert "You asked before" not in first.stdout
    second = run_in(sidecar, thread, "make it shorter")
    assert "You asked before: a tea shop opens." in second.stdout
    for done in (first, second):
        assert done.stderr.splitlines()[-1] == f"thread {thread}"
        assert thread not in done.stdout


def test_the_list_has_titles_runs_states_and_times(sidecar: Sidecar, thread: str) -> None:
    for brief in ("Tee in Köln 🫖", "kürzer"):
        assert run_in(sidecar, thread, brief).returncode == 0
    (line,) = [line for line in threads(sidecar).stdout.splitlines() if thread in line]
    assert re.fullmatch(rf"{thread} +2  completed +(just now|\d+ min ago)  Tee in Köln 🫖", line)
    terminal = Terminal("--url", sidecar.url, command="threads")
    try:
        terminal.expect(r"thread +runs +state +updated +title")
        terminal.expect(rf"{thread} +2  completed")
        assert terminal.process.wait(BOUND) == 0
    finally:
        terminal.close()


def test_a_thread_is_renamed_and_deleted_and_then_unknown(sidecar: Sidecar, thread: str) -> None:
    run_in(sidecar, thread, "tea")
    renamed = threads(sidecar, "--rename", thread, "Green tea")
    assert (renamed.returncode, renamed.stdout) == (0, "")
    assert renamed.stderr == f"{thread} is now “Green tea”\n"
    assert "Green tea" in threads(sidecar).stdout
    deleted = threads(sidecar, "--delete", thread)
    assert (deleted.returncode, deleted.stderr) == (0, f"deleted {thread}\n")
    assert thread not in threads(sidecar).stdout
    for change in (("--delete", thread), ("--rename", thread, "Tea")):
        gone = threads(sidecar, *change)
        assert gone.returncode == 1
        assert thread in gone.stderr
        assert gone.stderr.endswith("`crew-sidecar threads` lists what there is\n")


async def test_where_a_run_is_live_the_next_one_and_a_deletion_are_refused(
    start_sidecar: StartSidecar, thread: str
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKENS="100000", OFFLINE_TOKEN_MS="20")
    async with CrewClient(sidecar.url) as crew:
        live = await crew.start({"message": "tea"}, thread=thread)
        for done in (run_in(sidecar, thread, "coffee"), threads(sidecar, "--delete", thread)):
            assert done.returncode == 1
            assert live in done.stderr
            assert done.stdout == ""
        (line,) = threads(sidecar).stdout.splitlines()
        assert re.match(rf"{thread} +1  (queued|starting|running) ", line)


def test_a_name_that_is_none_is_refused_with_what_a_name_is(sidecar: Sidecar) -> None:
    done = run_in(sidecar, "tea shop", "tea")
    assert done.returncode == 1
    assert "1 to 64 characters of A-Z a-z 0-9 . _ : -" in done.stderr


def test_where_there_are_none_the_way_to_the_first_is_said_beside_an_empty_list(
    start_sidecar: StartSidecar,
) -> None:
    sidecar = start_sidecar(SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0")
    done = threads(sidecar)
    assert (done.returncode, done.stdout) == (0, "")
    assert "crew-sidecar run --thread NAME" in done.stderr


async def test_a_list_that_is_cut_says_that_there_are_more(start_sidecar: StartSidecar) -> None:
    sidecar = start_sidecar(SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0")
    async with CrewClient(sidecar.url) as crew:
        for name in ("one", "two", "three"):
            await a_run(crew, name)
    cut, whole = threads(sidecar, "--limit", "2"), threads(sidecar, "--limit", "3")
    assert [line.split()[0] for line in cut.stdout.splitlines()] == ["three", "two"]
    assert "older ones" in cut.stderr
    assert [line.split()[0] for line in whole.stdout.splitlines()] == ["three", "two", "one"]
    assert whole.stderr == ""


class Restless(CrewClient):
    """The thread at which a page ends gets a run before the next page is asked for."""

    async def threads(self, *, limit: int = 50, before: str | None = None) -> ThreadPage:
        page = await super().threads(limit=limit, before=before)
        if before is None and page["next"] is not None:
            await a_run(self, page["next"])
        return page


async def a_run(crew: CrewClient, thread: str) -> None:
    run = await crew.start({"events": 1, "delay": 0}, crew="synthetic", thread=thread)
    async for _ in crew.follow(run):
        pass


async def test_a_thread_that_moves_from_page_to_page_is_listed_once(
    start_sidecar: StartSidecar,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sidecar.threads._PAGE", 2)
    sidecar = start_sidecar(SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0")
    async with Restless(sidecar.url) as crew:
        for name in ("one", "two", "three"):
            await a_run(crew, name)
        await _list(crew, 50, Console(stderr=True))
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(listed) == ["one", "three", "two"]


def test_threads_without_a_sidecar_say_so_and_what_to_do() -> None:
    done = sidecar_says("threads", "--port", "9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sidecar: no sidecar is running at http://127.0.0.1:9,")
    assert "--url" in done.stderr


def test_a_run_of_a_thread_without_a_sidecar_has_one_of_its_own(tmp_path: Path) -> None:
    done = sidecar_says("run", "tea", "--thread", "demo", "--port", "9", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "this run gets one of its own, with which its thread ends" in done.stderr
    assert done.stdout.startswith("[offline model] Trend Researcher")
    assert done.stderr.splitlines()[-1] == "thread demo"


@pytest.mark.parametrize("limit", ["0", "-1", "x", "10001"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    done = sidecar_says("threads", "--limit", limit)
    assert done.returncode == 2
    assert "a whole number from 1 to 10000" in done.stderr


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (0.0, "just now"),
        (-HOUR, "just now"),
        (59_999.0, "just now"),
        (60_000.0, "1 min ago"),
        (HOUR - 1, "59 min ago"),
        (HOUR, "1 h ago"),
        (24 * HOUR - 1, "23 h ago"),
        (24 * HOUR, "1 day ago"),
        (800 * HOUR, "33 days ago"),
    ],
)
def test_how_long_ago_is_said_in_the_largest_unit(before: float, said: str) -> None:
    assert ago(NOW - before, NOW) == said


def of(thread: str, title: str, runs: int = 1) -> ThreadInfo:
    return {
        "thread": thread,
        "title": title,
        "runs": runs,
        "state": "completed",
        "created": NOW,
        "updated": NOW,
    }


def test_titles_are_cut_to_the_terminal_by_what_they_take_there() -> None:
    found = [of("a", "茶" * 60), of("abc", "tea", 120), of("b", "👩‍🍳 bakes")]
    head, *lines = _columns(found, NOW, 60)
    assert head == "thread  runs  state       updated  title"
    assert lines[0].endswith("茶…")
    assert [line.index("just now") for line in lines] == [head.index("updated") - 1] * 3
    assert [cell_len(line) <= 60 for line in lines] == [True] * 3
    assert lines[1] == "abc      120  completed  just now  tea"
    assert all("茶" * 60 in line for line in _columns(found, NOW, None)[1:2])
    assert "茶" * 9 in _columns(found, NOW, 10)[1]


def test_a_title_never_drives_the_terminal() -> None:
    attack = "\x1b]0;title\x07 \x1b[2J \x9b2J\r\n\x7f tea [bold] :smile:"
    (line,) = _columns([of("a", attack)], NOW, None)[1:]
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
    assert line.endswith("tea [bold] :smile:")
