"""The clocks of a measurement: one where births and arrivals share it, two where they don't."""

from __future__ import annotations

import time

import pytest

import sidecar.compare.measure as module
from sidecar.client.client import CrewClient
from sidecar.compare.figures import figures
from sidecar.compare.measure import Clock, Plan, measure
from sidecar.compare.report import clock_words, title
from sidecar.compare.subscriber import Recording
from tests.conftest import StartSidecar


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8770", True),
        ("http://localhost:3000/crew", True),
        ("http://[::1]:8770", True),
        ("https://crew.example.com", False),
        ("http://192.168.1.7:8770", False),
        ("nonsense", False),
    ],
)
def test_only_this_machine_shares_its_clock(url: str, loopback: bool) -> None:
    assert module._is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("born", "arrived", "shared"),
    [
        (5_000_000_000, 5_001_000_000, True),
        (5_000_000_000, 5_000_000_000, True),
        # Before it was born.
        (5_000_000_001, 5_000_000_000, False),
        # Before the run had begun: another machine has been up for longer or shorter.
        (1_000_000_000, 5_000_000_000, False),
        # Not told when.
        (0, 1_000_000, False),
    ],
)
def test_a_birth_that_can_t_be_gives_another_clock_away(
    born: int, arrived: int, shared: bool
) -> None:
    recording = Recording()
    recording.births.append(born)
    recording.arrivals.append(arrived)
    assert module._one_clock([recording], seconds=2.0) is shared


async def test_on_another_clock_births_are_told_by_the_sidecars_own(
    start_sidecar: StartSidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock here is set an hour wrong, as on a machine that nobody looks after."""
    sidecar = start_sidecar(SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0", until_ready=False)
    monkeypatch.setattr(module, "_is_loopback", lambda url: False)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() - 3_600)
    async with CrewClient(sidecar.url) as crew:
        measured = await measure(crew, Plan(events=50, rate=200))
    assert measured.clock.source == "ping"
    assert measured.clock.offset == pytest.approx(3_600_000, abs=100)
    assert 0 < measured.clock.error < 100
    for side in (measured.ws, measured.sse):
        assert side.figures.p50 is not None
        assert -measured.clock.error <= side.figures.p50 < 1_000
    assert "off by up to" in clock_words(measured.clock)


def test_how_exact_times_are_is_said() -> None:
    assert "exact" in clock_words(Clock("monotonic"))
    assert "off by up to 0.42 ms" in clock_words(Clock("ping", -7.0, 0.42))


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(), "1000 events, 50 events/s, 1 client per transport"),
        (Plan(7, 0.5, 2), "7 events, 0.5 events/s, 2 clients per transport"),
        (Plan(9, 0), "9 events, flat out, 1 client per transport"),
    ],
)
def test_a_plan_is_told_as_it_was_given(plan: Plan, words: str) -> None:
    assert plan.seconds > plan.delay > 1 or not plan.rate
    measured = module.Measurement(plan, Clock("monotonic"), NOTHING, NOTHING)
    assert title(measured) == words


NOTHING = module.Side(figures([]), [])
