"""`crew/tools.py`: whose tools the files may name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.worker.config import ConfigError, toolbox

Write = Callable[[str], None]

SHOUT = '''
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()

TOOLS = {"shout": shout}
'''


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes crew/tools.py of a project that is the working folder."""
    monkeypatch.chdir(tmp_path)
    before = sys.modules.pop("crew.tools", None)

    def write(text: str) -> None:
        (tmp_path / "crew").mkdir()
        (tmp_path / "crew" / "tools.py").write_text(text, encoding="utf-8")

    yield write
    sys.modules.pop("crew.tools", None)
    if before is not None:
        sys.modules["crew.tools"] = before


def test_without_a_file_there_are_no_tools(write: Write) -> None:
    assert toolbox() == {}


def test_tools_are_found_by_their_names(write: Write) -> None:
    write(SHOUT)
    assert toolbox()["shout"]("tea") == "TEA"


def test_another_package_called_crew_on_the_path_does_not_matter(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    (other / "crew").mkdir(parents=True)
    (other / "crew" / "__init__.py").write_text("")
    (other / "crew" / "tools.py").write_text("TOOLS = {}")
    monkeypatch.syspath_prepend(other)
    write(SHOUT)
    assert list(toolbox()) == ["shout"]


def test_a_file_may_hold_what_needs_its_own_module(write: Write) -> None:
    """A dataclass with postponed annotations looks itself up in `sys.modules`."""
    write(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Loud:\n"
        "    end: str = '!'\n"
        "    def __call__(self, text: str) -> str:\n"
        "        return text + self.end\n"
        "TOOLS = {'loud': Loud()}\n"
    )
    assert toolbox()["loud"]("tea") == "tea!"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_f"),
        ("def tool(:\n", "SyntaxError: "),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_with_its_name(
    write: Write, text: str, message: str
) -> None:
    write(text)
    with pytest.raises(ConfigError) as caught:
        toolbox()
    said = f"{Path('crew', 'tools.py')}: cannot be imported: {message}"
    assert str(caught.value).startswith(said)


def test_tools_that_are_no_dict_are_told(write: Write) -> None:
    write("TOOLS = ['shout']\n")
    with pytest.raises(ConfigError) as caught:
        toolbox()
    assert str(caught.value).endswith("TOOLS must be a dict of names and functions")


def test_a_file_without_tools_gives_what_it_defines_itself(write: Write) -> None:
    write(
        "from pathlib import Path\n"
        "from textwrap import dedent\n"
        "class Base:\n"
        "    name = 'base'\n"
        "    def _run(self): ...\n"
        "class Plain: ...\n"
        "def shout(text: str) -> str: ...\n"
        "def _helper(): ...\n"
        "search = Base()\n"
        "LIMIT = 3\n"
    )
    assert list(toolbox()) == ["Base", "shout", "search"]
