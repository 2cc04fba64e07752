"""`python -m sidecar run` on a real pseudo-terminal, and in a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sidecar.client import CrewClient
from sidecar.terminal import _chosen, _Session
from tests.conftest import StartSidecar
from tests.faults.proxy import FaultProxy
from tests.support.sidecar import BOUND, ROOT, Sidecar, clean_environment


class Terminal:
    """A program on a terminal of its own: type at it, wait for what it shows."""

    def __init__(self, *arguments: str, command: str = "run", **environ: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sidecar", command, *arguments],
            cwd=ROOT,
            env=clean_environment(TERM="xterm", COLUMNS="100", **environ),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""
        self._seen = 0

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def expect(self, pattern: str) -> str:
        """Wait until `pattern` is shown after what was expected before."""
        deadline = time.monotonic() + BOUND
        while not (match := re.search(pattern, self.shown[self._seen :])):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.shown!r}"
            readable, _, _ = select.select([self._master], [], [], 1.0)
            if readable:
                try:
                    data = os.read(self._master, 65536)
                except OSError:
                    data = b""
                assert data, f"no {pattern!r} before the end of {self.shown!r}"
                self.shown += data.decode(errors="replace")
        self._seen += match.end()
        return match[0]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    running = Sidecar(
        tmp_path_factory.mktemp("slow") / "data", OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="40"
    ).start()
    yield running
    assert running.stop() == 0


def test_a_run_is_shown_paused_resumed_and_completed(slow: Sidecar) -> None:
    terminal = Terminal("a tea shop in Köln", "--url", slow.url)
    try:
        terminal.expect(r"p pause · r resume · c cancel")
        terminal.expect(r"Content Planner")
        terminal.expect(r"offline model")
        terminal.type("p")
        terminal.expect(r"paused; r resumes")
        terminal.type("r")
        terminal.expect(r"resumed")
        terminal.expect(r"Trend Researcher")
        terminal.expect(r"done.*4 model calls")
        assert terminal.process.wait(BOUND) == 0
    finally:
        terminal.close()


def test_a_question_is_a_prompt_and_feedback_has_it_asked_again(slow: Sidecar) -> None:
    terminal = Terminal("tea", "--url", slow.url, "--review", "create_content_plan")
    try:
        terminal.expect(r"Enter accepts")
        terminal.type("Shorter, pleasx\x7fe\r")
        terminal.expect(r"answer: .*Shorter, please")
        terminal.expect(r"Enter accepts")
        terminal.type("\r")
        terminal.expect(r"done")
        assert terminal.process.wait(BOUND) == 0
    finally:
        terminal.close()


def test_a_line_is_said_to_the_crew_and_nothing_is_printed_into_it(slow: Sidecar) -> None:
    terminal = Terminal("tea", "--url", slow.url)
    try:
        terminal.expect(r"Enter, then words for the crew")
        terminal.expect(r"offline model\]")
        terminal.type("\r")
        terminal.expect(r"> ")
        terminal.type("please mentiom\x7f")
        terminal.expect("mentiom\x08 \x08")
        terminal.type("n the river")
        terminal.expect("the river")
        line = terminal.shown.rpartition("> ")[2]
        assert line == "please mentiom\x08 \x08n the river"
        terminal.type("\x1b")
        terminal.type("\x1b[ANicer\r")
        terminal.expect(r"to the crew: Nicer")
        terminal.expect(r"the crew has been told")
        terminal.type("c")
        terminal.expect(r"cancelled")
        assert "paused" not in terminal.shown
        assert "to the crew: please" not in terminal.shown
    finally:
        terminal.close()


@pytest.mark.parametrize("key", ["c", "\x03"])
def test_c_and_ctrl_c_cancel_the_run(slow: Sidecar, key: str) -> None:
    terminal = Terminal("tea", "--url", slow.url)
    try:
        terminal.expect(r"offline model\]")
        if key == "\x03":
            terminal.process.send_signal(2)
        else:
            terminal.type(key)
        terminal.expect(r"cancelling")
        terminal.expect(r"cancelled")
        assert terminal.process.wait(BOUND) == 130
    finally:
        terminal.close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_is_closed_ends_its_own_sidecar_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    terminal = Terminal("tea", "--port", "9", TMPDIR=str(tmp_path), OFFLINE_TOKEN_MS="20")
    try:
        terminal.expect(r"offline model\]")
        assert list(tmp_path.glob("crew-sidecar-*"))
        terminal.process.send_signal(number)
        assert terminal.process.wait(BOUND) == 130
    finally:
        terminal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_be_written_is_said_once_and_so_is_that_it_can_be_again(
    start_sidecar: StartSidecar,
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="40", SIDECAR_PING="0.1")
    terminal = Terminal("tea", "--url", sidecar.url)
    (log,) = sidecar.data.glob("*.sqlite3")
    try:
        terminal.expect(r"offline model\]")
        with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as another:
            another.execute("BEGIN IMMEDIATE")
            terminal.expect(r"the run stands still: .*another program")
            for _ in range(3):
                terminal.type("p")
                terminal.expect(r"can't be written")
            another.execute("ROLLBACK")
        terminal.expect(r"the run goes on")
        terminal.expect(r"done")
        assert terminal.shown.count("stands still") == terminal.shown.count("goes on") == 1
        assert "paused" not in terminal.shown
    finally:
        terminal.close()


async def test_a_run_that_was_carried_on_says_so_and_asks_its_open_question_again(
    start_sidecar: StartSidecar,
) -> None:
    first = start_sidecar()
    async with FaultProxy(first.url) as proxy:
        terminal = Terminal("tea", "--url", proxy.url, "--review", "analyze_sentiment")
        try:
            await asyncio.to_thread(terminal.expect, r"Enter accepts")
            terminal.type("half an ans")
            await asyncio.to_thread(terminal.expect, r"half an ans")
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            second = start_sidecar(until_ready=False)
            proxy.target = second.url
            await asyncio.to_thread(
                terminal.expect, r"carried on, attempt 2; kept: create_content_plan\b"
            )
            await asyncio.to_thread(terminal.expect, r"Enter accepts")
            terminal.type("Shorter\r")
            # Without what was typed for the question that is void.
            told = await asyncio.to_thread(terminal.expect, r"answer: [^\r\n]*\r")
            assert "Shorter" in told
            assert "half" not in told
            await asyncio.to_thread(terminal.expect, r"Enter accepts")
            terminal.type("\r")
            await asyncio.to_thread(terminal.expect, r"done")
            since = terminal.shown.rpartition("carried on")[2]
            assert since.count("create_content_plan") == 1
            assert since.count("analyze_sentiment") == 1
            assert await asyncio.to_thread(terminal.process.wait, BOUND) == 0
        finally:
            terminal.close()


def piped(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A run where there is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "sidecar", "run", "tea", *arguments],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )


def test_in_a_pipe_stdout_is_the_output_alone_and_a_sidecar_is_started_if_none_runs() -> None:
    done = piped("--port", "9")
    assert done.returncode == 0, done.stderr
    assert "no sidecar is running" in done.stderr
    assert "Content Planner" in done.stderr
    assert done.stdout.startswith("[offline model] Trend Researcher")
    assert "Content Planner" not in done.stdout


def test_in_a_pipe_a_flow_that_gives_nothing_prints_nothing(start_sidecar: StartSidecar) -> None:
    sidecar = start_sidecar(SIDECAR_CREW="tests.crews.outputs:FlowOfNothing")
    done = piped("--url", sidecar.url)
    assert done.returncode == 0, done.stderr
    assert "done" in done.stderr
    assert done.stdout == ""


ATTACKS = (
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x1b\\",
    "\x1b[2J",
    "\x9b2J",
    "\x9d0;t\x9c",
    "\x7f\x08\r",
)


def events_that_attack() -> list[dict[str, Any]]:
    """Every event with words of a model's, a tool's or a person's in all of its fields."""
    evil = f"before{''.join(ATTACKS)}after\n\tmore"
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "calls": 1}
    end = {"usage": usage, "seconds": 1.0, "error": {"message": evil}, "output": evil}
    started = {"model": evil, "tasks": [{}], "kept": [evil]}
    return [
        {"type": type, "agent": evil, "data": data}
        for type, data in (
            ("run.started", started),
            ("run.started", {**started, "attempt": 2}),
            ("task.started", {"name": evil}),
            ("crew.started", {"name": evil, "tasks": []}),
            ("flow.started", {"name": evil}),
            ("method.started", {"name": evil}),
            ("method.completed", {"output": evil, "route": evil}),
            ("method.failed", {"error": evil}),
            ("guardrail.completed", {"success": False, "error": evil}),
            ("memory.started", {"query": evil}),
            ("knowledge.failed", {"error": evil}),
            ("llm.delta", {"call": "c", "kind": "text", "text": evil}),
            ("tool.started", {"tool": evil, "args": {"a": evil}}),
            ("log", {"text": evil}),
            ("input.requested", {"input": "in_1", "prompt": evil}),
            (
                "input.requested",
                {"input": "in_1", "prompt": "?", "output": evil, "options": [evil], "method": "m"},
            ),
            ("input.answered", {"text": evil}),
            ("run.failed", end),
        )
    ]


