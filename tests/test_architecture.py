"""The rooms of the house: who may import whom, and what the gateway must never load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.rooms import DOORLESS, FLOORS, Import, imports, modules
from tests.support.sidecar import ROOT

IMPORTS = [found for module in modules() for found in imports(module)]
RANK = {room: rank for rank, floor in enumerate(FLOORS) for room in floor}


def told(found: list[Import]) -> list[str]:
    return [f"{one.importer} imports {one.imported}" for one in found]


def test_every_module_is_in_a_room_that_the_picture_has() -> None:
    assert {module.room for module in modules()} == set(RANK)


def test_imports_between_rooms_point_down() -> None:
    upwards = [
        one for one in IMPORTS if one.room != one.source and RANK[one.room] >= RANK[one.source]
    ]
    assert told(upwards) == []


def test_a_room_is_entered_by_its_door() -> None:
    past = [
        one
        for one in IMPORTS
        if one.room != one.source and one.room not in DOORLESS and one.inside is not None
    ]
    assert told(past) == []


def test_inside_a_room_nothing_goes_round_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for one in IMPORTS:
        if one.at_import:
            graph.setdefault(one.importer, set()).add(one.imported)
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_worker_knows_of_the_gateway_only_the_channel_and_names_of_inputs() -> None:
    foreign = {
        one.room
        for one in IMPORTS
        if one.source.startswith("worker/") and not one.room.startswith("worker")
    }
    assert foreign <= {"channel", "inputs"}


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("crewai", {"worker/engine"}),
        (
            "aiohttp",
            {"web", "gateway", "client", "nearby", "opening", "saving", "compare", "doctor"},
        ),
        ("crew", set()),
        ("config", set()),
    ],
)
def test_who_may_import(package: str, rooms: set[str]) -> None:
    users = {
        module.room
        for module in modules()
        for name in module.foreign
        if name.split(".")[0] == package
    }
    assert users <= rooms


def test_the_gateway_loads_no_crewai() -> None:
    """Asked of the interpreter, in a process of its own: everything the gateway imports."""
    script = "import sys, sidecar.__main__, sidecar.gateway; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "sidecar" in loaded
    assert not loaded & {"crew", "crewai", "openai", "pydantic", "litellm"}
