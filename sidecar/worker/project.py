"""Which crew a folder has, found in its files without importing any of them.

A project as `crewai create` makes it today (CrewAI 1.15.30: crewai_cli/create_*.py, read back by
crewai_core/project.py) says in pyproject.toml what it is::

    [tool.crewai]
    type = "crew" | "flow"
    definition = "crew.jsonc"       of a crew in JSON and of a flow in YAML; else it is Python

    [project.scripts]
    run_crew = "my_crew.main:run"   the package; else `project.name` is, or whatever folder has one

and has its Python in `src/PACKAGE`, `PACKAGE` or at the top. Reads at most `_MAX_FILES` files of
`_MAX_SIZE` bytes.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

__all__ = ["PROJECT_FILE", "BadProject", "Found", "choose", "find"]

PROJECT_FILE: Final = "pyproject.toml"

Kind = Literal["crew", "flow"]

_MAX_FILES: Final = 64
_MAX_SIZE: Final = 1 << 20
_MODULES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "crew": ("crew", "main", "flow"),
    "flow": ("main", "flow", "crew"),
}
_MAKERS: Final = ("build_crew", "create_crew", "make_crew", "get_crew", "build_flow", "create_flow")
_STARTERS: Final = ("kickoff", "run", "main")
_RANKS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "crew": ("crew class", "crew", "flow class", "flow", "plain", "maker", "agent", "starter"),
    "flow": ("flow class", "flow", "crew class", "crew", "plain", "maker", "agent", "starter"),
}
"""What a name of a module may be, the likeliest first. What starts a crew by itself comes last: it
leaves nothing to be told before it runs."""


class BadProject(Exception):
    """A project that says it has a crew and has none; the text says what was looked for."""


@dataclass(frozen=True)
class Found:
    """A crew of the user's."""

    target: str
    """`package.module:attribute`, or the path of a definition below the folder."""
    kind: Kind
    where: str
    """The file that it is in, for a person."""


def find(folder: Path) -> Found | None:
    """The crew of the CrewAI project in `folder`; None where there is no such project.

    Raises BadProject.
    """
    file = folder / PROJECT_FILE
    text = _read(file)
    if text is None or "crewai" not in text:
        return None
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if re.search(r"^\s*\[tool\.crewai\]", text, re.MULTILINE) is None:
            return None
        raise BadProject(f"{PROJECT_FILE} is not TOML: {error}") from None
    table = _table(_table(said, "tool"), "crewai")
    if not table:
        return None
    kind: Kind = "flow" if table.get("type") == "flow" else "crew"
    definition = table.get("definition")
    if definition is not None:
        return _defined(folder, kind, definition)
    for files in _candidates(folder, kind, _table(said, "project")):
        found = _best(folder, kind, files)
        if found is not None:
            return found
    looked = ", ".join(f"{name}.py" for name in _MODULES[kind])
    raise BadProject(
        f"{PROJECT_FILE} says [tool.crewai] type = {kind!r}, and there is none in {looked} of "
        "src/PACKAGE, PACKAGE or the folder itself; name it with --crew package.module:Name"
    )


def choose(target: str | None, crew: str, config: Path, folder: Path) -> Found | None:
    """Whose crew `crew` is: the user's Python that was named, else the project's in `folder`, else,
    where `config` has no agents.yaml, what lies about there. None: it is that of `config`.

    Only `default` is found by itself, and not where another config was named. Raises BadProject.
    """
    if target is not None:
        return Found(target, "crew", "")
    if crew != "default" or config != folder / "config":
        return None
    found = find(folder)
    if found is None and not (config / "agents.yaml").is_file():
        found = _loose(folder)
    return found


def _loose(folder: Path) -> Found | None:
    """The crew in `crew.py`, `main.py` or `flow.py` of a folder that is no project."""
    return _best(folder, "crew", [folder / f"{name}.py" for name in _MODULES["crew"]])


def _defined(folder: Path, kind: Kind, definition: object) -> Found:
    wrong = f"{PROJECT_FILE}: [tool.crewai] definition = {definition!r}"
    if not isinstance(definition, str) or not definition.strip():
        raise BadProject(f"{wrong} must be the path of a file in this folder")
    path = (folder / definition.strip()).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise BadProject(f"{wrong} is no file in this folder")
    inside = path.relative_to(folder.resolve()).as_posix()
    return Found(inside, kind, inside)


