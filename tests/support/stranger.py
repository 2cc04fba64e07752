"""A folder that is not ours, with a `crew/` of its own and a venv that has the wheel and nothing of
this checkout."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.sidecar import BOUND, clean_environment

__all__ = ["OWN", "App", "move_in", "serving"]

OWN = ("--crew", "crew.run:build_crew")

THEIR_RUN = '''
    """Their own program, which has nothing to do with the sidecar."""
    import json

    from crewai import Agent, Crew, Task

    from config.words import GREETING
    from tools.counting import count_words


    def build_crew():
        baker = Agent(
            role="Baker", goal="Bake", backstory="Bakes.", tools=[count_words], verbose=False
        )
        task = Task(
            name="bake", description=GREETING + " {message}", expected_output="Bread", agent=baker
        )
        return Crew(agents=[baker], tasks=[task])


    if __name__ == "__main__":
        print(json.dumps({"whose": "theirs"}))
'''
THEIR_TOOL = '''
    from crewai.tools import tool


    @tool
    def count_words(text: str = "") -> str:
        """Count the words of a text."""
        return f"{len(text.split())} words, counted by their own tool"
'''


@dataclass(frozen=True)
class App:
    """Somebody's project and its venv."""

    folder: Path
    bin: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {**clean_environment(**more), "VIRTUAL_ENV": str(self.bin.parent)}

    def python(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.bin / "python", *arguments],
            cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=BOUND,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def command(self, *words: str, **environ: str) -> str:
        """`crew-sidecar …` to its end; what it says on stdout."""
        done = subprocess.run(
            [self.bin / "crew-sidecar", *words],
            cwd=self.folder, env=self.environment(**environ), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=BOUND,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serve(self, data: Path, *flags: str, **environ: str) -> subprocess.Popen[str]:
        with (data.parent / "stderr.log").open("a") as stderr:
            return subprocess.Popen(
                [self.bin / "crew-sidecar", "--port", "0", "--data", data, *flags],
                cwd=self.folder, env=self.environment(**environ),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip


def move_in(wheel: Path, folder: Path) -> App:
    """Their project in `folder`, with the wheel installed. What that depends on comes from this
    venv: it takes a minute and a gigabyte."""
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    made = App(folder, folder / ".venv" / "bin")
    installed = made.python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(installed, "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    made.python(
        "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps", str(wheel)
    )
    for path, text in {
        "crew/__init__.py": "",
        "crew/run.py": THEIR_RUN,
        "config/__init__.py": "",
        "config/words.py": 'GREETING = "Good morning,"',
        "tools/__init__.py": "",
        "tools/counting.py": THEIR_TOOL,
        "sidecar.txt": "their own notes",
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(textwrap.dedent(text))
    return made


@contextlib.contextmanager
def serving(app: App, data: Path, *flags: str, **environ: str) -> Iterator[tuple[str, Path]]:
    """The address of a sidecar in that folder, and its stderr."""
    process = app.serve(data, *flags, **environ)
    assert process.stdout is not None
    stderr = data.parent / "stderr.log"
    try:
        line = process.stdout.readline()
        assert line.startswith("sidecar ready "), stderr.read_text()
        yield line.split()[-1], stderr
    finally:
        process.terminate()
        assert process.wait(BOUND) == 0
        process.stdout.close()
