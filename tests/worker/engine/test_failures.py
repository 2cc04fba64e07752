"""What runs fail with when a provider refuses, from its real client: tests/vectors/errors.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from sidecar.worker.engine.failures import failure
from tests.support.refusals import REFUSALS, held
from tests.support.wires import WireServer
from tests.worker.engine.conftest import ELSEWHERE, PROVIDED, Make
from tests.worker.harness import Child, spec_for

NAMES: Final = [
    pytest.param(name, marks=pytest.mark.long if refusal.wire in ELSEWHERE else ())
    for name, refusal in REFUSALS.items()
]


def failed(worker: Child, tmp_path: Path) -> dict[str, Any]:
    last = worker.run(spec_for(tmp_path, "tea", target=f"{PROVIDED}:Direct"))
    assert last["type"] == "run.failed", last
    error: dict[str, Any] = last["data"]["error"]
    return error


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_told_in_the_provider_s_own_words(
    worker_of: Make, server: WireServer, tmp_path: Path, name: str
) -> None:
    refusal = REFUSALS[name]
    server.script = refusal.script
    told = failed(worker_of(refusal.wire), tmp_path)
    assert "{" not in told["message"], "no repr"
    assert told["status"] == refusal.status
    held(name, told, tmp_path)


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("nobody there", "openai_nowhere"),
        ("no key", "openai_keyless"),
        ("too slow", "openai_hurried"),
    ],
)
def test_no_answer_is_told_with_who_was_asked(
    worker_of: Make, server: WireServer, tmp_path: Path, name: str, wire: str
) -> None:
    server.stalls = True
    try:
        held(name, failed(worker_of(wire), tmp_path), tmp_path)
    finally:
        server.stalls = False


def test_what_is_nobody_s_answer_is_told_as_it_tells_itself() -> None:
    assert failure(ValueError("no\n  paper")) == {
        "message": "ValueError: no paper",
        "details": "no\n  paper",
    }
    assert failure(KeyError()) == {"message": "KeyError"}