def session_on(file: io.StringIO) -> _Session:
    console = Console(file=file, force_terminal=True, no_color=True, highlight=False)
    return _Session(CrewClient("http://127.0.0.1:9"), "r_1", console)


def shown(*events: dict[str, Any]) -> list[str]:
    """The lines that a session prints of these, blank ones left out."""
    file = io.StringIO()
    session = _Session(CrewClient("http://127.0.0.1:9"), "r_1", Console(file=file, soft_wrap=True))
    for event in events:
        session._show(event)
    return [line.rstrip() for line in file.getvalue().splitlines() if line.strip()]


def says(tid: str, agent: str, text: str) -> dict[str, Any]:
    data = {"call": f"{tid} {text}", "kind": "text", "text": text}
    return {"type": "llm.delta", "tid": tid, "agent": agent, "data": data}


def begins(what: str, tid: str, name: str, inside: str = "", **more: str) -> dict[str, Any]:
    place = {"tid": tid, **({"in": inside} if inside else {}), **more}
    return {"type": f"{what}.started", **place, "data": {"name": name, "tasks": []}}


def test_a_flow_is_told_by_its_methods_and_the_crews_in_them_each_round_apart() -> None:
    route = {"output": "again", "route": "again"}
    assert shown(
        {"type": "run.started", "data": {"model": "m", "tasks": []}},
        begins("flow", "1.1", "BookFlow"),
        begins("method", "1.2", "judge", "1.1"),
        {"type": "method.completed", "tid": "1.2", "in": "1.1", "data": route},
        begins("method", "1.3", "judge", "1.1"),
        begins("crew", "1.4", "Writers", "1.3"),
        {"type": "method.failed", "tid": "1.3", "in": "1.1", "data": {"error": "No paper"}},
    ) == [
        "model m",
        "BookFlow flow",
        "judge method · BookFlow",
        "judge → again",
        "judge #2 method · BookFlow",
        "Writers crew · judge #2",
        "judge #2 failed: No paper",
    ]


