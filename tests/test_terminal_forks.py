"""`run --from RUN:TASK` of the command line: a run that begins at a task of another one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sidecar.__main__ import main
from sidecar.client import CrewClient
from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Sidecar
from tests.test_carry_on import ROLES, TASKS, calls, environ, follow
from tests.test_terminal_threads import sidecar_says


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    with OpenAIServer(Script(tokens=("A ", "plan."))) as server:
        yield server


async def test_a_fork_from_the_terminal_keeps_what_came_before_and_takes_inputs_and_a_brief(
    start_sidecar: StartSidecar, model: OpenAIServer
) -> None:
    sidecar = start_sidecar(**environ(model))
    async with CrewClient(sidecar.url) as client:
        run = await client.start({"message": "tea", "language": "German"})
        await follow(client, run)
        where = ("--from", f"{run}:{TASKS[1]}", "--url", sidecar.url)
        forked = sidecar_says("run", "coffee", "--inputs", '{"tone": "dry"}', *where)
        assert forked.returncode == 0, forked.stderr
        assert f"begins at {TASKS[1]} of run {run}; kept: {TASKS[0]}" in forked.stderr
        assert calls(model) == [*ROLES, *ROLES[1:]]
        [fork, _] = (await client.runs())["runs"]
        assert fork["inputs"] == {"message": "coffee", "language": "German", "tone": "dry"}
        assert fork["forked"] == {"run": run, "task": TASKS[1]}

        again = sidecar_says("run", *where)
        assert again.returncode == 0, again.stderr
        [newest, *_] = (await client.runs())["runs"]
        assert newest["inputs"] == {"message": "tea", "language": "German"}

        unknown = sidecar_says("run", "--from", f"{run}:dance", "--url", sidecar.url)
        assert unknown.returncode == 1
        assert f"no task 'dance' in run {run}; there are {', '.join(TASKS)}" in unknown.stderr


def test_a_fork_without_the_sidecar_that_has_its_run_says_so() -> None:
    done = sidecar_says("run", "--from", "r_1:write", "--port", "9")
    assert done.returncode == 1
    assert done.stderr.startswith("sidecar: --from wants the sidecar that has run r_1")
    assert "--url" in done.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--from", "r_1"), "as r_01m8:write, not r_1"),
        (("--from", ":write"), "as r_01m8:write, not :write"),
        (("--inputs", "[1]"), "a JSON object"),
        (("--inputs", "{"), "a JSON object"),
    ],
)
def test_what_is_neither_a_run_and_task_nor_an_object_is_refused_before_anything_is_started(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", *words])
    assert left.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("brief", [(), ("",), ("  ",)])
def test_a_run_of_nothing_is_refused(
    brief: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", *brief])
    assert left.value.code == 2
    assert "what is the crew to work on?" in capsys.readouterr().err


def test_inputs_alone_are_a_brief(sidecar: Sidecar) -> None:
    inputs = json.dumps({"message": "a tea shop"})
    done = sidecar_says("run", "--inputs", inputs, "--url", sidecar.url)
    assert done.returncode == 0, done.stderr
    assert "a tea shop" in done.stdout