def _table(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _candidates(folder: Path, kind: Kind, project: Mapping[str, Any]) -> Iterator[list[Path]]:
    """Files that may have the crew, those that only a later group has being less likely."""
    scripts = _table(project, "scripts")
    named = [
        str(scripts[script]).partition(":")[0].partition(".")[0]
        for script in ("run_crew", "kickoff")
        if script in scripts
    ]
    if isinstance(project.get("name"), str):
        named.append(re.sub(r"[-. ]+", "_", project["name"]))
    roots = (folder / "src", folder)
    modules = _MODULES[kind]
    yield [root / name / f"{one}.py" for name in named for root in roots for one in modules]
    yield [root / f"{one}.py" for root in roots for one in modules]
    others = [entry for root in roots for entry in _entries(root) if entry.name.isidentifier()]
    yield [entry / f"{one}.py" for entry in others for one in modules]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _best(folder: Path, kind: Kind, files: Iterable[Path]) -> Found | None:
    """The likeliest name of all; of equals the first."""
    best: tuple[int, Found] | None = None
    read = 0
    for file in files:
        text = _read(file) if read < _MAX_FILES else None
        if text is None:
            continue
        read += 1
        for what, name in _names(text, str(file.relative_to(folder))):
            rank = _RANKS[kind].index(what)
            if best is None or rank < best[0]:
                target = f"{_module(folder, file)}:{name}"
                is_flow = what in ("flow class", "flow") or (what == "starter" and kind == "flow")
                where = file.relative_to(folder).as_posix()
                best = (rank, Found(target, "flow" if is_flow else "crew", where))
    return None if best is None else best[1]


def _module(folder: Path, file: Path) -> str:
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join(parts[1:] if parts[0] == "src" else parts)


def _read(file: Path) -> str | None:
    try:
        if file.stat().st_size <= _MAX_SIZE:
            return file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        pass
    return None


def _names(text: str, file: str) -> Iterator[tuple[str, str]]:
    """What the module defines at its top that may be a crew: what it is, and its name.

    A module with a mistake in its syntax has what can be read off its lines, so that the mistake
    is told by whoever imports it, and not that there is no crew.
    """
    if "crewai" not in text and "crew" not in text.lower():
        return
    try:
        tree = ast.parse(text, file)
    except (SyntaxError, ValueError):
        for match in re.finditer(r"^@CrewBase\b[^\n]*\n(?:@[^\n]*\n)*class (\w+)", text, re.M):
            yield "crew class", match[1]
        for match in re.finditer(r"^class (\w+)\([^)\n]*\bFlow\b", text, re.M):
            yield "flow class", match[1]
        return
    flows: list[str] = []
    found: list[tuple[str, str]] = []
    started = {
        node.id
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name in _STARTERS
        for node in ast.walk(function)
        if isinstance(node, ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = [_name(base) for base in node.bases]
            if any(_name(decorator) == "CrewBase" for decorator in node.decorator_list):
                found.append(("crew class", node.name))
            elif any(base == "Flow" or base in flows for base in bases):
                flows.append(node.name)
                found.append(("flow class", node.name))
            elif any(isinstance(one, ast.FunctionDef) and one.name == "crew" for one in node.body):
                found.append(("plain", node.name))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            made = _name(node.value.func)
            what = {"Crew": "crew", "Agent": "agent"}.get(made) or ("flow" if made in flows else "")
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [(what, one.id) for one in targets if what and isinstance(one, ast.Name)]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            gives = _name(node.returns) in ("Crew", "Flow", *flows)
            if node.name in _MAKERS or (gives and node.name not in _STARTERS):
                found.append(("maker", node.name))
            elif node.name in _STARTERS:
                found.append(("starter", node.name))
    # Of several flows the one that the module itself starts, else the last: it has the others.
    found.reverse()
    yield from sorted(found, key=lambda one: (one[1] not in started, _place(one)))


def _place(named: tuple[str, str]) -> int:
    return _STARTERS.index(named[1]) if named[0] == "starter" else 0


def _name(node: ast.expr | None) -> str:
    """`Flow` of `Flow`, `flow.Flow`, `Flow[State]`, `Flow()` and "Flow"."""
    if isinstance(node, (ast.Subscript, ast.Call)):
        return _name(node.value if isinstance(node, ast.Subscript) else node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Constant):
        return str(node.value).rpartition(".")[2]
    return node.id if isinstance(node, ast.Name) else ""
