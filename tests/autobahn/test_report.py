"""What docs/AUTOBAHN.md is made of, and when `make autobahn` fails."""

from __future__ import annotations

import re
from typing import Any

from tests.autobahn.report import as_markdown, problems, read, unneeded
from tests.support.sidecar import ROOT


def index(**verdicts: str) -> dict[str, dict[str, Any]]:
    return {
        "crew-sidecar": {
            name[1:].replace("_", "."): {"behavior": verdict, "behaviorClose": "OK"}
            for name, verdict in verdicts.items()
        }
    }


def test_cases_come_in_the_order_of_their_numbers() -> None:
    cases = read(index(c10_1_1="OK", c2_10="OK", c2_9="OK"))
    assert [case.id for case in cases] == ["2.9", "2.10", "10.1.1"]


def test_a_failed_case_and_a_verdict_without_a_reason_are_problems() -> None:
    cases = read(index(c1_1_1="OK", c1_1_2="NON-STRICT", c7_9_6="FAILED", c12_1_1="UNIMPLEMENTED"))
    assert problems(cases) == [
        "1.1.2: non-strict, and report.py does not say why",
        "7.9.6: failed",
    ]


def test_a_verdict_that_this_suite_did_not_have_is_a_problem() -> None:
    assert problems(read(index(c1_1_1="NO CLOSE"))) == ["1.1.1: no close"]


def test_what_is_explained_is_no_problem_and_one_that_passes_needs_no_reason() -> None:
    cases = read(index(c2_10="OK", c6_4_1="NON-STRICT", c6_4_2="OK"))
    assert (problems(cases), unneeded(cases)) == ([], ["6.4.2"])


def test_the_page_counts_each_section_and_groups_what_has_one_reason() -> None:
    page = as_markdown(
        read(index(c1_1_1="OK", c6_4_1="NON-STRICT", c6_4_2="NON-STRICT", c12_1_1="UNIMPLEMENTED")),
        {"suite": "1"},
    )
    assert "| 1 framing | 1 | 1 | – | – | – | – |" in page
    assert "| **all** | 4 | 1 | 2 | – | 1 | – |" in page
    assert page.count("6.4.1, 6.4.2 | not strict | Text is checked when it is whole") == 1


def test_the_page_in_docs_has_all_cases_and_none_that_nobody_explained() -> None:
    page = (ROOT / "docs" / "AUTOBAHN.md").read_text(encoding="utf-8")
    assert re.search(r"^\| \*\*all\*\* \| 517 \|", page, re.MULTILINE)
    assert "Not explained yet" not in page
