"""The examples of docs/examples and of the README, run as they say that they are run.

websocket.html is in tests/browser/test_example_page.py, as it takes a browser.
"""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from sidecar.client import CrewClient, Frame
from tests.support.sidecar import BOUND, ROOT, Sidecar, assert_whole, clean_environment
from tests.support.zygote import share
from tests.test_terminal import Terminal

EXAMPLES: Final = ROOT / "docs" / "examples"
README: Final = (ROOT / "README.md").read_text()
USUAL: Final = "127.0.0.1:8770"
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

ELSEWHERE: Final = {
    "make ": "tests/test_dev.py, and whoever reads this in a run of `make test`",
    "_API_KEY=": "no command: lines of `.env`",
    "npm ": "tests/browser/test_packages.py packs the adapter and installs it into fresh apps",
    "pip install": "tests/test_stranger.py installs the wheel into a project that is not ours",
    "crew-sidecar --crew": "tests/test_stranger.py",
    "run --from": "tests/test_terminal_forks.py; it wants a run that there is",
    "-m sidecar compare": "tests/compare; it takes half a minute",
    "--open": "tests/test_opening.py; whoever runs these has a browser of their own",
    "-m sidecar export": "tests/test_saving.py",
}
"""Commands of the README that this file does not run, by what is in them, and who does."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """At a pace at which what is said to a run comes before its end."""
    running = Sidecar(
        tmp_path_factory.mktemp("slow") / "data", OFFLINE_TOKEN_MS="10", OFFLINE_TOKENS="40"
    ).start()
    yield running
    assert running.stop() == 0


def shell(command: str, **environ: str) -> str:
    """What `command` says on stdout, with this Python for any other; it has to succeed."""
    done = subprocess.run(
        ["sh", "-c", command.replace(".venv/bin/python", shlex.quote(sys.executable))],
        cwd=ROOT,
        env=clean_environment(**environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def commands(example: Path) -> list[str]:
    """The commands in the comment on top of an example."""
    text = example.read_text()
    if example.suffix == ".py":
        header = ast.get_docstring(ast.parse(text)) or ""
    else:
        header = "\n".join(line[2:] for line in text.split("\nset ")[0].splitlines())
    return [line.strip() for line in header.splitlines() if line.startswith("    ")]


def test_a_client_starts_a_run_follows_it_and_is_heard_on_the_way(slow: Sidecar) -> None:
    [command] = commands(EXAMPLES / "client.py")
    said = shell(command, CREW_URL=slow.url)
    assert "--- Content Planner: create_content_plan" in said
    assert "--- the crew was told: Mention the river." in said
    assert "--- run.completed after" in said


def test_a_script_answers_what_the_crew_asks(sidecar: Sidecar) -> None:
    [command] = commands(EXAMPLES / "review.py")
    said = shell(command, CREW_URL=sidecar.url)
    assert said.count("the crew asks: Content Planner has finished.") == 2
    assert "answered: Name one piece only." in said
    assert "answered: (accepted)" in said
    assert "run.completed after 2 questions" in said


def test_a_conversation_has_a_second_turn_that_knows_of_the_first(sidecar: Sidecar) -> None:
    [command] = commands(EXAMPLES / "conversation.py")
    first, second = shell(command, CREW_URL=sidecar.url).split("=== make it shorter")
    assert "You asked before" not in first
    assert second.count("You asked before: a tea shop opens in Lisbon.") == 3
    assert "“a tea shop opens in Lisbon” has 2 runs: t_" in second


async def test_curl_hangs_up_in_the_middle_and_misses_nothing(sidecar: Sidecar) -> None:
    [command] = commands(EXAMPLES / "sse.sh")
    said = shell(command, CREW_URL=sidecar.url)
    before, again, after = said.partition(": hung up after ")
    told = [re.findall("^id: (.+)$", part, re.MULTILINE) for part in (before, after)]
    assert again
    assert after.startswith(told[0][-1])
    assert len(told[0]) == 12
    run = re.findall('"run":"([^"]+)"', before)[0]
    async with sidecar.client() as crew:
        assert told[0] + told[1] == [event["id"] async for event in crew.follow(run)]


def test_curl_says_what_to_do_where_no_sidecar_runs() -> None:
    with pytest.raises(AssertionError, match="is the sidecar running"):
        shell("sh docs/examples/sse.sh", CREW_URL="http://127.0.0.1:9")


@contextlib.contextmanager
def served(main: Path, data: Path) -> Iterator[str]:
    """The URL of a sidecar that is started as the comment on top of `main` has it."""
    cd, serve = commands(main)
    program, *arguments = shlex.split(serve)
    assert program == "crew-sidecar"
    data.mkdir()
    with (data / "stderr.log").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "sidecar", *arguments, "--port", "0", "--data", str(data)],
            cwd=ROOT / cd.removeprefix("cd "),
            env=share(clean_environment(PYTHONPATH=str(ROOT), CREW_MODEL="")),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    with process.stdout:
        try:
            line = process.stdout.readline()
            assert line.startswith("sidecar ready "), (data / "stderr.log").read_text()
            yield line.split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(BOUND) == 0


async def run_of(url: str) -> list[Frame]:
    async with CrewClient(url) as crew:
        run = await crew.start({"message": "a tea shop"})
        return [event async for event in crew.follow(run)]


async def test_a_crew_of_ones_own_is_served_with_its_own_tools_and_files(tmp_path: Path) -> None:
    with served(EXAMPLES / "own_crew" / "crew" / "team.py", tmp_path / "data") as url:
        events = await run_of(url)
    assert_whole(events)
    last = events[-1]
    assert last["type"] == "run.completed", last
    assert [(task["name"], task["agent"]) for task in last["data"]["tasks"]] == [
        ("write_haiku", "Poet"),
        ("choose_title", "Editor"),
    ]
    tools = [event["data"]["tool"] for event in events if event["type"] == "tool.completed"]
    assert tools == ["count_syllables"]


async def test_a_flow_is_served_and_what_its_router_decides_is_the_outcome(tmp_path: Path) -> None:
    with served(EXAMPLES / "flow" / "tagline.py", tmp_path / "data") as url:
        events = await run_of(url)
    assert_whole(events)
    last = events[-1]
    assert last["type"] == "run.completed", last
    written = next(event for event in events if event["type"] == "task.completed")
    assert len(written["data"]["output"]) > 60
    assert last["data"]["output"] == written["data"]["output"][:59].rstrip() + "…"


@pytest.mark.parametrize(
    "snippet", [text for kind, text in BLOCK.findall(README) if kind == "python"]
)
def test_a_python_snippet_of_the_readme_is_a_program(sidecar: Sidecar, snippet: str) -> None:
    port = sidecar.url.rsplit(":", 1)[1]
    assert USUAL in snippet
    program = snippet.replace(USUAL, f"127.0.0.1:{port}")
    said = shell(f"exec .venv/bin/python -c {shlex.quote(program)}")
    assert "run.completed" in said


def lines_of_the_readme() -> list[str]:
    """Each command of its shell blocks; one that goes on in the next line is one."""
    blocks = (text.replace("\\\n", " ") for kind, text in BLOCK.findall(README) if kind == "sh")
    return [line for block in blocks for line in block.splitlines() if line.strip()]


RUN_HERE = [line for line in lines_of_the_readme() if not any(part in line for part in ELSEWHERE)]


@pytest.mark.parametrize("line", [line for line in RUN_HERE if "--review" not in line])
def test_a_command_of_the_readme_runs_as_it_stands(sidecar: Sidecar, line: str) -> None:
    address = sidecar.url.removeprefix("http://")
    said = shell(line.replace(USUAL, address), SIDECAR_PORT=address.split(":")[1])
    assert "offline model" in said


@pytest.mark.parametrize("line", [line for line in RUN_HERE if "--review" in line])
def test_a_command_of_the_readme_asks_whoever_sits_at_the_terminal(
    sidecar: Sidecar, line: str
) -> None:
    *start, brief, review, task = shlex.split(line, comments=True)
    assert start == [".venv/bin/python", "-m", "sidecar", "run"]
    terminal = Terminal(brief, review, task, "--url", sidecar.url)
    terminal.expect("Enter accepts")
    terminal.type("\r")
    terminal.expect("done")
    assert terminal.process.wait(BOUND) == 0
    terminal.close()


@pytest.mark.parametrize("part", ELSEWHERE)
def test_what_is_run_elsewhere_is_still_in_the_readme(part: str) -> None:
    assert any(part in line for line in lines_of_the_readme())


def test_whoever_knows_the_folder_of_tests_finds_each_of_its_files() -> None:
    known = (
        "test_basic_websocket",
        "test_websocket_client",
        "test_websocket_crew_integration",
        "test_websocket_control_messages",
        "test_websocket_reconnection",
        "example_websocket_server",
        "example_websocket_client",
    )
    rows = re.findall(r"^\| `(\w+)\.py` \| (.+) \|$", README, re.MULTILINE)
    assert [name for name, _ in rows] == list(known)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/decisions/README.md"])
def test_every_link_within_the_repository_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_target_that_a_page_names_is_in_the_makefile(page: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:^|`|=1 )make ([a-z-]+)", (ROOT / page).read_text(), re.MULTILINE)
    assert named
    assert set(named) <= set(targets)
