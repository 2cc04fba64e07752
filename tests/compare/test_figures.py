"""Percentiles, the ECDF and the sense for buffering, in Python; tests/browser/test_compare.py puts
the page's own code to the same cases."""

from __future__ import annotations

import statistics

import pytest

from sidecar.compare.figures import Sample, ecdf, figures, held_back, percentile

# The nearest rank: always a value that occurred.
PERCENTILES = [
    ([], 50, None),
    ([7.0], 1, 7.0),
    ([7.0], 100, 7.0),
    ([15.0, 20.0, 35.0, 40.0, 50.0], 5, 15.0),
    ([15.0, 20.0, 35.0, 40.0, 50.0], 30, 20.0),
    ([15.0, 20.0, 35.0, 40.0, 50.0], 40, 20.0),
    ([15.0, 20.0, 35.0, 40.0, 50.0], 50, 35.0),
    ([15.0, 20.0, 35.0, 40.0, 50.0], 100, 50.0),
    ([float(n) for n in range(1, 1001)], 99, 990.0),
]

ECDFS = [
    ([], []),
    ([2.0], [(2.0, 1.0)]),
    ([1.0, 1.0, 2.0, 4.0], [(1.0, 0.5), (2.0, 0.75), (4.0, 1.0)]),
]


def spread(count: int, gap: float, delay: float) -> list[Sample]:
    """Events born every `gap` ms, each of which takes `delay` ms."""
    return [(n * gap, n * gap + delay) for n in range(count)]


def clumped(count: int, gap: float, size: int) -> list[Sample]:
    """As `spread`, but let through `size` at a time, when the last of them is born."""
    return [(n * gap, ((n // size + 1) * size - 1) * gap + 1.0) for n in range(count)]


HELD: list[tuple[str, list[Sample], float]] = [
    ("nothing", [], 0.0),
    ("each as it is born", spread(100, 20, 0.5), 0.0),
    ("a long way", spread(100, 20, 400.0), 0.0),
    ("far more of them than a clump is apart", spread(2000, 0.5, 0.5), 0.0),
    ("flat out, all at once", spread(100, 0.01, 30.0), 0.0),
    ("merged tokens", clumped(100, 10, 2), 0.0),
    ("all at the end", clumped(100, 20, 100), 0.97),
    ("by the page of a small buffer", clumped(100, 20, 10), 0.7),
    ("one stall of the machine", [*spread(90, 20, 1.0), *clumped(10, 20, 10)], 0.07),
]


@pytest.mark.parametrize(("values", "percent", "expected"), PERCENTILES)
def test_a_percentile_is_the_nearest_rank(
    values: list[float], percent: float, expected: float | None
) -> None:
    assert percentile(values, percent) == expected


def test_the_median_of_an_odd_number_is_everybodys_median() -> None:
    values = [3.0, 1.0, 8.0, 2.0, 9.0]
    assert percentile(sorted(values), 50) == statistics.median(values)


@pytest.mark.parametrize(("values", "expected"), ECDFS)
def test_an_ecdf_has_each_value_once_with_the_share_up_to_it(
    values: list[float], expected: list[tuple[float, float]]
) -> None:
    assert ecdf(values) == expected


@pytest.mark.parametrize(("name", "samples", "expected"), HELD, ids=[case[0] for case in HELD])
def test_only_what_waited_for_a_later_event_was_held_back(
    name: str, samples: list[Sample], expected: float
) -> None:
    assert held_back(samples) == pytest.approx(expected, abs=0.001)


def test_clients_are_pooled_but_their_clumps_are_their_own() -> None:
    near, far = spread(100, 20, 1.0), spread(100, 20, 301.0)
    pooled = figures([near, far], connects=[3.0, 1.0, 2.0], recoveries=[], lost=2)
    assert (pooled.samples, pooled.p50, pooled.p99, pooled.max) == (200, 1.0, 301.0, 301.0)
    # Side by side the far one's events come with the near one's later ones.
    assert pooled.held == 0.0
    assert (pooled.connect, pooled.recover, pooled.lost) == (2.0, None, 2)


def test_of_nothing_there_are_no_figures() -> None:
    empty = figures([[], []])
    assert (empty.samples, empty.p50, empty.max, empty.held) == (0, None, None, 0.0)
