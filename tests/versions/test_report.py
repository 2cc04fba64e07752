"""What the table of releases says, and when the command fails."""

from __future__ import annotations

import subprocess
import sys

from sidecar.worker.engine import versions
from tests.support.sidecar import ROOT
from tests.versions.crews import RUNS
from tests.versions.report import Result, as_markdown, merged, problems, read
from tests.worker.contracts import all_checks, lack_of

GOOD = dict.fromkeys(all_checks())
LACKING = {name: "gone" if lack_of(name) else None for name in GOOD}
RAN = {one.__name__: None for one in RUNS}


def test_a_release_that_does_all_is_no_problem() -> None:
    assert problems([Result("1.15.30", GOOD, RAN)]) == []


def test_a_check_that_fails_without_a_reason_is_told_with_its_words() -> None:
    run = next(iter(RAN))
    found = problems([Result("1.15.30", LACKING, {**RAN, run: "no end\n"})])
    assert f"crewai 1.15.30: {run}\nno end" in found
    assert len(found) == 1 + sum(why is not None for why in LACKING.values())


def test_what_an_older_release_lacks_may_fail_and_must() -> None:
    oldest = versions.turns()[-1]
    assert problems([Result(oldest, LACKING, RAN)]) == []
    assert problems([Result(oldest, GOOD, RAN)]) == [
        f"crewai {oldest} does not lack {lack!r}: versions.LACKS" for lack in versions.LACKS
    ]


def test_whoever_asks_first_hears_what_a_check_is_of() -> None:
    """In a process that has loaded no check yet, as that of the command."""
    name = next(name for name in GOOD if lack_of(name) == "abort")
    program = f"from tests.versions.report import lack_of; print(lack_of({name!r}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "abort\n"


def test_a_release_out_of_range_is_refused_and_that_is_no_problem() -> None:
    refused = versions.trouble("1.14.7")
    assert problems([Result("1.14.7", trouble=refused)]) == []
    assert problems([Result("1.15.30", trouble="no disk")]) == ["crewai 1.15.30: no disk"]


def test_the_page_has_a_column_for_each_release_and_a_row_for_each_check() -> None:
    oldest = versions.turns()[-1]
    results = [Result("1.15.30", GOOD, RAN), Result(oldest, LACKING, {**RAN, "extra": "no"})]
    page = as_markdown([*results, Result("1.14.7", trouble="too old")], {"took": "1 min"})
    lines = page.splitlines()
    assert f"| 1.15.30 | {len(GOOD)} of {len(GOOD)} | {len(RAN)} of {len(RAN)} | nothing |" in lines
    assert "| 1.14.7 | – | – | refused: too old |" in lines
    assert "| a crew runs to its end | ✓ | ✓ |" in lines
    assert "| extra |  | **failed** |" in lines
    assert sum(line.endswith("| ✓ | – |") for line in lines) == len(
        [name for name in GOOD if lack_of(name)]
    )
    assert all(line.count("|") == 4 for line in lines if line.endswith(("✓ |", "– |")))
    assert "| took | 1 min |" in lines


def test_releases_that_are_not_tried_again_stay_as_the_page_has_them() -> None:
    oldest = versions.turns()[-1]
    page = as_markdown(
        [
            Result("1.15.30", GOOD, {**RAN, "extra": "no"}),
            Result(oldest, LACKING, RAN),
            Result("1.14.7", trouble=versions.trouble("1.14.7")),
        ],
        {},
    )
    newest, older, refused = read(page)
    assert [newest.version, older.version, refused.version] == ["1.15.30", oldest, "1.14.7"]
    assert newest.contracts == GOOD
    assert [name for name, why in newest.runs.items() if why] == ["extra"]
    assert {name for name, why in older.contracts.items() if why} == {
        name for name in GOOD if lack_of(name)
    }
    assert as_markdown([newest, older, refused], {}) == page
    again = merged([newest, older, refused], [Result("1.15.9", GOOD, RAN), Result(oldest, GOOD)])
    assert [one.version for one in again] == ["1.15.30", "1.15.9", oldest, "1.14.7"]
    assert again[2].contracts == GOOD
    assert again[2].runs == {}
