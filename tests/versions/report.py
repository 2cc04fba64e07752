"""What each release can do, as the page docs/CREWAI.md and as a verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sidecar.worker.engine import versions
from tests.worker.contracts import lack_of

__all__ = ["Result", "as_markdown", "merged", "problems", "read"]

_CHECK: Final = "check_"
_GOOD: Final = "✓"
_REFUSED: Final = "refused: "

Checks = Mapping[str, str | None]
"""By name null, or why it failed."""


@dataclass(frozen=True)
class Result:
    """What was found of one release."""

    version: str
    contracts: Checks = field(default_factory=dict)
    runs: Checks = field(default_factory=dict)
    trouble: str | None = None
    """Why nothing was tried: it could not be had, or is refused."""


def problems(results: Sequence[Result]) -> list[str]:
    """What contradicts versions.py: a check that fails for no lack of that release's, and a lack
    all of whose checks pass."""
    found = []
    for result in results:
        lacks = versions.lacks(result.version)
        for name, why in {**result.contracts, **result.runs}.items():
            if why is not None and lack_of(name) not in lacks:
                found.append(f"crewai {result.version}: {name}\n{why.rstrip()}")
        for lack in lacks:
            of = [why for name, why in result.contracts.items() if lack_of(name) == lack]
            if of and not any(of):
                found.append(f"crewai {result.version} does not lack {lack!r}: versions.LACKS")
        if result.trouble is not None and versions.trouble(result.version) != result.trouble:
            found.append(f"crewai {result.version}: {result.trouble}")
    return found


def merged(before: Sequence[Result], now: Sequence[Result]) -> list[Result]:
    """`now`, and of `before` the releases that were not tried again; the newest first."""
    again = {one.version for one in now}
    everything = [*now, *(one for one in before if one.version not in again)]
    return sorted(everything, key=lambda one: versions.release(one.version), reverse=True)


def read(page: str) -> list[Result]:
    """The results that a page was made of, without the words of what failed."""
    parts = {part.splitlines()[0]: part.splitlines()[1:] for part in f"\n{page}".split("\n## ")[1:]}
    contracts = _columns(parts.get("Contracts", []), _CHECK)
    runs = _columns(parts.get("Runs", []), "")
    results = []
    for row in parts.get("Releases", []):
        version, _, _, without = [*_cells(row), "", "", "", ""][:4]
        if version in contracts:
            results.append(Result(version, contracts[version], runs[version]))
        elif without.startswith(_REFUSED):
            results.append(Result(version, trouble=without.removeprefix(_REFUSED)))
    return results


def _columns(lines: Sequence[str], prefix: str) -> dict[str, dict[str, str | None]]:
    """By release and name of a check."""
    rows = [_cells(line) for line in lines if line.startswith("|")]
    found: dict[str, dict[str, str | None]] = {}
    for number, version in enumerate(rows[0][1:] if rows else [], 1):
        cells = ((row[0], row[number]) for row in rows[2:])
        found[version] = {
            prefix + name.replace(" ", "_"): None
            if cell == _GOOD
            else "it failed when it was tried"
            for name, cell in cells
            if cell
        }
    return found


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def as_markdown(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """The releases in one table, the checks in another, and what the facts are."""
    lines = ["## Releases", "", "| crewai | contracts | runs | without |", "|---|---|---|---|"]
    for one in results:
        if one.trouble is not None:
            lines.append(f"| {one.version} | – | – | {_REFUSED}{one.trouble} |")
            continue
        lacks = "; ".join(lack.what for lack in versions.lacks(one.version).values()) or "nothing"
        lines.append(f"| {one.version} | {_sum(one.contracts)} | {_sum(one.runs)} | {lacks} |")
    tried = [one for one in results if one.trouble is None]
    lines += ["", "## Runs", "", *_table(tried, [one.runs for one in tried])]
    lines += ["", "## Contracts", "", *_table(tried, [one.contracts for one in tried])]
    lines += ["", "## What was run", "", "|  |  |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    return "\n".join(lines) + "\n"


def _sum(checks: Checks) -> str:
    good = sum(why is None for why in checks.values())
    return f"{good} of {len(checks)}"


def _table(results: Sequence[Result], checks: Sequence[Checks]) -> list[str]:
    """One row for each name that any release has, one column for each release."""
    versions_ = " | ".join(one.version for one in results)
    names = list(dict.fromkeys(name for one in checks for name in one))
    lines = [f"| | {versions_} |", "|---|" + "---|" * len(results)]
    for name in names:
        cells = []
        for result, of in zip(results, checks, strict=True):
            lacking = lack_of(name) in versions.lacks(result.version)
            failed = "–" if lacking else "**failed**"
            cells.append("" if name not in of else _GOOD if of[name] is None else failed)
        said = name.removeprefix(_CHECK).replace("_", " ")
        lines.append(f"| {said} | {' | '.join(cells)} |")
    return lines