def test_one_call_is_one_call_and_a_change_that_came_too_late_is_told() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "calls": 1}
    end = {"usage": usage, "seconds": 1.0, "output": "Tea", "unapplied": ["c-1"]}
    assert shown({"type": "run.completed", "final": True, "data": end}) == [
        "done 1.0 s · 1 model call · 7 tokens · 1 change came too late"
    ]


def test_tasks_of_one_name_that_work_side_by_side_are_told_apart() -> None:
    assert shown(
        begins("crew", "1.1", "Writers"),
        begins("crew", "1.2", "Writers"),
        begins("task", "1.3", "task_1", "1.1", agent="Ann"),
        begins("task", "1.4", "task_1", "1.2", agent="Ben"),
        {**says("1.4", "Ben", "from Ben"), "in": "1.2"},
        {**says("1.3", "Ann", "from Ann"), "in": "1.1"},
        {**says("1.3", "Ann", "and more"), "in": "1.1"},
    ) == [
        "Writers crew",
        "Writers #2 crew",
        "Ann task_1 · Writers",
        "Ben task_1 #2 · Writers #2",
        "from Ben",
        "Ann task_1 · Writers",
        "from Ann",
        "and more",
    ]


def test_work_that_goes_to_a_coworker_stands_under_who_does_it() -> None:
    assert shown(
        begins("task", "1.1", "plan", agent="Planner"),
        says("1.1", "Planner", "mine"),
        says("1.1", "Researcher", "theirs"),
    ) == ["Planner plan", "mine", "Researcher plan", "theirs"]


