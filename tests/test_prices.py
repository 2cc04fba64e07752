"""The user's table of prices: read, refused with its place, and served."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from sidecar.prices import PricesError, PriceTable, read
from tests.conftest import StartSidecar
from tests.support.sidecar import ROOT

TABLE = """\
currency: EUR
models:
  gpt-4o-mini: {input: 0.5, output: 2}
  claude:
    input: 3
    cached: 0.25
    output: 15
"""
READ = {
    "currency": "EUR",
    "models": {
        "gpt-4o-mini": {"input": 0.5, "output": 2.0},
        "claude": {"input": 3.0, "cached": 0.25, "output": 15.0},
    },
}
NONE = {"currency": "USD", "models": {}}


def written(folder: Path, text: str) -> Path:
    path = folder / "prices.yaml"
    path.write_text(text)
    return path


def test_a_table_is_read_as_it_is_written(tmp_path: Path) -> None:
    assert read(written(tmp_path, TABLE)) == READ


@pytest.mark.parametrize("text", ["", "# none yet\n", "models:\n", "currency: USD\n"])
def test_a_table_without_models_has_no_prices(tmp_path: Path, text: str) -> None:
    assert read(written(tmp_path, text)) == NONE


def test_the_example_of_this_repository_says_no_price(tmp_path: Path) -> None:
    path = ROOT / "config" / "prices.yaml"
    assert read(path) == NONE
    example = "".join(
        line.removeprefix("# ")
        for line in path.read_text().partition("price of anything:\n#\n")[2].splitlines(True)
    )
    assert list(read(written(tmp_path, example))["models"]) == ["name-of-a-model"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models:\n  a: {input: 1}\n", "2:3: a has no output: what a million output tokens cost"),
        ("models:\n  a: {input: one, output: 1}\n", "2:14: a.input must be a number"),
        ("models:\n  a: {input: -1, output: 1}\n", "2:14: a.input must be a number"),
        ("models:\n  a: {input: .nan, output: 1}\n", "2:14: a.input must be a number"),
        ("models:\n  a: {input: 1, ouput: 1}\n", "2:17: unknown key ouput; did you mean output?"),
        ("model: {}\n", "1:1: unknown key model; did you mean models?"),
        ("currency: dollars\n", "1:11: currency must be a code of three letters"),
        ("- a\n", "1:1: the file must be a mapping"),
        ("models:\n  a: 3\n", "2:6: a must be a mapping"),
        ("models: {a: {input: 1, output: 1}, a: {}}\n", "1:36: a is there twice"),
        ("models: [\n", "2:1: not valid YAML"),
        ("models:\n\ta: 1\n", "2:1: not valid YAML"),
        ("a: &a [*a]\n", "1:1: unknown key a"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PricesError) as wrong:
        read(path)
    assert str(wrong.value).startswith(f"{path}:{problem}")


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"# " + b"x" * 300_000])
def test_what_is_no_text_or_too_long_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prices.yaml"
    path.write_bytes(content)
    with pytest.raises(PricesError, match=r"prices\.yaml: (not UTF-8|larger than 256 KiB)"):
        read(path)


def test_a_change_is_read_and_a_problem_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = PriceTable(tmp_path)
    assert table.current() == NONE
    assert [table.problem] == [None]
    written(tmp_path, TABLE)
    assert table.current() == READ
    written(tmp_path, "models: 3\n")
    assert table.current() == table.current() == NONE
    assert table.problem is not None
    assert [record.message for record in caplog.records] == [
        f"no prices are shown: {table.problem}"
    ]
    table.path.unlink()
    assert table.current() == NONE


def test_a_sidecar_serves_the_table_as_it_is_now_and_runs_without_one_that_is_wrong(
    start_sidecar: StartSidecar, tmp_path: Path
) -> None:
    for name in ("agents.yaml", "tasks.yaml"):
        (tmp_path / name).write_text((ROOT / "config" / name).read_text())
    path = written(tmp_path, "models:\n  a: {input: 1}\n")
    sidecar = start_sidecar(SIDECAR_CONFIG=str(tmp_path))

    def served() -> object:
        with urllib.request.urlopen(f"{sidecar.url}/prices", timeout=10) as response:
            return json.load(response)

    assert served() == {
        **NONE,
        "error": f"{path}:2:3: a has no output: what a million output tokens cost",
    }
    path.write_text(TABLE)
    assert served() == READ
    assert f"no prices are shown: {path}:2:3" in sidecar.stderr
