"""What Autobahn found, as docs/AUTOBAHN.md says it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

__all__ = ["EXPLAINED", "Case", "as_markdown", "problems", "read", "unneeded"]

_SECTIONS: Final = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "opcodes",
    5: "fragments",
    6: "UTF-8",
    7: "closing",
    9: "sizes and speed",
    10: "messages in many frames",
    12: "compression",
    13: "compression, parameters",
}

_COLUMNS: Final = {
    "OK": "passed",
    "NON-STRICT": "not strict",
    "INFORMATIONAL": "for information",
    "UNIMPLEMENTED": "not applicable",
    "FAILED": "failed",
}
"""Autobahn's verdicts, in this page's words."""

_ENDS: Final = {
    "OK": "as it should be",
    "INFORMATIONAL": "for information",
    "FAILED BY CLIENT": "the client hung up first, after a second",
    "WRONG CODE": "another close code than expected",
    "UNCLEAN": "without a close frame",
}

_WHOLE_TEXT: Final = (
    "Text is checked when it is whole, and not fragment by fragment: it is refused all the same, "
    "and nobody is shown any of it. Section 8.1 asks for no more"
)
_IN_A_FRAME: Final = (
    _WHOLE_TEXT + ". With 1002 and not 1007 because the suite answers the sidecar's first ping in "
    "the middle of a frame of its own"
)
EXPLAINED: Final = {
    **dict.fromkeys(("6.4.1", "6.4.2"), _WHOLE_TEXT),
    **dict.fromkeys(("6.4.3", "6.4.4"), _IN_A_FRAME),
    "7.1.6": "A message of 256 KiB, a close and a ping in a row: how much of it is answered is "
    "left open by the RFC",
    **dict.fromkeys(
        ("7.13.1", "7.13.2"), "A close code above 4999 is refused with 1002; the RFC leaves it open"
    ),
}
"""Why a case that was run has another verdict than `passed`."""


class Case(NamedTuple):
    id: str
    verdict: str
    end: str
    """How its connection ended."""

    @property
    def section(self) -> int:
        return int(self.id.split(".")[0])


def read(index: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Case]:
    """The suite's index.json, which has one server, in the order of the cases."""
    [server] = index.values()
    cases = [Case(id, one["behavior"], one["behaviorClose"]) for id, one in server.items()]
    return sorted(cases, key=lambda case: [int(part) for part in case.id.split(".")])


def problems(cases: Iterable[Case]) -> list[str]:
    """What has to be looked into: cases that failed, and verdicts that nothing here explains."""
    found = []
    for case in cases:
        if case.verdict not in _COLUMNS or case.verdict == "FAILED":
            found.append(f"{case.id}: {case.verdict.lower()}")
        elif case.verdict not in ("OK", "UNIMPLEMENTED") and case.id not in EXPLAINED:
            found.append(f"{case.id}: {case.verdict.lower()}, and report.py does not say why")
    return found


def unneeded(cases: Iterable[Case]) -> list[str]:
    """Explanations of cases that passed."""
    return [case.id for case in cases if case.verdict == "OK" and case.id in EXPLAINED]


def as_markdown(cases: Sequence[Case], facts: Mapping[str, str]) -> str:
    """The part of the page below its introduction; `facts` are what was run, and on what."""
    others = [case for case in cases if case.verdict not in ("OK", "UNIMPLEMENTED")]
    why = [
        [", ".join(ids), _COLUMNS.get(verdict, verdict.lower()), reason + "."]
        for (verdict, reason), ids in _grouped(others).items()
    ]
    ends = Counter(case.end for case in cases)
    parts = [
        "## What was run",
        _table(["", ""], [[name, fact] for name, fact in facts.items()]),
        "## Verdicts",
        _table(["section", "cases", *_COLUMNS.values()], _rows(cases)),
        "## What did not simply pass",
        _table(["cases", "verdict", "why"], why) if why else "Nothing.",
        "## How the connections ended",
        _table(
            ["end", "cases"],
            [[_ENDS.get(end, end.lower()), str(count)] for end, count in ends.most_common()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _grouped(cases: Iterable[Case]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        reason = EXPLAINED.get(case.id, "Not explained yet")
        groups.setdefault((case.verdict, reason), []).append(case.id)
    return groups


def _rows(cases: Sequence[Case]) -> list[list[str]]:
    rows = []
    for section in sorted({case.section for case in cases}):
        verdicts = [case.verdict for case in cases if case.section == section]
        rows.append([f"{section} {_SECTIONS.get(section, '')}".strip(), *_counts(verdicts)])
    rows.append(["**all**", *_counts([case.verdict for case in cases])])
    return rows


def _counts(verdicts: list[str]) -> list[str]:
    counts = Counter(verdicts)
    return [str(len(verdicts)), *(str(counts[verdict] or "–") for verdict in _COLUMNS)]


def _table(heads: Sequence[str], rows: Iterable[list[str]]) -> str:
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