def test_a_guardrail_that_sends_work_back_says_why_and_a_memory_what_it_is_asked() -> None:
    place = {"tid": "1.1", "task": "plan", "agent": "Planner"}
    refused = {"success": False, "error": "Under 100 words, please"}
    assert shown(
        begins("task", "1.1", "plan", agent="Planner"),
        {"type": "memory.started", **place, "data": {"operation": "query", "query": "coffee"}},
        {"type": "memory.completed", **place, "data": {"operation": "query", "query": "coffee"}},
        {"type": "reasoning.started", **place, "data": {"operation": "plan", "attempt": 1}},
        {"type": "reasoning.completed", **place, "data": {"operation": "plan", "plan": "1. Go"}},
        {"type": "guardrail.started", **place, "data": {"retry": 0}},
        {"type": "guardrail.completed", **place, "data": refused},
        {"type": "guardrail.completed", **place, "data": {"success": True}},
    ) == [
        "Planner plan",
        "· memory query coffee",
        "· reasoning plan 1. Go",
        "guardrail sent it back: Under 100 words, please",
        "guardrail passed",
    ]


@pytest.mark.parametrize("event", events_that_attack(), ids=lambda event: event["type"])
def test_what_a_crew_says_never_drives_the_terminal(event: dict[str, Any]) -> None:
    file = io.StringIO()
    session = session_on(file)
    session._show({**event, "final": event["type"] == "run.failed"})
    session._tell_trouble(f"disk {ATTACKS[0]}")
    styles = re.compile(r"\x1b\[[0-9;]*m")  # rich's own, which change nothing but the letters' look
    shown = styles.sub("", file.getvalue())
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown) == []
    assert "before" in shown
    assert "after" in shown


def test_a_review_that_nobody_can_be_asked_for_is_refused_at_once_with_the_way_out() -> None:
    done = piped("--review", "create_content_plan")
    assert done.returncode == 1
    assert "docs/examples/review.py" in done.stderr
    assert "no sidecar is running" not in done.stderr


def test_a_question_of_the_crews_own_that_nobody_here_can_answer_says_who_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    file = io.StringIO()
    event = {"type": "input.requested", "data": {"input": "in_1", "prompt": "Good?"}}
    session_on(file)._show(event)
    shown = " ".join(file.getvalue().split())
    assert "http://127.0.0.1:9/control" in shown
    assert "in_1" in shown
    assert "r_1" in shown
    assert "Enter accepts" not in shown


def test_a_question_with_options_lists_them_with_what_it_is_about_and_until_when(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sidecar.terminal.has_keys", lambda: True)
    question = {
        "input": "in_1", "prompt": "Is it good?", "output": "A draft", "method": "write",
        "options": ["approved", "rejected"], "expires": 1_763_841_600_120.125,
    }  # fmt: skip
    until = time.strftime("%X", time.localtime(1_763_841_600))
    assert shown({"type": "input.requested", "data": question}) == [
        "A draft",
        "? Is it good?",
        "  1 approved",
        "  2 rejected",
        f"a number, or your own words, and Enter; open until {until}",
    ]
    asked = {"input": "in_2", "prompt": "Which colour?", "output": "", "expires": None}
    assert shown({"type": "input.requested", "data": asked}) == [
        "? Which colour?",
        "your answer, and Enter",
    ]


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("2", "rejected"),
        (" 1 ", "approved"),
        ("rejected", "rejected"),
        ("0", "0"),
        ("4", "4"),
        ("-1", "-1"),
        ("2 of them", "2 of them"),
        ("3", "3"),
        ("", ""),
    ],
)
async def test_a_number_is_the_option_of_that_number_and_all_else_is_what_was_typed(
    typed: str, text: str
) -> None:
    assert _chosen(typed, ["approved", "rejected", "3"]) == text


def test_a_flow_is_answered_by_number_and_in_words_and_not_at_all(
    start_sidecar: StartSidecar,
) -> None:
    sidecar = start_sidecar(SIDECAR_CREW="tests.browser.crews:Judged")
    terminal = Terminal("tea", "--url", sidecar.url)
    try:
        terminal.expect(r"a draft")
        terminal.expect(r"1 approved")
        terminal.expect(r"2 rejected")
        terminal.expect(r"a number, or your own words")
        terminal.type("2\r")
        terminal.expect(r"answer: rejected")
        terminal.expect(r"\? What is wrong with it\?")
        terminal.expect(r"your answer, and Enter")
        terminal.type("2\r")
        terminal.expect(r"answer: 2")
        terminal.expect(r"\? Anything else\?")
        terminal.expect(r"open until \d\d:\d\d:\d\d")
        terminal.expect(r"nobody answered in time")
        terminal.expect(r"done")
        assert terminal.process.wait(BOUND) == 0
    finally:
        terminal.close()


def test_a_sidecar_that_is_not_there_is_said_in_one_line() -> None:
    done = piped("--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "make serve" in done.stderr
    assert "Traceback" not in done.stderr
