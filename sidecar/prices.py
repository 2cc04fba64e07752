"""What models cost, as the user says in `prices.yaml`; of any other model nothing is known.

Read anew when the file has changed. One that can't be used costs its prices, and nothing else.
"""

from __future__ import annotations

import difflib
import logging
import math
import re
from pathlib import Path
from typing import Any, Final, NotRequired, TypedDict

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

__all__ = ["ModelPrices", "PriceTable", "Prices", "PricesError", "read"]

logger = logging.getLogger("sidecar.prices")

_NAME: Final = "prices.yaml"
_MAX_BYTES: Final = 256 * 1024
_MAX_MODELS: Final = 1_000
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
"""ISO 4217's codes."""
_KEYS: Final = ("currency", "models")
_PER_MILLION: Final = ("input", "output", "cached")


class ModelPrices(TypedDict):
    """Of a million tokens."""

    input: float
    output: float
    cached: NotRequired[float]
    """Of input tokens that the provider had in its cache; without, they cost what others do."""


class Prices(TypedDict):
    currency: str
    models: dict[str, ModelPrices]
    """By the name of the model as `llm.started` has it."""


class PricesError(Exception):
    """What is wrong with the file, as `path:line:column: …`."""


class PriceTable:
    """The prices in one folder of the user's."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _NAME
        self.problem: str | None = None
        """Why there are none, though there is a file."""
        self._prices = _none()
        self._state: tuple[int, int] | None = None
        """When the file was changed, in ns, and its bytes; None without one."""

    def current(self) -> Prices:
        """As the file says now. A problem is logged once, until the file changes again."""
        state = _state(self.path)
        if state != self._state:
            self._state, self._prices, self.problem = state, _none(), None
            if state is not None:
                try:
                    self._prices = read(self.path)
                except PricesError as error:
                    self.problem = str(error)
                    logger.warning("no prices are shown: %s", error)
        return self._prices


def read(path: Path) -> Prices:
    """Raises PricesError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PricesError(f"{path}: larger than {_MAX_BYTES // 1024} KiB")
        root = yaml.compose(path.read_text("utf-8-sig"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise PricesError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise PricesError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise PricesError(
            f"{_place(path, mark)}: not valid YAML: {error.problem or error.context}"
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise PricesError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if root is None or root.tag.endswith(":null"):
        return _none()
    return _Reader(path).prices(root)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def prices(self, root: Node) -> Prices:
        found = _none()
        for name, (_, value) in self._items(root, "the file", _KEYS).items():
            if name == "currency":
                found["currency"] = self._currency(value)
            elif not value.tag.endswith(":null"):  # all of its models are comments
                found["models"] = self._models(value)
        return found

    def _models(self, node: Node) -> dict[str, ModelPrices]:
        models = self._items(node, "models")
        if len(models) > _MAX_MODELS:
            raise self._wrong(node, f"more than {_MAX_MODELS:,} models")
        return {name: self._model(name, *pair) for name, pair in models.items()}

    def _model(self, name: str, key: Node, value: Node) -> ModelPrices:
        given = self._items(value, name, _PER_MILLION)
        for lacking in ("input", "output"):
            if lacking not in given:
                what = f"{name} has no {lacking}: what a million {lacking} tokens cost"
                raise self._wrong(key, what)
        numbers = {part: self._number(f"{name}.{part}", node) for part, (_, node) in given.items()}
        found: ModelPrices = {"input": numbers["input"], "output": numbers["output"]}
        if "cached" in numbers:
            found["cached"] = numbers["cached"]
        return found

    def _items(
        self, node: Node, what: str, known: tuple[str, ...] = ()
    ) -> dict[str, tuple[Node, Node]]:
        """A mapping's values by their names, each with the node of its name."""
        if not isinstance(node, MappingNode):
            raise self._wrong(node, f"{what} must be a mapping, as `name: value`")
        found: dict[str, tuple[Node, Node]] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self._wrong(key, "a name must be text")
            if key.value in found:
                raise self._wrong(key, f"{key.value} is there twice")
            if known and key.value not in known:
                close = difflib.get_close_matches(key.value, known, n=1)
                there = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
                raise self._wrong(key, f"unknown key {key.value}; {there}")
            found[key.value] = key, value
        return found

    def _currency(self, node: Node) -> str:
        if isinstance(node, ScalarNode) and _CURRENCY.fullmatch(node.value):
            return str(node.value)
        raise self._wrong(node, "currency must be a code of three letters, as USD or EUR")

    def _number(self, what: str, node: Node) -> float:
        try:
            number = float(node.value) if isinstance(node, ScalarNode) else math.nan
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise self._wrong(node, f"{what} must be a number, what a million tokens cost")
        return number

    def _wrong(self, node: Node, message: str) -> PricesError:
        return PricesError(f"{_place(self._path, node.start_mark)}: {message}")


def _none() -> Prices:
    return {"currency": "USD", "models": {}}


def _place(path: Path, mark: Any) -> str:
    return str(path) if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
