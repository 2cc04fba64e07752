"""Crews that misbehave, served through `SIDECAR_CREW` to see how their runs end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from crewai import Agent, Crew, Task
from crewai.tools import tool

from sidecar.worker.engine.offline import OfflineLLM


def _with(the_tool: Any) -> Crew:
    agent = Agent(
        role="Tester",
        goal="Test",
        backstory="Tests.",
        llm=OfflineLLM(model="offline"),
        tools=[the_tool],
    )
    task = Task(name="test", description="Use the tool.", expected_output="Text", agent=agent)
    return Crew(agents=[agent], tasks=[task])


def stubborn() -> Crew:
    """Its tool ignores signals and has a child that does too; prints the child's pid."""

    @tool
    def ignore_everything(text: str = "") -> str:
        """Sleep for ever."""
        ignore = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", ignore])
        print(f"child {child.pid}", flush=True)
        while True:
            time.sleep(0.1)

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _with(ignore_everything)


def greedy() -> Crew:
    @tool
    def allocate(text: str = "") -> str:
        """Take more memory than there is."""
        return str(len(bytearray(1 << 40)))

    return _with(allocate)


def quitter() -> Crew:
    @tool
    def leave(text: str = "") -> str:
        """Leave without a word."""
        os._exit(7)

    return _with(leave)


def failing() -> Crew:
    raise RuntimeError(f"no database; key {os.environ.get('CANARY_API_KEY')}")


def talkative() -> Crew:
    @tool
    def talk(text: str = "") -> str:
        """Print to both streams."""
        print("to stdout: süß")
        print("to stderr", file=sys.stderr)
        subprocess.run(["echo", "from a child"], check=True)
        return "said"

    return _with(talk)


def sleeper() -> Crew:
    """Its tool says that it sleeps, and then does for a minute."""

    @tool
    def sleep(text: str = "") -> str:
        """Sleep for a minute."""
        print("asleep", flush=True)
        time.sleep(60)
        return "awake"

    return _with(sleep)


def spinner() -> Crew:
    """Its tool never lets go of the interpreter, ignores signals, and has a child."""

    @tool
    def spin(text: str = "") -> str:
        """Count for ever."""
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(f"child {child.pid}", flush=True)
        while True:
            sum(range(10_000_000))

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _with(spin)
