"""A YAML file as plain data, and where each part of it stands. Pure, safe loading only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sidecar.worker.config.problems import ConfigError, Problem

__all__ = ["Place", "YamlFile", "described"]

Place = tuple[str | int, ...]
"""The names and indexes that lead to a value, from the top."""

_MAX_BYTES: Final = 1024 * 1024
_MAX_MERGED: Final = 10_000
"""Keys that merges may copy: 8 levels of ten merges each, 500 bytes, would copy 10^8 of them."""
_MAX_PROBLEMS: Final = 1_000
_MERGE: Final = "tag:yaml.org,2002:merge"
_SECRET: Final = re.compile(r"(?:key|secret|token|password)['\"]?\s*:", re.IGNORECASE)
_TEXT: Final = "tag:yaml.org,2002:str"


class YamlFile:
    """`data` is what the file says, `problems` what is wrong with it so far: the first 1,000."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError for a file that is missing, too large, not UTF-8, empty or no YAML."""
        self.problems: list[Problem] = []
        self._path = path
        self._lines: list[str] = []
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise self._unusable(f"larger than {_MAX_BYTES // 1024} KiB")
            text = path.read_text("utf-8-sig")
            self._lines = text.splitlines()
            loader = _Loader(text, self)
            root = loader.get_single_node()
            if root is None:
                raise self._unusable("the file is empty")
            self._root: Node = root
            self.data = loader.construct_document(root)
        except FileNotFoundError:
            raise self._unusable("no such file") from None
        except UnicodeDecodeError as error:
            raise self._unusable(f"not UTF-8 ({error.reason} at byte {error.start})") from None
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        except yaml.MarkedYAMLError as error:
            message = f"not valid YAML: {error.problem or error.context}"
            mark = error.problem_mark or error.context_mark
            raise self._unusable(message, mark) from None
        except (yaml.YAMLError, RecursionError) as error:
            raise self._unusable(f"not valid YAML: {' '.join(str(error).split())}") from None

    def node(self, place: Place, *, name: bool = False) -> Node:
        """The value at `place`, or its name; of what should hold it when it is not there."""
        key = value = self._root
        for part in place:
            if isinstance(value, MappingNode):
                inside = [pair for pair in value.value if pair[0].value == part]
            elif isinstance(value, SequenceNode) and isinstance(part, int):
                inside = [(value.value[part],) * 2]
            else:
                break
            if inside:
                [(key, value)] = inside
        return key if name else value

    @property
    def room(self) -> int:
        """For how many more problems."""
        return _MAX_PROBLEMS - len(self.problems)

    def add(self, node: Node, place: Place, message: str, hint: str = "") -> None:
        """Note a problem at `node`, which the names in `place` lead to."""
        if self.room > 0:
            key = ".".join(part for part in place if isinstance(part, str))
            self.problems.append(self._problem(node.start_mark, key, message, hint))

    def _problem(self, mark: yaml.Mark | None, key: str, message: str, hint: str = "") -> Problem:
        if mark is None:
            return Problem(str(self._path), 0, 0, key, message, hint)
        line = self._lines[mark.line] if mark.line < len(self._lines) else ""
        if _SECRET.search(line):  # a problem goes into logs and to browsers
            line = ""
        return Problem(str(self._path), mark.line + 1, mark.column + 1, key, message, hint, line)

    def _unusable(self, message: str, mark: yaml.Mark | None = None) -> ConfigError:
        return ConfigError([self._problem(mark, "", message)])


class _Loader(yaml.SafeLoader):
    """Safe, and stricter than YAML about names: text, each once, merged within a bound.

    What safe YAML can't make of a value stays a node.
    """

    def __init__(self, text: str, file: YamlFile) -> None:
        super().__init__(text)
        self._file = file
        self._left = _MAX_MERGED
        self._place: list[Any] = []
        self._ended: set[int] = set()

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self._place.append(index.value if isinstance(index, ScalarNode) else index)
        node = super().compose_node(parent, index)
        self._place.pop()
        return node

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        """With merges (`<<: *base`) done: own keys win, then those of the first base."""
        node = super().compose_mapping_node(anchor)
        merged: dict[str, tuple[Node, Node]] = {}
        own: dict[str, tuple[Node, Node]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                bases = value.value if isinstance(value, SequenceNode) else [value]
                for base in reversed(bases):
                    merged.update(self._keys_of(base))
            elif not isinstance(key, ScalarNode):
                raise _invalid(f"a name must be text, not {described(key)}", key)
            elif key.value in own:
                first = own[key.value][0].start_mark.line + 1
                place = (*self._place, key.value)
                self._file.add(key, place, f"duplicate key, first on line {first}")
            else:
                own[key.value] = ScalarNode(_TEXT, key.value, key.start_mark), value
        node.value = list({**merged, **own}.values())
        self._ended.add(id(node))
        return node

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError):  # 2026-99-99, !!bool maybe, !!float x
            return node

    def _keys_of(self, base: Node) -> dict[str, tuple[Node, Node]]:
        if not isinstance(base, MappingNode) or id(base) not in self._ended:
            raise _invalid("only a mapping that has ended can be merged", base)
        self._left -= len(base.value)
        if self._left < 0:
            raise _invalid(f"merges (<<) copy more than {_MAX_MERGED:,} keys", base)
        return {key.value: (key, value) for key, value in base.value}


_Loader.add_constructor(None, lambda _, node: node)


def _invalid(message: str, node: Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)


def described(node: Node) -> str:
    """A value in words, as in 'must be text, not a list'."""
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "str":
        return f"{node.value!r}"
    if isinstance(node, ScalarNode):
        return "nothing" if kind == "null" else f"{kind} {node.value}"
    return {"seq": "a list", "map": "a mapping"}.get(kind, f"a value of type {kind}")
