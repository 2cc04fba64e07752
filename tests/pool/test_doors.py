"""Which pool there is for which settings."""

from __future__ import annotations

from dataclasses import replace

from sidecar.pool import make_pool, make_synthetic_pool
from sidecar.pool.fork import ForkPool
from sidecar.pool.spawn import SpawnPool
from sidecar.settings import Settings


def test_workers_are_forked_or_spawned_as_the_settings_say(settings: Settings) -> None:
    assert isinstance(make_pool(replace(settings, workers="fork")), ForkPool)
    assert isinstance(make_pool(replace(settings, workers="spawn")), SpawnPool)


def test_the_crew_that_is_for_measuring_has_workers_when_it_is_wanted(settings: Settings) -> None:
    assert make_synthetic_pool(settings) is None
    pool = make_synthetic_pool(replace(settings, synthetic=True))
    assert isinstance(pool, SpawnPool)
