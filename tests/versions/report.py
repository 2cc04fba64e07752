"""What each release can do, as the page docs/CREWAI.md and as a verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sidecar.worker.engine import versions
from tests.worker.contracts import lack_of

__all__ = ["Result", "as_markdown", "problems"]

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


def as_markdown(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """The releases in one table, the checks in another, and what the facts are."""
    lines = ["## Releases", "", "| crewai | contracts | runs | without |", "|---|---|---|---|"]
    for one in results:
        if one.trouble is not None:
            lines.append(f"| {one.version} | – | – | refused: {one.trouble} |")
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
            cells.append("" if name not in of else "✓" if of[name] is None else failed)
        said = name.removeprefix("check_").replace("_", " ")
        lines.append(f"| {said} | {' | '.join(cells)} |")
    return lines
