"""Every event class of the installed CrewAI is told, or is noise: words.py, noise.py, digest.py."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

from tests.worker.contracts import check, is_examined


def _classes() -> Iterator[type[Any]]:
    """Those with a type of their own, of all of CrewAI's modules that have any."""
    import crewai
    from crewai.events.base_events import BaseEvent

    for module in pkgutil.walk_packages(crewai.__path__, "crewai."):
        # The others import what is not installed, or start something.
        if "event" in module.name:
            importlib.import_module(module.name)
    found, open = [], [BaseEvent]
    while open:
        found += (subclasses := open.pop().__subclasses__())
        open += subclasses
    for one in found:
        if one.__module__.startswith("crewai.") and isinstance(
            one.model_fields["type"].default, str
        ):
            yield one


@check
def check_every_event_class_has_a_word_or_a_digest_or_is_noise() -> None:
    """words.py: a class that is new in this CrewAI goes into `WORDS` if PROTOCOL.md has a word for
    it, into `OTHERS` if a digest will do, into noise.py with the reason if nobody wants it."""
    from sidecar.worker.engine.mapping import Mapper
    from sidecar.worker.engine.words import OTHERS

    types = {one.model_fields["type"].default for one in _classes()}
    assert len(types) > 140, "they have moved: look for the subclasses of BaseEvent"
    known = Mapper().types | OTHERS
    assert types - known == set(), "new classes"
    assert not is_examined() or known - types == set(), "classes that are gone"


@check
def check_every_event_that_is_told_is_told_in_bounds() -> None:
    """words.py, digest.py: whatever is in the fields, a fact is JSON of 128 KiB at most with the
    place that it is of, and none fails. If one does, its class has a field of a new kind."""
    from sidecar.worker.engine.mapping import Mapper
    from sidecar.worker.engine.noise import NOISE
    from sidecar.worker.engine.words import OTHERS, WORDS

    class Awkward:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    values = ("x" * 100_000, 7, {"key": Awkward()}, [Awkward()] * 50, ["y" * 5_000] * 50, None)
    for one in _classes():
        type = one.model_fields["type"].default
        if type not in OTHERS and type not in WORDS:
            continue
        for value in values:
            given: dict[str, Any] = dict.fromkeys(one.model_fields, value)
            envelope = {"type": type, "event_id": "e", "agent_role": "Writer\n"}
            nothing = dict.fromkeys(("parent_event_id", "started_event_id", "task_id"))
            given |= {name: 1.0 for name in given if name.endswith("_ms")}
            event = one.model_construct(**{**given, **envelope, **nothing})
            (fact,) = Mapper().facts(None, event)
            assert type not in NOISE
            assert fact["agent"] == "Writer"
            assert len(json.dumps(fact)) < 128 * 1024, type
