"""A YAML file of named entries that remembers where everything stands. Pure, safe loading only."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["ConfigError", "Entry", "Problem", "YamlFile", "suggest"]

_MAX_BYTES: Final = 1024 * 1024
_MAX_SHOWN: Final = 20
_MERGE: Final = "tag:yaml.org,2002:merge"
_KINDS: Final = {str: "text", bool: "true or false", int: "a whole number", list: "a list"}


@dataclass(frozen=True)
class Problem:
    """One thing wrong: `path:line:column: key: message`, then the line with a caret."""

    path: str
    line: int
    column: int
    key: str
    message: str
    hint: str | None = None
    source: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        key = f"{self.key}: " if self.key else ""
        hint = f"; {self.hint}" if self.hint else ""
        text = f"{place}: {key}{self.message}{hint}"
        if self.source:
            text += f"\n  {self.line:>4} | {self.source}\n       | {' ' * (self.column - 1)}^"
        return text


class ConfigError(Exception):
    """A crew's files can't be used; the text lists every problem with its place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = "\n".join(str(problem) for problem in self.problems[:_MAX_SHOWN])
        more = len(self.problems) - _MAX_SHOWN
        super().__init__(shown + (f"\nand {more} more" if more > 0 else ""))


def suggest(word: str, known: Collection[str]) -> str | None:
    """'did you mean …?' when `known` has something like `word`."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else None


class YamlFile:
    """One file: its entries, and the problems found so far in `problems`."""

    def __init__(self, path: Path, text: str, root: Node) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._lines = text.splitlines()
        self._root = root

    @classmethod
    def read(cls, path: Path) -> YamlFile:
        """Raises ConfigError when the file is missing, too large, not UTF-8, empty or not YAML."""

        def fail(message: str, line: int = 0, column: int = 0, source: str = "") -> ConfigError:
            return ConfigError([Problem(str(path), line, column, "", message, None, source)])

        try:
            if path.stat().st_size > _MAX_BYTES:
                raise fail(f"larger than {_MAX_BYTES // 1024} KiB")
            text = path.read_text("utf-8-sig")
        except FileNotFoundError:
            raise fail("no such file") from None
        except UnicodeDecodeError as error:
            raise fail(f"not UTF-8 ({error.reason} at byte {error.start})") from None
        except OSError as error:
            raise fail(error.strerror or str(error)) from None
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            message = f"not valid YAML: {error.problem or error.context}"
            if mark is None:
                raise fail(message) from None
            lines = text.splitlines()
            source = lines[mark.line] if mark.line < len(lines) else ""
            raise fail(message, mark.line + 1, mark.column + 1, source) from None
        except (yaml.YAMLError, RecursionError) as error:
            raise fail(f"not valid YAML: {' '.join(str(error).split())}") from None
        if root is None:
            raise fail("the file is empty")
        return cls(path, text, root)

    def entries(self, section: str, noun: str) -> list[Entry]:
        """The named mappings under `section`, or at the top where `section` is missing."""
        top = self._mapping(self._root, "", f"{section}: with a name for each")
        if not top:
            return []
        if section in top:
            for key, (node, _) in top.items():
                if key != section:
                    self.add(node, f"unknown key beside {section!r}", key, suggest(key, [section]))
            body = top[section][1]
            named = self._mapping(body, section, f"a name for each of the {section}")
        else:
            section, named = "", top
        if not named and not self.problems:
            self.add(self._root, f"needs at least {noun}", section)
        entries = []
        for name, (node, value) in named.items():
            key = f"{section}.{name}" if section else name
            fields = self._mapping(value, key, f"the keys of {noun}")
            if fields or not self.problems:
                entries.append(Entry(self, name, key, node, fields))
        return entries

    def add(self, node: Node, message: str, key: str, hint: str | None = None) -> None:
        """Note a problem at `node`."""
        mark = node.start_mark
        source = self._lines[mark.line] if mark.line < len(self._lines) else ""
        place = (str(self.path), mark.line + 1, mark.column + 1)
        self.problems.append(Problem(*place, key, message, hint, source))

    def _mapping(self, node: Node, key: str, wanted: str) -> dict[str, tuple[Node, Node]]:
        """name: (node of the name, node of the value), with anchors merged (`<<: *base`)."""
        if not isinstance(node, MappingNode):
            self.add(node, f"expected {wanted}, not {_described(node)}", key)
            return {}
        seen: dict[str, Node] = {}
        for name_node, _ in node.value:
            name = name_node.value
            if not isinstance(name_node, ScalarNode):
                self.add(name_node, f"a name must be text, not {_described(name_node)}", key)
                return {}
            if name in seen and name_node.tag != _MERGE:
                first = seen[name].start_mark.line + 1
                inside = f"{key}.{name}" if key else name
                self.add(name_node, f"duplicate key, first on line {first}", inside)
            seen.setdefault(name, name_node)
        try:
            yaml.SafeLoader("").flatten_mapping(node)
        except yaml.MarkedYAMLError as error:
            self.add(node, f"not valid YAML: {error.problem}", key)
        return {name.value: (name, value) for name, value in node.value}


class Entry:
    """One agent or task as written; reading it notes problems in its file."""

    def __init__(
        self, file: YamlFile, name: str, path: str, node: Node, fields: dict[str, tuple[Node, Node]]
    ) -> None:
        self.name = name
        self._file = file
        self._path = path
        self._node = node
        self._fields = fields

    def has(self, key: str) -> bool:
        return key in self._fields

    def key(self, preferred: str, other: str) -> str:
        """Which of two names for the same key is written here."""
        return other if other in self._fields and preferred not in self._fields else preferred

    def problem(self, where: str | Node, message: str, key: str, hint: str | None = None) -> None:
        """Note a problem at a node, or at the value of a key (else at the entry's name)."""
        if isinstance(where, str):
            where = self._fields[where][1] if where in self._fields else self._node
        self._file.add(where, message, f"{self._path}.{key}", hint)

    def check_keys(self, known: Sequence[str]) -> None:
        for key, (node, _) in self._fields.items():
            if key not in known:
                self.problem(node, "unknown key", key, suggest(key, known))

    def text(self, key: str) -> str:
        """A required text that is not blank, stripped; "" after noting what is wrong."""
        if key not in self._fields:
            self.problem(self._node, "missing", key)
            return ""
        value: str | None = self.optional(key, str)
        if value is not None and not value.strip():
            self.problem(key, "must not be blank", key)
        return (value or "").strip()

    def optional(self, key: str, kind: type) -> Any:
        """The value, or None when absent, null or of another kind (which is noted)."""
        if key not in self._fields:
            return None
        node = self._fields[key][1]
        value = _value(node)
        if value is None and kind is not str:
            return None
        if type(value) is not kind:
            hint = f"put it in quotes: '{node.value}'" if _quotable(node, kind) else None
            self.problem(node, f"must be {_KINDS[kind]}, not {_described(node)}", key, hint)
            return None
        return value

    def strings(self, key: str) -> list[tuple[str, Node]]:
        """The texts of a list with their nodes; a lone text counts as a list of one."""
        node = self._fields[key][1]
        if isinstance(node, ScalarNode) and isinstance(_value(node), str):
            return [(node.value, node)]
        if isinstance(node, ScalarNode) and _value(node) is None:
            return []
        if not isinstance(node, SequenceNode):
            self._once(node, f"must be a list of names, not {_described(node)}", key)
            return []
        good = [item for item in node.value if isinstance(_value(item), str)]
        for item in node.value:
            if item not in good:
                self._once(item, f"must be a name, not {_described(item)}", key)
        return [(item.value, item) for item in good]

    def _once(self, node: Node, message: str, key: str) -> None:
        count = len(self._file.problems)
        self.problem(node, message, key)
        if self._file.problems[-1] in self._file.problems[:count]:
            self._file.problems.pop()


def _value(node: Node) -> Any:
    """The value of a scalar as YAML reads it; lists and mappings stand for themselves."""
    if not isinstance(node, ScalarNode):
        return node
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError):
        return node


def _quotable(node: Node, kind: type) -> bool:
    return kind is str and isinstance(node, ScalarNode) and bool(node.value)


def _described(node: Node) -> str:
    if isinstance(node, SequenceNode):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    value = _value(node)
    if value is None:
        return "nothing"
    return f"{node.value!r}" if isinstance(value, str) else f"{type(value).__name__} {node.value}"
